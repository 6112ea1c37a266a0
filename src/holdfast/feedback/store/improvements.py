"""Table of improvements, and every query on it."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.feedback.model import Improvement, Measurement, Stage
from holdfast.storage.sql import Instant, Transaction, metadata

improvements = sa.Table(
    "feedback_improvements",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("hypothesis", sa.Text, nullable=False),
    sa.Column("category", sa.String(300), nullable=False),
    sa.Column("change_ref", sa.String(300), nullable=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("measurement", sa.Text),  # JSON of Measurement
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Index(None, "workspace", "created_at"),
)


def _improvement(row: Any) -> Improvement:
    told = {name: getattr(row, name) for name in Improvement.__dataclass_fields__}
    measured = msgspec.json.decode(row.measurement, type=Measurement) if row.measurement else None
    return Improvement(**{**told, "stage": Stage(row.stage), "measurement": measured})


def _values(one: Improvement) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in Improvement.__dataclass_fields__}
    measured = msgspec.json.encode(one.measurement).decode() if one.measurement else None
    return {**told, "stage": one.stage.value, "measurement": measured}


def add(tx: Transaction, one: Improvement) -> None:
    """A new one."""
    tx.execute(improvements.insert().values(**_values(one)))


def put(tx: Transaction, one: Improvement) -> None:
    """Keeps one as it now is."""
    which = sa.and_(improvements.c.workspace == one.workspace, improvements.c.id == one.id)
    tx.execute(improvements.update().where(which).values(**_values(one)))


def get(tx: Transaction, workspace: str, id: str, *, lock: bool = False) -> Improvement | None:
    """One; `lock`: nobody else changes it until the transaction ends."""
    statement = tx.select(improvements, workspace).where(improvements.c.id == id)
    row = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _improvement(row)


def listed(
    tx: Transaction, workspace: str, stages: tuple[Stage, ...] = (), limit: int = 200
) -> list[Improvement]:
    """The latest first."""
    statement = tx.select(improvements, workspace)
    if stages:
        statement = statement.where(improvements.c.stage.in_([one.value for one in stages]))
    statement = statement.order_by(improvements.c.created_at.desc(), improvements.c.id.desc()).limit(limit)
    return [_improvement(row) for row in tx.execute(statement)]
