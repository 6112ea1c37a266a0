"""How routes did in the last hour: calls, failures, and the last failure of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from holdfast.kernel.context import Context
from holdfast.kernel.time import parse_instant
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import metrics

HOUR = timedelta(hours=1)
LOOKED_AT = 100
"""Failed calls among which the last one of each route is sought."""


@dataclass(frozen=True, slots=True)
class Failures:
    """A route in the last hour. `last_…`: of its last failure; None and empty where it had none, or not lately."""

    route: str
    calls: int
    errors: int
    last_at: datetime | None = None
    last_type: str = ""
    last_trace: str = ""


def failures(ctx: Context, columns: Columns, routes: Sequence[str]) -> list[Failures]:
    """The routes that were asked for, those that failed most first. Raises Unavailable."""
    if not routes:
        return []
    within = TimeRange(ctx.now - HOUR, ctx.now)
    asked = MetricQuery(
        ("calls", "errors"), within, group_by=("route",), equals={"route": tuple(routes)}, limit=len(routes)
    )
    rows = metrics.query(columns, ctx.workspace, asked).rows
    last: dict[str, dict[str, Any]] = {}
    if any(row.values["errors"] for row in rows):
        for call in calls_reads.last_failures(columns, ctx.workspace, within, routes, LOOKED_AT):
            last.setdefault(call["route"], call)
    found = []
    for row in rows:
        [route] = row.group
        one = last.get(route)
        found.append(
            Failures(
                route,
                int(row.values["calls"] or 0),
                int(row.values["errors"] or 0),
                parse_instant(one["started_at"], "started_at") if one else None,
                (one["error_type"] or one["error_class"] or "") if one else "",
                one["trace_id"] if one else "",
            )
        )
    return sorted(found, key=lambda one: (-one.errors, -one.calls))
