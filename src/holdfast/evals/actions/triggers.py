"""Verbs on triggers: make, change, remove one, and have its run begin."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import msgspec

from holdfast.evals.actions import runs
from holdfast.evals.model import KeptSuite, Outcome, Verdict
from holdfast.evals.rules.triggers import News, next_due, remembered, schedule_fault
from holdfast.evals.states import ACTIVE, Run, RunState, RunTrigger, Trigger
from holdfast.evals.store import runs as run_store
from holdfast.evals.store import suites as suite_store
from holdfast.evals.store import triggers as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

MOST_OF_A_SUITE = 20
PASSED_WITHIN = 100
"""Runs of the suite among which the latest that passed is looked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trigger as somebody wants it; see `states.RunTrigger`."""

    suite: str
    kind: Trigger
    cron: str = ""
    time_zone: str = "UTC"
    release: str = ""
    baseline: str = ""
    repeats: int | None = None
    concurrency: int = 8
    max_cost: Decimal | None = None
    enabled: bool = True


def as_wanted(one: RunTrigger) -> Wanted:
    """What would make a trigger like this one."""
    fields = {name: getattr(one, name) for name in Wanted.__dataclass_fields__}
    return Wanted(**fields | {"time_zone": one.time_zone or "UTC"})


def make(ctx: Context, tx: Transaction, wanted: Wanted) -> RunTrigger:
    """A fresh trigger. Raises NotFound, Invalid."""
    _check(ctx, tx, wanted)
    if len(store.listed(tx, ctx.workspace, wanted.suite)) >= MOST_OF_A_SUITE:
        raise Invalid(f"a suite has at most {MOST_OF_A_SUITE} triggers", where="suite")
    made = RunTrigger(
        id=new_id("trg"),
        workspace=ctx.workspace,
        created_at=ctx.now,
        created_by=ctx.actor.id,
        due_at=_due(wanted, ctx.now),
        **_fields(wanted),
    )
    store.add(tx, made)
    audit.record(ctx, tx, action="eval.trigger_made", subject=made.id, details=_told(made))
    return made


def change(ctx: Context, tx: Transaction, id: str, wanted: Wanted) -> RunTrigger:
    """In the place of what it was. One that is enabled anew, or looks at something else, looks afresh, so that what
    happened meanwhile begins no run. Raises NotFound, Invalid."""
    old = _get(ctx, tx, id)
    _check(ctx, tx, wanted)
    same = old.enabled and wanted.enabled and (old.suite, old.kind) == (wanted.suite, wanted.kind)
    made = replace(
        old,
        **_fields(wanted),
        due_at=_due(wanted, ctx.now),
        seen=old.seen if same else None,
        problem="",
    )
    store.put(tx, made)
    audit.record(ctx, tx, action="eval.trigger_changed", subject=id, details=_told(made))
    return made


def remove(ctx: Context, tx: Transaction, id: str) -> None:
    """Its runs stay. Raises NotFound."""
    old = _get(ctx, tx, id)
    store.remove(tx, ctx.workspace, id)
    audit.record(ctx, tx, action="eval.trigger_removed", subject=id, details=_told(old))


def looked(
    ctx: Context, tx: Transaction, id: str, found: Collection[str], called: Collection[News]
) -> list[Run]:
    """Keeps what a look found, and begins the runs that it calls for; why one did not begin, stays on the trigger.

    What called for a run that could not begin is not remembered, and is news at the next look. A schedule goes on to its
    next time either way: one that was missed makes one run, however often it was missed.
    """
    one = store.get(tx, ctx.workspace, id)
    if one is None or not one.enabled or (one.kind is Trigger.SCHEDULE and not _came(one, ctx.now)):
        return []  # changed meanwhile
    made: list[Run] = []
    missed: set[str] = set()
    problem = _waits(ctx, tx, one) if called else ""
    for each in called:
        try:
            if not problem:
                made.append(runs.register(ctx, tx, _wanted(ctx, tx, one, each)))
                continue
        except HoldfastError as error:
            problem = error.detail
        missed.update(each.marks)
    kept = replace(one, problem=problem)
    if one.kind is Trigger.SCHEDULE:
        kept = replace(kept, due_at=next_due(one.cron, one.time_zone, ctx.now))
    else:
        kept = replace(kept, seen=remembered(one.seen or (), {*found} - missed))
    if made:
        kept = replace(kept, fired_at=ctx.now, last_run=made[-1].id)
    if kept != one:
        store.put(tx, kept)
    return made


def _came(one: RunTrigger, now: datetime) -> bool:
    return one.due_at is not None and one.due_at <= now


def _waits(ctx: Context, tx: Transaction, one: RunTrigger) -> str:
    """Why no run may begin now: the one before is not over."""
    last = run_store.get(tx, ctx.workspace, one.last_run) if one.last_run else None
    return f"the run before, {last.id}, is not over yet" if last is not None and last.state in ACTIVE else ""


def _wanted(ctx: Context, tx: Transaction, one: RunTrigger, called: News) -> runs.Wanted:
    return runs.Wanted(
        suite=one.suite,
        release=called.release or one.release,
        baseline=one.baseline or _passed(ctx, tx, one.suite),
        repeats=one.repeats,
        concurrency=one.concurrency,
        max_cost=one.max_cost,
        reuse=one.kind is Trigger.CHANGE,  # else the same release may have begun to answer otherwise
        trigger=one.kind,
        because=called.because,
    )


def _passed(ctx: Context, tx: Transaction, suite: str) -> str:
    """The latest run of a suite that is done and passed; empty where none of the last did."""
    for run in run_store.listed(tx, ctx.workspace, suite, None, PASSED_WITHIN):
        if (
            run.state is RunState.DONE
            and msgspec.json.decode(run.verdict, type=Verdict).outcome is Outcome.PASS
        ):
            return run.id
    return ""


def _get(ctx: Context, tx: Transaction, id: str) -> RunTrigger:
    found = store.get(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such trigger in this workspace")
    return found


def _check(ctx: Context, tx: Transaction, wanted: Wanted) -> None:
    head = suite_store.head(tx, ctx.workspace, wanted.suite, None)
    if head is None:
        raise NotFound("there is no such suite in this workspace", where="suite")
    if wanted.kind is Trigger.DEMAND:
        raise Invalid("a run on demand begins by hand", where="kind")
    if wanted.kind is Trigger.SCHEDULE:
        if wanted.time_zone not in _time_zones():
            raise Invalid("name a time zone of the IANA, such as Europe/Berlin", where="time_zone")
        if fault := schedule_fault(wanted.cron, wanted.time_zone):
            raise Invalid(fault, where="cron")
    elif wanted.cron:
        raise Invalid("only a schedule has a cron expression; leave it out", where="cron")
    _check_scope(wanted, head)
    if wanted.repeats is not None and not 1 <= wanted.repeats <= runs.MOST_REPEATS:
        raise Invalid(f"1 to {runs.MOST_REPEATS} repeats", where="repeats")
    if not 1 <= wanted.concurrency <= runs.MOST_CONCURRENCY:
        raise Invalid(f"1 to {runs.MOST_CONCURRENCY} questions at once", where="concurrency")
    if wanted.max_cost is not None and not (wanted.max_cost.is_finite() and wanted.max_cost > 0):
        raise Invalid("a ceiling is an amount in USD above 0", where="max_cost")
    if wanted.baseline:
        other = run_store.get(tx, ctx.workspace, wanted.baseline)
        if other is None or other.suite != wanted.suite:
            raise NotFound("there is no such run of this suite in this workspace", where="baseline")


def _check_scope(wanted: Wanted, head: KeptSuite) -> None:
    """That it is known what to look at, and of what to ask."""
    if wanted.kind is Trigger.CHANGE and not head.route:
        raise Invalid(f"{head.name} has no route of the gateway, whose releases could change", where="suite")
    if wanted.kind in (Trigger.MODEL, Trigger.KNOWLEDGE) and not (head.route or head.system):
        raise Invalid(
            f"{head.name} names neither system nor route, whose calls could be looked at", where="suite"
        )
    if wanted.kind is Trigger.CHANGE and wanted.release:
        raise Invalid("each release that is new is asked; leave this out", where="release")
    if wanted.kind is not Trigger.CHANGE and not (wanted.release or head.route):
        raise Invalid(f"say which release to ask: {head.name} has no route", where="release")


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _due(wanted: Wanted, now: datetime) -> datetime | None:
    return next_due(wanted.cron, wanted.time_zone, now) if wanted.kind is Trigger.SCHEDULE else None


def _fields(wanted: Wanted) -> dict[str, Any]:
    fields = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    return fields | ({} if wanted.kind is Trigger.SCHEDULE else {"time_zone": ""})


def _told(one: RunTrigger) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in Wanted.__dataclass_fields__}
    cost = one.max_cost
    return told | {"kind": one.kind.value, "max_cost": None if cost is None else format(cost, "f")}
