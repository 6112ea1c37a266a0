"""The grader of choices: which of a few labels the answer settles on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside, one_or_several
from holdfast.evals.graders.texts import normalise
from holdfast.evals.model import Answer, Case


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    expected: str | list[str]
    choices: list[str]


def chosen(text: str, choices: Sequence[str]) -> str | None:
    """The label that a text settles on; None where it names none, or several alike.

    In this order: the text is a label; the last label in brackets, bold or a box, `[Yes]`, `(B)`, `**No**`; the last
    that follows `answer is` or `answer:`; the one that the text begins with; the only one that the text has.
    Single letters count as words only in capitals where the choice is a capital: an article is no answer.
    """
    by_text = {normalise(one): one for one in choices}
    if (whole := by_text.get(normalise(text))) is not None:
        return whole
    enclosed, announced, begun, alone = _patterns(tuple(choices))
    for pattern in (enclosed, announced):
        found = [next(filter(None, match.groups())) for match in pattern.finditer(text)]
        if found:
            return by_text.get(normalise(found[-1]))
    if first := begun.match(text):
        return by_text.get(normalise(first[1]))
    named = {by_text.get(normalise(match[1])) for match in alone.finditer(text)}
    return named.pop() if len(named) == 1 else None


@lru_cache(maxsize=200)
def _patterns(choices: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    spelt = "|".join(_spelt(one) for one in sorted(choices, key=len, reverse=True))
    label = rf"({spelt})"
    return (
        re.compile(
            rf"\[\s*{label}\s*\]|\(\s*{label}\s*\)|\*\*\W{{0,3}}{label}\W{{0,3}}\*\*|\\boxed\{{\s*(?:\\text\{{)?{label}"
        ),
        re.compile(
            rf"(?i:\b(?:answer|option|choice|verdict|label)\b)(?i:\s+is\b)?\s*[:=]?\s*[\"'“‘*_(\[]{{0,3}}{label}(?!\w)"
        ),
        re.compile(rf"\W*{label}(?!\w)(?:\s*[.,:;)\]!\n–—-]|\s*$)"),
        re.compile(
            rf"(?<!\w){label}(?!\w)(?!(?<=\b[AI])\s+(?!is\b|was\b|because\b|would\b|seems\b|and\b|or\b)[a-z])"
        ),
    )


def _spelt(one: str) -> str:
    escaped = r"\s+".join(map(re.escape, one.split()))
    return escaped if len(one.strip()) == 1 else f"(?i:{escaped})"


def _faults(params: _Choice) -> Iterator[Fault]:
    plain = [normalise(one) for one in params.choices]
    if len(params.choices) < 2:
        yield "choices", "list at least two labels"
    if len(set(plain)) < len(plain) or "" in plain:
        yield (
            "choices",
            "each label has letters or digits of its own; case and punctuation do not tell two apart",
        )
    expected = one_or_several(params.expected)
    if not expected:
        yield "expected", "name at least one of the choices"
    for one in expected:
        if normalise(one) not in plain:
            yield "expected", f"{one!r} is none of the choices"


def _look(_: Case, params: _Choice, answer: Answer, __: Outside) -> Finding:
    label = chosen(answer.text, params.choices)
    if label is None:
        return Finding(0.0, "the text settles on none of the choices")
    right = normalise(label) in map(normalise, one_or_several(params.expected))
    return Finding(float(right), "" if right else f"it says {label}", {"chosen": label})


CHOICE = Made("choice", "1", _Choice, _look, _faults)
