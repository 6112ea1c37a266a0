"""Every grader by its name. Another way to judge is another entry here, or code of one's own: `python`, `http`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from holdfast.evals.graders.bounds import COST, LATENCY, LENGTH, READABILITY
from holdfast.evals.graders.calibration import calibration
from holdfast.evals.graders.choices import CHOICE
from holdfast.evals.graders.citations import CITATION
from holdfast.evals.graders.formats import FORMAT
from holdfast.evals.graders.grading import NOTHING_OUTSIDE, Fault, Grader, Outside
from holdfast.evals.graders.http import HTTP
from holdfast.evals.graders.human import HUMAN
from holdfast.evals.graders.json_texts import JSON_FIELDS, JSON_SCHEMA
from holdfast.evals.graders.judge import JUDGE
from holdfast.evals.graders.language import LANGUAGE
from holdfast.evals.graders.meaning import REFUSAL, RELEVANCE, SIMILARITY
from holdfast.evals.graders.numbers import NUMBER
from holdfast.evals.graders.python import PYTHON
from holdfast.evals.graders.retrieval import RETRIEVAL
from holdfast.evals.graders.texts import CONTAINS, EXACT, NORMALISED, REGEX
from holdfast.evals.graders.tools import TOOL_CALLS
from holdfast.evals.model import Answer, Case, Expectation, Grade

_PLAIN: tuple[Grader, ...] = (
    EXACT,
    NORMALISED,
    CONTAINS,
    REGEX,
    NUMBER,
    CHOICE,
    JSON_SCHEMA,
    JSON_FIELDS,
    TOOL_CALLS,
    CITATION,
    SIMILARITY,
    RELEVANCE,
    REFUSAL,
    RETRIEVAL,
    READABILITY,
    LENGTH,
    LANGUAGE,
    FORMAT,
    LATENCY,
    COST,
    PYTHON,
    HTTP,
    JUDGE,
    HUMAN,
)
_BY_NAME: Mapping[str, Grader] = {one.name: one for one in _PLAIN}
SHELF: Mapping[str, Grader] = MappingProxyType({**_BY_NAME, "calibration": calibration(_BY_NAME)})


def faults(expectation: Expectation) -> Iterator[Fault]:
    """What is wrong with an expectation: (place inside it, what is wrong and how to mend it); nothing when it is good."""
    if expectation.bar is not None and not 0 <= expectation.bar <= 1:
        yield "bar", "a bar is from 0 to 1"
    if not (math.isfinite(expectation.weight) and expectation.weight >= 0):
        yield "weight", "a weight is a finite number, zero or more"
    grader = SHELF.get(expectation.grader)
    if grader is None:
        yield "grader", _unknown(expectation.grader)
        return
    for place, said in grader.faults(expectation.params):
        yield f"params.{place}".rstrip("."), said


def edition(expectation: Expectation, outside: Outside = NOTHING_OUTSIDE) -> str:
    """What a kept grade is good for: the grader's version, and those of what its params lead to."""
    grader = SHELF.get(expectation.grader)
    return "" if grader is None else grader.edition(expectation.params, outside)


def grade(case: Case, expectation: Expectation, answer: Answer, outside: Outside = NOTHING_OUTSIDE) -> Grade:
    """What the grader of an expectation says of an answer, held against the expectation's bar or the grader's own."""
    grader = SHELF.get(expectation.grader)
    if grader is None:
        return Grade(expectation.grader, "", None, None, _unknown(expectation.grader))
    return grader.grade(case, expectation, answer, outside)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SHELF, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(SHELF))}"
    return f"there is no grader {name!r}; {hint}"
