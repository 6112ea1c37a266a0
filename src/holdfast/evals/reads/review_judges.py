"""Answers on judges in review: what their labels show of them, and how a dimension stands by them, corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.evals.reads import judges
from holdfast.evals.reads.review import Opened, Share, opened_between, share
from holdfast.evals.rules import review as rules
from holdfast.evals.rules.review import Decision, Dimension, Judging, State, Why
from holdfast.evals.rules.review_judging import AGREES, Shown, Verdicts, corrected, midnight
from holdfast.evals.store import review_asks as store
from holdfast.evals.store.review_asks import AskState, Told
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

if TYPE_CHECKING:
    from holdfast.evals.rules.correcting import Corrected


UNCORRECTED = (
    "uncorrected, not to be trusted: check the judge against its labels; it takes twenty verdicts too"
)
GOOD = 0.5
"""The bar of judges and of their labels."""


def shown(ctx: Context, tx: Transaction, judge: str, asks: str, *, agreement: bool = False) -> Shown | None:
    """What the last whole check of a judge that asks the same shows; None where there is none.

    `agreement`: whether to find out too how surely it agrees with people, which takes a moment.
    """
    check = judges.last_check(ctx, tx, judge)
    if check is None or check.asks != asks:
        return None
    heard = judges.heard(ctx, tx, check)
    sides = [(one.label.label >= GOOD, one.score >= GOOD) for one in heard if one.score is not None]
    bad = [said for people, said in sides if not people]
    good = [said for people, said in sides if people]
    agrees = agreement and _agrees(sides)
    return Shown(bad.count(False), len(bad), good.count(True), len(good), agrees)


def _agrees(sides: Sequence[tuple[bool, bool]]) -> bool:
    import numpy as np

    from holdfast.evals.rules.agreement import cohen_kappa

    people, said = [one for one, _ in sides], [one for _, one in sides]
    low = cohen_kappa(people, said, np.random.default_rng(0)).low
    return low is not None and low >= AGREES


def verdicts(ctx: Context, tx: Transaction, judge: str, asks: str, since: datetime) -> Verdicts:
    """What a judge said of live calls since an instant."""
    return _verdicts(store.failing(tx, ctx.workspace, judge, asks, since))


def _verdicts(said: Sequence[tuple[bool, float]]) -> Verdicts:
    return Verdicts(
        sum(weight for failed, weight in said if failed),
        sum(weight for _, weight in said),
        sum(weight**2 for _, weight in said),
    )


@dataclass(frozen=True, slots=True)
class JudgeRate:
    """How a dimension stood over a time range by one judge. `version` the latest of those that ask the same.

    `alone`: the share that the judge fails, of what it judged, each call as many times as it stands for. `corrected`: what
    people would fail, by the judge's labels; None where they cannot correct it, and `note` says so. `confirmed`: how often
    people find so what it fails; `missed`: problems in what it passes, of those calls that people were shown by chance;
    `truly` puts the three together. `unknown`: why, how many calls. In USD; `unpriced` answers have no known cost.
    """

    judge: str
    version: int
    dimension: Dimension
    judged: int
    waiting: int
    unknown: Mapping[str, int]
    alone: Share
    corrected: Corrected | None
    note: str
    confirmed: Share
    missed: Share
    truly: float | None
    cost: Decimal
    unpriced: int
    today: Decimal
    max_cost: Decimal | None  # a day; None: the policy names it no more


def judge_rates(
    ctx: Context,
    tx: Transaction,
    policy: rules.Policy,
    start: datetime,
    end: datetime,
    route: str | None = None,
) -> list[JudgeRate]:
    """Every judge that was shown a call of a time range, by dimension and name."""
    grouped: dict[tuple[str, str, str], list[Told]] = {}
    for one in store.told(tx, ctx.workspace, start, end, route):
        grouped.setdefault((one.dimension.value, one.judge, one.asks), []).append(one)
    if not grouped:
        return []
    people = {
        (one.item.call.trace, one.item.call.id): one
        for one in opened_between(ctx, tx, start, end)
        if one.item.state is State.DECIDED
    }
    return [
        _rate(ctx, tx, rows, people, [one for one in policy.judges if one.judge == judge])
        for (_, judge, _), rows in sorted(grouped.items(), key=lambda each: each[0])
    ]


def _rate(
    ctx: Context,
    tx: Transaction,
    rows: Sequence[Told],
    people: Mapping[tuple[str, str], Opened],
    entries: Sequence[Judging],
) -> JudgeRate:
    first = rows[0]
    said = [(bool(one.failed), one.weight) for one in rows if one.state is AskState.SAID]
    sums = _verdicts(said)
    by_labels = corrected(shown(ctx, tx, first.judge, first.asks), sums)
    confirmed, missed = _by_people(rows, people, first.dimension)
    alone = share(sums.share * sums.effective, sums.effective)
    known = alone.value is not None and confirmed.value is not None and missed.value is not None
    return JudgeRate(
        first.judge,
        max(one.version for one in rows),
        first.dimension,
        len(said),
        sum(one.state is AskState.WAITING for one in rows),
        dict(Counter(one.reason for one in rows if one.state is AskState.UNKNOWN).most_common()),
        alone,
        by_labels,
        "" if by_labels else UNCORRECTED,
        confirmed,
        missed,
        sums.share * (confirmed.value or 0.0) + (1 - sums.share) * (missed.value or 0.0) if known else None,
        sum((one.cost for one in rows if one.cost is not None), Decimal(0)),
        sum(one.unpriced for one in rows),
        store.spent(tx, ctx.workspace, first.judge, midnight(ctx.now)).amount,
        entries[0].max_cost if entries else None,
    )


def _by_people(
    rows: Sequence[Told], people: Mapping[tuple[str, str], Opened], dimension: Dimension
) -> tuple[Share, Share]:
    """Confirmed among what the judge failed; problems among what it passed and chance drew for people."""
    failed: list[tuple[bool, float]] = []
    passed: list[tuple[bool, float]] = []
    for one in rows:
        opened = people.get((one.trace, one.call))
        decided = None if opened is None else rules.verdict(opened.votes, dimension)
        if opened is None or one.failed is None or decided not in (Decision.CONFIRMED, Decision.FINE):
            continue
        so = decided is Decision.CONFIRMED
        if one.failed:
            failed.append((so, one.weight))
        elif opened.item.why is Why.SAMPLED:
            passed.append((so, one.weight / opened.item.inclusion))
    both = [_verdicts(one) for one in (failed, passed)]
    first, second = (share(one.share * one.effective, one.effective) for one in both)
    return first, second
