"""The table of maps of coverage, and every query on it. Of calls it keeps ids, and the words that tell groups apart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.evals.states import UNMAPPED, CoverageMap, MapState
from holdfast.storage.sql import Instant, Transaction, metadata

maps = sa.Table(
    "eval_coverage",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("suite", sa.String(100), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("start", Instant, nullable=False),
    sa.Column("end", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("phase", sa.String(40), nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("found", sa.Text, nullable=False),  # JSON of rules.coverage.Found
    sa.Index(None, "workspace", "suite", "created_at"),
)
_STATES = sorted(one.value for one in UNMAPPED)


def _map(row: Any) -> CoverageMap:
    values = {name: getattr(row, name) for name in CoverageMap.__dataclass_fields__}
    return CoverageMap(**{**values, "state": MapState(row.state)})


def add(tx: Transaction, one: CoverageMap) -> None:
    """A fresh one."""
    values = {name: getattr(one, name) for name in CoverageMap.__dataclass_fields__}
    tx.execute(maps.insert().values(**{**values, "state": one.state.value}))


def latest(
    tx: Transaction, workspace: str, suite: str, state: MapState | None = None, limit: int = 1
) -> list[CoverageMap]:
    """Maps of a suite, the latest first."""
    statement = tx.select(maps, workspace).where(maps.c.suite == suite)
    if state is not None:
        statement = statement.where(maps.c.state == state.value)
    statement = statement.order_by(maps.c.created_at.desc(), maps.c.id.desc()).limit(limit)
    return [_map(row) for row in tx.execute(statement)]


def active_of(tx: Transaction, workspace: str, suite: str) -> CoverageMap | None:
    """The map of a suite that is waiting or under way."""
    statement = tx.select(maps, workspace).where(maps.c.suite == suite, maps.c.state.in_(_STATES))
    row = tx.execute(statement.order_by(maps.c.created_at, maps.c.id).limit(1)).one_or_none()
    return None if row is None else _map(row)


def active(tx: Transaction) -> list[CoverageMap]:
    """Maps of all workspaces that are not over, the oldest first."""
    statement = sa.select(maps).where(maps.c.state.in_(_STATES)).order_by(maps.c.created_at, maps.c.id)
    return [_map(row) for row in tx.execute(statement)]


def change(tx: Transaction, id: str, **values: Any) -> bool:
    """Changes a map that is not over; whether it was not."""
    plain = {name: one.value if isinstance(one, MapState) else one for name, one in values.items()}
    statement = maps.update().where(maps.c.id == id, maps.c.state.in_(_STATES)).values(**plain)
    return bool(tx.execute(statement).rowcount)


def due(tx: Transaction, before: datetime) -> list[tuple[str, str]]:
    """(workspace, suite) whose latest map was asked for before an instant; a suite that never had one is not due."""
    statement = (
        sa.select(maps.c.workspace, maps.c.suite)
        .group_by(maps.c.workspace, maps.c.suite)
        .having(sa.func.max(maps.c.created_at) < before)
        .order_by(maps.c.workspace, maps.c.suite)
    )
    return [(row.workspace, row.suite) for row in tx.execute(statement)]
