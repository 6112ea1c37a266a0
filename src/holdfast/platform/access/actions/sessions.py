"""Signing in with a password, changing it, signing out."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Denied, Exhausted, Invalid, Unauthenticated
from holdfast.platform.access import rules
from holdfast.platform.access.actions import passwords, trail
from holdfast.platform.access.model import Member, NewSession, Session, SignedIn
from holdfast.platform.access.store import members as store
from holdfast.platform.access.store import sessions as session_store
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database, Transaction

NOBODY = Actor("system", "sign-in", "Sign-in")
REFUSED = "the e-mail address or the password is not right"


def start(ctx: Context, tx: Transaction, settings: Settings, member: Member) -> NewSession:
    """A session for a member who has just proved who they are. The caller records how."""
    token = secrets.token_urlsafe(rules.TOKEN_BYTES)
    csrf = secrets.token_urlsafe(rules.TOKEN_BYTES)
    ends = ctx.now + timedelta(hours=settings.session_hours)
    session = Session(rules.token_hash(token), member.id, csrf, ctx.now, ends)
    session_store.drop_expired(tx, ctx.now, ctx.now - rules.ATTEMPT_WINDOW)
    session_store.add_session(tx, session)
    return NewSession(session, token)


def sign_in(
    database: Database, settings: Settings, now: datetime, *, email: str, password: str, address: str
) -> NewSession:
    """Signs in with e-mail address and password.

    The attempt is counted before the password is looked at, so that many at once get no more tries than one
    after another; an unknown member costs the same time, counts the same and gets the same answer. No
    transaction is open while argon2 works. Raises Unauthenticated, Exhausted (with `retry_after`), Denied
    where local sign-in is off.
    """
    if not settings.local_sign_in:
        raise Denied("local sign-in is switched off; sign in through your identity provider")
    try:
        name = rules.normal_email(email)
    except Invalid:
        name = "not an address"
    ctx = Context(trail.INSTANCE, NOBODY, now)
    with database.transaction() as tx:
        subjects = admit(tx, now, name, address)
        member = store.member_by_email(tx, name)
    good = passwords.matches(member.password_hash if member else None, password)
    with database.transaction() as tx:
        current = store.member(tx, member.id) if member else None
        if not good or current is None or current.disabled_at is not None or _changed(member, current):
            details = {"by": "password", "address": rules.network_of(address)}
            trail.record(ctx, tx, current, action="member.sign_in", details=details, outcome="denied")
            made = None
        else:
            _good(tx, subjects)
            _refresh_hash(tx, current, password)
            made = start(ctx, tx, settings, current)
            by = Context(trail.INSTANCE, trail.actor(current), now)
            trail.record(by, tx, current, action="member.signed_in", details={"by": "password"})
    if made is None:
        raise Unauthenticated(REFUSED)
    return made


def _changed(before: Member | None, now: Member) -> bool:
    return before is None or before.password_hash != now.password_hash


def _refresh_hash(tx: Transaction, member: Member, password: str) -> None:
    if member.password_hash is not None and passwords.outdated(member.password_hash):
        fresh = passwords.hash_password(rules.normal_password(password))
        store.change_member(tx, member.id, password_hash=fresh)


def admit(tx: Transaction, now: datetime, email: str, address: str) -> tuple[str, str]:
    """Counts an attempt for the member and for the sender; returns the two counters. Raises Exhausted."""
    subjects = (rules.token_hash(f"member:{email}"), rules.token_hash(f"address:{rules.network_of(address)}"))
    limits = (rules.ATTEMPTS_PER_MEMBER, rules.ATTEMPTS_PER_ADDRESS)
    for subject, limit in zip(subjects, limits, strict=True):
        attempts, began = session_store.count_attempt(tx, subject, now, now - rules.ATTEMPT_WINDOW)
        if attempts > limit:
            wait = int((began + rules.ATTEMPT_WINDOW - now).total_seconds()) + 1
            raise Exhausted("too many attempts to sign in; wait a little", retry_after=max(wait, 1))
    return subjects


def _good(tx: Transaction, subjects: tuple[str, str]) -> None:
    session_store.forget_attempts(tx, subjects[0])
    session_store.take_back_attempt(tx, subjects[1])


def set_password(
    database: Database,
    settings: Settings,
    now: datetime,
    who: SignedIn,
    *,
    password: str,
    current: str,
    address: str,
) -> NewSession:
    """Sets or changes the password; every session of the member ends and a new one begins here.

    Where there is a password already it must be given too. Raises Invalid, Unauthenticated, Exhausted, Denied.
    """
    if not settings.local_sign_in:
        raise Denied("local sign-in is switched off; sign in through your identity provider")
    fresh = rules.check_new_password(password, who.member.email)
    if who.member.password_hash is not None:
        with database.transaction() as tx:
            subjects = admit(tx, now, who.member.email, address)
        if not passwords.matches(who.member.password_hash, current):
            with database.transaction() as tx:
                by = Context(trail.INSTANCE, trail.actor(who.member), now)
                trail.record(by, tx, who.member, action="member.password_set", outcome="denied")
            raise Invalid("this is not your present password", where="current")
        with database.transaction() as tx:
            _good(tx, subjects)
    hashed = passwords.hash_password(fresh)
    with database.transaction() as tx:
        member = store.member(tx, who.member.id)
        if (
            member is None
            or member.disabled_at is not None
            or member.password_hash != who.member.password_hash
        ):
            raise Unauthenticated("your account has changed meanwhile; sign in again")
        store.change_member(tx, member.id, password_hash=hashed)
        session_store.end_sessions_of(tx, member.id)
        session_store.drop_links_of(tx, member.id)
        ctx = Context(trail.INSTANCE, trail.actor(member), now)
        made = start(ctx, tx, settings, member)
        trail.record(ctx, tx, member, action="member.password_set")
    return made


def sign_out(tx: Transaction, now: datetime, who: SignedIn) -> None:
    """Ends this browser's session."""
    session_store.end_session(tx, who.session.id)
    ctx = Context(trail.INSTANCE, trail.actor(who.member), now)
    trail.record(ctx, tx, who.member, action="member.signed_out")
