"""Assertions of promptfoo as our expectations: those that look at the text, and what keeps each other from converting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from holdfast.evals.rules.located import Broken, from_json, plain

Found = list[dict[str, Any]]


class Unconverted(Exception):
    """This assertion has no counterpart; says why, and what to do."""


JUDGED = "a model judges it, which needs human labels first"
CODE = "it is code; move it into a grader of the kind python or http"
WHY: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("llm-rubric", "g-eval", "model-graded-closedqa", "model-graded-factuality", "factuality"),
                *("answer-relevance", "context-faithfulness", "context-recall", "context-relevance"),
                *("conversation-relevance", "select-best", "max-score", "pi", "moderation", "classifier"),
                *("search-rubric", "agent-rubric", "video-rubric"),
            ),
            JUDGED,
        ),
        **dict.fromkeys(("javascript", "python", "ruby", "webhook"), CODE),
        "assert-set": "only a set without a threshold converts",
        **dict.fromkeys(
            ("perplexity", "perplexity-score"),
            "it needs the model's probabilities, which answers here do not carry",
        ),
    }
)


def expectations(one: Mapping[str, Any], render: Callable[[Any], Any]) -> Found:
    """The expectations that an assertion stands for. Raises Unconverted."""
    kind = str(one.get("type") or "")
    negated = kind.startswith("not-")
    name = kind.removeprefix("not-")
    if one.get("transform") or one.get("contextTransform"):
        raise Unconverted("it transforms the answer first, with code")
    if name == "assert-set":
        return _set(one, render, negated)
    if name in WHY:
        raise Unconverted(WHY[name])
    make = MAKERS.get(name)
    if make is None:
        raise Unconverted("there is no grader for it" if name else "it has no type")
    value = render(plain(one.get("value")))
    if isinstance(value, str) and value.startswith("file://"):
        raise Unconverted(f"its value is in another file, {value[7:][:200]}")
    found = make(value, one.get("threshold"), negated)
    weight = one.get("weight")
    for each in found:
        if isinstance(weight, int | float) and not isinstance(weight, bool) and weight >= 0:
            each["weight"] = weight / len(found)
        if one.get("metric"):
            each["name"] = " ".join(str(render(one["metric"])).split())[:200]
    return found


def _set(one: Mapping[str, Any], render: Callable[[Any], Any], negated: bool) -> Found:
    if one.get("threshold") is not None or negated or not isinstance(one.get("assert"), list):
        raise Unconverted(WHY["assert-set"])
    return [found for each in one["assert"] for found in expectations(each, render)]


def _text(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str) or not value:
        raise Unconverted("its value is no text")
    return value


def _texts(value: Any) -> list[str]:
    """A list, or a text of values parted by commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not value:
        raise Unconverted("its value is no list of texts")
    return [_text(one) for one in value]


def _positive(negated: bool) -> None:
    if negated:
        raise Unconverted("its negation has no counterpart")


def _quoted(text: str) -> str:
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII) if text.isascii() else re.escape(text)


def _regex(pattern: str, negated: bool, **more: Any) -> Found:
    return [{"grader": "regex", "pattern": pattern, **({"expected": False} if negated else {}), **more}]


def _equals(value: Any, _: Any, negated: bool) -> Found:
    if isinstance(value, dict) and value and not negated:
        if any(re.search(r"[.\[\]]", name) for name in value):
            raise Unconverted("its value has names with dots or brackets; write json_fields by hand")
        return [{"grader": "json_fields", "expected": value}]
    if negated:
        return _regex(_quoted(_text(value)), True, full=True)
    return [{"grader": "exact", "expected": _text(value)}]


def _contains(value: Any, _: Any, negated: bool) -> Found:
    return [{"grader": "contains", "none" if negated else "all": [_text(value)], "normalised": False}]


def _icontains(value: Any, _: Any, negated: bool) -> Found:
    return _regex(f"(?i){_quoted(_text(value))}", negated)


def _contains_all(value: Any, _: Any, negated: bool) -> Found:
    _positive(negated)
    return [{"grader": "contains", "all": _texts(value), "normalised": False, "bar": 1}]


def _contains_any(value: Any, _: Any, negated: bool) -> Found:
    return [{"grader": "contains", "none" if negated else "any": _texts(value), "normalised": False}]


def _icontains_all(value: Any, _: Any, negated: bool) -> Found:
    _positive(negated)
    return [found for one in _texts(value) for found in _icontains(one, None, False)]


def _icontains_any(value: Any, _: Any, negated: bool) -> Found:
    return _regex(f"(?i)(?:{'|'.join(map(_quoted, _texts(value)))})", negated)


def _starts_with(value: Any, _: Any, negated: bool) -> Found:
    return _regex(rf"\A{_quoted(_text(value))}", negated)


def _pattern(value: Any, _: Any, negated: bool) -> Found:
    return _regex(_text(value), negated)


def _json(strict: bool) -> Callable[[Any, Any, bool], Found]:
    def make(value: Any, _: Any, negated: bool) -> Found:
        _positive(negated)
        if value in (None, ""):
            if strict:
                return [{"grader": "format", "form": "json"}]
            return [{"grader": "json_schema", "schema": {}}]
        if isinstance(value, str):
            try:
                value = from_json(value)
            except Broken:
                raise Unconverted("its schema is no JSON") from None
        if not isinstance(value, dict):
            raise Unconverted("its schema is no JSON object")
        return [{"grader": "json_schema", "schema": value, **({"strict": True} if strict else {})}]

    return make


def _similar(value: Any, threshold: Any, negated: bool) -> Found:
    _positive(negated)
    texts = value if isinstance(value, list) else [value]
    expected = [_text(one) for one in texts]
    bar = threshold if isinstance(threshold, int | float) else 0.75
    return [{"grader": "similarity", "expected": expected if len(expected) > 1 else expected[0], "bar": bar}]


def _bound(grader: str, param: str) -> Callable[[Any, Any, bool], Found]:
    def make(_: Any, threshold: Any, negated: bool) -> Found:
        _positive(negated)
        if not isinstance(threshold, int | float) or isinstance(threshold, bool):
            raise Unconverted("it has no threshold")
        return [{"grader": grader, param: threshold}]

    return make


def _word_count(value: Any, _: Any, negated: bool) -> Found:
    _positive(negated)
    if isinstance(value, dict):
        words = {
            ours: value[theirs] for ours, theirs in (("least", "min"), ("most", "max")) if theirs in value
        }
    else:
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        words = {"least": number, "most": number}
    return [{"grader": "length", "words": words}]


def _refusal(_: Any, __: Any, negated: bool) -> Found:
    return [{"grader": "refusal", "expected": not negated}]


MAKERS: Mapping[str, Callable[[Any, Any, bool], Found]] = MappingProxyType(
    {
        "equals": _equals,
        "contains": _contains,
        "icontains": _icontains,
        "contains-all": _contains_all,
        "contains-any": _contains_any,
        "icontains-all": _icontains_all,
        "icontains-any": _icontains_any,
        "starts-with": _starts_with,
        "regex": _pattern,
        "is-json": _json(strict=True),
        "contains-json": _json(strict=False),
        "similar": _similar,
        "latency": _bound("latency", "most_ms"),
        "cost": _bound("cost", "most_usd"),
        "word-count": _word_count,
        "is-refusal": _refusal,
    }
)
