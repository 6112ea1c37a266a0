"""Nouns of access: members, roles and grants, API keys and their scopes, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfast.kernel.context import Context
from holdfast.platform.tenancy.model import Workspace


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
    source: str = "local"  # or "oidc": mapped from a group, replaced at each sign-in


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. The token's hash is the id; `csrf` must come back with every form."""

    id: str
    member: str
    csrf: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A link that signs a member in once. Its id is the hash of the token."""

    id: str
    member: str
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class MappedRole:
    """What a group at the identity provider brings: a role in a workspace (its slug), system, environment."""

    workspace: str
    role: Role
    system: str = ""
    environment: str = ""
    content: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A member with a living session and all grants, before a workspace is chosen."""

    member: Member
    session: Session
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just made, with the token for the cookie, which is not to be had again."""

    session: Session
    token: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Where in a workspace a permission holds: pairs of system and environment, empty text meaning every one."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def everywhere(self) -> bool:
        return ("", "") in self.pairs

    def covers(self, system: str, environment: str) -> bool:
        """Whether it holds for a record of this system and environment."""
        return any(s in ("", system) and e in ("", environment) for s, e in self.pairs)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in which workspace, and what they may do there. `reach` has a Reach for each permission held."""

    ctx: Context
    workspace: Workspace
    reach: dict[Scope, Reach]
    csrf: str = ""  # of a browser session; empty for keys
    email: str = ""

    def may(self, needed: Scope) -> bool:
        """Whether the permission is held anywhere in the workspace."""
        return needed in self.reach
