"""Tables of what review looks for, how far it has come, and what it counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.evals.rules.review import KeptPolicy, Policy
from holdfast.storage.sql import Instant, Transaction, metadata


def _workspace() -> sa.Column[Any]:
    return sa.Column(
        "workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True, nullable=False
    )


policies = sa.Table(
    "review_policies",
    metadata,
    _workspace(),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON of rules.review.Policy
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

places = sa.Table(
    "review_places",
    metadata,
    _workspace(),
    sa.Column("position", Instant, nullable=False),  # everything counted before is looked at
    sa.Column("turned_at", Instant, nullable=False),
    sa.Column("looked", sa.BigInteger, nullable=False),
    sa.Column("behind", sa.Boolean, nullable=False),  # more was there than one turn takes
)

seen = sa.Table(
    "review_seen",
    metadata,
    _workspace(),
    sa.Column("call", sa.BigInteger, primary_key=True, autoincrement=False),  # a fingerprint
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("known", sa.Boolean, nullable=False),
    sa.Index(None, "workspace", "started_at"),
)

tallies = sa.Table(
    "review_tallies",
    metadata,
    _workspace(),
    sa.Column("hour", Instant, primary_key=True),  # in which the calls began
    sa.Column("system", sa.String(200), primary_key=True),
    sa.Column("environment", sa.String(200), primary_key=True),
    sa.Column("route", sa.String(200), primary_key=True),
    sa.Column("dimension", sa.String(40), primary_key=True),
    sa.Column("method", sa.String(20), primary_key=True),
    # calls, each counted as many times as it stands for
    sa.Column("flagged", sa.Float, nullable=False),
    sa.Column("clean", sa.Float, nullable=False),
    sa.Column("unknown", sa.Float, nullable=False),
    sa.Column("looked", sa.BigInteger, nullable=False),  # each counted once
)


def policy(tx: Transaction, workspace: str) -> KeptPolicy | None:
    """The policy in force; None where nobody has said anything."""
    statement = tx.select(policies, workspace).order_by(policies.c.version.desc()).limit(1)
    row = tx.execute(statement).one_or_none()
    if row is None:
        return None
    document = msgspec.json.decode(row.document, type=Policy)
    return KeptPolicy(row.version, document, row.changed_at, row.author, row.note)


def add_policy(tx: Transaction, workspace: str, kept: KeptPolicy) -> bool:
    """False where the workspace has this version already."""
    values = {
        "workspace": workspace,
        "version": kept.version,
        "document": msgspec.json.encode(kept.policy).decode(),
        "changed_at": kept.changed_at,
        "author": kept.author,
        "note": kept.note,
    }
    return tx.insert_new(policies, values, key=["workspace", "version"])


def place(tx: Transaction, workspace: str) -> Any:
    """How far the workspace's calls are looked at (position, turned_at, looked, behind); None where it has not begun."""
    return tx.execute(tx.select(places, workspace)).one_or_none()


def put_place(
    tx: Transaction, workspace: str, position: datetime, now: datetime, looked: int, *, behind: bool
) -> None:
    """Notes how far it is."""
    values = {"position": position, "turned_at": now, "looked": looked, "behind": behind}
    tx.upsert(places, {"workspace": workspace, **values}, key=["workspace"])


def known(tx: Transaction, workspace: str, calls: Sequence[int]) -> dict[int, bool]:
    """Which of these calls were looked at, by fingerprint, and whether there was an answer then."""
    found: dict[int, bool] = {}
    for start in range(0, len(calls), 500):
        some = calls[start : start + 500]
        for row in tx.execute(tx.select(seen, workspace).where(seen.c.call.in_(some))):
            found[row.call] = row.known
    return found


def note_seen(tx: Transaction, workspace: str, rows: Iterable[tuple[int, datetime, bool]]) -> None:
    """Notes that calls were looked at: fingerprint, when each began, whether there was an answer."""
    for call, started_at, there in rows:
        values = {"workspace": workspace, "call": call, "started_at": started_at, "known": there}
        tx.upsert(seen, values, key=["workspace", "call"])


def forget_seen(tx: Transaction, workspace: str, before: datetime) -> None:
    """Forgets calls that began so long ago that they cannot come again."""
    tx.execute(seen.delete().where(seen.c.workspace == workspace, seen.c.started_at < before))


# Tallies ----------------------------------------------------------------------------------------------------------

Counts = dict[tuple[datetime, str, str, str, str, str], list[float]]
"""(hour, system, environment, route, dimension, method) → [flagged, clean, unknown, looked] to add."""


def add_counts(tx: Transaction, workspace: str, counts: Counts) -> None:
    """Adds to the tallies."""
    names = ("hour", "system", "environment", "route", "dimension", "method")
    for key, (flagged, clean, unknown, looked) in counts.items():
        named = dict(zip(names, key, strict=True))
        tx.insert_new(
            tallies,
            {"workspace": workspace, **named, "flagged": 0.0, "clean": 0.0, "unknown": 0.0, "looked": 0},
            key=["workspace", *names],
        )
        c = tallies.c
        tx.execute(
            tallies.update()
            .where(c.workspace == workspace, *(c[name] == value for name, value in named.items()))
            .values(
                flagged=c.flagged + flagged,
                clean=c.clean + clean,
                unknown=c.unknown + unknown,
                looked=c.looked + int(looked),
            )
        )


def counts(
    tx: Transaction, workspace: str, start: datetime, end: datetime, route: str | None = None
) -> list[Any]:
    """Tallies of the hours of a time range, oldest first."""
    statement = tx.select(tallies, workspace).where(tallies.c.hour >= start, tallies.c.hour < end)
    if route is not None:
        statement = statement.where(tallies.c.route == route)
    return list(tx.execute(statement.order_by(tallies.c.hour)))
