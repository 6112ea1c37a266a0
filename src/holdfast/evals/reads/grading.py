"""Answers on what people are to grade in a run: what waits for a person, and what to label next of what judges graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from holdfast.evals.model import Answer, Case, Expectation
from holdfast.evals.reads.runs import suite_of
from holdfast.evals.rules.judging import Judge, Kind
from holdfast.evals.states import Run
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import labels as label_store
from holdfast.evals.store import runs as store
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

Why = Literal["waits", "label"]


@dataclass(frozen=True, slots=True)
class ToGrade:
    """An answer that a person is to grade, without what a judge says of it. `steps` 1: pass or fail; n: from 0 to n.

    `why`: it waits for a person, or the judges' figures are corrected by a label of it. `other`: of a pair, the answer
    that it is compared with.
    """

    case: Case
    repeat: int
    expectation: str
    why: Why
    answer: Answer
    rubric: str
    steps: int
    reference: str = ""
    other: str = ""


def to_grade(ctx: Context, tx: Transaction, run: Run, *, holdouts: bool) -> list[ToGrade]:
    """What is to be graded, in the order in which it tells most. Holdout cases only for who may read them."""
    from holdfast.evals.rules import trusting

    suite = suite_of(ctx, tx, run)
    if not any(one.grader in ("human", "judge") for case in suite.cases for one in case.expectations):
        return []
    graded = list(store.graded(tx, ctx.workspace, run.id))
    said = label_store.of_run(tx, ctx.workspace, run.id)
    labels = trusting.gathered((one.case, one.repeat, one.expectation, one.score) for one in said)
    cases = {case.id: case for case in suite.cases}
    answers = {(one.case, one.repeat): one for one in graded}
    found = []
    for one in graded:
        for wanted, grade in zip(cases[one.case].expectations, one.grades, strict=False):
            waits = wanted.grader == "human" and grade.score is None and not one.answer.error
            if waits and (one.case, one.repeat, trusting.key(wanted)) not in labels:
                steps = wanted.params.get("scale", 1)
                rubric = str(wanted.params.get("rubric", ""))
                found.append(
                    ToGrade(
                        cases[one.case], one.repeat, trusting.key(wanted), "waits", one.answer, rubric, steps
                    )
                )
    judges: dict[str, Judge | None] = {}
    for unit in trusting.units(suite.cases, graded, labels, run.id):
        if unit.label is not None:
            continue
        case, one = cases[unit.case], answers[unit.case, unit.repeat]
        for wanted in case.expectations:
            if wanted.grader == "judge" and (one.case, one.repeat, trusting.key(wanted)) not in labels:
                name = str(wanted.params.get("judge"))
                if name not in judges:
                    judges[name] = judge_store.judge(tx, ctx.workspace, name, by=run.created_at)
                judge = judges[name]
                if judge is not None:
                    found.append(_label(tx, ctx, run, case, unit.repeat, one.answer, wanted, judge))
    return [one for one in found if holdouts or not one.case.holdout]


def _label(
    tx: Transaction,
    ctx: Context,
    run: Run,
    case: Case,
    repeat: int,
    answer: Answer,
    wanted: Expectation,
    judge: Judge,
) -> ToGrade:
    reference = str(wanted.params.get("reference", ""))
    criterion = str(wanted.params.get("criterion", ""))
    rubric = f"{judge.rubric}\n\nCriterion: {criterion}" if criterion else judge.rubric
    other = ""
    if judge.kind is Kind.PAIRWISE:
        before = store.one(tx, ctx.workspace, run.baseline, case.id) if not reference else []
        other = reference or next((one.answer.text for one in before if one.case_hash == case.hash), "")
        reference = ""
    name = wanted.name or wanted.grader
    return ToGrade(case, repeat, name, "label", answer, rubric, judge.steps, reference, other)
