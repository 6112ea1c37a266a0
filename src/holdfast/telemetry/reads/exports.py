"""Everything that telemetry keeps, in open formats: Parquet, JSON lines, CSV."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns
from holdfast.telemetry.reads.shapes import csv_row, json_lines
from holdfast.telemetry.store import exports as store

WHATS = tuple(store.EXPORTED)
FORMATS = ("csv", "jsonl", "parquet")
_CHUNK = 1 << 20


def export(
    columns: Columns, workspace: str, what: str, format_name: str, folder: Path, *, content: bool
) -> Iterator[bytes]:
    """All rows of a kind as the bytes of one file. `folder` is for a file that lives as long as the export.

    `content` says whether captured content goes with it. Raises Invalid for an unknown kind or format.
    """
    if what not in WHATS:
        raise Invalid(f"there is no {what[:40]!r} to export; there are {', '.join(WHATS)}", where="what")
    if format_name not in FORMATS:
        raise Invalid(f"exports are {', '.join(FORMATS)}", where="format")
    return _chunks(columns, workspace, what, format_name, folder, content)


def _chunks(
    columns: Columns, workspace: str, what: str, format_name: str, folder: Path, content: bool
) -> Iterator[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="export-", dir=folder) as scratch:
        path = Path(scratch) / "rows"
        engine_format = "Parquet" if format_name == "parquet" else "JSONEachRow"
        store.write(columns, workspace, what, path, engine_format, content=content)
        if format_name == "parquet":
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
            return
        rows = _rows(path, store.EXPORTED[what].json)
        if format_name == "jsonl":
            yield from json_lines(rows)
            return
        yield csv_row(store.EXPORTED[what].names)
        for row in rows:
            yield csv_row(row.values())


def _rows(path: Path, encoded: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Rows of the engine's JSON lines; JSON inside text is taken out of it, and empty text is unknown: null."""
    with path.open("rb") as file:
        for line in file:
            row: dict[str, Any] = msgspec.json.decode(line)
            for name in encoded:
                row[name] = msgspec.json.decode(row[name]) if row[name] else None
            yield {name: None if value == "" else value for name, value in row.items()}
