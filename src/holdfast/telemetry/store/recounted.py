"""Past calls that are counted anew: which traces a window holds, and what was made of them until now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.store import rows
from holdfast.telemetry.store.retention import TABLES, held
from holdfast.telemetry.store.spans import nanoseconds

SLICE = timedelta(days=1)
"""Traces are taken day by day, because calls lie by time, and within a day by id, because spans lie by trace."""
AROUND_NS = 86_400 * 10**9
"""How far from its spans a trace's calls are looked for; a call begins where a span of it does."""
_BEGUN = (
    "started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')",
    "started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')",
)


def _window(within: TimeRange, system: str) -> tuple[list[str], dict[str, Any]]:
    clauses = list(_BEGUN)
    params: dict[str, Any] = {"start_ns": nanoseconds(within.start), "end_ns": nanoseconds(within.end)}
    if system:
        clauses.append(
            "system = {system:String} OR trace_id IN (SELECT trace_id FROM calls"
            f" WHERE workspace = {{workspace:String}} AND {' AND '.join(_BEGUN)}"
            " AND system = {system:String})"
        )
        params["system"] = system
    return clauses, params


def total(columns: Columns, workspace: str, within: TimeRange, system: str) -> int:
    """How many traces have spans in a window, of a system's (by its spans or its calls) or (empty) all."""
    clauses, params = _window(within, system)
    query = Select("spans", ["uniqExact(trace_id)"], clauses, params)
    return int(columns.rows(workspace, query)[0][0])


def first_start(columns: Columns, workspace: str, within: TimeRange) -> datetime | None:
    """A moment not after the first span of a window, and in one day with it; None where it has none."""
    query = Select("spans", ["count()", "toUnixTimestamp(min(started_at))"], *_window(within, ""))
    count, first = columns.rows(workspace, query)[0]
    return datetime.fromtimestamp(int(first), within.start.tzinfo) if count else None


def traces(
    columns: Columns, workspace: str, within: TimeRange, system: str, after: str, size: int
) -> list[str]:
    """The next traces with spans in a slice of time, in order of id."""
    clauses, params = _window(within, system)
    query = Select(
        "spans",
        ["trace_id"],
        [*clauses, "trace_id > {after:String}"],
        {**params, "after": after},
        group_by=["trace_id"],
        order_by=["trace_id"],
        limit=size,
    )
    return [str(row[0]) for row in columns.rows(workspace, query)]


def begun_before(
    columns: Columns, workspace: str, trace_ids: Sequence[str], within: TimeRange, system: str
) -> set[str]:
    """Those of some traces that were there in earlier slices too."""
    clauses, params = _window(within, system)
    query = Select(
        "spans",
        ["DISTINCT trace_id"],
        ["trace_id IN {traces:Array(String)}", *clauses],
        {**params, "traces": list(trace_ids)},
    )
    return {str(row[0]) for row in columns.rows(workspace, query)}


def standing(
    columns: Columns, workspace: str, trace_ids: Sequence[str], around_ns: tuple[int, int], table: str
) -> dict[str, list[dict[str, Any]]]:
    """The calls (or operations: as the table says) of some traces as they are now, whole rows, by trace.

    Such as begin about when their spans do.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    where = [
        "trace_id IN {traces:Array(String)}",
        "started_at >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')",
        "started_at <= fromUnixTimestamp64Nano({last:Int64}, 'UTC')",
    ]
    params = {
        "traces": list(trace_ids),
        "first": max(around_ns[0] - AROUND_NS, 0),
        "last": min(around_ns[1] + AROUND_NS, 2**63 - 1),
    }
    for row in rows.read(columns, workspace, table, where, params):
        found.setdefault(row["trace_id"], []).append(row)
    return found


def on_hold(columns: Columns, workspace: str, trace_ids: Sequence[str], holds: Sequence[Hold]) -> set[str]:
    """Those of some traces of which a legal hold covers a span, a call or an operation."""
    found: set[str] = set()
    for kept in TABLES if holds else ():
        if kept.table in ("spans", "calls", "operations"):
            clause, params = held(kept, holds)
            query = Select(
                kept.table,
                ["DISTINCT trace_id"],
                ["trace_id IN {traces:Array(String)}", clause],
                {**params, "traces": list(trace_ids)},
            )
            found |= {str(row[0]) for row in columns.rows(workspace, query)}
    return found
