"""Named, numbered versions of components as kept."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from holdfast.registry.model import Kind, Version
from holdfast.storage.sql import Instant, Transaction, metadata

versions = sa.Table(
    "component_versions",
    metadata,
    sa.Column("workspace", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("rationale", sa.Text, nullable=False),
    sa.Column("ticket", sa.String(200), nullable=False),
    sa.Column("original_author", sa.String(200), nullable=True),
    sa.Column("original_date", Instant, nullable=True),
    sa.ForeignKeyConstraint(
        ["workspace", "hash"],
        ["components.workspace", "components.hash"],
    ),
)
_KEY = ("workspace", "kind", "name", "number")


def _version(row: Any) -> Version:
    return Version(
        workspace=row.workspace,
        kind=Kind(row.kind),
        name=row.name,
        number=row.number,
        hash=row.hash,
        author=row.author,
        created_at=row.created_at,
        rationale=row.rationale,
        ticket=row.ticket,
        original_author=row.original_author,
        original_date=row.original_date,
    )


def add(tx: Transaction, version: Version) -> bool:
    """True when its number was not taken; else the one that has it stays."""
    values = {
        "workspace": version.workspace,
        "kind": version.kind.value,
        "name": version.name,
        "number": version.number,
        "hash": version.hash,
        "author": version.author,
        "created_at": version.created_at,
        "rationale": version.rationale,
        "ticket": version.ticket,
        "original_author": version.original_author,
        "original_date": version.original_date,
    }
    return tx.insert_new(versions, values, key=_KEY)


def _named(tx: Transaction, workspace: str, kind: Kind, name: str) -> sa.Select[Any]:
    statement = tx.select(versions, workspace)
    return statement.where(versions.c.kind == kind.value, versions.c.name == name)


def latest(tx: Transaction, workspace: str, kind: Kind, name: str) -> Version | None:
    statement = _named(tx, workspace, kind, name).order_by(versions.c.number.desc()).limit(1)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _version(row)


def version(tx: Transaction, workspace: str, kind: Kind, name: str, number: int) -> Version | None:
    row = tx.execute(_named(tx, workspace, kind, name).where(versions.c.number == number)).one_or_none()
    return None if row is None else _version(row)


def versions_of(tx: Transaction, workspace: str, kind: Kind, name: str) -> list[Version]:
    """The latest first."""
    statement = _named(tx, workspace, kind, name).order_by(versions.c.number.desc())
    return [_version(row) for row in tx.execute(statement)]


def versions_saying(tx: Transaction, workspace: str, kind: Kind, hash: str) -> list[Version]:
    """Of any name, the latest first."""
    statement = tx.select(versions, workspace).where(versions.c.kind == kind.value, versions.c.hash == hash)
    ordered = statement.order_by(versions.c.created_at.desc(), versions.c.name, versions.c.number.desc())
    return [_version(row) for row in tx.execute(ordered)]


def heads(tx: Transaction, workspace: str, kind: Kind) -> list[Version]:
    """The latest of each name, by name."""
    last = (
        sa.select(versions.c.name, sa.func.max(versions.c.number).label("number"))
        .where(versions.c.workspace == workspace, versions.c.kind == kind.value)
        .group_by(versions.c.name)
        .subquery()
    )
    statement = tx.select(versions, workspace).where(versions.c.kind == kind.value)
    joined = statement.join(last, sa.and_(versions.c.name == last.c.name, versions.c.number == last.c.number))
    return sorted((_version(row) for row in tx.execute(joined)), key=lambda one: one.name)
