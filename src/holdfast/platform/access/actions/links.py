"""One-time links: how the first member comes in, and anyone who has lost the password."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Denied, NotFound, Unauthenticated
from holdfast.platform.access import rules
from holdfast.platform.access.actions import members as member_actions
from holdfast.platform.access.actions import sessions, trail
from holdfast.platform.access.model import Member, NewSession, SignInLink
from holdfast.platform.access.store import members as store
from holdfast.platform.access.store import sessions as session_store
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction

LINK_PATH = "/sign-in/link"


def first_sign_in_link(
    ctx: Context, tx: Transaction, settings: Settings, *, email: str, workspaces: Sequence[str]
) -> str | None:
    """The link that the very first start prints; None once somebody can sign in.

    Without any member it makes one: admin with `content` in the given workspaces (ids). While that one has
    neither a password nor a sign-in through OIDC, every start gives a fresh link and the one before is void.
    None as well where local sign-in is off.
    """
    if not settings.local_sign_in:
        return None
    first = store.first_member(tx)
    if first is None:
        for workspace in workspaces:
            member_actions.make_admin(Context(workspace, ctx.actor, ctx.now), tx, email, content=True)
        first = store.first_member(tx)
    if first is None or store.anybody_signs_in(tx):
        return None
    return _make(ctx, tx, settings, first)


def sign_in_link(ctx: Context, tx: Transaction, settings: Settings, email: str) -> str:
    """A new link for a member, for the one who runs Holdfast (`holdfast member link`); earlier links are void.

    Raises NotFound for an unknown or disabled member, Denied where local sign-in is off: then there is no
    way around the identity provider, not even for whoever holds the machine.
    """
    if not settings.local_sign_in:
        raise Denied("local sign-in is switched off (HOLDFAST_LOCAL_SIGN_IN=false); sign in through OIDC")
    member = store.member_by_email(tx, rules.normal_email(email))
    if member is None or member.disabled_at is not None:
        raise NotFound("there is no such member")
    return _make(ctx, tx, settings, member)


def _make(ctx: Context, tx: Transaction, settings: Settings, member: Member) -> str:
    token = secrets.token_urlsafe(rules.TOKEN_BYTES)
    session_store.drop_links_of(tx, member.id)
    link = SignInLink(rules.token_hash(token), member.id, ctx.now + rules.LINK_LIFE, None)
    session_store.add_link(tx, link)
    trail.record(
        ctx, tx, member, action="member.link_made", details={"expires_at": link.expires_at.isoformat()}
    )
    return f"{settings.base_url}{LINK_PATH}?token={token}"


def use_link(ctx: Context, tx: Transaction, settings: Settings, token: str) -> NewSession:
    """Signs in with a link's token and uses it up. The old password, if any, is void: a new one is set next.

    Raises Unauthenticated where the link is unknown, used or expired, or its member disabled.
    """
    if not settings.local_sign_in:
        raise Denied("local sign-in is switched off; sign in through your identity provider")
    member_id = session_store.use_link(tx, rules.token_hash(token), ctx.now)
    member = store.member(tx, member_id) if member_id else None
    if member is None or member.disabled_at is not None:
        raise Unauthenticated("this link has been used, or is too old; ask for a new one")
    store.change_member(tx, member.id, password_hash=None)
    session_store.end_sessions_of(tx, member.id)
    made = sessions.start(ctx, tx, settings, member)
    by = Context(ctx.workspace, trail.actor(member), ctx.now)
    trail.record(by, tx, member, action="member.signed_in", details={"by": "link"})
    return made
