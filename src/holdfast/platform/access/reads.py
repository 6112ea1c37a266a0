"""Answers of access on API keys."""

from __future__ import annotations

from datetime import datetime

from holdfast.platform.access import rules, store
from holdfast.platform.access.model import ApiKey, Scope
from holdfast.storage.sql import Transaction


def key_by_text(tx: Transaction, text: str) -> ApiKey | None:
    """The key whose text this is, whatever its state."""
    return store.key_by_hash(tx, rules.token_hash(text))


def check(key: ApiKey | None, needed: Scope, now: datetime) -> ApiKey:
    """The key, when it is valid now and has the scope. Raises Unauthenticated, Denied."""
    return rules.check_key(key, needed, now)


def keys(tx: Transaction, workspace: str) -> list[ApiKey]:
    """All keys of a workspace, revoked ones too."""
    return store.keys_of(tx, workspace)
