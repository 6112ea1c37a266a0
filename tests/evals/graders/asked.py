"""One answer judged by one grader, as tests put it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from holdfast.evals.graders import shelf
from holdfast.evals.graders.grading import NOTHING_OUTSIDE, Outside
from holdfast.evals.model import Answer, Case, CaseInput, Document, Expectation, Grade


def case(question: str = "What is it?", documents: dict[str, str] | None = None, date: str = "") -> Case:
    context = tuple(
        Document(text, id=name, date=dt.date.fromisoformat(date) if date else None)
        for name, text in (documents or {}).items()
    )
    return Case("c", CaseInput(messages=({"role": "user", "content": question},), context=context), ())


def graded(
    name: str,
    params: dict[str, Any],
    answer: str | Answer,
    of: Case | None = None,
    bar: float | None = None,
    outside: Outside = NOTHING_OUTSIDE,
) -> Grade:
    """The grade. Params that the shelf finds fault with fail the test."""
    expectation = Expectation(name, params, bar=bar)
    assert list(shelf.faults(expectation)) == []
    given = Answer(answer) if isinstance(answer, str) else answer
    return shelf.grade(of or case(), expectation, given, outside)


def score(name: str, params: dict[str, Any], answer: str | Answer, of: Case | None = None) -> float | None:
    found = graded(name, params, answer, of).score
    return None if found is None else round(found, 3)


def faults(name: str, params: dict[str, Any]) -> dict[str, str]:
    return dict(shelf.faults(Expectation(name, params)))
