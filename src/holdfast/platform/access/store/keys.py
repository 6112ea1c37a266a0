"""Queries on API keys."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.platform.access.model import ApiKey, Scope
from holdfast.platform.access.store.tables import api_keys
from holdfast.storage.sql import Transaction


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


def living_keys(tx: Transaction) -> list[tuple[str, ApiKey]]:
    """(hash, key) of every key of every workspace that was not revoked."""
    rows = tx.execute(sa.select(api_keys).where(api_keys.c.revoked_at.is_(None)).order_by(api_keys.c.id))
    return [(row.hash, _key(row)) for row in rows]


def revoke_key(tx: Transaction, workspace: str, key: str, at: datetime) -> bool:
    """True when a key of the workspace was revoked now."""
    statement = (
        api_keys.update()
        .where(api_keys.c.workspace == workspace, api_keys.c.id == key, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return tx.execute(statement).rowcount == 1
