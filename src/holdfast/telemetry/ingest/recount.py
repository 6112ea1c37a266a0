"""Counting traces of the past anew from their stored spans: what the rules of today make of them, where it differs.

The spans, the calls and the operations of a trace are looked at together, while in this process nothing else is counted
and in no process anything is erased. What is written has a version above all that the store has of the trace, and below
that of a commit which still waits to be counted, so that a crash leaves the start what it goes by. With several writers
the trace is looked at once more afterwards; where another stored spans of it meanwhile, it is counted the usual way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from holdfast.storage.columns import UNFIT, Columns
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.ingest import shared
from holdfast.telemetry.ingest.count import Counter, Trace
from holdfast.telemetry.ingest.keeping import operation
from holdfast.telemetry.ingest.shared import Key
from holdfast.telemetry.rules import recount as rules
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.rules.merge import resolve
from holdfast.telemetry.rules.operations import Done, operate
from holdfast.telemetry.rules.recount import Tally
from holdfast.telemetry.store import counted, operations, recounted
from holdfast.telemetry.store.rollups import SETTLE_MS

log = logging.getLogger("holdfast.recount")

Row = dict[str, Any]
TABLES = ("calls", "operations")


@dataclass(slots=True)
class Plan:
    """What a batch comes to: rows of calls and of operations to be written, of which traces, and what becomes of calls."""

    rows: list[Row] = field(default_factory=list)
    operations: list[Row] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def recount(
    counter: Counter,
    workspace: str,
    trace_ids: Sequence[str],
    holds: Sequence[Hold],
    now_ms: Callable[[], int],
    note: Callable[[Tally], None],
) -> Tally:
    """Counts some traces anew; returns what became of their calls. Done again after a crash it comes to the same store.

    `note` is told what will become of them before anything is written. Raises Unavailable.
    """
    keys = [(workspace, trace_id) for trace_id in trace_ids]
    with counter.alone():
        writer = counter.shared
        before = shared.views(counter.columns, keys, writer.number) if writer else {}
        plan = _plan(counter, workspace, trace_ids, holds, now_ms())
        note(plan.tally)
        counter.configurations.keep()
        _insert(counter.columns, plan.operations, operations.insert_plain)
        _write(counter.columns, plan.rows, now_ms)
        counter.forget(workspace, plan.touched)
    if writer:
        after = shared.views(counter.columns, [(workspace, one) for one in plan.touched], writer.number)
        again = [
            key for key, view in after.items() if key not in before or view.commits != before[key].commits
        ]
        counter.recount(again)
    return plan.tally


def _plan(
    counter: Counter, workspace: str, trace_ids: Sequence[str], holds: Sequence[Hold], now_ms: int
) -> Plan:
    plan = Plan()
    keys = [(workspace, trace_id) for trace_id in trace_ids]
    read = {key: trace for key, trace in counter.read(keys).items() if trace.observations}
    if not read:
        return plan
    starts = [one.start_ns for trace in read.values() for one in trace.observations.values()]
    around = (min(starts), max(starts))
    wide = (around[0] - recounted.AROUND_NS, around[1] + recounted.AROUND_NS)
    columns = counter.columns
    held, others = (recounted.standing(columns, workspace, trace_ids, around, table) for table in TABLES)
    ever = [counted.standing(columns, workspace, trace_ids, wide, table) for table in TABLES]
    on_hold = recounted.on_hold(counter.columns, workspace, trace_ids, holds)
    for (_, trace_id), trace in read.items():
        calls, done = held.get(trace_id, []), others.get(trace_id, [])
        if trace_id in on_hold or not rules.whole([*calls, *done], trace.observations):
            _leave(plan.tally, calls)
            continue
        highest = max((one.version for found in ever for one in found.get(trace_id, ())), default=0)
        version = highest + 1 if highest else _first_version(counter, trace)
        _compare(counter, plan, (workspace, trace_id), trace, (calls, done), version, now_ms)
    _keep_folded(counter, workspace, plan)
    return plan


def _first_version(counter: Counter, trace: Trace) -> int:
    """That of a trace of which nothing was ever counted."""
    latest = max(one.sequence for one in trace.observations.values())
    return latest if counter.shared else min(latest, counter.surely_counted or latest)


def _leave(tally: Tally, calls: Sequence[Row]) -> None:
    for row in calls:
        tally.seen += 1
        tally.left += 1
        _cost(tally, row, row)


def _cost(tally: Tally, before: Row | None, after: Row | None) -> None:
    for side, row in ((tally.before, before), (tally.after, after)):
        if row is not None:
            tally.cost(side, row["cost_amount"], row["cost_currency"])


def _compare(
    counter: Counter,
    plan: Plan,
    key: Key,
    trace: Trace,
    standing: tuple[Sequence[Row], Sequence[Row]],
    version: int,
    now_ms: int,
) -> None:
    """Adds to a plan what is to be written of one trace, of which these calls and operations stand."""
    workspace, trace_id = key
    calls, others = standing
    try:
        observations = list(trace.observations.values())
        groups = resolve(observations, {})
        done = operate(observations, groups)
    except Exception:
        log.exception("trace %s of %s cannot be counted anew; its calls stay", trace_id, workspace)
        _leave(plan.tally, calls)
        return
    left = {(row["id"], row["started_at"]): row for row in calls}
    written: list[Row] = []
    for group in groups:
        before = left.pop((group.span_id, group.start_ns), None)
        if before is not None and not trace.blind.isdisjoint(group.observations):
            rules.remember(group.facts, before, is_content)
        after = counted.plain(counter.again(workspace, trace_id, group, now_ms))
        after["version"] = version
        if before is None:
            plan.tally.new += 1
        else:
            plan.tally.seen += 1
            after["expires_at"] = before["expires_at"]
            if rules.same_price(before, after, _reported(group.facts.reported_cost)):
                after |= {name: before[name] for name in rules.CHARGE}
        _cost(plan.tally, before, after)
        if before is None or not rules.same(before, after):
            plan.tally.changed += before is not None
            written.append(after | {"_before": before})
    for row in left.values():
        plan.tally.seen += 1
        plan.tally.gone += 1
        _cost(plan.tally, row, None)
        written.append({**row, "version": version, "is_deleted": 1, "received_at": now_ms})
    plan.rows += written
    plan.operations += _operations(counter, key, trace, done, others, version, now_ms)


def _operations(
    counter: Counter,
    key: Key,
    trace: Trace,
    found: Sequence[Done],
    standing: Sequence[Row],
    version: int,
    now_ms: int,
) -> list[Row]:
    """The operations of a trace that differ from those that stand, and marks for those that are none any more."""
    workspace, trace_id = key
    left = {(row["id"], row["started_at"]): row for row in standing}
    known = trace.observations
    rooted = all(not one.parent_span_id or one.parent_span_id in known for one in known.values())
    written: list[Row] = []
    made = counter.keeper.operations(workspace, [operation(trace_id, one, version) for one in found], now_ms)
    for row in made:
        after = operations.plain(row)
        before = left.pop((after["id"], after["started_at"]), None)
        if before is not None:
            after["expires_at"] = before["expires_at"]
            blind = not trace.blind.isdisjoint(row.operation.observations)
            rules.remember_operation(after, before, blind=blind, rooted=rooted)
        if before is None or not rules.same(before, after):
            written.append(after)
    gone = {"version": version, "is_deleted": 1, "received_at": now_ms}
    return written + [row | gone for row in left.values()]


def _reported(cost: Decimal | None) -> Decimal | None:
    return None if cost is None else cost.quantize(Decimal(1).scaleb(-15))


def _keep_folded(counter: Counter, workspace: str, plan: Plan) -> None:
    """A call whose configuration was folded into the one that it has now is not changed by that alone."""
    moved = {
        before["configuration"]
        for row in plan.rows
        if (before := row.get("_before")) and before["configuration"] != row["configuration"]
    } - {""}
    folded = counter.configurations.folded(workspace, moved) if moved else {}
    kept: list[Row] = []
    for row in plan.rows:
        before = row.pop("_before", None)
        if before and folded.get(before["configuration"]) == row["configuration"]:
            row["configuration"] = before["configuration"]
            if rules.same(before, row):
                plan.tally.changed -= 1
                continue
        kept.append(row)
    plan.rows = kept
    plan.touched = list(dict.fromkeys(row["trace_id"] for row in (*kept, *plan.operations)))


def _write(columns: Columns, rows: list[Row], now_ms: Callable[[], int]) -> None:
    """Stores rows, once more where that took long: stored figures follow the time at which calls were written."""
    while rows:
        _insert(columns, rows, counted.insert_plain)
        at = now_ms()
        if at - rows[0]["received_at"] <= SETTLE_MS // 2:
            return
        rows = [{**row, "received_at": at} for row in rows]


def _insert(columns: Columns, rows: Sequence[Row], insert: Callable[[Columns, Sequence[Row]], None]) -> None:
    """Stores rows; one with a value that its column cannot hold stays as it was counted before."""
    try:
        insert(columns, rows)
    except UNFIT as error:
        if len(rows) == 1:
            log.warning("%s of trace %s stays: %s", rows[0]["id"], rows[0]["trace_id"], error)
            return
        half = len(rows) // 2
        _insert(columns, rows[:half], insert)
        _insert(columns, rows[half:], insert)
