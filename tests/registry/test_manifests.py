"""Manifests of knowledge bases: named by what they list, kept whole, compared by counts and samples."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.audit import store as audit_store
from holdfast.platform.tenancy import actions as tenancy
from holdfast.registry import actions, reads
from holdfast.registry.model import Document, Kind, Manifest
from holdfast.storage.sql import Database

DAY = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = {"chain": [{"upstream": "main"}]}


def context(database: Database, clock: Any, slug: str = "acme") -> Context:
    actor = Actor("member", "ada", "Ada")
    with database.transaction() as tx:
        return Context(tenancy.ensure_workspace(Context("", actor, clock()), tx, slug).id, actor, clock())


def add(database: Database, ctx: Context, documents: Any, name: str = "handbook") -> Manifest:
    with database.transaction() as tx:
        return actions.add_manifest(ctx, tx, name=name, documents=documents, rationale="nightly")


def listed(count: int) -> list[Document]:
    return [Document(f"doc-{place:06}", f"h{place}", "wiki", DAY) for place in range(count)]


def test_order_makes_no_other_manifest_and_a_changed_document_does(database: Database, clock: Any) -> None:
    ctx = context(database, clock)
    some = listed(50)
    made = add(database, ctx, iter(some))
    random.Random(1).shuffle(some)
    assert add(database, ctx, some) == made
    assert (made.documents_count, made.author, made.rationale) == (50, "ada", "nightly")
    others = [
        add(database, ctx, [*some[1:], Document(some[0].id, "other", "wiki", DAY)]),
        add(database, ctx, [*some[1:], Document(some[0].id, some[0].hash, "crm", DAY)]),
        add(database, ctx, [*some[1:], Document(some[0].id, some[0].hash, "wiki")]),
        add(database, ctx, some[1:]),
        add(database, ctx, some, "policies"),
        add(database, ctx, []),
    ]
    assert len({made.id, *(one.id for one in others)}) == 7
    with database.reading() as tx:
        entries = audit_store.entries_from(tx, ctx.workspace, 0, 100)
        assert sum(one.action == "manifest.added" for one in entries) == 7
        assert {one.id for one in reads.manifests(ctx, tx, "policies")} == {others[4].id}
        assert len(reads.manifests(ctx, tx)) == 7
        assert reads.manifest(ctx, tx, made.id) == made


def test_documents_come_page_by_page_as_they_were_given(database: Database, clock: Any) -> None:
    ctx = context(database, clock)
    some = [*listed(25), Document("Ünïcode/1", "x"), Document("a b", "y", "s", DAY)]
    made = add(database, ctx, some)
    found: list[Document] = []
    cursor: str | None = ""
    while cursor is not None:
        with database.reading() as tx:
            page = reads.documents(ctx, tx, made.id, cursor=cursor, limit=10)
        assert len(page.items) <= 10
        found += page.items
        cursor = page.next_cursor
    assert sorted(found, key=lambda one: one.id) == sorted(some, key=lambda one: one.id)
    assert len(found) == 27


def test_a_neighbours_manifest_is_not_there(database: Database, clock: Any) -> None:
    mine, theirs = context(database, clock), context(database, clock, "birch")
    made = add(database, mine, listed(3))
    own = add(database, theirs, listed(2))
    with database.reading() as tx:
        for ask in (
            lambda: reads.manifest(theirs, tx, made.id),
            lambda: reads.documents(theirs, tx, made.id),
            lambda: reads.manifest_difference(theirs, tx, own.id, made.id),
        ):
            with pytest.raises(NotFound):
                ask()
    assert add(database, theirs, listed(3)).id == made.id
    with database.reading() as tx:
        same = reads.manifest_difference(theirs, tx, made.id, made.id)
    assert (same.added, same.removed, same.changed, same.restated) == (0, 0, 0, 0)
    with database.reading() as tx:
        found = reads.manifest_difference(theirs, tx, own.id, made.id)
    assert (found.added, found.removed, found.changed, found.restated) == (1, 0, 0, 0)


@pytest.mark.slow
def test_a_hundred_thousand_documents_are_compared_in_good_time(database: Database, clock: Any) -> None:
    ctx = context(database, clock)
    old = listed(100_000)
    new = old[300:]
    new[:40] = [Document(one.id, "edited", one.source, one.date) for one in new[:40]]
    new[100:105] = [Document(one.id, one.hash, "crm", one.date) for one in new[100:105]]
    new[200:207] = [Document(one.id, one.hash, one.source) for one in new[200:207]]
    new += [Document(f"new-{place}", "h") for place in range(1000)]
    one, other = add(database, ctx, old), add(database, ctx, new)
    begun = time.process_time()
    with database.reading() as tx:
        found = reads.manifest_difference(ctx, tx, one.id, other.id)
    assert time.process_time() - begun < 2
    assert (found.added, found.removed, found.changed, found.restated) == (1000, 300, 40, 12)
    assert found.samples["removed"] == tuple(f"doc-{place:06}" for place in range(20))
    assert found.samples["changed"] == tuple(f"doc-{place:06}" for place in range(300, 320))
    assert len(found.samples["added"]) == 20
    assert len(found.samples["restated"]) == 12


def test_the_difference_of_releases_holds_their_snapshots_against_each_other(
    database: Database, clock: Any
) -> None:
    ctx = context(database, clock)
    snapshots = [add(database, ctx, listed(count)).id for count in (3, 5)]
    made = []
    for snapshot in [*snapshots, "elsewhere-7"]:
        parts = {Kind.MODEL: MODEL, Kind.RETRIEVAL: {"snapshot": snapshot, "top_k": 4}}
        with database.transaction() as tx:
            made.append(actions.register(ctx, tx, body={}, components=parts).id)
    with database.reading() as tx:
        found = reads.difference(ctx, tx, made[0], made[1])
        assert found.manifest is not None
        assert (found.manifest.added, found.manifest.removed) == (2, 0)
        assert [one.kind for one in found.parts] == [Kind.RETRIEVAL]
        assert reads.difference(ctx, tx, made[0], made[2]).manifest is None, "unknown, not nothing"
        assert reads.difference(ctx, tx, None, made[0]).first
        assert not reads.difference(ctx, tx, made[0], made[0])
        with pytest.raises(NotFound):
            reads.difference(ctx, tx, "rel_gone", made[0])


@pytest.mark.parametrize(
    ("documents", "where"),
    [
        ([Document("", "h")], "documents[0]"),
        ([Document("a", "h"), Document("b", "")], "documents[1]"),
        ([Document("a", "h"), Document("b", "h"), Document("a", "i")], "documents[2].id"),
        ([Document("a" * 501, "h")], "documents[0].id"),
        ([Document("a\0", "h")], "documents[0].id"),
        ([Document("a", "h", date=datetime(2026, 3, 1))], "documents[0].date"),  # noqa: DTZ001
    ],
)
def test_a_document_that_cannot_be_kept_is_named(
    database: Database, clock: Any, documents: list[Document], where: str
) -> None:
    ctx = context(database, clock)
    with pytest.raises(Invalid) as refused:
        add(database, ctx, documents)
    assert refused.value.where == where
    with database.reading() as tx:
        assert reads.manifests(ctx, tx) == []
