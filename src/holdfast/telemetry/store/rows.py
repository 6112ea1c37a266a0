"""Whole rows of a table, read so that they can be written again: instants as ticks, everything else as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.store.calls import FINAL

_AS_NUMBER = {"DateTime64(9": "toUnixTimestamp64Nano", "DateTime64(3": "toUnixTimestamp64Milli"}


def read(
    columns: Columns, workspace: str, table: str, where: Sequence[str], params: dict[str, Any]
) -> list[dict[str, Any]]:
    """The rows of a condition, deduplicated, each by column name."""
    kinds = [(str(row[0]), str(row[1])) for row in columns.everywhere(f"DESCRIBE TABLE {table}")]
    names = [name for name, _ in kinds]
    query = Select(table, [_as_number(*kind) for kind in kinds], where, params, final=True, settings=FINAL)
    return [dict(zip(names, row, strict=True)) for row in columns.rows(workspace, query)]


def write(columns: Columns, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows as they were read."""
    if rows:
        names = list(rows[0])
        columns.insert(table, names, [[row[name] for row in rows] for name in names])


def _as_number(name: str, kind: str) -> str:
    for prefix, function in _AS_NUMBER.items():
        if prefix in kind:
            return f"{function}({name})"
    return f"toUnixTimestamp({name})" if kind.startswith("DateTime(") else name
