"""One moment of both embedded stores, as plain files: a pinned view of SQLite and frozen parts of the call store.

Frozen parts are hard links: freezing takes milliseconds and no room, and ingest goes on while they are read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database


class PinnedSql:
    """The control store as it was when this was made, however long the copy takes."""

    def __init__(self, database: Database) -> None:
        path = sqlite_file(database)
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=0
        )
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # a view begins with a read

    def revision(self) -> str:
        """The migration that the store stands at."""
        return str(self._connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])

    def copy(self, target: Path) -> None:
        """Writes the pinned view to a new file. Raises Unavailable where it cannot be written."""
        try:
            with closing(sqlite3.connect(target)) as out:
                self._connection.backup(out)
        except sqlite3.Error as error:
            raise Unavailable(f"the control store could not be copied: {error}") from error

    def close(self) -> None:
        """Ends the view."""
        self._connection.close()


def sqlite_file(database: Database) -> Path:
    """The control store's file. Raises Invalid for a server, which has its own tools."""
    if database.path is None:
        raise Invalid(
            "the control store is a PostgreSQL server: back it up with its own tools (pg_dump, pg_basebackup),"
            " and the call store with them; holdfast backup covers the embedded stores",
            where="HOLDFAST_SQL_URL",
        )
    return database.path


def check_embedded(columns_url: str, sql_url: str) -> None:
    """Raises Invalid where one of the stores is a server."""
    if not columns_url.startswith("chdb://"):
        raise Invalid(
            "the call store is a ClickHouse server: back it up with its own tools (BACKUP DATABASE … TO …),"
            " and the control store with them; holdfast backup covers the embedded stores",
            where="HOLDFAST_COLUMNS_URL",
        )
    if not sql_url.startswith("sqlite:"):
        raise Invalid(
            "the control store is a PostgreSQL server: back it up with its own tools (pg_dump, pg_basebackup),"
            " and the call store with them; holdfast backup covers the embedded stores",
            where="HOLDFAST_SQL_URL",
        )


def tables(columns: Columns) -> dict[str, int]:
    """Every table of the call store that keeps rows, with how many are in it, duplicates included."""
    rows = columns.everywhere(
        "SELECT name, total_rows FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree' ORDER BY name"
    )
    return {str(name): int(count) for name, count in rows}


def engine_version(columns: Columns) -> str:
    """The version of the call store's engine."""
    return str(columns.everywhere("SELECT version()")[0][0])


@contextmanager
def frozen(columns: Columns, name: str) -> Iterator[dict[str, Path]]:
    """Freezes every table at once on entry; inside the block: name in the store's folder → file or link to read."""
    folder = Path(columns.url.removeprefix("chdb://"))
    shadow = folder / "shadow" / name
    try:
        for table in tables(columns):
            columns.upkeep(f"ALTER TABLE {table} FREEZE WITH NAME '{name}'")
        yield {**_definitions(folder), **_files(shadow)}
    finally:
        shutil.rmtree(shadow, ignore_errors=True)


def _definitions(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for top in ("metadata", "data", "store"):
        for path, folders, files in os.walk(folder / top):
            for one in (Path(path) / name for name in (*folders, *files)):
                wanted = one.is_symlink() or one.name == "format_version.txt" or one.suffix == ".sql"
                if wanted and (one.is_symlink() or one.is_file()):
                    found[one.relative_to(folder).as_posix()] = one
    return found


def _files(folder: Path) -> dict[str, Path]:
    return {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
