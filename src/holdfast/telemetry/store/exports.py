"""Whole tables, written by the engine into a file in an open format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.store import calls, events, operations, spans


@dataclass(frozen=True, slots=True)
class Exported:
    """How a table is exported: its columns, its order, those that hold captured content, those that hold JSON."""

    table: str
    names: tuple[str, ...]
    order: tuple[str, ...]
    content: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    state: bool = False


EXPORTED = {
    "calls": Exported(
        "calls",
        (
            "id",
            "trace_id",
            "span_id",
            "started_at",
            *calls.TOLD,
            "scope",
            *calls.ORIGIN,
            "received_at",
        ),
        ("started_at", "id"),
        json=("cost_parts", "parameters", "provenance"),
    ),
    "operations": Exported("operations", operations.TOLD, ("started_at", "id")),
    "spans": Exported(
        "spans",
        spans.NAMES[1:],
        ("started_at", "trace_id", "span_id"),
        ("content",),
        ("attributes", "resource", "events", "links", "content", "told"),
        state=True,
    ),
    "metrics": Exported(
        "metric_points", events.METRIC_NAMES[1:], ("at", "name", "key"), json=("attributes", "resource")
    ),
    "logs": Exported(
        "log_records",
        events.LOG_NAMES[1:],
        ("at", "key"),
        ("content",),
        ("attributes", "resource", "content"),
        state=True,
    ),
    "evaluations": Exported("evaluations", events.EVALUATION_NAMES[1:], ("at", "key"), ("explanation",)),
}
_READABLE = {
    "date_time_output_format": "iso",
    "output_format_json_quote_decimals": 1,
    "output_format_json_quote_64bit_integers": 0,
    **calls.FINAL,
}
_STATE = "if(content_state IN ('captured', 'redacted') AND content = '', 'expired', content_state)"
_DENIED = "if(content_state IN ('captured', 'redacted'), 'denied', content_state)"


def _expression(name: str, what: Exported, content: bool) -> str:
    if name in what.content and not content:
        return f"'' AS {name}"
    if name == "content_state" and what.state:
        return f"{_STATE if content else _DENIED} AS content_state"
    if name == "key":
        return "lower(hex(key)) AS key"
    return name


def write(
    columns: Columns, workspace: str, what: str, path: Path, format_name: str, *, content: bool
) -> None:
    """Writes all rows of a kind, each once, oldest first, to a new file: `Parquet` or `JSONEachRow`."""
    told = EXPORTED[what]
    settings = {**_READABLE, "prefer_column_name_to_alias": 1}
    query = Select(
        told.table,
        [_expression(name, told, content) for name in told.names],
        order_by=told.order,
        final=True,
        settings=settings,
    )
    columns.write_file(workspace, query, path, format_name)
