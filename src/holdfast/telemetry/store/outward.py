"""How far each export of figures has come, in the control store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.rules.ledger import Ledger, as_json, from_json

metric_exports = sa.Table(
    "metric_exports",
    metadata,
    sa.Column("target", sa.String(100), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("position", Instant, nullable=False),
    sa.Column("ledger", sa.Text, nullable=False),  # JSON of rules.ledger.Ledger
)


@dataclass(frozen=True, slots=True)
class Place:
    """Everything that began before `position` was told of, as the ledger says."""

    position: datetime
    ledger: Ledger


def place(tx: Transaction, target: str, workspace: str) -> Place | None:
    """How far a target has come with a workspace; None where it has not begun."""
    found = tx.select(metric_exports, workspace).where(metric_exports.c.target == target)
    row = tx.execute(found).one_or_none()
    return None if row is None else Place(row.position, from_json(json.loads(row.ledger)))


def put_place(tx: Transaction, target: str, workspace: str, now: Place) -> None:
    """Notes how far it has come."""
    values = {"target": target, "workspace": workspace, "position": now.position}
    ledger = json.dumps(as_json(now.ledger), separators=(",", ":"))
    tx.upsert(metric_exports, {**values, "ledger": ledger}, key=["target", "workspace"])


def furthest_behind(tx: Transaction) -> dict[str, datetime]:
    """By target, the earliest position of all workspaces."""
    c = metric_exports.c
    first = sa.func.min(c.position, type_=Instant).label("first")
    return {row.target: row.first for row in tx.execute(sa.select(c.target, first).group_by(c.target))}
