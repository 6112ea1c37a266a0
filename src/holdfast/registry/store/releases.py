"""Components and releases as kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.registry.model import Component, Kind, Release
from holdfast.storage.sql import Instant, Transaction, metadata

components = sa.Table(
    "components",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # canonical JSON
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("rationale", sa.Text, nullable=False),
)

releases = sa.Table(
    "releases",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),  # canonical JSON
    sa.Column("components", sa.Text, nullable=False),  # JSON: kind -> hash
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)


def _component(row: Any) -> Component:
    return Component(
        hash=row.hash,
        workspace=row.workspace,
        kind=Kind(row.kind),
        body=json.loads(row.body),
        author=row.author,
        created_at=row.created_at,
        rationale=row.rationale,
    )


def _release(row: Any) -> Release:
    return Release(
        id=row.id,
        workspace=row.workspace,
        body=json.loads(row.body),
        components={Kind(kind): name for kind, name in json.loads(row.components).items()},
        author=row.author,
        created_at=row.created_at,
    )


def add_component(tx: Transaction, component: Component, body: str) -> bool:
    """True when it was not there yet; else the first one stays. `body` is the canonical text."""
    values = {
        "workspace": component.workspace,
        "hash": component.hash,
        "kind": component.kind.value,
        "body": body,
        "author": component.author,
        "created_at": component.created_at,
        "rationale": component.rationale,
    }
    return tx.insert_new(components, values, key=["workspace", "hash"])


def add_release(tx: Transaction, release: Release, body: str) -> bool:
    """True when it was not there yet; else the first one stays. `body` is the canonical text."""
    values = {
        "workspace": release.workspace,
        "id": release.id,
        "body": body,
        "components": json.dumps({kind.value: name for kind, name in sorted(release.components.items())}),
        "author": release.author,
        "created_at": release.created_at,
    }
    return tx.insert_new(releases, values, key=["workspace", "id"])


def components_by_hash(tx: Transaction, workspace: str, hashes: Collection[str]) -> list[Component]:
    """Those of the workspace among these."""
    statement = tx.select(components, workspace).where(components.c.hash.in_(list(hashes)))
    return [_component(row) for row in tx.execute(statement.order_by(components.c.kind, components.c.hash))]


def components_of(
    tx: Transaction, workspace: str, kind: Kind | None, after: tuple[datetime, str] | None, limit: int
) -> list[Component]:
    """The latest first; those after an instant and hash in that order."""
    own = components.c
    statement = tx.select(components, workspace)
    if kind is not None:
        statement = statement.where(own.kind == kind.value)
    if after is not None:
        at, digest = after
        statement = statement.where(
            sa.or_(own.created_at < at, sa.and_(own.created_at == at, own.hash > digest))
        )
    rows = tx.execute(statement.order_by(own.created_at.desc(), own.hash).limit(limit))
    return [_component(row) for row in rows]


def release(tx: Transaction, workspace: str, release_id: str) -> Release | None:
    row = tx.execute(tx.select(releases, workspace).where(releases.c.id == release_id)).one_or_none()
    return None if row is None else _release(row)


def releases_of(
    tx: Transaction, workspace: str, after: tuple[datetime, str] | None = None, limit: int | None = None
) -> list[Release]:
    """The latest first; those after an instant and id in that order."""
    own = releases.c
    statement = tx.select(releases, workspace)
    if after is not None:
        at, id = after
        statement = statement.where(sa.or_(own.created_at < at, sa.and_(own.created_at == at, own.id > id)))
    statement = statement.order_by(own.created_at.desc(), own.id).limit(limit)
    return [_release(row) for row in tx.execute(statement)]
