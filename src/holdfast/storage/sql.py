"""The control store: SQLAlchemy Core, synchronous, on SQLite or PostgreSQL.

Rooms declare their tables on `metadata` in their `store.py`. Dialect differences live in this file alone.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from holdfast.kernel.errors import Conflict, Invalid, Unavailable

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC instant. Stored as timestamptz, or in SQLite as naive UTC text that sorts by time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("instants carry their time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Transaction:
    """One transaction of the control store. Made by `Database`, never kept beyond its `with` block."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._connection.dialect.name

    def execute(
        self, statement: sa.Executable, rows: Sequence[Mapping[str, Any]] | None = None
    ) -> sa.CursorResult[Any]:
        """Runs a statement. Raises Conflict where a rule of the table forbids it, Invalid for what it cannot hold."""
        try:
            if rows is None:
                return self._connection.execute(statement)
            return self._connection.execute(statement, list(rows))
        except sa.exc.IntegrityError as error:
            raise Conflict("this conflicts with something that is already there") from error
        except sa.exc.DataError as error:
            raise Invalid("this holds a character or a number that cannot be stored") from error

    def select(self, table: sa.Table, workspace: str) -> sa.Select[Any]:
        """`SELECT *` of a table, already limited to one workspace: a forgotten filter finds nothing of another's."""
        return sa.select(table).where(table.c.workspace == workspace)

    def upsert(self, table: sa.Table, values: Mapping[str, Any], key: Sequence[str]) -> None:
        """Inserts a row, or updates the one with the same `key` columns."""
        make = postgresql.insert if self.dialect == "postgresql" else sqlite.insert
        statement = make(table).values(**values)
        changed = {name: statement.excluded[name] for name in values if name not in key}
        if changed:
            self.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))
        else:
            self.execute(statement.on_conflict_do_nothing(index_elements=list(key)))

    def insert_new(self, table: sa.Table, values: Mapping[str, Any], key: Sequence[str]) -> bool:
        """Inserts a row, unless there is one with the same `key` columns; whether it was inserted."""
        make = postgresql.insert if self.dialect == "postgresql" else sqlite.insert
        statement = make(table).values(**values).on_conflict_do_nothing(index_elements=list(key))
        return self.execute(statement.returning(table.c[key[0]])).first() is not None


class Database:
    """The control store behind one URL: `sqlite:///path/file.db` or `postgresql+psycopg://…`.

    SQLite: WAL, full sync, every write transaction is BEGIN IMMEDIATE behind one in-process lock.
    """

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self._writer = threading.Lock()
        if self.url.get_backend_name() == "sqlite":
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(self.url, connect_args={"timeout": 30, "check_same_thread": False})
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = sa.create_engine(self.url, pool_pre_ping=True)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return (
            Path(self.url.database) if self.url.get_backend_name() == "sqlite" and self.url.database else None
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A writing transaction: committed when the block ends well, undone when it raises."""
        if self.engine.dialect.name == "sqlite":
            with self._writer, self._connection(writing=True) as connection:
                yield Transaction(connection)
        else:
            with self._connection(writing=True) as connection:
                yield Transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A reading transaction: one consistent view; it never waits for a writer."""
        with self._connection(writing=False) as connection:
            yield Transaction(connection)

    @contextmanager
    def _connection(self, *, writing: bool) -> Iterator[sa.Connection]:
        try:
            connection = self.engine.connect().execution_options(holdfast_writing=writing)
            if not writing and self.engine.dialect.name == "postgresql":
                connection.execution_options(
                    isolation_level="REPEATABLE READ"
                )  # one view, as SQLite gives it
        except sa.exc.OperationalError as error:
            raise Unavailable("the control store does not answer; try again", retry_after=5) from error
        try:
            with connection, connection.begin():
                yield connection
        except sa.exc.OperationalError as error:
            raise Unavailable("the control store could not do this now; try again", retry_after=5) from error

    def ping(self) -> bool:
        """True when the store answers."""
        with suppress(Unavailable), self.reading() as tx:
            return tx.execute(sa.text("SELECT 1")).scalar() == 1
        return False

    def settle(self) -> None:
        """SQLite: moves the write-ahead log into the file and empties it, so that what was deleted is nowhere."""
        if self.path is not None:
            with self._writer, closing(sqlite3.connect(self.path, timeout=30)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's "begin" event says BEGIN itself
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("holdfast_writing", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
