"""What telemetry keeps in the control store: saved views, legal holds, and what was erased."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata

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
