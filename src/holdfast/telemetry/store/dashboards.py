"""Dashboards in the control store."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.rules import panels
from holdfast.telemetry.rules.panels import Dashboard

dashboards = sa.Table(
    "dashboards",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("slug", sa.String(60), primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("panels", sa.Text, nullable=False),  # JSON, as rules.panels.plain writes each
    sa.Column("changed_by", sa.String(200), nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)


def _dashboard(row: Any) -> Dashboard:
    found = tuple(panels.of_plain(one) for one in json.loads(row.panels))
    return Dashboard(row.workspace, row.slug, row.name, found, row.changed_by, row.changed_at)


def put(tx: Transaction, dashboard: Dashboard) -> None:
    """Keeps a dashboard, in place of an earlier one of its slug."""
    values = {
        "workspace": dashboard.workspace,
        "slug": dashboard.slug,
        "name": dashboard.name,
        "panels": json.dumps([panels.plain(one) for one in dashboard.panels], ensure_ascii=False),
        "changed_by": dashboard.changed_by,
        "changed_at": dashboard.changed_at,
    }
    tx.upsert(dashboards, values, key=["workspace", "slug"])


def all_of(tx: Transaction, workspace: str) -> list[Dashboard]:
    """A workspace's dashboards, by name."""
    query = tx.select(dashboards, workspace).order_by(dashboards.c.name, dashboards.c.slug)
    return [_dashboard(row) for row in tx.execute(query)]


def one(tx: Transaction, workspace: str, slug: str) -> Dashboard | None:
    """The dashboard of a slug."""
    row = tx.execute(tx.select(dashboards, workspace).where(dashboards.c.slug == slug)).one_or_none()
    return _dashboard(row) if row is not None else None


def delete(tx: Transaction, workspace: str, slug: str) -> bool:
    """True where the workspace had it."""
    c = dashboards.c
    return tx.execute(dashboards.delete().where(c.workspace == workspace, c.slug == slug)).rowcount == 1
