"""Verbs of access on API keys."""

from __future__ import annotations

import os
from datetime import datetime

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Denied, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.access import rules
from holdfast.platform.access.model import ApiKey, Caller, Scope
from holdfast.platform.access.store import keys as store
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.storage.sql import Transaction


def create_key(
    ctx: Context, tx: Transaction, name: str, scopes: frozenset[Scope], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Makes a key for the workspace; returns it with its text, which is not to be had again. Raises Invalid."""
    if not name.strip() or len(name) > 200:
        raise Invalid("a key needs a name, of at most 200 characters", where="name")
    if not scopes:
        raise Invalid(f"a key needs at least one scope of {', '.join(Scope)}", where="scopes")
    if expires_at is not None and expires_at <= ctx.now:
        raise Invalid("a key expires in the future", where="expires_at")
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
    epochs.advance(tx)
    audit.record(
        ctx,
        tx,
        action="key.created",
        subject=key.id,
        details={"prefix": key.prefix, "scopes": sorted(scopes), "name": name},
    )
    return key, text


def create_key_for(
    by: Caller, tx: Transaction, name: str, scopes: frozenset[Scope], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Makes a key as somebody asks for it: admin of the whole workspace, and no scope `content` without having it.

    Raises Denied, Invalid.
    """
    for scope in (Scope.ADMIN, *({Scope.CONTENT} & scopes)):
        if not by.may(scope) or not by.reach[scope].everywhere:
            raise Denied(f"this needs the permission {scope.value!r} in the whole workspace")
    if expires_at is not None and expires_at.tzinfo is None:
        raise Invalid("an instant needs its time zone; add Z for UTC", where="expires_at")
    return create_key(by.ctx, tx, name, scopes, expires_at)


def revoke_key(ctx: Context, tx: Transaction, key: str) -> None:
    """Ends a key at once. Raises NotFound where the workspace has no such living key."""
    if not store.revoke_key(tx, ctx.workspace, key, ctx.now):
        raise NotFound("there is no such API key, or it is revoked already")
    epochs.advance(tx)
    audit.record(ctx, tx, action="key.revoked", subject=key)
