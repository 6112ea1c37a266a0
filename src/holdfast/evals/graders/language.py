"""The grader of language: whether the answer is in the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside, Reads, empty_list, one_or_several
from holdfast.evals.model import Answer, Case
from holdfast.text.languages import LANGUAGES, detect


class _Language(msgspec.Struct, forbid_unknown_fields=True):
    expected: str | list[str]
    """ISO 639-1 codes."""


def _faults(params: _Language) -> Iterator[Fault]:
    yield from empty_list("expected", params.expected)
    for one in one_or_several(params.expected):
        if one not in LANGUAGES:
            yield "expected", f"{one!r} cannot be told here; known are {', '.join(sorted(LANGUAGES))}"


def _look(_: Case, params: _Language, answer: Answer, __: Outside) -> Finding:
    if not answer.text.strip():
        return Finding(0.0, "the text is empty")
    language = detect(answer.text)
    if language is None:
        return Finding(None, "the text is too short or too mixed to tell its language")
    right = language in one_or_several(params.expected)
    return Finding(float(right), "" if right else f"the text is in {language}", {"language": language})


LANGUAGE = Made("language", "1", _Language, _look, _faults, reads=Reads.PART)
