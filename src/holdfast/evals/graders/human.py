"""The grader that is a person: the grade is unknown until somebody has given it on the run's page."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside, Reads
from holdfast.evals.model import Answer, Case
from holdfast.evals.rules.judging import MOST_STEPS

WAITS = "it waits for a person to grade it"


class _Human(msgspec.Struct, forbid_unknown_fields=True):
    rubric: str = ""
    """What is good and what is not, for whoever grades."""
    scale: int = 1
    """1: pass or fail; n: a whole number from 0 to n."""


def _faults(params: _Human) -> Iterator[Fault]:
    if not 1 <= params.scale <= MOST_STEPS:
        yield "scale", f"this is 1 (pass or fail) to {MOST_STEPS}"


def _look(case: Case, params: _Human, answer: Answer, outside: Outside) -> Finding:
    if answer.error:
        return Finding(None, f"there is no answer: {answer.error}")
    return Finding(None, WAITS)


HUMAN = Made("human", "1", _Human, _look, _faults, bar=0.5, reads=Reads.NOTHING)
