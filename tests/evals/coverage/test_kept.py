"""Maps of coverage as they are kept: asked for once, changed while they are not over, due each week, made into cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.evals.suites.keeping import Shelf

from holdfast.evals.actions import coverage as actions
from holdfast.evals.actions import suites as suite_actions
from holdfast.evals.model import Source
from holdfast.evals.reads import coverage as reads
from holdfast.evals.rules.coverage import Found, Group, HeldCase, Ref, Share
from holdfast.evals.states import MapState
from holdfast.evals.store import coverage as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.storage.sql import Database

SUITE = b"cases:\n- {id: one, prompt: a, expect: {exact: b}}\n"
REF = Ref("ab" * 16, "cd" * 8)
ASKED = (("system", "Be brief."), ("user", "May I?"), ("assistant", "No."))


@pytest.fixture
def shelf(database: Database, clock: Any) -> Shelf:
    return Shelf(database, clock)


@pytest.fixture
def at(shelf: Shelf) -> Context:
    ctx = shelf.ctx()
    shelf.apply(ctx, *suite_actions.read_all({"asked.yaml": SUITE, "other.yaml": SUITE}))
    return ctx


def test_one_map_at_a_time_and_on_the_audit_log(shelf: Shelf, at: Context) -> None:
    with shelf.database.transaction() as tx:
        first = actions.ask(at, tx, "asked")
        assert actions.ask(at, tx, "asked") == first
        assert actions.ask(at, tx, "other").id != first.id
        assert store.active_of(tx, at.workspace, "asked") == first
    assert first.end - first.start == timedelta(days=30)
    told = [details for action, _, details in shelf.audit(at) if action == "suite.coverage_asked"]
    assert told[0] == {"map": first.id, "days": 30}
    assert len(told) == 2


def test_what_is_over_does_not_change_any_more(shelf: Shelf, at: Context) -> None:
    with shelf.database.transaction() as tx:
        first = actions.ask(at, tx, "asked")
        assert store.change(tx, first.id, state=MapState.RUNNING, phase="reading", done=1, total=9)
        assert store.change(tx, first.id, state=MapState.FAILED, note="why")
        assert not store.change(tx, first.id, state=MapState.DONE, found="{}")
        assert actions.ask(at, tx, "asked").id != first.id
        assert reads.standing(at, tx, "asked").failed == "", "another one is under way"


def test_a_suite_is_mapped_anew_each_week_once_it_was_mapped(shelf: Shelf, at: Context) -> None:
    with shelf.database.transaction() as tx:
        assert store.due(tx, at.now + timedelta(days=99)) == []
        actions.ask(at, tx, "asked")
        assert store.due(tx, at.now) == []
        assert store.due(tx, at.now + timedelta(seconds=1)) == [(at.workspace, "asked")]


def test_what_cannot_be_asked_is_refused(shelf: Shelf, at: Context) -> None:
    other = shelf.ctx("globex")
    with shelf.database.transaction() as tx:
        for days in (0, 366):
            with pytest.raises(Invalid) as refused:
                actions.ask(at, tx, "asked", days)
            assert refused.value.where == "days"
        with pytest.raises(NotFound):
            actions.ask(at, tx, "none")
        with pytest.raises(NotFound):
            reads.standing(other, tx, "asked")


def test_what_was_found_stands_as_it_was(shelf: Shelf, at: Context) -> None:
    group = Group(0, 7, 0.7, ("shoe", "größe"), (REF,), (HeldCase("one", "h"),), -1.0, 0.5)
    found = Found(
        10, 9, 8, 0.1, 1, Share(0.2, 0.1, 0.3), Share(), None, None, (group, replace(group, cases=())), ()
    )
    with shelf.database.transaction() as tx:
        one = actions.ask(at, tx, "asked")
        store.change(tx, one.id, state=MapState.DONE, version=1, found=msgspec.json.encode(found).decode())
    with shelf.database.reading() as tx:
        stands = reads.standing(at, tx, "asked")
    assert stands.found == found
    assert (stands.active, stands.headline, stands.scores) == (None, None, {}), "there is no run"


def test_a_call_becomes_a_case_with_what_a_person_says_is_right(shelf: Shelf, at: Context) -> None:
    with shelf.database.transaction() as tx:
        name, done = actions.make_case(at, tx, "asked", REF, ASKED, " Yes, you may. ", holdouts=False)
    assert done.version == 2
    case = next(one for one in shelf.shown(at, "asked").suite.cases if one.id == name)
    assert [one["role"] for one in case.input.messages] == ["system", "user"], "the answer is not asked"
    assert case.expectations[0].params == {"expected": "Yes, you may."}
    assert (case.provenance.source, case.provenance.reference) == (Source.PRODUCTION, REF.call)
    assert case.provenance.author == "Somebody"
    with shelf.database.transaction() as tx, pytest.raises(Conflict):
        actions.make_case(at, tx, "asked", REF, ASKED, "Again.", holdouts=False)


@pytest.mark.parametrize(
    ("asked", "expected"), [(ASKED, "  "), ((), "Yes."), ((("system", "Be brief."),), "Yes.")]
)
def test_nobody_s_expectation_is_invented(
    shelf: Shelf, at: Context, asked: tuple[tuple[str, str], ...], expected: str
) -> None:
    with shelf.database.transaction() as tx, pytest.raises(Invalid) as refused:
        actions.make_case(at, tx, "asked", REF, asked, expected, holdouts=False)
    assert refused.value.where == "expected"
