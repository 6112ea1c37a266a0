"""Tables of secrets, and every query on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from holdfast.platform.secrets.model import DataKey, Secret
from holdfast.storage.sql import Instant, Transaction, metadata

data_keys = sa.Table(
    "data_keys",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("master", sa.String(40), nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.UniqueConstraint("workspace", "name"),
)


def _data_key(row: Any) -> DataKey:
    return DataKey(row.id, row.workspace, row.master, row.wrapped, row.created_at)


def _secret(row: Any) -> Secret:
    return Secret(row.id, row.workspace, row.name, row.sealed, row.created_at, row.changed_at)


def put_data_key(tx: Transaction, key: DataKey) -> None:
    tx.upsert(data_keys, asdict(key), key=["id"])


def data_keys_of(tx: Transaction, workspace: str) -> list[DataKey]:
    """Oldest first."""
    rows = tx.execute(tx.select(data_keys, workspace).order_by(data_keys.c.created_at, data_keys.c.id))
    return [_data_key(row) for row in rows]


def all_data_keys(tx: Transaction) -> list[DataKey]:
    """Of every workspace: for a new master key."""
    return [_data_key(row) for row in tx.execute(sa.select(data_keys).order_by(data_keys.c.id))]


def drop_data_keys(tx: Transaction, workspace: str, keep: str) -> None:
    tx.execute(data_keys.delete().where(data_keys.c.workspace == workspace, data_keys.c.id != keep))


def put_secret(tx: Transaction, secret: Secret) -> None:
    tx.upsert(secrets, asdict(secret), key=["id"])


def secret(tx: Transaction, workspace: str, secret_id: str) -> Secret | None:
    row = tx.execute(tx.select(secrets, workspace).where(secrets.c.id == secret_id)).one_or_none()
    return None if row is None else _secret(row)


def secret_by_name(tx: Transaction, workspace: str, name: str) -> Secret | None:
    row = tx.execute(tx.select(secrets, workspace).where(secrets.c.name == name)).one_or_none()
    return None if row is None else _secret(row)


def secrets_of(tx: Transaction, workspace: str) -> list[Secret]:
    return [_secret(row) for row in tx.execute(tx.select(secrets, workspace).order_by(secrets.c.name))]


def delete_secret(tx: Transaction, workspace: str, secret_id: str) -> bool:
    done = tx.execute(secrets.delete().where(secrets.c.workspace == workspace, secrets.c.id == secret_id))
    return done.rowcount == 1
