"""Manifests of knowledge bases as kept, and how two of them differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from holdfast.registry.model import Document, Manifest, ManifestDifference
from holdfast.storage.sql import Instant, Transaction, metadata

manifests = sa.Table(
    "manifests",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("documents_count", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("rationale", sa.Text, nullable=False),
)

documents = sa.Table(
    "manifest_documents",
    metadata,
    sa.Column("workspace", sa.String(40), primary_key=True),
    sa.Column("manifest", sa.String(40), primary_key=True),
    sa.Column("document", sa.String(500), primary_key=True),
    sa.Column("hash", sa.String(200), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("date", Instant),
    sa.ForeignKeyConstraint(
        ["workspace", "manifest"],
        ["manifests.workspace", "manifests.id"],
    ),
)
_SORTS = ("added", "removed", "changed", "restated")
_PIECE = 5000
"""Rows in one statement."""


def _manifest(row: Any) -> Manifest:
    return Manifest(
        workspace=row.workspace,
        id=row.id,
        name=row.name,
        documents_count=row.documents_count,
        hash=row.hash,
        author=row.author,
        created_at=row.created_at,
        rationale=row.rationale,
    )


def add(tx: Transaction, manifest: Manifest, listed: Sequence[Document]) -> bool:
    """True when it was not there yet; else the first one stays."""
    values = {
        "workspace": manifest.workspace,
        "id": manifest.id,
        "name": manifest.name,
        "documents_count": manifest.documents_count,
        "hash": manifest.hash,
        "author": manifest.author,
        "created_at": manifest.created_at,
        "rationale": manifest.rationale,
    }
    if not tx.insert_new(manifests, values, key=["workspace", "id"]):
        return False
    for begin in range(0, len(listed), _PIECE):
        rows = [
            {
                "workspace": manifest.workspace,
                "manifest": manifest.id,
                "document": one.id,
                "hash": one.hash,
                "source": one.source,
                "date": one.date,
            }
            for one in listed[begin : begin + _PIECE]
        ]
        tx.execute(sa.insert(documents), rows)
    return True


def manifest(tx: Transaction, workspace: str, manifest_id: str) -> Manifest | None:
    row = tx.execute(tx.select(manifests, workspace).where(manifests.c.id == manifest_id)).one_or_none()
    return None if row is None else _manifest(row)


def manifests_of(tx: Transaction, workspace: str, name: str | None) -> list[Manifest]:
    """The latest first; of one name, or of all."""
    statement = tx.select(manifests, workspace)
    if name is not None:
        statement = statement.where(manifests.c.name == name)
    statement = statement.order_by(manifests.c.created_at.desc(), manifests.c.id)
    return [_manifest(row) for row in tx.execute(statement)]


def known(tx: Transaction, workspace: str, ids: Collection[str]) -> frozenset[str]:
    """Those among these ids that there are."""
    if not ids:
        return frozenset()
    rows = tx.execute(tx.select(manifests, workspace).where(manifests.c.id.in_(sorted(ids))))
    return frozenset(row.id for row in rows)


def documents_after(
    tx: Transaction, workspace: str, manifest_id: str, after: str, limit: int
) -> list[Document]:
    """So many documents by id, from the first one after an id."""
    statement = tx.select(documents, workspace).where(
        documents.c.manifest == manifest_id, documents.c.document > after
    )
    rows = tx.execute(statement.order_by(documents.c.document).limit(limit))
    return [Document(row.document, row.hash, row.source, row.date) for row in rows]


def difference(
    tx: Transaction, workspace: str, old: Manifest, new: Manifest, samples: int
) -> ManifestDifference:
    """Counts of both, with the first so many ids of each sort.

    Both are grouped by document in one pass: a join would wait for PostgreSQL's statistics, which new rows have none of.
    """
    of = documents.c
    here, there = (sa.func.sum(sa.case((of.manifest == one.id, 1), else_=0)) for one in (new, old))
    told = sa.or_(
        sa.func.min(of.source) != sa.func.max(of.source),
        sa.func.coalesce(sa.func.min(of.date) != sa.func.max(of.date), sa.false()),
        sa.func.count(of.date) == 1,
    )
    became = sa.case(
        (there == 0, "added"),
        (here == 0, "removed"),
        (sa.func.min(of.hash) != sa.func.max(of.hash), "changed"),
        (sa.and_(sa.func.count() == 2, told), "restated"),
        else_="same",
    )
    grouped = (
        sa.select(of.document, became.label("became"))
        .where(of.workspace == workspace, of.manifest.in_([old.id, new.id]))
        .group_by(of.document)
        .subquery()
    )
    ranked = (
        sa.select(
            grouped.c.document,
            grouped.c.became,
            sa.func.count().over(partition_by=grouped.c.became).label("many"),
            sa.func.row_number()
            .over(partition_by=grouped.c.became, order_by=grouped.c.document)
            .label("place"),
        )
        .where(grouped.c.became != "same")
        .subquery()
    )
    first = sa.select(ranked).where(ranked.c.place <= samples).order_by(ranked.c.became, ranked.c.place)
    counts = dict.fromkeys(_SORTS, 0)
    found: dict[str, list[str]] = {sort: [] for sort in _SORTS}
    for row in tx.execute(first):
        counts[row.became] = int(row.many)
        found[row.became].append(row.document)
    listed = {sort: tuple(some) for sort, some in found.items()}
    return ManifestDifference(old=old.id, new=new.id, **counts, samples=listed)
