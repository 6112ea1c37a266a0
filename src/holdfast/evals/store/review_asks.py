"""The table of what judges are shown of live calls: what waits, what came of it, what it cost; nothing said in a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa

from holdfast.evals.rules.review import CallRef, Dimension
from holdfast.storage.sql import Instant, Transaction, metadata

MOST_READ = 200_000
"""Verdicts that are read for figures, the latest."""
RECENT = 100


class AskState(StrEnum):
    """waiting → said or unknown."""

    WAITING = "waiting"
    SAID = "said"
    UNKNOWN = "unknown"


asks = sa.Table(
    "review_asks",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True, nullable=False),
    sa.Column("trace", sa.String(32), primary_key=True),
    sa.Column("call", sa.String(100), primary_key=True),
    sa.Column("judge", sa.String(100), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("asks", sa.String(64), nullable=False),  # hash of what the judge asks
    sa.Column("dimension", sa.String(40), nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("environment", sa.String(200), nullable=False),
    sa.Column("route", sa.String(200), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("weight", sa.Float, nullable=False),  # how many calls it stands for
    sa.Column("queued_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),  # not asked before
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("failed", sa.Boolean),
    sa.Column("reason", sa.Text, nullable=False),  # why it is unknown, in our words
    sa.Column("cost", sa.String(60)),  # a decimal in USD; none: unknown, or nothing was asked
    sa.Column("unpriced", sa.Boolean, nullable=False),  # it was answered, and nobody knows what that cost
    sa.Column("asked_at", Instant),
    sa.Column("release", sa.String(200), nullable=False, server_default=""),  # that answered; empty: unknown
    sa.Column("by_chance", sa.Boolean, nullable=False, server_default=sa.false()),  # see rules.review.Drawn
    sa.Index(None, "state", "due_at"),
    sa.Index(None, "workspace", "judge", "asked_at"),
    sa.Index(None, "workspace", "started_at"),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that a version of a judge is to be shown."""

    workspace: str
    call: CallRef
    judge: str
    version: int
    asks: str
    dimension: Dimension
    weight: float
    queued_at: datetime
    tries: int = 0
    release: str = ""
    by_chance: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `score` None: unknown, and `reason` is why. `answered`: the judge's model replied."""

    score: float | None
    failed: bool | None
    reason: str = ""
    cost: Decimal | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A row for figures."""

    trace: str
    call: str
    judge: str
    version: int
    asks: str
    dimension: Dimension
    weight: float
    state: AskState
    failed: bool | None
    reason: str
    cost: Decimal | None
    unpriced: bool


def add(tx: Transaction, ask: Ask) -> bool:
    """False where the judge is or was shown this call already."""
    call = ask.call
    values = {
        "workspace": ask.workspace,
        "trace": call.trace,
        "call": call.id,
        "judge": ask.judge,
        "version": ask.version,
        "asks": ask.asks,
        "dimension": ask.dimension.value,
        "system": call.system,
        "environment": call.environment,
        "route": call.route,
        "started_at": call.started_at,
        "weight": ask.weight,
        "queued_at": ask.queued_at,
        "due_at": ask.queued_at,
        "tries": 0,
        "state": AskState.WAITING.value,
        "reason": "",
        "unpriced": False,
        "release": ask.release,
        "by_chance": ask.by_chance,
    }
    return tx.insert_new(asks, values, key=["workspace", "trace", "call", "judge"])


def due_judges(tx: Transaction, now: datetime) -> list[tuple[str, str]]:
    """(workspace, judge) that are to be shown something now."""
    c = asks.c
    statement = (
        sa.select(c.workspace, c.judge).where(c.state == AskState.WAITING.value, c.due_at <= now).distinct()
    )
    return [(row.workspace, row.judge) for row in tx.execute(statement.order_by(c.workspace, c.judge))]


def due(tx: Transaction, workspace: str, judge: str, now: datetime, limit: int) -> list[Ask]:
    """What a judge is to be shown, what was drawn first before the rest."""
    c = asks.c
    statement = (
        tx.select(asks, workspace)
        .where(c.judge == judge, c.state == AskState.WAITING.value, c.due_at <= now)
        .order_by(c.due_at, c.trace, c.call)
        .limit(limit)
    )
    return [
        Ask(
            row.workspace,
            CallRef(row.trace, row.call, row.system, row.environment, row.route, row.started_at),
            row.judge,
            row.version,
            row.asks,
            Dimension(row.dimension),
            row.weight,
            row.queued_at,
            row.tries,
            row.release,
            row.by_chance,
        )
        for row in tx.execute(statement)
    ]


def _waiting(ask: Ask) -> sa.Update:
    c = asks.c
    return asks.update().where(
        c.workspace == ask.workspace,
        c.trace == ask.call.trace,
        c.call == ask.call.id,
        c.judge == ask.judge,
        c.state == AskState.WAITING.value,
    )


def postpone(tx: Transaction, ask: Ask, until: datetime, tries: int) -> None:
    """Leaves it for later."""
    tx.execute(_waiting(ask).values(due_at=until, tries=tries))


def settle(tx: Transaction, ask: Ask, outcome: Outcome, now: datetime) -> bool:
    """Keeps what came of it; False where that is known already."""
    state = AskState.UNKNOWN if outcome.score is None else AskState.SAID
    values = {
        "state": state.value,
        "score": outcome.score,
        "failed": outcome.failed,
        "reason": outcome.reason,
        "cost": None if outcome.cost is None else format(outcome.cost, "f"),
        "unpriced": outcome.answered and outcome.cost is None,
        "asked_at": now,
    }
    return bool(tx.execute(_waiting(ask).values(**values)).rowcount)


@dataclass(frozen=True, slots=True)
class Spent:
    """USD since an instant, how many answers have no price, and the dearest of the latest ones."""

    amount: Decimal
    unpriced: int
    dearest: Decimal


def spent(tx: Transaction, workspace: str, judge: str, since: datetime) -> Spent:
    """What a judge has cost in review."""
    c = asks.c
    of = tx.select(asks, workspace).with_only_columns(c.cost, c.unpriced).where(c.judge == judge)
    priced = sa.or_(c.cost.is_not(None), c.unpriced)
    today = tx.execute(of.where(c.asked_at >= since, priced)).all()
    latest = tx.execute(of.where(c.cost.is_not(None)).order_by(c.asked_at.desc()).limit(RECENT)).all()
    return Spent(
        sum((Decimal(row.cost) for row in today if row.cost is not None), Decimal(0)),
        sum(row.unpriced for row in today),
        max((Decimal(row.cost) for row in latest), default=Decimal(0)),
    )


def told(tx: Transaction, workspace: str, start: datetime, end: datetime, route: str | None) -> list[Told]:
    """What judges were shown of calls of a time range, the latest first."""
    c = asks.c
    statement = tx.select(asks, workspace).where(c.started_at >= start, c.started_at < end)
    if route is not None:
        statement = statement.where(c.route == route)
    return [
        Told(
            row.trace,
            row.call,
            row.judge,
            row.version,
            row.asks,
            Dimension(row.dimension),
            row.weight,
            AskState(row.state),
            row.failed,
            row.reason,
            None if row.cost is None else Decimal(row.cost),
            row.unpriced,
        )
        for row in tx.execute(statement.order_by(c.started_at.desc()).limit(MOST_READ))
    ]


def failing(
    tx: Transaction, workspace: str, judge: str, same: str, since: datetime
) -> Sequence[tuple[bool, float]]:
    """Whether a judge that asks the `same` failed each live answer that it was shown, and the weight of it."""
    c = asks.c
    statement = (
        tx.select(asks, workspace)
        .with_only_columns(c.failed, c.weight)
        .where(c.judge == judge, c.asks == same, c.state == AskState.SAID.value, c.asked_at >= since)
        .limit(MOST_READ)
    )
    return [(bool(row.failed), row.weight) for row in tx.execute(statement)]


def graded(
    tx: Transaction, workspace: str, route: str, releases: Sequence[str], start: datetime, end: datetime
) -> dict[str, dict[str, tuple[int, float, float]]]:
    """By release and judge: answers graded, and sums of 1 - score and of its square, of calls that chance drew.

    Of a judge that asked different things in the time range only those count that were asked what it asked last.
    """
    c, missing = asks.c, 1.0 - asks.c.score
    statement = (
        tx.select(asks, workspace)
        .with_only_columns(
            c.release,
            c.judge,
            c.asks,
            sa.func.count().label("n"),
            sa.func.sum(missing).label("total"),
            sa.func.sum(missing * missing).label("squares"),
            sa.func.max(c.queued_at).label("last"),
        )
        .where(c.route == route, c.release.in_(releases), c.state == AskState.SAID.value, c.by_chance)
        .where(c.started_at >= start, c.started_at < end)
        .group_by(c.release, c.judge, c.asks)
    )
    rows = list(tx.execute(statement))
    latest: dict[str, tuple[datetime, str]] = {}
    for row in rows:
        latest[row.judge] = max(latest.get(row.judge, (row.last, row.asks)), (row.last, row.asks))
    found: dict[str, dict[str, tuple[int, float, float]]] = {}
    for row in rows:
        if latest[row.judge][1] == row.asks:
            of = found.setdefault(row.release, {})
            of[row.judge] = (int(row.n), float(row.total), float(row.squares))
    return found


def forget(tx: Transaction, before: datetime) -> None:
    """Forgets calls that began before."""
    tx.execute(asks.delete().where(asks.c.started_at < before, asks.c.state != AskState.WAITING.value))
