"""The grader of numbers: finds them in running text and compares within a tolerance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Context, Decimal, DecimalException
from typing import Literal

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside
from holdfast.evals.model import Answer, Case

_EXACT = Context(prec=100, Emax=9999, Emin=-9999)
_LONGEST = 60
"""Digits of a number; a longer row of digits is none."""
_HUNDRED = Decimal(100)
_SIZES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_GAP = "'’\u00a0\u202f\u2009"
"""Marks between groups of digits, whatever the decimal mark."""


def _number_pattern(group: str, decimal: str) -> re.Pattern[str]:
    marks = re.escape(group + _GAP)
    return re.compile(
        # a sign is none behind a letter, digit or bracket: 10-5, covid-19, (3)-4
        rf"(?P<sign>(?<![\w)\]])[-+−])?(?<![\w])(?<!\d{re.escape(decimal)})(?P<whole>\d{{1,3}}(?:(?P<mark>[{marks}])\d{{2,3}}"
        rf"(?:(?P=mark)\d{{2,3}})*(?<=\d{{3}}))(?!\d)|\d+)?"
        rf"(?:{re.escape(decimal)}(?P<part>\d+))?(?P<ten>[eE][+-]?\d{{1,3}}(?!\w))?"
        rf"(?:[ \u00a0\u202f]?(?P<percent>%|percent\b|per cent\b)|[ \u00a0](?P<size>thousand|million|billion|trillion)\b)?"
    )


_PATTERNS = {".": _number_pattern(",", "."), ",": _number_pattern(". ", ",")}


def numbers_in(text: str, decimal: str = ".") -> Iterator[tuple[Decimal, ...]]:
    """Each number in a text, in order, as what it can be read as: `12 %` is 12 and 0.12.

    `decimal` is the decimal mark, `.` or `,`; the other one, hard spaces and apostrophes may part
    groups of digits; so may plain spaces where the mark is a comma.
    """
    for match in _PATTERNS[decimal].finditer(text):
        whole, part = match["whole"] or "", match["part"] or ""
        if not (whole or part):
            continue
        digits = "".join(character for character in whole if character.isdigit())
        if len(digits) + len(part) > _LONGEST:
            continue
        value = Decimal(f"{digits or 0}{'.' if part else ''}{part}{match['ten'] or ''}")
        if match["sign"] in ("-", "−"):
            value = value.copy_negate()
        if match["size"]:
            value = value.scaleb(_SIZES[match["size"]], _EXACT)
        yield (value, _EXACT.divide(value, _HUNDRED)) if match["percent"] else (value,)


class _Number(msgspec.Struct, forbid_unknown_fields=True):
    expected: float
    absolute: float = 0.0
    relative: float = 0.0
    which: Literal["last", "first", "any"] = "last"
    decimal: Literal[".", ","] = "."


def close(value: Decimal, expected: Decimal, absolute: Decimal, relative: Decimal) -> bool:
    """Whether a value lies within the larger of both tolerances; `relative` is a share of what is expected."""
    try:
        allowed = max(absolute, _EXACT.multiply(relative, expected.copy_abs()))
        return _EXACT.subtract(value, expected).copy_abs() <= allowed
    except DecimalException:
        return False


def tolerance_faults(absolute: float, relative: float) -> Iterator[Fault]:
    """Tolerances are finite and not below zero."""
    for place, value in (("absolute", absolute), ("relative", relative)):
        if not 0 <= value < float("inf"):
            yield place, "a tolerance is a finite number, zero or more"


def _faults(params: _Number) -> Iterator[Fault]:
    if not abs(params.expected) < float("inf"):
        yield "expected", "this is a finite number"
    yield from tolerance_faults(params.absolute, params.relative)


def _look(_: Case, params: _Number, answer: Answer, __: Outside) -> Finding:
    expected, absolute, relative = (
        Decimal(str(value)) for value in (params.expected, params.absolute, params.relative)
    )
    found = list(numbers_in(answer.text, params.decimal))
    if not found:
        return Finding(0.0, "there is no number in the text")
    looked = found if params.which == "any" else found[-1:] if params.which == "last" else found[:1]
    if any(close(value, expected, absolute, relative) for readings in looked for value in readings):
        return Finding(1.0)
    got = ", ".join(str(readings[0]) for readings in looked[:10])
    return Finding(0.0, f"{got} instead of {params.expected:g}", {"found": got})


NUMBER = Made("number", "1", _Number, _look, _faults)
