"""Queries on browser sessions, one-time links and attempts to sign in."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.platform.access.model import Session, SignInLink
from holdfast.platform.access.store.tables import sessions, sign_in_attempts, sign_in_links
from holdfast.storage.sql import Transaction


def add_session(tx: Transaction, session: Session) -> None:
    tx.execute(sessions.insert().values(**asdict(session)))


def session(tx: Transaction, session_id: str) -> Session | None:
    row = tx.execute(sa.select(sessions).where(sessions.c.id == session_id)).one_or_none()
    return None if row is None else Session(row.id, row.member, row.csrf, row.created_at, row.expires_at)


def end_session(tx: Transaction, session_id: str) -> bool:
    return tx.execute(sessions.delete().where(sessions.c.id == session_id)).rowcount == 1


def end_sessions_of(tx: Transaction, member: str) -> int:
    """Ends every session of a member; returns how many."""
    return int(tx.execute(sessions.delete().where(sessions.c.member == member)).rowcount)


def drop_expired(tx: Transaction, now: datetime, attempts_before: datetime) -> None:
    """Forgets what no longer matters: ended sessions, dead links, old attempts."""
    tx.execute(sessions.delete().where(sessions.c.expires_at <= now))
    tx.execute(sign_in_links.delete().where(sign_in_links.c.expires_at <= now))
    tx.execute(sign_in_attempts.delete().where(sign_in_attempts.c.started_at <= attempts_before))


def add_link(tx: Transaction, link: SignInLink) -> None:
    tx.execute(sign_in_links.insert().values(**asdict(link)))


def link(tx: Transaction, link_id: str) -> SignInLink | None:
    row = tx.execute(sa.select(sign_in_links).where(sign_in_links.c.id == link_id)).one_or_none()
    return None if row is None else SignInLink(row.id, row.member, row.expires_at, row.used_at)


def use_link(tx: Transaction, link_id: str, now: datetime) -> str | None:
    """Uses a living link up and returns its member: of two at once, one gets it."""
    living = (
        sign_in_links.c.id == link_id,
        sign_in_links.c.used_at.is_(None),
        sign_in_links.c.expires_at > now,
    )
    if tx.execute(sign_in_links.update().where(*living).values(used_at=now)).rowcount != 1:
        return None
    found: Any = tx.execute(
        sa.select(sign_in_links.c.member).where(sign_in_links.c.id == link_id)
    ).scalar_one()
    return str(found)


def drop_links_of(tx: Transaction, member: str) -> None:
    """Makes every unused link of a member worthless."""
    tx.execute(
        sign_in_links.delete().where(sign_in_links.c.member == member, sign_in_links.c.used_at.is_(None))
    )


def count_attempt(
    tx: Transaction, subject: str, now: datetime, window_start: datetime
) -> tuple[int, datetime]:
    """Counts one more attempt; returns how many there are in the running window, and when it began."""
    row = sign_in_attempts.c.subject == subject
    running = sign_in_attempts.c.started_at > window_start
    more = sign_in_attempts.update().where(row, running).values(attempts=sign_in_attempts.c.attempts + 1)
    if tx.execute(more).rowcount == 0:
        tx.upsert(sign_in_attempts, {"subject": subject, "started_at": now, "attempts": 1}, key=["subject"])
    found = tx.execute(sa.select(sign_in_attempts).where(row)).one()
    return found.attempts, found.started_at


def forget_attempts(tx: Transaction, subject: str) -> None:
    tx.execute(sign_in_attempts.delete().where(sign_in_attempts.c.subject == subject))


def take_back_attempt(tx: Transaction, subject: str) -> None:
    """One attempt turned out to be good."""
    row = (sign_in_attempts.c.subject == subject, sign_in_attempts.c.attempts > 0)
    tx.execute(sign_in_attempts.update().where(*row).values(attempts=sign_in_attempts.c.attempts - 1))
