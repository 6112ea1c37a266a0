"""The cases of a run as a list: failures first, what is unknown or unfinished never as passed, holdouts without content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from tests.evals.suites.keeping import Shelf

from holdfast.evals.actions import suites as suite_actions
from holdfast.evals.model import Answer, Bars, Grade
from holdfast.evals.reads import cases as reads
from holdfast.evals.reads import runs as run_reads
from holdfast.evals.states import Graded, Run, RunState, Trigger
from holdfast.evals.store import runs as store
from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id

TEXT = """\
cases:
- {id: good, prompt: one, expect: {exact: a}}
- {id: bad, prompt: two, expect: {exact: a}, segments: {topic: x}}
- {id: open, prompt: three, expect: {exact: a}}
- {id: half, prompt: four, expect: {exact: a}}
- {id: none, prompt: five, expect: {exact: a}}
- {id: vital, prompt: six, expect: {exact: a}, criticality: critical}
- {id: kept, prompt: secret words, expect: {exact: a}, holdout: true}
"""
Told = Mapping[str, Sequence[bool | None]]
NOW: Told = {
    "good": (True, True),
    "bad": (True, False),
    "open": (True, None),
    "half": (True,),
    "vital": (False, False),
    "kept": (False, True),
}
BEFORE: Told = {"good": (True, False), "bad": (True, True), "vital": (False, False), "kept": (True, True)}


def run_of(shelf: Shelf, ctx: Context, told: Told) -> Run:
    """A run of the suite with answers that passed, did not, or are unknown; the first costs something."""
    suite = shelf.shown(ctx, "listed", holdouts=True).suite
    run = Run(
        new_id("run"), ctx.workspace, "listed", 1, suite.hash, "", "v1", "", "", "", Bars(repeats=2), len(suite.cases),
        None, 1, None, False, Trigger.DEMAND, ctx.now, "somebody", "", RunState.RUNNING, "", ctx.now,
    )  # fmt: skip
    with shelf.database.transaction() as tx:
        store.add(tx, run)
        for case in suite.cases:
            for repeat, passed in enumerate(told.get(case.id, ())):
                score = None if passed is None else float(passed)
                grade = Grade("exact", "1", score, passed, "" if passed else f"why of {case.id}")
                answer = Answer(f"said to {case.id}")
                graded = Graded(case.id, case.hash, repeat, answer, (grade,), score, passed, False, ctx.now)
                store.keep(tx, run, graded, "", None if repeat else Decimal("0.1"))
    return run


@pytest.fixture
def ctx(shelf: Shelf) -> Context:
    made = shelf.ctx()
    shelf.apply(made, *suite_actions.read_all({"listed.yaml": TEXT.encode()}))
    return made


def test_failures_stand_first_and_only_what_is_whole_has_passed(shelf: Shelf, ctx: Context) -> None:
    now, before = run_of(shelf, ctx, NOW), run_of(shelf, ctx, BEFORE)
    with shelf.database.reading() as tx:
        rows = reads.stands(ctx, tx, now, before, holdouts=True)
    assert [(row.case.id, row.standing) for row in rows] == [
        ("bad", "failed"),
        ("kept", "failed"),
        ("vital", "failed"),
        ("open", "unknown"),
        ("half", "waiting"),
        ("none", "waiting"),
        ("good", "passed"),
    ]
    change = {row.case.id: (row.score, row.before, row.change) for row in rows}
    assert change["bad"] == (0.5, 1.0, "worse")
    assert change["good"] == (1.0, 0.5, "better")
    assert change["vital"] == (0.0, 0.0, "same")
    assert change["open"] == (1.0, None, "not compared")
    with shelf.database.reading() as tx:
        alone = reads.stands(ctx, tx, now, None, holdouts=True)
    assert [row.case.id for row in alone][:3] == ["vital", "bad", "kept"]


def test_the_list_is_narrowed_down_and_says_why(shelf: Shelf, ctx: Context) -> None:
    now, before = run_of(shelf, ctx, NOW), run_of(shelf, ctx, BEFORE)
    with shelf.database.reading() as tx:
        rows = reads.stands(ctx, tx, now, before, holdouts=True)
        why = reads.reasons(ctx, tx, now, rows, holdouts=True)
    assert {row.case.id for row in reads.narrowed(rows, {"change": ["worse"]}, "")} == {"bad", "kept"}
    assert [row.case.id for row in reads.narrowed(rows, {"change": ["worse"], "in.topic": ["x"]}, "")] == [
        "bad"
    ]
    assert [row.case.id for row in reads.narrowed(rows, {}, "SECRET")] == ["kept"]
    assert why == {name: f"exact: why of {name}" for name in ("bad", "open", "vital", "kept")}
    facets = {one.name: dict(one.values) for one in reads.facets(rows)}
    assert facets["in.topic"] == {"x": 1}
    assert facets["change"] == {"worse": 2, "better": 1, "same": 1, "not compared": 3}


def test_a_holdout_tells_nothing_but_how_it_stands(shelf: Shelf, ctx: Context) -> None:
    now, before = run_of(shelf, ctx, NOW), run_of(shelf, ctx, BEFORE)
    with shelf.database.reading() as tx:
        rows = reads.stands(ctx, tx, now, before, holdouts=False)
        why = reads.reasons(ctx, tx, now, rows, holdouts=False)
        mine = run_reads.answer(ctx, tx, now, "kept", holdouts=False)
        theirs = reads.beside(ctx, tx, before, mine, holdouts=False)
    (kept,) = (row for row in rows if row.case.id == "kept")
    assert (kept.standing, kept.change, kept.case.input.messages) == ("failed", "worse", ())
    assert "kept" not in why
    assert reads.narrowed(rows, {}, "secret") == []
    assert theirs is not None
    assert "said to" not in f"{mine}{theirs}"


def test_how_far_several_runs_are_is_counted_at_once(shelf: Shelf, ctx: Context) -> None:
    now, before = run_of(shelf, ctx, NOW), run_of(shelf, ctx, BEFORE)
    with shelf.database.reading() as tx:
        found = run_reads.progresses(ctx, tx, [now, before])
    told = found[now.id]
    assert (told.done, told.total, told.passed, told.failed, told.unknown) == (11, 14, 6, 4, 1)
    assert (told.cost, told.unpriced) == (Decimal("0.6"), 5)
    assert found[before.id].done == 8
    assert found[now.id].last_at == ctx.now
