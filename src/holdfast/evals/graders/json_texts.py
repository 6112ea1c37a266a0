"""JSON in answers: finding it, comparing it, and the graders json_schema and json_fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside
from holdfast.evals.graders.numbers import close, tolerance_faults
from holdfast.evals.graders.texts import normalise
from holdfast.evals.model import Answer, Case

DEEPEST = 100
"""Levels of lists and objects that are compared."""
_MOST_ERRORS = 10
_FENCE = re.compile(r"```[ \t]*[A-Za-z0-9]*[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,9})\]")


def json_in(text: str, strict: bool = False) -> Any:
    """The JSON that a text is; unless `strict`, also the only one in a code fence, or from first to last bracket.

    Raises ValueError where there is none, or where it is nested more than a hundred levels deep.
    """
    tried = [text]
    if not strict:
        fences = _FENCE.findall(text)
        tried += fences[:1] if len(fences) == 1 else []
        starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
        tried += [text[min(starts) : max(text.rfind("}"), text.rfind("]")) + 1]] if starts else []
    for one in tried:
        try:
            value = msgspec.json.decode(one)
        except (msgspec.DecodeError, UnicodeEncodeError):
            continue
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if _depth(value) > DEEPEST:
            raise ValueError("it is nested too deeply")
        return value
    raise ValueError("the text is no JSON" if strict else "there is no JSON in the text")


def _depth(value: Any) -> int:
    """How many lists and objects lie in one another; looks one level deeper than is allowed."""
    depth, level = 0, [value]
    while depth <= DEEPEST and (holding := [one for one in level if isinstance(one, dict | list)]):
        depth += 1
        level = [inner for one in holding for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


class Likeness(msgspec.Struct, frozen=True):
    """What counts as the same value. Tolerances are for numbers; `plain` compares texts normalised."""

    absolute: Decimal = Decimal(0)
    relative: Decimal = Decimal(0)
    plain: bool = False

    def same(self, value: Any, expected: Any, depth: int = DEEPEST) -> bool:
        """Whether two JSON values are alike. Objects have no order, lists have; true is not 1, "1" is not 1."""
        if depth < 0:
            return False
        if isinstance(expected, Mapping):
            return (
                isinstance(value, Mapping)
                and value.keys() == expected.keys()
                and all(self.same(value[key], inner, depth - 1) for key, inner in expected.items())
            )
        if isinstance(expected, list | tuple):
            return (
                isinstance(value, list | tuple)
                and len(value) == len(expected)
                and all(self.same(*pair, depth - 1) for pair in zip(value, expected, strict=True))
            )
        if isinstance(expected, str) and isinstance(value, str):
            return value == expected or (self.plain and normalise(value) == normalise(expected))
        if _number(expected) and _number(value):
            return close(Decimal(str(value)), Decimal(str(expected)), self.absolute, self.relative)
        return type(value) is type(expected) and bool(value == expected)


def _number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


class _Schema(msgspec.Struct, forbid_unknown_fields=True):
    schema: dict[str, Any]
    strict: bool = False
    """Whether the whole text is to be JSON, without a fence or words around it."""


@lru_cache(maxsize=200)
def _validator(schema: bytes) -> Any:
    """Raises ValueError. Patterns run in linear time, and nothing is fetched."""
    import jsonschema_rs

    options = jsonschema_rs.RegexOptions(size_limit=1 << 20)
    return jsonschema_rs.validator_for(msgspec.json.decode(schema), pattern_options=options, offline=True)


def _written(schema: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(schema, order="deterministic")


def _schema_faults(params: _Schema) -> Iterator[Fault]:
    try:
        _validator(_written(params.schema))
    except (ValueError, RecursionError) as error:
        first = str(error).partition("\n")[0][:300]
        yield "schema", f"this is no JSON Schema that can be used here: {first}"


def _schema(_: Case, params: _Schema, answer: Answer, __: Outside) -> Finding:
    try:
        value = json_in(answer.text, params.strict)
    except ValueError as error:
        return Finding(0.0, str(error))
    found = islice(_validator(_written(params.schema)).iter_errors(value), _MOST_ERRORS)
    errors = [{"at": "/".join(map(str, one.instance_path)), "is": one.message[:200]} for one in found]
    if not errors:
        return Finding(1.0)
    return Finding(0.0, f"at /{errors[0]['at']}: {errors[0]['is']}", {"errors": errors})


class _Fields(msgspec.Struct, forbid_unknown_fields=True):
    expected: dict[str, Any]
    """Path to value: `order.items[0].price`."""
    absolute: float = 0.0
    relative: float = 0.0
    normalised: bool = False
    strict: bool = False


def _steps(path: str) -> list[Any]:
    """A path, taken apart: names and places. Raises ValueError."""
    steps: list[Any] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError("write a path as name.name[0].name")
        steps.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    return steps


def _reached(value: Any, steps: list[Any]) -> Any:
    """What a path leads to. Raises LookupError where it leads nowhere."""
    for step in steps:
        if not isinstance(value, dict if isinstance(step, str) else list):
            raise LookupError(step)
        value = value[step]
    return value


def _fields_faults(params: _Fields) -> Iterator[Fault]:
    if not params.expected:
        yield "expected", "name at least one path with its value"
    for path in params.expected:
        try:
            _steps(path)
        except ValueError as error:
            yield f"expected.{path}", str(error)
    yield from tolerance_faults(params.absolute, params.relative)


def _fields(_: Case, params: _Fields, answer: Answer, __: Outside) -> Finding:
    try:
        value = json_in(answer.text, params.strict)
    except ValueError as error:
        return Finding(0.0, str(error))
    like = Likeness(Decimal(str(params.absolute)), Decimal(str(params.relative)), params.normalised)
    wrong: dict[str, str] = {}
    for path, expected in params.expected.items():
        try:
            if not like.same(_reached(value, _steps(path)), expected):
                wrong[path] = "another value"
        except LookupError:
            wrong[path] = "missing"
    said = "; ".join(f"{path}: {why}" for path, why in wrong.items())[:500]
    return Finding(1 - len(wrong) / len(params.expected), said, {"wrong": wrong} if wrong else {})


JSON_SCHEMA = Made("json_schema", "1", _Schema, _schema, _schema_faults)
JSON_FIELDS = Made("json_fields", "1", _Fields, _fields, _fields_faults)
