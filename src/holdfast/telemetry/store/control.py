"""What telemetry keeps in the control store: saved views, legal holds, and what was erased."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.rules.holds import Hold

saved_views = sa.Table(
    "saved_views",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("page", sa.String(40), nullable=False),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("workspace", "page", "name"),
)

legal_holds = sa.Table(
    "legal_holds",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("user", sa.String(400), nullable=False),
    sa.Column("from_at", Instant, nullable=False),
    sa.Column("to_at", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("released_at", Instant),
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("subject_hash", sa.String(64), nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("done_at", Instant),
    sa.Column("counts", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SavedView:
    """A named query of a page."""

    id: str
    workspace: str
    page: str
    name: str
    query: str
    created_by: str
    created_at: datetime


def put_view(tx: Transaction, view: SavedView) -> None:
    """Adds a view, or changes the one of this name."""
    tx.upsert(saved_views, asdict(view), key=["workspace", "page", "name"])


def views_of(tx: Transaction, workspace: str, page: str) -> list[SavedView]:
    """The saved views of a page, by name."""
    query = tx.select(saved_views, workspace).where(saved_views.c.page == page).order_by(saved_views.c.name)
    return [
        SavedView(row.id, row.workspace, row.page, row.name, row.query, row.created_by, row.created_at)
        for row in tx.execute(query)
    ]


def delete_view(tx: Transaction, workspace: str, view: str, owner: str | None = None) -> bool:
    """True where the workspace had such a view (of this owner, where one is given)."""
    statement = saved_views.delete().where(saved_views.c.workspace == workspace, saved_views.c.id == view)
    if owner is not None:
        statement = statement.where(saved_views.c.created_by == owner)
    return tx.execute(statement).rowcount == 1


def delete_views_naming(tx: Transaction, workspace: str, texts: Sequence[str]) -> int:
    """Deletes the saved views whose name or query has one of these texts in it; returns how many."""
    named = [
        column.contains(text, autoescape=True)
        for column in (saved_views.c.name, saved_views.c.query)
        for text in texts
    ]
    statement = saved_views.delete().where(saved_views.c.workspace == workspace, sa.or_(*named))
    return int(tx.execute(statement).rowcount)


def add_hold(tx: Transaction, hold: Hold) -> None:
    """Keeps a new hold."""
    tx.execute(legal_holds.insert().values(**asdict(hold)))


def _hold(row: Any) -> Hold:
    return Hold(
        row.id,
        row.workspace,
        row.reason,
        row.system,
        row.user,
        row.from_at,
        row.to_at,
        row.created_at,
        row.released_at,
    )


def holds_of(tx: Transaction, workspace: str, *, active: bool) -> list[Hold]:
    """The holds of a workspace, the oldest first; `active`: only those that are not released."""
    query = tx.select(legal_holds, workspace).order_by(legal_holds.c.created_at, legal_holds.c.id)
    if active:
        query = query.where(legal_holds.c.released_at.is_(None))
    return [_hold(row) for row in tx.execute(query)]


def release(tx: Transaction, workspace: str, hold: str, at: datetime) -> bool:
    """True where there was such a hold, not released yet."""
    c = legal_holds.c
    statement = legal_holds.update().where(c.workspace == workspace, c.id == hold, c.released_at.is_(None))
    return tx.execute(statement.values(released_at=at)).rowcount == 1


def blank_holds_of(tx: Transaction, workspace: str, user: str, text: str) -> None:
    """Puts `text` in place of a user's name in holds that are released."""
    c = legal_holds.c
    statement = legal_holds.update().where(
        c.workspace == workspace, sa.func.lower(c.user) == user.lower(), c.released_at.is_not(None)
    )
    tx.execute(statement.values(user=text))


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasing of a person, who is known here only by a salted hash. `done_at` is None until all is done."""

    id: str
    workspace: str
    subject_hash: str
    requested_at: datetime
    done_at: datetime | None
    counts: dict[str, int]


def put_erasure(tx: Transaction, erasure: Erasure) -> None:
    """Keeps an erasure, in place of its earlier state."""
    values = asdict(erasure) | {"counts": json.dumps(erasure.counts)}
    tx.upsert(erasures, values, key=["id"])


def erasures_of(tx: Transaction, workspace: str) -> list[Erasure]:
    """The erasures of a workspace, the latest first."""
    query = tx.select(erasures, workspace).order_by(erasures.c.requested_at.desc(), erasures.c.id)
    return [
        Erasure(
            row.id, row.workspace, row.subject_hash, row.requested_at, row.done_at, json.loads(row.counts)
        )
        for row in tx.execute(query)
    ]
