"""Answers on triggers: which there are, and what each of them finds when it looks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from holdfast.evals.states import RunTrigger, Trigger
from holdfast.evals.store import suites as suite_store
from holdfast.evals.store import triggers as store
from holdfast.gateway.reads import applied
from holdfast.kernel.context import Context
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database, Transaction
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads import configurations, metrics

LOOK_BACK = timedelta(days=7)
"""How late a call may be reported and still be news."""
FIRST_LOOK = timedelta(days=30)


def triggers(ctx: Context, tx: Transaction, suite: str | None = None) -> list[RunTrigger]:
    """Those of the workspace, or of one of its suites; the oldest first."""
    return store.listed(tx, ctx.workspace, suite)


def found(ctx: Context, columns: Columns, database: Database, one: RunTrigger) -> Mapping[str, str]:
    """What a look finds now: mark → what it stands for. Nothing where the suite is gone or names nothing to look at."""
    with database.reading() as tx:
        head = suite_store.head(tx, ctx.workspace, one.suite, None)
        if head is None:
            return {}
        if one.kind is Trigger.CHANGE:
            return _answering(ctx, tx, head.route)
    scope: dict[str, tuple[str, ...]] = {
        name: (value,) for name, value in (("system", head.system), ("route", head.route)) if value
    }
    if not scope:
        return {}
    within = TimeRange(ctx.now - (FIRST_LOOK if one.seen is None else LOOK_BACK), _soon(ctx.now))
    if one.kind is Trigger.MODEL:
        asked = MetricQuery(("calls",), within, None, ("response_model",), scope)
        rows = metrics.query(columns, ctx.workspace, asked).rows
        return {row.group[0]: row.group[0] for row in rows if row.group[0]}
    settings = configurations.retrieval(columns, database, ctx.workspace, within, scope)
    said = [", ".join(f"{name} {value}" for name, value in sorted(each.items())) for each in settings]
    return {each[:500]: each[:500] for each in said}


def _answering(ctx: Context, tx: Transaction, route: str) -> dict[str, str]:
    """The releases that a route's requests may be answered by: id → name."""
    version = applied.in_force(ctx, tx)
    if version is None:
        return {}
    said = dict((version.document.get("routes") or {}).get(route) or {})
    names = [said.get("release") or "", *(one.get("release") or "" for one in said.get("variants") or ())]
    return {version.release_ids[name]: name for name in names if name in version.release_ids}


def _soon(now: datetime) -> datetime:
    """Clocks of senders may be ahead."""
    return now + timedelta(minutes=5)
