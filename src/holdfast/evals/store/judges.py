"""Tables of judges and of checks of them, and every query on them. A version that was kept is never changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.evals.rules.judging import Judge, KeptJudge, Kind
from holdfast.evals.states import ACTIVE, RunState
from holdfast.storage.sql import Instant, Transaction, metadata

judges = sa.Table(
    "eval_judges",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("asks", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON of rules.judging.Judge
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
checks = sa.Table(
    "eval_checks",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("judge", sa.String(100), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("asks", sa.String(64), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("finished_at", Instant),
    sa.Index(None, "workspace", "judge", "created_at"),
)
items = sa.Table(
    "eval_check_items",
    metadata,
    sa.Column("check", sa.String(40), sa.ForeignKey("eval_checks.id"), primary_key=True),
    sa.Column("item", sa.String(200), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("forth", sa.Float),  # of a pair, in the order as labelled
    sa.Column("back", sa.Float),  # of a pair, the other way round, of what then came first
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cost", sa.String(60)),  # a decimal in USD; none: unknown
)
_HEAD = [column for column in judges.c if column.name != "document"]
_ENCODE = msgspec.json.Encoder(decimal_format="string")


@dataclass(frozen=True, slots=True)
class Check:
    """A judge asked about all of its labelled answers."""

    id: str
    workspace: str
    judge: str
    version: int
    asks: str
    state: RunState
    note: str
    created_at: datetime
    created_by: str
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What a judge said of one labelled answer; `forth` and `back` of a pair, as it said each time of what came first."""

    item: str
    score: float | None
    forth: float | None
    back: float | None
    reason: str
    cost: Decimal | None


def add(tx: Transaction, made: KeptJudge, judge: Judge) -> bool:
    """False where the workspace has this version of it already."""
    values = {name: getattr(made, name) for name in KeptJudge.__dataclass_fields__}
    values["kind"] = made.kind.value
    values["document"] = _ENCODE.encode(judge).decode()
    return tx.insert_new(judges, values, key=["workspace", "name", "version"])


def _kept(row: Any) -> KeptJudge:
    values = {name: getattr(row, name) for name in KeptJudge.__dataclass_fields__}
    return KeptJudge(**{**values, "kind": Kind(row.kind)})


def heads(tx: Transaction, workspace: str, name: str, limit: int = 200) -> list[KeptJudge]:
    """Versions of a judge, the latest first."""
    statement = tx.select(judges, workspace).with_only_columns(*_HEAD).where(judges.c.name == name)
    return [_kept(row) for row in tx.execute(statement.order_by(judges.c.version.desc()).limit(limit))]


def judge(
    tx: Transaction, workspace: str, name: str, version: int | None = None, by: datetime | None = None
) -> Judge | None:
    """What a version says, the latest where none is named; `by`: the latest at that time."""
    statement = tx.select(judges, workspace).where(judges.c.name == name)
    if version is not None:
        statement = statement.where(judges.c.version == version)
    if by is not None:
        statement = statement.where(judges.c.created_at <= by)
    row = tx.execute(statement.order_by(judges.c.version.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return replace(msgspec.json.decode(row.document, type=Judge), version=row.version)


def latest(tx: Transaction, workspace: str) -> list[KeptJudge]:
    """The latest version of every judge, by name."""
    newest = (
        tx.select(judges, workspace)
        .with_only_columns(judges.c.name, sa.func.max(judges.c.version).label("version"))
        .group_by(judges.c.name)
        .subquery()
    )
    same = sa.and_(judges.c.name == newest.c.name, judges.c.version == newest.c.version)
    statement = tx.select(judges, workspace).with_only_columns(*_HEAD).join(newest, same)
    return [_kept(row) for row in tx.execute(statement.order_by(judges.c.name))]


def add_check(tx: Transaction, check: Check) -> None:
    """A fresh one."""
    values = {name: getattr(check, name) for name in Check.__dataclass_fields__}
    tx.execute(checks.insert().values(**{**values, "state": check.state.value}))


def _check(row: Any) -> Check:
    values = {name: getattr(row, name) for name in Check.__dataclass_fields__}
    return Check(**{**values, "state": RunState(row.state)})


def check(tx: Transaction, workspace: str, id: str) -> Check | None:
    """One check of the workspace."""
    row = tx.execute(tx.select(checks, workspace).where(checks.c.id == id)).one_or_none()
    return None if row is None else _check(row)


def checks_of(tx: Transaction, workspace: str, judge: str, limit: int = 20) -> list[Check]:
    """Checks of a judge, the latest first."""
    statement = tx.select(checks, workspace).where(checks.c.judge == judge)
    statement = statement.order_by(checks.c.created_at.desc(), checks.c.id.desc()).limit(limit)
    return [_check(row) for row in tx.execute(statement)]


def active_checks(tx: Transaction) -> list[Check]:
    """Checks of all workspaces that are not over, the oldest first."""
    states = sorted(state.value for state in ACTIVE)
    statement = sa.select(checks).where(checks.c.state.in_(states)).order_by(checks.c.created_at, checks.c.id)
    return [_check(row) for row in tx.execute(statement)]


def change_check(tx: Transaction, id: str, **values: Any) -> bool:
    """Changes a check that is not over; whether it was."""
    plain = {name: value.value if isinstance(value, RunState) else value for name, value in values.items()}
    states = [state.value for state in ACTIVE]
    statement = checks.update().where(checks.c.id == id, checks.c.state.in_(states)).values(**plain)
    return bool(tx.execute(statement).rowcount)


def keep_item(tx: Transaction, check: Check, item: Item) -> bool:
    """Keeps what was said of one, once."""
    values = {name: getattr(item, name) for name in Item.__dataclass_fields__}
    values["cost"] = None if item.cost is None else format(item.cost, "f")
    values |= {"check": check.id, "workspace": check.workspace}
    return tx.insert_new(items, values, key=["check", "item"])


def items_of(tx: Transaction, workspace: str, check: str) -> list[Item]:
    """What was said in a check, by item."""
    statement = tx.select(items, workspace).where(items.c.check == check).order_by(items.c.item)
    return [
        Item(
            row.item,
            row.score,
            row.forth,
            row.back,
            row.reason,
            None if row.cost is None else Decimal(row.cost),
        )
        for row in tx.execute(statement)
    ]
