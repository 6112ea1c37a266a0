"""The grader of calibration: whether the confidence that the answer states fits how right it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Grader, Made, Outside, Reads
from holdfast.evals.model import Answer, Case, Expectation


class By(msgspec.Struct, forbid_unknown_fields=True):
    """Another expectation, which says whether the answer is right."""

    grader: str
    params: dict[str, Any] = {}
    bar: float | None = None


class _Calibration(msgspec.Struct, forbid_unknown_fields=True):
    by: By


def calibration(shelf: Mapping[str, Grader]) -> Made[_Calibration]:
    """The grader, by the other graders of a shelf.

    Its score is one minus the squared distance between confidence and outcome (Brier, 1950): a mean over cases is one
    minus the Brier score. Who always says one half has 0.75, which is the bar.
    """

    def faults(params: _Calibration) -> Iterator[Fault]:
        by = params.by
        if by.grader not in shelf:
            yield "by.grader", f"there is no grader {by.grader!r} that could say what is right"
            return
        if by.bar is not None and not 0 <= by.bar <= 1:
            yield "by.bar", "a bar is from 0 to 1"
        for place, said in shelf[by.grader].faults(by.params):
            yield f"by.params.{place}".rstrip("."), said

    def look(case: Case, params: _Calibration, answer: Answer, outside: Outside) -> Finding:
        confidence = answer.confidence
        if confidence is None or not 0 <= confidence <= 1:
            return Finding(None, "the answer states no confidence from 0 to 1")
        by = params.by
        grade = shelf[by.grader].grade(case, Expectation(by.grader, by.params, bar=by.bar), answer, outside)
        if grade.passed is None:
            return Finding(None, f"whether the answer is right is not known: {grade.reason}")
        score = 1 - (confidence - grade.passed) ** 2
        right = "right" if grade.passed else "wrong"
        said = f"{confidence:g} sure, and {right}"
        return Finding(score, said, {"confidence": confidence, "correct": grade.passed})

    def under(params: _Calibration, outside: Outside) -> str:
        return f"{params.by.grader}:{shelf[params.by.grader].edition(params.by.params, outside)}"

    return Made("calibration", "1", _Calibration, look, faults, bar=0.75, reads=Reads.PART, under=under)
