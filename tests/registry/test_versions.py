"""Named versions: numbered without gaps, never lost, never changed; to go back is a version too."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.audit import store as audit_store
from holdfast.platform.tenancy import actions as tenancy
from holdfast.registry import actions, reads
from holdfast.registry.model import Kind, Version
from holdfast.registry.rules import naming
from holdfast.storage.sql import Database

EXAMPLES = itertools.count()
FIRST, SECOND = ({"messages": [{"role": "system", "content": text}]} for text in ("Be kind.", "Be brief."))


def context(database: Database, clock: Any, slug: str = "acme", who: str = "ada") -> Context:
    actor = Actor("member", who, who.title())
    with database.transaction() as tx:
        return Context(tenancy.ensure_workspace(Context("", actor, clock()), tx, slug).id, actor, clock())


def add(database: Database, ctx: Context, **changed: Any) -> Version:
    given = {"kind": Kind.PROMPT, "name": "support/answer", "body": FIRST, **changed}
    with database.transaction() as tx:
        return actions.add_version(ctx, tx, **given)


def entries(database: Database, ctx: Context) -> list[Any]:
    with database.reading() as tx:
        found = audit_store.entries_from(tx, ctx.workspace, 0, 100)
    return [one for one in found if one.action == "component.versioned"]


def test_what_the_latest_version_says_adds_none_and_going_back_adds_one(
    database: Database, clock: Any
) -> None:
    ada = context(database, clock)
    one = add(database, ada, rationale="first", ticket="OPS-1")
    clock.move(hours=1)
    bob = context(database, clock, who="bob")
    assert add(database, bob, rationale="again") == one
    two = add(database, bob, body=SECOND, rationale="shorter", ticket="OPS-2")
    assert add(database, bob, body=SECOND) == two
    three = add(database, bob, rationale="as it was")
    assert [one.number, two.number, three.number] == [1, 2, 3]
    assert (three.hash, three.author, three.rationale, three.ticket) == (one.hash, "bob", "as it was", "")
    assert len(entries(database, ada)) == 3
    with database.reading() as tx:
        assert reads.versions(ada, tx, Kind.PROMPT, "support/answer") == [three, two, one]
        found, said = reads.version(ada, tx, Kind.PROMPT, "support/answer", 1)
        assert (found, said.body, said.author) == (one, FIRST, "ada")
        assert (found.rationale, found.ticket, found.created_at) == ("first", "OPS-1", ada.now)
        assert {part.hash for part in reads.components(ada, tx, [one.hash, two.hash, "0" * 64])} == {
            one.hash,
            two.hash,
        }


def test_numbers_count_by_workspace_kind_and_name(database: Database, clock: Any) -> None:
    mine, theirs = context(database, clock), context(database, clock, "birch")
    add(database, mine)
    add(database, mine, body=SECOND)
    assert add(database, mine, name="support/greet").number == 1
    assert add(database, mine, kind=Kind.TOOLS, body={"tools": []}).number == 1
    assert add(database, theirs, body=SECOND).number == 1
    with database.reading() as tx:
        assert [(one.name, one.number) for one in reads.names(mine, tx, Kind.PROMPT)] == [
            ("support/answer", 2),
            ("support/greet", 1),
        ]
        assert reads.versions(theirs, tx, Kind.PROMPT, "support/greet") == []
        with pytest.raises(NotFound):
            reads.version(theirs, tx, Kind.PROMPT, "support/answer", 2)
        hashes = [one.hash for one in reads.versions(mine, tx, Kind.TOOLS, "support/answer")]
        assert reads.components(theirs, tx, hashes) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["a", "b/c"]), st.integers(0, 2)), max_size=12))
def test_nothing_that_was_kept_ever_changes(
    database: Database, clock: Any, added: list[tuple[str, int]]
) -> None:
    ctx = context(database, clock, f"acme-{next(EXAMPLES)}")
    wanted: dict[str, list[int]] = {"a": [], "b/c": []}
    kept: set[Version] = set()
    for name, said in added:
        add(database, ctx, name=name, body={"said": said})
        if wanted[name][-1:] != [said]:
            wanted[name].append(said)
        with database.reading() as tx:
            now = [one for each in wanted for one in reads.versions(ctx, tx, Kind.PROMPT, each)]
        assert kept <= set(now)
        kept = set(now)
    for name, contents in wanted.items():
        of = sorted((one for one in kept if one.name == name), key=lambda one: one.number)
        assert [one.number for one in of] == list(range(1, len(contents) + 1))
        assert [one.hash for one in of] == [
            naming.component_hash(Kind.PROMPT, {"said": said}) for said in contents
        ]


def test_of_many_writers_at_once_each_has_a_number_or_is_told(database: Database, clock: Any) -> None:
    ctx = context(database, clock)
    begin = threading.Barrier(6)
    made: list[Version] = []
    told: list[Conflict] = []

    def run(number: int) -> None:
        begin.wait()
        for turn in range(4):
            try:
                made.append(add(database, ctx, body={"said": f"{number} {turn}"}))
            except Conflict as error:
                told.append(error)

    threads = [threading.Thread(target=run, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) + len(told) == 24
    assert all("try again" in one.detail for one in told)
    with database.reading() as tx:
        found = reads.versions(ctx, tx, Kind.PROMPT, "support/answer")
    assert [one.number for one in found] == list(range(len(made), 0, -1))
    assert set(found) == set(made)
    assert len(entries(database, ctx)) == len(made)


def test_of_two_that_read_the_same_latest_one_is_told(database: Database, clock: Any) -> None:
    if database.path is not None:
        pytest.skip("SQLite lets the second one read when the first is done")
    ctx = context(database, clock)
    failed: list[Conflict] = []
    done = threading.Event()

    def second() -> None:
        try:
            add(database, ctx, body=SECOND)
        except Conflict as error:
            failed.append(error)
        done.set()

    with database.transaction() as tx:
        actions.add_version(ctx, tx, kind=Kind.PROMPT, name="support/answer", body=FIRST)
        thread = threading.Thread(target=second)
        thread.start()
        assert not done.wait(0.5), "it waits for the first"
    thread.join()
    assert len(failed) == 1
    with database.reading() as tx:
        assert [one.number for one in reads.versions(ctx, tx, Kind.PROMPT, "support/answer")] == [1]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "a//b"}, "name"),
        ({"name": "a/../b"}, "name"),
        ({"name": "a@3"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "a" * 121}, "name"),
        ({"rationale": "x" * 4001}, "rationale"),
        ({"ticket": "x" * 201}, "ticket"),
        ({"ticket": "A-1\nA-2"}, "ticket"),
        ({"body": {"n": 1 << 60}}, "body"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(
    database: Database, clock: Any, changed: dict[str, Any], where: str
) -> None:
    ctx = context(database, clock)
    with pytest.raises(Invalid) as refused:
        add(database, ctx, **changed)
    assert refused.value.where == where
    assert entries(database, ctx) == []
