"""Signing in through an OpenID Connect provider: authorization code with PKCE, state and nonce.

OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer). What must survive
the way to the provider and back stands in a short-lived cookie that only Holdfast can read or make.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Denied, HoldfastError, Unauthenticated
from holdfast.kernel.ids import new_id
from holdfast.platform import outbound
from holdfast.platform.access import rules
from holdfast.platform.access.actions import provider, sessions, trail
from holdfast.platform.access.model import Grant, MappedRole, Member, NewSession
from holdfast.platform.access.store import members as store
from holdfast.platform.access.store import sessions as session_store
from holdfast.platform.audit import actions as audit
from holdfast.platform.secrets import master
from holdfast.platform.secrets import rules as sealing
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database, Transaction

COOKIE_LIFE = timedelta(minutes=10)
_PURPOSE = "oidc sign-in"


@dataclass(frozen=True, slots=True)
class Start:
    """Where to send the browser, and what to put into the cookie for the way back."""

    url: str
    cookie: str


def begin(settings: Settings, now: datetime, following: str) -> Start:
    """Begins signing in; `following` is where to go afterwards. Raises NotFound where OIDC is not set up, Unavailable."""
    with outbound.client(settings) as http:
        found = provider.discover(settings, http)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    kept = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "next": rules.safe_next(following),
        "until": (now + COOKIE_LIFE).timestamp(),
    }
    asked = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": settings.base_url + provider.CALLBACK_PATH,
        "scope": "openid email profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),  # type: ignore[no-untyped-call]
        "code_challenge_method": "S256",
    }
    joint = "&" if urlsplit(found.authorization).query else "?"
    sealed = sealing.seal_value(master.load(settings), _PURPOSE, json.dumps(kept).encode())
    return Start(
        found.authorization + joint + urlencode(asked),
        base64.urlsafe_b64encode(sealed).decode().rstrip("="),
    )


def finish(
    database: Database, settings: Settings, now: datetime, cookie: str, answer: Mapping[str, str]
) -> tuple[NewSession, str]:
    """Ends it: checks the provider's answer, fetches and checks the id token, maps groups, and signs in.

    Returns the session and where to go. Raises Unauthenticated for whatever is not as it must be (the reason is
    in the audit log, not in the answer), Denied for one without a role here, Unavailable.
    """
    kept = _kept(settings, now, cookie)
    ctx = Context(trail.INSTANCE, sessions.NOBODY, now)
    try:
        person = provider.identify(settings, now, kept, answer)
    except Unauthenticated as error:
        with database.transaction() as tx:
            details = {"by": "oidc", "reason": error.where or ""}
            trail.record(ctx, tx, None, action="member.sign_in", details=details, outcome="denied")
        raise Unauthenticated(provider.REFUSED) from None
    roles = rules.mapped(person.groups, rules.role_map(settings.oidc_role_map))
    with database.transaction() as tx:
        member, refusal = _admit(ctx, tx, person, roles)
        if member is None or refusal:
            details = {"by": "oidc", "subject": person.subject, "reason": refusal}
            trail.record(ctx, tx, member, action="member.sign_in", details=details, outcome="denied")
            made = None
        else:
            made = sessions.start(ctx, tx, settings, member)
            by = Context(trail.INSTANCE, trail.actor(member), now)
            trail.record(by, tx, member, action="member.signed_in", details={"by": "oidc"})
    if made is None:
        raise Denied(refusal)
    return made, rules.safe_next(str(kept["next"]))


def _kept(settings: Settings, now: datetime, cookie: str) -> dict[str, Any]:
    try:
        sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
        kept: dict[str, Any] = json.loads(sealing.open_value(master.load(settings), _PURPOSE, sealed))
    except (ValueError, binascii.Error, HoldfastError):
        raise Unauthenticated(provider.REFUSED) from None
    if kept["until"] < now.timestamp():
        raise Unauthenticated("signing in took too long; begin again")
    return kept


def _admit(
    ctx: Context, tx: Transaction, person: provider.Person, roles: list[MappedRole]
) -> tuple[Member | None, str]:
    """The member with today's grants, or why not. An address counts as an identity only when it is verified."""
    wanted = _resolved(tx, roles)
    member = store.member_by_oidc(tx, person.subject)
    if member is None and person.email is not None:
        known = store.member_by_email(tx, person.email)
        if known is not None and known.oidc_subject is not None:
            return None, "this e-mail address belongs to another identity"
        member = known
    if member is None:
        if not wanted:
            return None, "none of your groups has a role here"
        stand_in = f"{hashlib.sha256(person.subject.encode()).hexdigest()[:16]}@{_host(person.subject)}"
        member = Member(
            new_id("mem"), person.email or stand_in, person.name, None, person.subject, ctx.now, None
        )
        store.add_member(tx, member)
    elif member.disabled_at is not None:
        return member, "this account is disabled"
    elif member.oidc_subject is None:
        store.change_member(tx, member.id, oidc_subject=person.subject)
    _replace(ctx, tx, member, wanted)
    if not store.grants_of_member(tx, member.id):
        session_store.end_sessions_of(tx, member.id)
        return member, "none of your groups has a role here"
    return member, ""


def _host(subject: str) -> str:
    return urlsplit(subject.partition("|")[0]).hostname or "identity.invalid"


def _resolved(tx: Transaction, roles: list[MappedRole]) -> list[tuple[str, MappedRole]]:
    """Roles with the ids of their workspaces; a workspace that does not exist brings nothing."""
    known = {workspace.slug: workspace.id for workspace in tenancy.all_workspaces(tx)}
    return [(known[role.workspace], role) for role in roles if role.workspace in known]


def _replace(ctx: Context, tx: Transaction, member: Member, wanted: list[tuple[str, MappedRole]]) -> None:
    """The member's mapped grants become what the groups bring today; what was granted here by hand stays and wins."""
    before = store.grants_of_member(tx, member.id)
    store.delete_grants_from(tx, member.id, "oidc")
    by_hand = {(one.workspace, one.system, one.environment) for one in before if one.source != "oidc"}
    for workspace, role in wanted:
        if (workspace, role.system, role.environment) not in by_hand:
            grant = Grant(
                new_id("grant"),
                workspace,
                member.id,
                role.role,
                role.system,
                role.environment,
                role.content,
                "oidc",
            )
            store.put_grant(tx, grant)
    after = store.grants_of_member(tx, member.id)
    for workspace in sorted({one.workspace for one in (*before, *after)}):
        old, new = _said(before, workspace), _said(after, workspace)
        if old != new:
            there = Context(workspace, ctx.actor, ctx.now)
            audit.record(
                there, tx, action="grants.mapped", subject=member.id, details={"before": old, "after": new}
            )


def _said(grants: list[Grant], workspace: str) -> list[str]:
    return sorted(
        f"{one.role.value}{'+content' if one.content else ''} {one.system or '*'} {one.environment or '*'}"
        for one in grants
        if one.workspace == workspace
    )
