"""The table of what has runs begin by themselves, and every query on it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.evals.states import RunTrigger, Trigger
from holdfast.storage.sql import Instant, Transaction, metadata

triggers = sa.Table(
    "eval_triggers",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("suite", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("cron", sa.String(100), nullable=False),
    sa.Column("time_zone", sa.String(100), nullable=False),
    sa.Column("release", sa.String(200), nullable=False),
    sa.Column("baseline", sa.String(40), nullable=False),
    sa.Column("repeats", sa.Integer),
    sa.Column("concurrency", sa.Integer, nullable=False),
    sa.Column("max_cost", sa.String(60)),  # a decimal
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("seen", sa.Text),  # JSON of a list; none: nobody looked yet
    sa.Column("fired_at", Instant),
    sa.Column("last_run", sa.String(40), nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Index(None, "workspace", "suite"),
)


def _trigger(row: Any) -> RunTrigger:
    values = {name: getattr(row, name) for name in RunTrigger.__dataclass_fields__}
    values["kind"] = Trigger(row.kind)
    values["max_cost"] = None if row.max_cost is None else Decimal(row.max_cost)
    values["seen"] = None if row.seen is None else tuple(msgspec.json.decode(row.seen))
    return RunTrigger(**values)


def _values(one: RunTrigger) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in RunTrigger.__dataclass_fields__}
    values["kind"] = one.kind.value
    values["max_cost"] = None if one.max_cost is None else format(one.max_cost, "f")
    values["seen"] = None if one.seen is None else msgspec.json.encode(one.seen).decode()
    return values


def add(tx: Transaction, one: RunTrigger) -> None:
    """A fresh one."""
    tx.execute(triggers.insert().values(**_values(one)))


def put(tx: Transaction, one: RunTrigger) -> bool:
    """In the place of the one with its id; whether there is one."""
    values = _values(one)
    id, workspace = values.pop("id"), values.pop("workspace")
    statement = triggers.update().where(triggers.c.id == id, triggers.c.workspace == workspace)
    return bool(tx.execute(statement.values(**values)).rowcount)


def get(tx: Transaction, workspace: str, id: str) -> RunTrigger | None:
    """One of the workspace."""
    row = tx.execute(tx.select(triggers, workspace).where(triggers.c.id == id)).one_or_none()
    return None if row is None else _trigger(row)


def listed(tx: Transaction, workspace: str, suite: str | None = None) -> list[RunTrigger]:
    """Those of a workspace, the oldest first."""
    statement = tx.select(triggers, workspace)
    if suite is not None:
        statement = statement.where(triggers.c.suite == suite)
    return [_trigger(row) for row in tx.execute(statement.order_by(triggers.c.created_at, triggers.c.id))]


def enabled(tx: Transaction) -> list[RunTrigger]:
    """Those of all workspaces that are to be looked at."""
    statement = sa.select(triggers).where(triggers.c.enabled).order_by(triggers.c.created_at, triggers.c.id)
    return [_trigger(row) for row in tx.execute(statement)]


def remove(tx: Transaction, workspace: str, id: str) -> bool:
    """Whether there was one."""
    statement = triggers.delete().where(triggers.c.id == id, triggers.c.workspace == workspace)
    return bool(tx.execute(statement).rowcount)
