"""Labels of prompts, deployments and unrecorded configurations as kept. Deployments are added and never changed."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.applications.model import Deployment, Flagged, Label
from holdfast.storage.sql import Instant, Transaction, metadata

labels = sa.Table(
    "prompt_labels",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("label", sa.String(60), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("moved_at", Instant, nullable=False),
    sa.Column("moved_by", sa.String(200), nullable=False),
)

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.Deployment
    sa.Index(None, "workspace", "at"),
)

unrecorded = sa.Table(
    "unrecorded_configurations",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("configuration", sa.String(16), primary_key=True),
    sa.Column("found_at", Instant, nullable=False),
    sa.Column("raised_at", Instant),
    sa.Column("raised_by", sa.String(200), nullable=False),
    sa.Column("raised_by_name", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

_deployment = msgspec.json.Decoder(Deployment).decode


def labels_of(tx: Transaction, workspace: str, name: str) -> list[Label]:
    """By label."""
    statement = tx.select(labels, workspace).where(labels.c.name == name).order_by(labels.c.label)
    return [_label(row) for row in tx.execute(statement)]


def put_label(tx: Transaction, one: Label) -> None:
    """In the place of where it stood."""
    values = {
        "workspace": one.workspace,
        "name": one.name,
        "label": one.label,
        "number": one.number,
        "moved_at": one.moved_at,
        "moved_by": one.moved_by,
    }
    tx.upsert(labels, values, key=["workspace", "name", "label"])


def remove_label(tx: Transaction, workspace: str, name: str, label: str) -> bool:
    """False where there was none."""
    own = labels.c
    statement = labels.delete().where(own.workspace == workspace, own.name == name, own.label == label)
    return bool(tx.execute(statement).rowcount)


def _label(row: Any) -> Label:
    return Label(row.workspace, row.name, row.label, row.number, row.moved_at, row.moved_by)


def add_deployment(tx: Transaction, one: Deployment) -> bool:
    """False where the workspace has one of this id: that stays."""
    values = {
        "workspace": one.workspace,
        "id": one.id,
        "system": one.system,
        "at": one.at,
        "whole": msgspec.json.encode(one).decode(),
    }
    return tx.insert_new(deployments, values, key=["workspace", "id"])


def deployment(tx: Transaction, workspace: str, id: str) -> Deployment | None:
    row = tx.execute(tx.select(deployments, workspace).where(deployments.c.id == id)).one_or_none()
    return None if row is None else _deployment(row.whole)


def deployments_of(
    tx: Transaction,
    workspace: str,
    *,
    system: str | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[Deployment]:
    """The latest first; `before`: those of an earlier instant."""
    statement = tx.select(deployments, workspace)
    if system is not None:
        statement = statement.where(deployments.c.system == system)
    if before is not None:
        statement = statement.where(deployments.c.at < before)
    statement = statement.order_by(deployments.c.at.desc(), deployments.c.id).limit(limit)
    return [_deployment(row.whole) for row in tx.execute(statement)]


def flagged_of(tx: Transaction, workspace: str) -> list[Flagged]:
    """All of a workspace."""
    return [_flagged(row) for row in tx.execute(tx.select(unrecorded, workspace))]


def flagged(tx: Transaction, workspace: str, configuration: str) -> Flagged | None:
    statement = tx.select(unrecorded, workspace).where(unrecorded.c.configuration == configuration)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _flagged(row)


def add_flagged(tx: Transaction, one: Flagged) -> bool:
    """False where it is there already: that stays."""
    return tx.insert_new(unrecorded, _values(one), key=["workspace", "configuration"])


def put_flagged(tx: Transaction, one: Flagged) -> None:
    """In the place of what was known of it."""
    tx.upsert(unrecorded, _values(one), key=["workspace", "configuration"])


def _values(one: Flagged) -> dict[str, Any]:
    return dataclasses.asdict(one)


def _flagged(row: Any) -> Flagged:
    return Flagged(
        row.workspace,
        row.configuration,
        row.found_at,
        row.raised_at,
        row.raised_by,
        row.raised_by_name,
        row.note,
    )
