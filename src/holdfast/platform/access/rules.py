"""Decisions of access: keys and what a role or a scope allows."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from holdfast.kernel.errors import Denied, Invalid, Unauthenticated
from holdfast.platform.access.model import ApiKey, Scope

KEY_BYTES = 24  # 192 random bits
PREFIX_LENGTH = 9


def key_text(random: bytes) -> str:
    """The key as its owner sees it once: `hf_` and lower-case base 32 of at least 16 random bytes."""
    if len(random) < 16:
        raise ValueError("a key needs at least 128 random bits")
    return "hf_" + base64.b32encode(random).decode().rstrip("=").lower()


def token_hash(token: str) -> str:
    """SHA-256 in hex. Enough for tokens of 128 random bits or more; passwords take argon2id instead."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_scopes(text: str) -> frozenset[Scope]:
    """`ingest,read` → scopes. Raises Invalid that lists what there is."""
    try:
        scopes = frozenset(Scope(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise Invalid(f"{error}; scopes are {', '.join(Scope)}", where="scopes") from error
    if not scopes:
        raise Invalid(f"a key needs at least one scope of {', '.join(Scope)}", where="scopes")
    return scopes


def check_key(key: ApiKey | None, needed: Scope, now: datetime) -> ApiKey:
    """The key, when it is valid now and has the scope. `admin` includes every scope but `content`."""
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise Unauthenticated("this API key is not valid: it may be mistyped, revoked or expired")
    if needed not in key.scopes and not (Scope.ADMIN in key.scopes and needed is not Scope.CONTENT):
        raise Denied(f"this API key lacks the scope {needed.value!r}; make one with --scopes {needed.value}")
    return key
