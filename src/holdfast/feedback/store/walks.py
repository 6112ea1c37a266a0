"""Table of how far each job has come through a workspace, and every query on it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata

walks = sa.Table(
    "feedback_walks",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("at", Instant, nullable=False),
)


def place(tx: Transaction, workspace: str, kind: str) -> datetime | None:
    """How far a job has come; None where it never began."""
    statement = tx.select(walks, workspace).with_only_columns(walks.c.at).where(walks.c.kind == kind)
    found: datetime | None = tx.execute(statement).scalar_one_or_none()
    return found


def put(tx: Transaction, workspace: str, kind: str, at: datetime) -> None:
    """Keeps it."""
    tx.upsert(walks, {"workspace": workspace, "kind": kind, "at": at}, key=["workspace", "kind"])
