"""Graders of what the text says, letter by letter: exact, normalised, contains, regex."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside, Reads, empty_list, one_or_several
from holdfast.evals.model import Answer, Case

LONGEST_PATTERN = 10_000
_MEMORY = 8 << 20
"""Bytes that one pattern may take, compiled and while it searches."""
_SIGN = re.compile(r"(?<![^\W_])[-−‐‑–](?=\d)")
_IN_NUMBER = re.compile(r"(?<=\d)([.,:])(?=\d)")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_MINUS, _POINT, _COMMA, _COLON = "\ue000", "\ue001", "\ue002", "\ue003"
_KEPT = {".": _POINT, ",": _COMMA, ":": _COLON}
_BACK = str.maketrans({_MINUS: "-", _POINT: ".", _COMMA: ",", _COLON: ":"})


def normalise(text: str, articles: bool = False) -> str:
    """The text in NFKC, casefolded, without punctuation, with single spaces.

    A sign before a number and marks inside one stay, and so do symbols: `-3.5 %` is neither `3.5` nor `35`. With
    `articles`, the English articles are left out as well.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = _IN_NUMBER.sub(lambda mark: _KEPT[mark[1]], _SIGN.sub(_MINUS, text))
    text = "".join(map(_plain, text)).translate(_BACK)
    if articles:
        text = _ARTICLES.sub(" ", text)
    return " ".join(text.split())


@lru_cache(maxsize=10_000)
def _plain(character: str) -> str:
    """A character as it counts: none where it is invisible or an apostrophe, a space where it is punctuation."""
    category = unicodedata.category(character)
    if category == "Cf" or character in "'’‘`´":
        return ""
    if category == "Po" and character in "%‰":
        return character
    return " " if category[0] == "P" else character


class _Exact(msgspec.Struct, forbid_unknown_fields=True):
    expected: str | list[str]


def _exact(_: Case, params: _Exact, answer: Answer, __: Outside) -> Finding:
    if answer.text in one_or_several(params.expected):
        return Finding(1.0)
    return Finding(0.0, "the text is another" if answer.text else "the text is empty")


class _Normalised(msgspec.Struct, forbid_unknown_fields=True):
    expected: str | list[str]
    articles: bool = False


def _normalised(_: Case, params: _Normalised, answer: Answer, __: Outside) -> Finding:
    got = normalise(answer.text, params.articles)
    if any(got == normalise(one, params.articles) for one in one_or_several(params.expected)):
        return Finding(1.0)
    return Finding(0.0, "the text is another" if got else "the text is empty")


class _Contains(msgspec.Struct, forbid_unknown_fields=True):
    all: list[str] = []
    any: list[str] = []
    none: list[str] = []
    normalised: bool = True
    words: bool = False
    """Whether what is looked for must be whole words."""


def _contains_faults(params: _Contains) -> Iterator[Fault]:
    if not (params.all or params.any or params.none):
        yield "", "say what to look for in all, any or none"
    for name in ("all", "any", "none"):
        for index, one in enumerate(getattr(params, name)):
            if not (normalise(one) if params.normalised else one):
                yield (
                    f"{name}[{index}]",
                    "nothing is left to look for; for marks alone, set normalised to false",
                )


def _contains(_: Case, params: _Contains, answer: Answer, __: Outside) -> Finding:
    text = normalise(answer.text) if params.normalised else answer.text

    def found(one: str) -> bool:
        wanted = normalise(one) if params.normalised else one
        if not params.words:
            return wanted in text
        return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) is not None

    missing = [one for one in params.all if not found(one)]
    forbidden = [one for one in params.none if found(one)]
    without = bool(params.any) and not any(map(found, params.any))
    if answer.truncated and not forbidden and (missing or without or params.none):
        return Finding(None, "the answer is cut off; what is looked for may come later")
    asked = len(params.all) + len(params.none) + bool(params.any)
    said = [f"{one!r} is missing" for one in missing] + [f"{one!r} is there" for one in forbidden]
    if without:
        said.append(f"none of {', '.join(map(repr, params.any))} is there")
    score = 1 - len(said) / asked
    details = {"missing": missing, "forbidden": forbidden} if said else {}
    return Finding(score, "; ".join(said)[:500], details)


class _Regex(msgspec.Struct, forbid_unknown_fields=True):
    pattern: str
    expected: bool = True
    """Whether it is to match, or is not to."""
    full: bool = False
    """Whether it is to match the whole text."""


@lru_cache(maxsize=1000)
def compiled(pattern: str) -> Any:
    """A pattern of RE2 that matches UTF-8. Raises ValueError with what is wrong with it."""
    import re2

    if not pattern or len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has from 1 to {LONGEST_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else "unreadable"
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(
            f"this is no pattern in RE2's syntax, which has no look-around and no back-references: {words[:200]}"
        ) from None
    except UnicodeEncodeError:
        raise ValueError("a pattern is well-formed Unicode") from None


def pattern_faults(place: str, pattern: str) -> Iterator[Fault]:
    """What is wrong with a pattern."""
    try:
        compiled(pattern)
    except ValueError as error:
        yield place, str(error)


def _regex(_: Case, params: _Regex, answer: Answer, __: Outside) -> Finding:
    pattern = compiled(params.pattern)
    raw = answer.text.encode("utf-8", "replace")
    match = pattern.fullmatch(raw) if params.full else pattern.search(raw)
    if (match is not None) == params.expected:
        return Finding(1.0)
    if match is None:
        return Finding(0.0, "the pattern does not match")
    words = match.group().decode("utf-8", "replace")[:200]
    return Finding(0.0, "the pattern matches", {"match": words})


EXACT = Made("exact", "1", _Exact, _exact, lambda params: empty_list("expected", params.expected))
NORMALISED = Made(
    "normalised", "1", _Normalised, _normalised, lambda params: empty_list("expected", params.expected)
)
CONTAINS = Made("contains", "1", _Contains, _contains, _contains_faults, reads=Reads.PART)
REGEX = Made("regex", "1", _Regex, _regex, lambda params: pattern_faults("pattern", params.pattern))
