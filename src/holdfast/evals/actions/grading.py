"""Verbs of people who grade: what they say of an answer of a run is kept, and the run's verdict is worked out anew."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from holdfast.evals.actions.runs import verdict_of
from holdfast.evals.model import Case, Expectation, Grade, Suite
from holdfast.evals.rules.scoring import combined
from holdfast.evals.states import ACTIVE, Graded, Run
from holdfast.evals.store import labels as store
from holdfast.evals.store import runs as run_store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

MAX_NOTE = 1000
GRADED = ("human", "judge")
REWORKED = 2
"""Of the runs that have the graded one for their baseline, so many verdicts are worked out anew, the latest first."""


def grade(
    ctx: Context,
    tx: Transaction,
    run_id: str,
    case_id: str,
    repeat: int,
    expectation: str,
    score: float | None,
    note: str = "",
    *,
    holdouts: bool,
) -> Run:
    """Keeps what the actor says of an answer, 0 to 1, or that it cannot be told (None); who says it again corrects it.

    For the grader `human` it is the grade; of what a judge graded it is a label, which the run's figures are corrected
    by. The verdicts of the run and of the latest that have it for their baseline are worked out anew. Raises NotFound,
    Invalid, Conflict while the run is under way.
    """
    run = run_store.get(tx, ctx.workspace, run_id)
    if run is None:
        raise NotFound("there is no such run in this workspace")
    suite = suite_store.suite(tx, ctx.workspace, run.suite, run.version)
    assert suite is not None, "a version that a run names is never removed"
    case = next((one for one in suite.cases if one.id == case_id and (holdouts or not one.holdout)), None)
    answers = [] if case is None else run_store.one(tx, ctx.workspace, run.id, case.id)
    answer = next((one for one in answers if one.repeat == repeat), None)
    if case is None or answer is None:
        raise NotFound("this run has no such answer that you may grade")
    place, wanted = _expectation(case, expectation)
    if score is not None and not 0 <= score <= 1:
        raise Invalid("a grade is from 0 to 1, or none where it cannot be told", where="score")
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    if run.state in ACTIVE:
        raise Conflict("the run is still under way; grade its answers when it is over")
    said = store.HumanGrade(case.id, repeat, expectation, ctx.actor.id, score, note, ctx.now)
    store.keep(tx, ctx.workspace, run.id, said)
    if wanted.grader == "human":
        run_store.regrade(tx, run, _regraded(ctx, tx, run, case, answer, place))
    _rework(ctx, tx, run, suite)
    for other in run_store.held_against(tx, run, REWORKED):
        asked = suite_store.suite(tx, ctx.workspace, other.suite, other.version)
        assert asked is not None, "a version that a run names is never removed"
        _rework(ctx, tx, other, asked)
    details = {
        "suite": f"{run.suite}@{run.version}",
        "case": case.id,
        "repeat": repeat,
        "expectation": expectation,
        "score": score,
    }
    audit.record(ctx, tx, action="eval.graded", subject=run.id, details=details)
    return run_store.get(tx, ctx.workspace, run.id) or run


def _rework(ctx: Context, tx: Transaction, run: Run, suite: Suite) -> None:
    if run.verdict:
        verdict = verdict_of(ctx, tx, run, suite)
        run_store.rework(tx, run, msgspec.json.encode(verdict).decode())


def _expectation(case: Case, name: str) -> tuple[int, Expectation]:
    for place, one in enumerate(case.expectations):
        if (one.name or one.grader) == name:
            if one.grader in GRADED:
                return place, one
            raise Invalid(
                f"{name} is graded by {one.grader}, not by a person or a judge", where="expectation"
            )
    known = [one.name or one.grader for one in case.expectations if one.grader in GRADED]
    there = f"there are {', '.join(known)}" if known else "it has none that a person grades"
    raise Invalid(f"the case has no expectation {name[:100]!r}; {there}", where="expectation")


def _regraded(ctx: Context, tx: Transaction, run: Run, case: Case, answer: Graded, place: int) -> Graded:
    """The answer with what people say in the place of the grade: the mean of those who can tell."""
    one = case.expectations[place]
    told = [
        each
        for each in store.of_run(tx, ctx.workspace, run.id)
        if (each.case, each.repeat, each.expectation) == (case.id, answer.repeat, one.name or one.grader)
    ]
    known = [each.score for each in told if each.score is not None]
    score = sum(known) / len(known) if known else None
    bar = 0.5 if one.bar is None else one.bar
    reason = "; ".join(each.note for each in told if each.note)
    if score is None:
        reason = reason or "people cannot tell"
    before = answer.grades[place]
    made = Grade(before.grader, before.version, score, None if score is None else score >= bar, reason)
    grades = tuple(made if number == place else each for number, each in enumerate(answer.grades))
    whole, passed = combined(case.expectations, grades)
    return replace(answer, grades=grades, score=whole, passed=passed)
