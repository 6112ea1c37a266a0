"""Calls of a route by the release that answered: sums to compare releases by, and who met which."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.store.calls import FINAL

MS = "duration_ns / 1e6"
AMOUNT = "toFloat64(assumeNotNull(cost_amount))"
SUMS = (
    "release",
    "count() AS n",
    "countIf(status = 'error') AS errors",
    "countIf(status != 'error') AS answered",
    f"sumIf({MS}, status != 'error') AS ms",
    f"sumIf(({MS}) * ({MS}), status != 'error') AS ms_squares",
    "countIf(isNotNull(cost_amount)) AS priced",
    f"sumIf({AMOUNT}, isNotNull(cost_amount)) AS cost",
    f"sumIf({AMOUNT} * {AMOUNT}, isNotNull(cost_amount)) AS cost_squares",
    "arraySort(groupUniqArrayIf(cost_currency, isNotNull(cost_amount))) AS currencies",
    "countIf(isNotNull(refusal)) AS refusal_known",
    "countIf(refusal) AS refusals",
    "countIf(status != 'error' AND notEmpty(finish_reasons)) AS ended",
    "countIf(status != 'error' AND hasAny(finish_reasons, {cut:Array(String)})) AS cut",
    "min(started_at) AS first_at",
    "max(started_at) AS last_at",
)
_LIVE = (
    "route = {route:String}",
    "release IN {releases:Array(String)}",
    "started_at >= {start:DateTime64(6, 'UTC')}",
    "started_at < {end:DateTime64(6, 'UTC')}",
    "kind = 'inference'",
    "attempt = false",
    "sample = false",
    "coalesce(cache_hit, false) = false",
    "environment != {without:String}",
)
_UNITS = ("session", "user", "tenant")


def sums(
    columns: Columns,
    workspace: str,
    route: str,
    releases: Sequence[str],
    span: tuple[datetime, datetime],
    without: str,
    cut: Sequence[str],
) -> list[dict[str, Any]]:
    """One row for each release that has calls in the span, but for those of one environment."""
    params = _params(route, releases, span, without) | {"cut": list(cut)}
    query = Select("calls", SUMS, _LIVE, params, group_by=["release"], final=True, settings=FINAL)
    return columns.dicts(workspace, query)


def latest(
    columns: Columns,
    workspace: str,
    route: str,
    release: str,
    span: tuple[datetime, datetime],
    without: str,
    limit: int,
) -> list[bool]:
    """Whether each of the latest calls of a release failed, in the order in which they began."""
    query = Select(
        "calls",
        ["status = 'error'"],
        _LIVE,
        _params(route, [release], span, without),
        order_by=["started_at DESC", "id"],
        limit=limit,
        final=True,
        settings=FINAL,
    )
    return [bool(row[0]) for row in reversed(columns.rows(workspace, query))]


def busiest_minute(
    columns: Columns, workspace: str, route: str, span: tuple[datetime, datetime], without: str
) -> int:
    """Inferences that began in the busiest minute; cached answers are left out, for no model gave them."""
    query = Select(
        "calls",
        ["count() AS n", "toStartOfMinute(started_at) AS minute"],
        [one for one in _LIVE if not one.startswith("release IN")],
        _params(route, [], span, without),
        group_by=["minute"],
        order_by=["n DESC"],
        limit=1,
        final=True,
        settings=FINAL,
    )
    found = columns.rows(workspace, query)
    return int(found[0][0]) if found else 0


def units(
    columns: Columns,
    workspace: str,
    route: str,
    releases: Sequence[str],
    span: tuple[datetime, datetime],
    without: str,
    sticky: Sequence[str],
    before: datetime,
) -> tuple[dict[str, int], int]:
    """Units (what requests are told apart by) of each release, and different ones in all, that began within the span.

    A unit that had a call from `before` on is not among them: it was assigned before.
    """
    unit = _unit(sticky)
    earlier = (
        f"SELECT {unit} FROM calls FINAL WHERE workspace = {{workspace:String}} AND route = {{route:String}}"
        " AND started_at >= {before:DateTime64(6, 'UTC')} AND started_at < {start:DateTime64(6, 'UTC')}"
        " AND environment != {without:String}"
    )
    where = [*_LIVE, f"{unit} GLOBAL NOT IN ({earlier})"]
    params = _params(route, releases, span, without) | {"before": before}
    query = Select(
        "calls",
        ["release", f"uniqExact({unit})"],
        where,
        params,
        group_by=["release"],
        final=True,
        settings=FINAL,
    )
    whole = Select("calls", [f"uniqExact({unit})"], where, params, final=True, settings=FINAL)
    found = {str(row[0]): int(row[1]) for row in columns.rows(workspace, query)}
    return found, int(columns.rows(workspace, whole)[0][0])


def _unit(sticky: Sequence[str]) -> str:
    named = [name for name in sticky if name in _UNITS]
    parts = "".join(f"{name} != '', concat('{name} ', {name}), " for name in named)
    return f"multiIf({parts}concat('call ', trace_id, id))" if parts else "concat('call ', trace_id, id)"


def _params(
    route: str, releases: Sequence[str], span: tuple[datetime, datetime], without: str
) -> dict[str, Any]:
    start, end = span
    return {"route": route, "releases": list(releases), "start": start, "end": end, "without": without}
