"""The table of what review counted by release: numbers alone, by spans of ten seconds; nothing said in a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata

served = sa.Table(
    "review_served",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True, nullable=False),
    sa.Column("route", sa.String(200), primary_key=True),
    sa.Column("release", sa.String(200), primary_key=True),
    sa.Column("span", Instant, primary_key=True),  # in which the calls began
    sa.Column(
        "looked", sa.BigInteger, nullable=False
    ),  # calls of which it is known whether anything was found
    sa.Column("flagged", sa.BigInteger, nullable=False),
    sa.Column(
        "told", sa.BigInteger, nullable=False
    ),  # calls of which it is known whether they refuse in words
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Index(None, "span"),
)
NAMES = ("looked", "flagged", "told", "refused")
Counts = dict[tuple[str, str, datetime], list[int]]
"""(route, release, beginning of the span) → [looked, flagged, told, refused] to add."""


def add(tx: Transaction, workspace: str, counts: Counts) -> None:
    """Adds to the counts."""
    c = served.c
    for (route, release, span), more in counts.items():
        named = {"workspace": workspace, "route": route, "release": release, "span": span}
        tx.insert_new(served, named | dict.fromkeys(NAMES, 0), key=list(named))
        statement = served.update().where(*(c[name] == value for name, value in named.items()))
        tx.execute(statement.values(**{name: c[name] + n for name, n in zip(NAMES, more, strict=True)}))


def sums(
    tx: Transaction, workspace: str, route: str, releases: Sequence[str], start: datetime, end: datetime
) -> dict[str, tuple[int, int, int, int]]:
    """By release: looked, flagged, told, refused of the spans that begin in a time range. Who has none is left out."""
    c = served.c
    statement = (
        tx.select(served, workspace)
        .with_only_columns(c.release, *(sa.func.sum(c[name]).label(name) for name in NAMES))
        .where(c.route == route, c.release.in_(releases), c.span >= start, c.span < end)
        .group_by(c.release)
    )
    return {
        row.release: (int(row.looked), int(row.flagged), int(row.told), int(row.refused))
        for row in tx.execute(statement)
    }


def forget(tx: Transaction, before: datetime) -> None:
    """Forgets spans of every workspace that began before."""
    tx.execute(served.delete().where(served.c.span < before))
