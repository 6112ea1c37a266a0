"""Answers of review: the policy, how far the job is, the queue, one item, and rates with what people said of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TypeVar

from holdfast.evals.rules import review as rules
from holdfast.evals.rules.review import (
    CallRef,
    Decision,
    Dimension,
    Found,
    Item,
    KeptPolicy,
    Method,
    Policy,
    State,
    Vote,
    Why,
)
from holdfast.evals.store import review as store
from holdfast.evals.store import reviewed
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction

T = TypeVar("T")
WAITING = (State.OPEN, State.CLAIMED)


def policy(ctx: Context, tx: Transaction) -> KeptPolicy:
    """The policy in force; version 0, with what holds by default, where nobody has said anything."""
    return reviewed.policy(tx, ctx.workspace) or KeptPolicy(0, Policy())


def position(ctx: Context, tx: Transaction) -> datetime | None:
    """Calls counted before this are looked at; None where following has not begun."""
    place = reviewed.place(tx, ctx.workspace)
    return None if place is None else place.position


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the job is: how many calls it has looked at, when last, and how far behind the clock it is (seconds)."""

    looked: int
    turned_at: datetime | None
    behind_seconds: float | None  # None: it has not begun


def standing(ctx: Context, tx: Transaction) -> Standing:
    """Of the workspace."""
    place = reviewed.place(tx, ctx.workspace)
    if place is None:
        return Standing(0, None, None)
    behind = ctx.now - place.position
    still = place.behind or behind > rules.IDLE * 2
    return Standing(place.looked, place.turned_at, behind.total_seconds() if still else 0.0)


def looked_until(ctx: Context, tx: Transaction) -> datetime | None:
    """Calls that were counted before this have been looked at; None where following has not begun."""
    place = reviewed.place(tx, ctx.workspace)
    if place is None:
        return None
    until: datetime = place.position if place.behind else place.turned_at
    return until


def unseen(ctx: Context, tx: Transaction, calls: Sequence[T], ref: Callable[[T], CallRef]) -> list[T]:
    """Of some calls, those that were not looked at, or had nothing to look at then."""
    known = reviewed.known(tx, ctx.workspace, [rules.fingerprint(ref(one)) for one in calls])
    return [one for one in calls if not known.get(rules.fingerprint(ref(one)))]


@dataclass(frozen=True, slots=True)
class Opened:
    """An item with what was found and what people said."""

    item: Item
    found: list[Found]
    votes: list[Vote]


def item(ctx: Context, tx: Transaction, item_id: str) -> Opened:
    """One item. Raises NotFound."""
    one = store.item(tx, ctx.workspace, item_id)
    if one is None:
        raise NotFound(rules.NO_ITEM)
    return _opened(ctx, tx, [one])[0]


def queue(
    ctx: Context,
    tx: Transaction,
    states: Sequence[State] = WAITING,
    dimension: Dimension | None = None,
    route: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 50,
) -> list[Opened]:
    """Items in some states, what presses most first; `after` is (priority, id) of the last one seen."""
    return _opened(ctx, tx, store.listed(tx, ctx.workspace, states, dimension, route, after, limit))


def opened_between(ctx: Context, tx: Transaction, start: datetime, end: datetime) -> list[Opened]:
    """Items that were opened in a time range."""
    return _opened(ctx, tx, store.opened_between(tx, ctx.workspace, start, end))


def _opened(ctx: Context, tx: Transaction, items: Sequence[Item]) -> list[Opened]:
    ids = [one.id for one in items]
    found = store.findings_of(tx, ctx.workspace, ids)
    votes = store.votes_of(tx, ctx.workspace, ids)
    return [Opened(one, found[one.id], list(votes[one.id])) for one in items]


@dataclass(frozen=True, slots=True)
class Share:
    """A share with a Wilson interval of 95 %; `of` is on how many it rests. Value None: on none."""

    value: float | None
    low: float
    high: float
    of: float


def share(part: float, whole: float) -> Share:
    """Wilson's score interval (1927) of a proportion; `whole` may be a number of effective observations."""
    if whole <= 0:
        return Share(None, 0.0, 1.0, 0)
    z, p = 1.959964, min(max(part / whole, 0.0), 1.0)
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    reach = z / (1 + z * z / whole) * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole))
    return Share(p, max(0.0, middle - reach), min(1.0, middle + reach), whole)


@dataclass(frozen=True, slots=True)
class Rate:
    """How a dimension stood over a time range. Counts are of calls, each as many times as it stands for.

    `rate` is of what could be judged. `confirmed` is the share of flagged answers that people found to be so, of those they
    decided clearly; `missed` that of answers where nothing was found and people saw a problem all the same. `truly`:
    the share of answers that people would find so, from all three; None where one is not known.
    """

    dimension: Dimension
    method: Method
    flagged: float
    judged: float
    unknown: float
    looked: int
    rate: Share
    confirmed: Share
    missed: Share
    truly: float | None
    series: tuple[tuple[datetime, float, float], ...]  # start of the step, flagged, judged


def rates(
    ctx: Context,
    tx: Transaction,
    start: datetime,
    end: datetime,
    route: str | None = None,
    step: timedelta = timedelta(hours=1),
) -> list[Rate]:
    """Every dimension and method that something was judged by in a time range (whole hours), by name."""
    rows = reviewed.counts(tx, ctx.workspace, start.replace(minute=0, second=0, microsecond=0), end, route)
    opened = [
        one for one in opened_between(ctx, tx, start, end) if route is None or one.item.call.route == route
    ]
    grouped: dict[tuple[str, str], list[list[float]]] = {}
    series: dict[tuple[str, str], dict[datetime, list[float]]] = {}
    for row in rows:
        key = (row.dimension, row.method)
        grouped.setdefault(key, []).append([row.flagged, row.clean, row.unknown, row.looked])
        at = _floor(row.hour, step)
        point = series.setdefault(key, {}).setdefault(at, [0.0, 0.0])
        point[0] += row.flagged
        point[1] += row.flagged + row.clean
    made = []
    for (dimension, method), parts in sorted(grouped.items()):
        flagged, clean, unknown, looked = (sum(part[place] for part in parts) for place in range(4))
        judged = flagged + clean
        known = int(looked) * judged / (judged + unknown) if judged + unknown else 0.0
        of = share(flagged * known / judged if judged else 0.0, known)
        confirmed, missed = _said(opened, Dimension(dimension))
        points = sorted(series[dimension, method].items())
        made.append(
            Rate(
                Dimension(dimension),
                Method(method),
                flagged,
                judged,
                unknown,
                int(looked),
                of,
                confirmed,
                missed,
                _truly(of, confirmed, missed),
                tuple((at, point[0], point[1]) for at, point in points),
            )
        )
    return made


def _truly(of: Share, confirmed: Share, missed: Share) -> float | None:
    if of.value is None or confirmed.value is None or missed.value is None:
        return None
    return of.value * confirmed.value + (1 - of.value) * missed.value


def _said(opened: Sequence[Opened], dimension: Dimension) -> tuple[Share, Share]:
    """Confirmed among what was flagged; problems among what was sampled, each weighed by how rarely it is drawn.

    Of the sampled the interval rests on Kish's effective number, since routes are sampled at rates of their own.
    """
    flagged = [0.0, 0.0]
    weights: list[tuple[float, bool]] = []
    for one in opened:
        said = rules.verdict(one.votes, dimension)
        if one.item.state is not State.DECIDED or said not in (Decision.CONFIRMED, Decision.FINE):
            continue
        if one.item.why is Why.SAMPLED:
            weights.append((1 / one.item.inclusion, said is Decision.CONFIRMED))
        elif one.item.why is Why.FLAGGED and dimension in _flagged(one):
            flagged[0] += said is Decision.CONFIRMED
            flagged[1] += 1
    total = sum(weight for weight, _ in weights)
    effective = total**2 / sum(weight**2 for weight, _ in weights) if weights else 0.0
    part = sum(weight for weight, yes in weights if yes) / total if total else 0.0
    return share(*flagged), share(part * effective, effective)


def _flagged(one: Opened) -> set[Dimension]:
    """What rules and heads found; what judges say of it is counted by itself."""
    return {each.dimension for each in one.found if not each.basis.is_judge}


@dataclass(frozen=True, slots=True)
class Work:
    """How people's work stands: of items opened in a time range, and of the whole queue.

    `overridden`: flagged dimensions that people found to be no problem, of those decided clearly. `disagreed`: items on
    which the first two who looked differ, of those that two looked at. `late`: decided after they were due, or due and
    undecided. `seconds`: the median from claim to decision.
    """

    waiting: int
    overdue: int
    opened: int
    decided: int
    late: Share
    overridden: Share
    disagreed: Share
    seconds: float | None


def work(ctx: Context, tx: Transaction, start: datetime, end: datetime) -> Work:
    """Over a time range."""
    opened = opened_between(ctx, tx, start, end)
    states, overdue = store.in_states(tx, ctx.workspace, ctx.now)
    decided = [one for one in opened if one.item.state is State.DECIDED]
    due = [one for one in opened if one.item.state is State.DECIDED or one.item.due_at < ctx.now]
    late = [one for one in due if (one.item.decided_at or ctx.now) > one.item.due_at]
    clear = [
        said
        for one in decided
        for dimension in _flagged(one)
        if one.item.why is Why.FLAGGED
        and (said := rules.verdict(one.votes, dimension)) in (Decision.CONFIRMED, Decision.FINE)
    ]
    twice = [one for one in opened if len({vote.reviewer for vote in one.votes}) > 1]
    taken = [vote.seconds for one in opened for vote in one.votes if vote.seconds is not None]
    return Work(
        sum(states.get(state.value, 0) for state in WAITING),
        overdue,
        len(opened),
        len(decided),
        share(len(late), len(due)),
        share(sum(said is Decision.FINE for said in clear), len(clear)),
        share(sum(rules.disagree(one.votes) for one in twice), len(twice)),
        median(taken) if taken else None,
    )


def _floor(at: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, at.tzinfo)
