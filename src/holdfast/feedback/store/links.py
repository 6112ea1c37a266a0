"""Table of the keys that sign links, and every query on it. An id is enough to find one: a link names no more."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.feedback.model import LinkKey
from holdfast.storage.sql import Instant, Transaction, metadata

keys = sa.Table(
    "feedback_link_keys",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("origins", sa.Text, nullable=False),  # JSON list
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("revoked_at", Instant),
)


def _key(row: Any) -> LinkKey:
    told = {name: getattr(row, name) for name in LinkKey.__dataclass_fields__}
    return LinkKey(**{**told, "origins": tuple(json.loads(row.origins))})


def add(tx: Transaction, key: LinkKey) -> None:
    """A new one."""
    told = {name: getattr(key, name) for name in LinkKey.__dataclass_fields__}
    tx.execute(keys.insert().values(**{**told, "origins": json.dumps(key.origins)}))


def by_id(tx: Transaction, id: str) -> LinkKey | None:
    """A key of whichever workspace, by its id."""
    row = tx.execute(sa.select(keys).where(keys.c.id == id)).one_or_none()
    return None if row is None else _key(row)


def of_workspace(tx: Transaction, workspace: str) -> list[LinkKey]:
    """Its keys, the newest first, revoked ones too."""
    statement = tx.select(keys, workspace).order_by(keys.c.created_at.desc(), keys.c.id.desc())
    return [_key(row) for row in tx.execute(statement)]


def revoke(tx: Transaction, workspace: str, id: str, at: datetime) -> bool:
    """Ends a key; False where there is none that lives."""
    living = sa.and_(keys.c.workspace == workspace, keys.c.id == id, keys.c.revoked_at.is_(None))
    return tx.execute(keys.update().where(living).values(revoked_at=at)).rowcount == 1
