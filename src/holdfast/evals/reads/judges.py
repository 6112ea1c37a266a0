"""Answers on judges: what there is, its versions, its checks, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.evals.rules.judging import Judge, KeptJudge
from holdfast.evals.states import RunState
from holdfast.evals.store import judges as store
from holdfast.evals.store.judges import Check
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction

if TYPE_CHECKING:
    from holdfast.evals.rules.judge_health import Health, Heard


@dataclass(frozen=True, slots=True)
class Checked:
    """A check and what it shows; `health` is None before its end. `cost` in USD of what is known, `unpriced` the rest."""

    check: Check
    done: int
    labels: int
    cost: Decimal
    unpriced: int
    health: Health | None


def latest(ctx: Context, tx: Transaction) -> list[KeptJudge]:
    """Every judge as it is in force, by name."""
    return store.latest(tx, ctx.workspace)


def versions(ctx: Context, tx: Transaction, name: str) -> list[KeptJudge]:
    """The versions of a judge, the latest first. Raises NotFound."""
    found = store.heads(tx, ctx.workspace, name)
    if not found:
        raise NotFound("there is no such judge in this workspace")
    return found


def judge(ctx: Context, tx: Transaction, name: str, version: int | None = None) -> Judge:
    """What a version says, the latest where none is named. Raises NotFound."""
    found = store.judge(tx, ctx.workspace, name, version)
    if found is None:
        raise NotFound("there is no such judge in this workspace, or no such version of it")
    return found


def last_check(ctx: Context, tx: Transaction, name: str) -> Check | None:
    """The latest check of a judge that is whole."""
    return next((one for one in store.checks_of(tx, ctx.workspace, name) if one.state is RunState.DONE), None)


def checks(ctx: Context, tx: Transaction, name: str, limit: int = 10) -> list[Checked]:
    """The latest checks of a judge with what they show; each one's drift is against the whole one before it."""
    found = store.checks_of(tx, ctx.workspace, name, limit + 1)
    made = []
    for place, one in enumerate(found[:limit]):
        before = next((old for old in found[place + 1 :] if old.state is RunState.DONE), None)
        made.append(checked(ctx, tx, one, before))
    return made


def checked(ctx: Context, tx: Transaction, check: Check, before: Check | None = None) -> Checked:
    """What a check shows, held against an earlier one."""
    from holdfast.evals.rules import judge_health

    version, heard, cost, unpriced = _heard(ctx, tx, check)
    shown = None
    if check.state is RunState.DONE:
        old = _heard(ctx, tx, before)[1] if before is not None else []
        shown = judge_health.health(version, heard, old)
    done = len(store.items_of(tx, ctx.workspace, check.id))
    return Checked(check, done, len(version.labels), cost, unpriced, shown)


def check(ctx: Context, tx: Transaction, id: str) -> Checked:
    """One check, held against the whole one before it. Raises NotFound."""
    found = store.check(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such check in this workspace")
    others = store.checks_of(tx, ctx.workspace, found.judge, 50)
    older = [one for one in others if one.created_at < found.created_at and one.state is RunState.DONE]
    return checked(ctx, tx, found, older[0] if older else None)


def heard(ctx: Context, tx: Transaction, check: Check) -> list[Heard]:
    """What a check has heard of the labelled answers."""
    return _heard(ctx, tx, check)[1]


def _heard(ctx: Context, tx: Transaction, check: Check) -> tuple[Judge, list[Heard], Decimal, int]:
    from holdfast.evals.rules.judge_health import Heard

    version = judge(ctx, tx, check.judge, check.version)
    told = {one.item: one for one in store.items_of(tx, ctx.workspace, check.id)}
    heard = [
        Heard(label, said.score, said.forth, said.back)
        for label in version.labels
        if (said := told.get(label.id)) is not None
    ]
    cost = sum((one.cost for one in told.values() if one.cost is not None), Decimal(0))
    return version, heard, cost, sum(one.cost is None for one in told.values())
