"""Tables of the review queue: items, what was found in them, and what people decided.

Nothing that was said in a call is kept here, only where it is; notes are what a person wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.evals.rules.review import (
    Basis,
    CallRef,
    Decision,
    Dimension,
    Found,
    Item,
    Severity,
    State,
    Vote,
    Why,
)
from holdfast.storage.sql import Instant, Transaction, metadata


def _workspace() -> sa.Column[Any]:
    return sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False)


items = sa.Table(
    "review_items",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    _workspace(),
    sa.Column("trace", sa.String(32), nullable=False),
    sa.Column("call", sa.String(100), nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("environment", sa.String(200), nullable=False),
    sa.Column("route", sa.String(200), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("why", sa.String(20), nullable=False),
    sa.Column("dimensions", sa.Text, nullable=False),  # JSON
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("inclusion", sa.Float, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("double", sa.Boolean, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("holder", sa.String(200), nullable=False),
    sa.Column("claimed_at", Instant),
    sa.Column("decided_at", Instant),
    sa.UniqueConstraint("workspace", "trace", "call"),
    sa.Index(None, "workspace", "state", "priority"),
    sa.Index(None, "workspace", "opened_at"),
)

findings = sa.Table(
    "review_findings",
    metadata,
    sa.Column("item", sa.String(40), sa.ForeignKey("review_items.id"), primary_key=True),
    sa.Column("rule", sa.String(100), primary_key=True),
    sa.Column("version", sa.String(40), primary_key=True),
    sa.Column("dimension", sa.String(40), primary_key=True),
    _workspace(),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("basis", sa.String(20), nullable=False),
    sa.Column("spots", sa.Text, nullable=False),  # JSON of pairs of offsets
)

votes = sa.Table(
    "review_votes",
    metadata,
    sa.Column("item", sa.String(40), sa.ForeignKey("review_items.id"), primary_key=True),
    sa.Column("dimension", sa.String(40), primary_key=True),
    sa.Column("reviewer", sa.String(200), primary_key=True),
    _workspace(),
    sa.Column("decision", sa.String(20), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("seconds", sa.Float),
)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _values(item: Item) -> dict[str, Any]:
    values = {
        name: getattr(item, name) for name in Item.__dataclass_fields__ if name not in ("call", "dimensions")
    }
    call = item.call
    return values | {
        "trace": call.trace,
        "call": call.id,
        "system": call.system,
        "environment": call.environment,
        "route": call.route,
        "started_at": call.started_at,
        "dimensions": _json(item.dimensions),
    }


def _item(row: Any) -> Item:
    call = CallRef(row.trace, row.call, row.system, row.environment, row.route, row.started_at)
    return Item(
        row.id,
        row.workspace,
        call,
        Why(row.why),
        tuple(Dimension(one) for one in msgspec.json.decode(row.dimensions)),
        Severity(row.severity),
        row.confidence,
        row.inclusion,
        row.priority,
        row.double,
        row.opened_at,
        row.due_at,
        State(row.state),
        row.holder,
        row.claimed_at,
        row.decided_at,
    )


def add_item(tx: Transaction, item: Item) -> bool:
    """False where the call has an item already."""
    return tx.insert_new(items, _values(item), key=["workspace", "trace", "call"])


def item(tx: Transaction, workspace: str, id: str, *, lock: bool = False) -> Item | None:
    """One item; `lock` keeps others from changing it until the transaction ends."""
    statement = tx.select(items, workspace).where(items.c.id == id)
    row = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _item(row)


def item_of_call(tx: Transaction, workspace: str, trace: str, call: str) -> Item | None:
    """The item of a call."""
    statement = tx.select(items, workspace).where(items.c.trace == trace, items.c.call == call)
    row = tx.execute(statement.with_for_update()).one_or_none()
    return None if row is None else _item(row)


def change(tx: Transaction, changed: Item) -> None:
    """Keeps an item as it is now."""
    values = {name: value for name, value in _values(changed).items() if name not in ("id", "workspace")}
    tx.execute(items.update().where(items.c.id == changed.id).values(**values))


def listed(
    tx: Transaction,
    workspace: str,
    states: Iterable[State],
    dimension: Dimension | None = None,
    route: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 50,
) -> list[Item]:
    """Items in some states, what presses most first; `after` is (priority, id) of the last one seen."""
    c = items.c
    statement = tx.select(items, workspace).where(c.state.in_([one.value for one in states]))
    if dimension is not None:
        statement = statement.where(c.dimensions.contains(f'"{dimension.value}"', autoescape=True))
    if route is not None:
        statement = statement.where(c.route == route)
    if after is not None:
        priority, last = after
        statement = statement.where(
            sa.or_(c.priority > priority, sa.and_(c.priority == priority, c.id > last))
        )
    return [_item(row) for row in tx.execute(statement.order_by(c.priority, c.id).limit(limit))]


def opened_between(tx: Transaction, workspace: str, start: datetime, end: datetime) -> list[Item]:
    """Items that were opened in a time range."""
    c = items.c
    statement = tx.select(items, workspace).where(c.opened_at >= start, c.opened_at < end)
    return [_item(row) for row in tx.execute(statement.order_by(c.opened_at))]


def in_states(tx: Transaction, workspace: str, now: datetime) -> tuple[dict[str, int], int]:
    """How many items are in each state, and how many of those that are not decided are overdue."""
    c = items.c
    grouped = (
        tx.select(items, workspace).with_only_columns(c.state, sa.func.count().label("n")).group_by(c.state)
    )
    late = (
        tx.select(items, workspace)
        .with_only_columns(sa.func.count())
        .where(c.state != State.DECIDED.value, c.due_at < now)
    )
    return {row.state: row.n for row in tx.execute(grouped)}, int(tx.execute(late).scalar_one())


def add_findings(tx: Transaction, workspace: str, item_id: str, found: Iterable[Found]) -> None:
    """Findings of an item; one that is there stays."""
    for one in found:
        values = {
            "item": item_id,
            "rule": one.rule,
            "version": one.version,
            "dimension": one.dimension.value,
            "workspace": workspace,
            "severity": one.severity.value,
            "confidence": one.confidence,
            "basis": one.basis.value,
            "spots": _json(one.spots),
        }
        tx.insert_new(findings, values, key=["item", "rule", "version", "dimension"])


def findings_of(tx: Transaction, workspace: str, item_ids: Sequence[str]) -> dict[str, list[Found]]:
    """By item, the surest first."""
    found: dict[str, list[Found]] = {id: [] for id in item_ids}
    for start in range(0, len(item_ids), 500):
        some = list(item_ids[start : start + 500])
        statement = tx.select(findings, workspace).where(findings.c.item.in_(some))
        for row in tx.execute(statement.order_by(findings.c.confidence.desc(), findings.c.rule)):
            found[row.item].append(
                Found(
                    row.rule,
                    row.version,
                    Dimension(row.dimension),
                    Severity(row.severity),
                    row.confidence,
                    Basis(row.basis),
                    tuple((start, end) for start, end in msgspec.json.decode(row.spots)),
                )
            )
    return found


def add_votes(tx: Transaction, workspace: str, item_id: str, cast: Iterable[Vote]) -> None:
    """What a person decided. Raises Conflict where they decided this already."""
    for one in cast:
        tx.execute(
            votes.insert().values(
                item=item_id,
                workspace=workspace,
                dimension=one.dimension.value,
                reviewer=one.reviewer,
                decision=one.decision.value,
                note=one.note,
                at=one.at,
                seconds=one.seconds,
            )
        )


def votes_of(tx: Transaction, workspace: str, item_ids: Sequence[str]) -> Mapping[str, list[Vote]]:
    """By item, the earliest first."""
    found: dict[str, list[Vote]] = {id: [] for id in item_ids}
    for start in range(0, len(item_ids), 500):
        some = list(item_ids[start : start + 500])
        statement = tx.select(votes, workspace).where(votes.c.item.in_(some))
        for row in tx.execute(statement.order_by(votes.c.at, votes.c.dimension)):
            vote = Vote(
                Dimension(row.dimension),
                row.reviewer,
                Decision(row.decision),
                row.note,
                row.at,
                row.seconds,
            )
            found[row.item].append(vote)
    return found


def votes_since(tx: Transaction, workspace: str, start: datetime, end: datetime) -> set[str]:
    """Items on which somebody decided in a time range."""
    c = votes.c
    statement = tx.select(votes, workspace).with_only_columns(c.item).where(c.at >= start, c.at < end)
    return {row.item for row in tx.execute(statement.distinct())}
