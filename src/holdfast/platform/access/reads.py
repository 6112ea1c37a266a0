"""Answers of access: keys, members, grants, sessions."""

from __future__ import annotations

from datetime import datetime

from holdfast.kernel.errors import NotFound
from holdfast.platform.access import rules
from holdfast.platform.access.model import ApiKey, Grant, Member, Scope, SignedIn, SignInLink
from holdfast.platform.access.store import keys as key_store
from holdfast.platform.access.store import members as member_store
from holdfast.platform.access.store import sessions as session_store
from holdfast.storage.sql import Transaction


def key_by_text(tx: Transaction, text: str) -> ApiKey | None:
    """The key whose text this is, whatever its state."""
    return key_store.key_by_hash(tx, rules.token_hash(text))


def check(key: ApiKey | None, needed: Scope, now: datetime) -> ApiKey:
    """The key, when it is valid now and has the scope. Raises Unauthenticated, Denied."""
    return rules.check_key(key, needed, now)


def opens(key: ApiKey, needed: Scope) -> bool:
    """Whether the key has the scope, living or not."""
    return rules.opens(key, needed)


def keys(tx: Transaction, workspace: str) -> list[ApiKey]:
    """All keys of a workspace, revoked ones too."""
    return key_store.keys_of(tx, workspace)


def gateway_keys(tx: Transaction) -> list[tuple[str, ApiKey]]:
    """SHA-256 in hex and key, of every key of every workspace that opens the gateway: for gateways, which ask no store.

    Keys that expire are among them until they are revoked: who uses the list looks at `expires_at`.
    """
    return [(text, key) for text, key in key_store.living_keys(tx) if rules.opens(key, Scope.GATEWAY)]


def signed_in(tx: Transaction, token: str, now: datetime) -> SignedIn | None:
    """Who a session cookie stands for; None where it is unknown or expired, or the member disabled."""
    session = session_store.session(tx, rules.token_hash(token))
    if session is None or session.expires_at <= now:
        return None
    member = member_store.member(tx, session.member)
    if member is None or member.disabled_at is not None:
        return None
    return SignedIn(member, session, tuple(member_store.grants_of_member(tx, member.id)))


def living_link(tx: Transaction, token: str, now: datetime) -> SignInLink | None:
    """The one-time link with this token, when it still works. Looking does not use it."""
    link = session_store.link(tx, rules.token_hash(token))
    if link is None or link.used_at is not None or link.expires_at <= now:
        return None
    return link


def members(tx: Transaction, workspace: str) -> list[tuple[Member, list[Grant]]]:
    """The members with a grant in the workspace, by e-mail, each with the grants here."""
    grants: dict[str, list[Grant]] = {}
    for grant in member_store.grants_in(tx, workspace):
        grants.setdefault(grant.member, []).append(grant)
    return [(member, grants[member.id]) for member in member_store.members_of(tx, workspace)]


def workspaces_of(tx: Transaction, member_id: str) -> set[str]:
    """The ids of the workspaces where a member has a grant; none for whoever is no member."""
    return {grant.workspace for grant in member_store.grants_of_member(tx, member_id)}


def member(tx: Transaction, workspace: str, member_id: str) -> tuple[Member, list[Grant]]:
    """One member with the grants in this workspace. Raises NotFound where there is none here."""
    found = next((one for one in members(tx, workspace) if one[0].id == member_id), None)
    if found is None:
        raise NotFound("there is no such member in this workspace")
    return found


def anybody_signs_in(tx: Transaction) -> bool:
    """Whether anybody has a way in yet: a password, or an identity at the provider."""
    return member_store.anybody_signs_in(tx)
