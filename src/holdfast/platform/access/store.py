"""Tables of access, and the queries on API keys."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.platform.access.model import ApiKey, Scope
from holdfast.storage.sql import Instant, Transaction, metadata

members = sa.Table(
    "members",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("email", sa.String(320), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("oidc_subject", sa.String(500), unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("member", sa.String(40), sa.ForeignKey("members.id"), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("environment", sa.String(200), nullable=False),
    sa.Column("content", sa.Boolean, nullable=False),
    sa.Column("source", sa.String(20), nullable=False),  # local, or oidc: mapped from a group at each sign-in
    sa.UniqueConstraint("workspace", "member", "system", "environment"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("member", sa.String(40), sa.ForeignKey("members.id"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

sign_in_links = sa.Table(
    "sign_in_links",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # SHA-256 of the token
    sa.Column("member", sa.String(40), sa.ForeignKey("members.id"), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
)


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(Scope(scope) for scope in json.loads(row.scopes)),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def add_key(tx: Transaction, key: ApiKey, key_hash: str) -> None:
    tx.execute(
        api_keys.insert().values(
            id=key.id,
            workspace=key.workspace,
            name=key.name,
            prefix=key.prefix,
            hash=key_hash,
            scopes=json.dumps(sorted(key.scopes)),
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )
    )


def key_by_hash(tx: Transaction, key_hash: str) -> ApiKey | None:
    row = tx.execute(sa.select(api_keys).where(api_keys.c.hash == key_hash)).one_or_none()
    return None if row is None else _key(row)


def keys_of(tx: Transaction, workspace: str) -> list[ApiKey]:
    return [_key(row) for row in tx.execute(tx.select(api_keys, workspace).order_by(api_keys.c.created_at))]


def revoke_key(tx: Transaction, workspace: str, key: str, at: datetime) -> bool:
    """True when a key of the workspace was revoked now."""
    statement = (
        api_keys.update()
        .where(api_keys.c.workspace == workspace, api_keys.c.id == key, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return tx.execute(statement).rowcount == 1
