"""Tables of the gateway, and every query on them. A configuration that was applied is never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from holdfast.gateway.model import Version
from holdfast.storage.sql import Instant, Transaction, metadata

configurations = sa.Table(
    "gateway_configurations",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON of model.Configuration
    sa.Column("release_ids", sa.Text, nullable=False),  # JSON: name -> id in the registry
    sa.Column("applied_at", Instant, nullable=False),
    sa.Column("applied_by", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

prices = sa.Table(
    "gateway_prices",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
)
"""One row: the digest of all prices that gateways were last told of."""
_KNOWN = "known"


def _version(row: Any) -> Version:
    return Version(
        workspace=row.workspace,
        version=row.version,
        document=json.loads(row.document),
        release_ids=json.loads(row.release_ids),
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        note=row.note,
    )


def add_version(tx: Transaction, made: Version) -> bool:
    """False where the workspace has this version already."""
    values = {
        "workspace": made.workspace,
        "version": made.version,
        "document": json.dumps(made.document),
        "release_ids": json.dumps(dict(made.release_ids)),
        "applied_at": made.applied_at,
        "applied_by": made.applied_by,
        "note": made.note,
    }
    return tx.insert_new(configurations, values, key=["workspace", "version"])


def latest(tx: Transaction, workspace: str) -> Version | None:
    statement = tx.select(configurations, workspace).order_by(configurations.c.version.desc()).limit(1)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _version(row)


def version(tx: Transaction, workspace: str, number: int) -> Version | None:
    statement = tx.select(configurations, workspace).where(configurations.c.version == number)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _version(row)


def versions(tx: Transaction, workspace: str, before: int | None, limit: int) -> list[Version]:
    """The latest first; those below `before` where it is given."""
    statement = tx.select(configurations, workspace)
    if before is not None:
        statement = statement.where(configurations.c.version < before)
    statement = statement.order_by(configurations.c.version.desc()).limit(limit)
    return [_version(row) for row in tx.execute(statement)]


def latest_of_all(tx: Transaction) -> Mapping[str, Version]:
    """The current configuration of every workspace that has one, by workspace: for the snapshot."""
    newest = (
        sa.select(configurations.c.workspace, sa.func.max(configurations.c.version).label("version"))
        .group_by(configurations.c.workspace)
        .subquery()
    )
    statement = sa.select(configurations).join(
        newest,
        sa.and_(
            configurations.c.workspace == newest.c.workspace, configurations.c.version == newest.c.version
        ),
    )
    return {row.workspace: _version(row) for row in tx.execute(statement)}


def price_digest(tx: Transaction) -> str | None:
    return tx.execute(sa.select(prices.c.digest).where(prices.c.name == _KNOWN)).scalar_one_or_none()


def put_price_digest(tx: Transaction, digest: str) -> None:
    tx.upsert(prices, {"name": _KNOWN, "digest": digest}, key=["name"])
