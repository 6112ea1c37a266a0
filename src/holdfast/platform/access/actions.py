"""Verbs of access on API keys."""

from __future__ import annotations

import os
from datetime import datetime

from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.access import rules, store
from holdfast.platform.access.model import ApiKey, Scope
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction


def create_key(
    ctx: Context, tx: Transaction, name: str, scopes: frozenset[Scope], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Makes a key for the workspace; returns it with its text, which is not to be had again."""
    text = rules.key_text(os.urandom(rules.KEY_BYTES))
    key = ApiKey(
        id=new_id("key"),
        workspace=ctx.workspace,
        name=name,
        prefix=text[: rules.PREFIX_LENGTH],
        scopes=scopes,
        created_at=ctx.now,
        created_by=ctx.actor.id,
        expires_at=expires_at,
        revoked_at=None,
    )
    store.add_key(tx, key, rules.token_hash(text))
    audit.record(
        ctx,
        tx,
        action="key.created",
        subject=key.id,
        details={"prefix": key.prefix, "scopes": sorted(scopes), "name": name},
    )
    return key, text


def revoke_key(ctx: Context, tx: Transaction, key: str) -> None:
    """Ends a key at once. Raises NotFound where the workspace has no such living key."""
    if not store.revoke_key(tx, ctx.workspace, key, ctx.now):
        raise NotFound("there is no such API key, or it is revoked already")
    audit.record(ctx, tx, action="key.revoked", subject=key)
