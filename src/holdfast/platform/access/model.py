"""Nouns of access: members, roles and grants, API keys and their scopes, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What an API key may do."""

    INGEST = "ingest"
    GATEWAY = "gateway"
    READ = "read"
    CONTENT = "content"  # read captured content
    OPERATE = "operate"
    ADMIN = "admin"


class Role(StrEnum):
    """What a member may do where the role is granted."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: its hash and the first characters, never the key itself."""

    id: str
    workspace: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Member:
    """A person. `password_hash` is argon2id; None where the person signs in elsewhere."""

    id: str
    email: str
    name: str
    password_hash: str | None
    oidc_subject: str | None
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """A role of a member in a workspace, or only in one system or environment of it (empty: all).

    `content` is the permission to read captured content, which no role brings by itself.
    """

    id: str
    workspace: str
    member: str
    role: Role
    system: str
    environment: str
    content: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. The token's hash is the id; `csrf` must come back with every form."""

    id: str
    member: str
    csrf: str
    created_at: datetime
    expires_at: datetime
