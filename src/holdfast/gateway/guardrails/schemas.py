"""Whether an answer is JSON of a stated form: the part of JSON Schema (2020-12) that structured outputs use.

A keyword that is not known here is refused when it is configured, never passed over. Patterns are RE2's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from holdfast.gateway.guardrails.judging import Finding
from holdfast.gateway.guardrails.patterns import compiled
from holdfast.kernel.errors import Invalid

_MOST_STEPS = 100_000
"""Comparisons of one answer: a schema that refers to itself must not take for ever."""
_NOTES = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
        "format",
    }
)
"""Keywords that say nothing about what is valid, or (format) are only notes by the standard."""
_TYPES: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "string": lambda value: isinstance(value, str),
        "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "integer": lambda value: (
            (isinstance(value, int) and not isinstance(value, bool))
            or (isinstance(value, float) and value.is_integer())
        ),
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
    }
)
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_SINGLE = frozenset({"items", "additionalProperties", "not"})


class TooDeep(ValueError):
    """An answer took more comparisons than there are to be spent on one."""


class Schema:
    """Judges whole answers: JSON that fits, or not."""

    __slots__ = ("_patterns", "_schema")

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._patterns: dict[str, Any] = {}
        self._read(schema, "schema")

    def find(self, text: str, said: int) -> list[Finding]:
        """That it does not fit. Raises TooDeep."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return [Finding(0, 0, "json")]
        fits = self._fits(value, self._schema, [_MOST_STEPS])
        return [] if fits else [Finding(0, 0, "schema")]

    def _read(self, schema: Any, where: str) -> None:
        """Raises Invalid for what is no schema, or not known here."""
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            raise Invalid("a schema is an object, true or false", where=where)
        for word, value in schema.items():
            self._word(word, value, f"{where}.{word}")

    def _word(self, word: str, value: Any, where: str) -> None:
        if word in ("$defs", "definitions", "properties"):
            if not isinstance(value, Mapping):
                raise Invalid("this is a mapping: name to schema", where=where)
            for name, inner in value.items():
                self._read(inner, f"{where}.{name}")
        elif word in _LISTS:
            if not isinstance(value, list | tuple) or not value:
                raise Invalid("this is a list of schemas", where=where)
            for index, inner in enumerate(value):
                self._read(inner, f"{where}[{index}]")
        elif word in _SINGLE:
            self._read(value, where)
        elif word == "pattern":
            self._patterns[value] = compiled(value if isinstance(value, str) else "", where)
        elif word == "$ref":
            if self._target(value) is None:
                raise Invalid("this refers to nothing; write #/$defs/NAME", where=where)
        elif fault := _fault(word, value):
            raise Invalid(fault, where=where)

    def _target(self, reference: Any) -> Any:
        """What a reference inside the schema leads to; None where it leads nowhere."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        found: Any = self._schema
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _fits(self, value: Any, schema: Any, left: list[int]) -> bool:
        if isinstance(schema, bool):
            return schema
        left[0] -= 1 + (len(value) if isinstance(value, dict | list) else 0)
        if left[0] < 0:
            raise TooDeep
        try:
            return all(self._holds(value, word, said, schema, left) for word, said in schema.items())
        except RecursionError:
            raise TooDeep from None

    def _holds(self, value: Any, word: str, said: Any, schema: Mapping[str, Any], left: list[int]) -> bool:
        if word == "type":
            return any(_TYPES[one](value) for one in ([said] if isinstance(said, str) else said))
        if word == "enum":
            return any(_same(value, one) for one in said)
        if word == "const":
            return _same(value, said)
        if word == "$ref":
            return self._fits(value, self._target(said), left)
        if word == "not":
            return not self._fits(value, said, left)
        if word in _LISTS:
            fits = (self._fits(value, one, left) for one in said)
            return all(fits) if word == "allOf" else any(fits) if word == "anyOf" else sum(fits) == 1
        if isinstance(value, dict):
            return self._object(value, word, said, schema, left)
        if isinstance(value, list):
            if word == "items":
                return all(self._fits(one, said, left) for one in value)
            return _counted(len(value), word, said, "Items")
        if isinstance(value, str):
            if word == "pattern":
                return self._patterns[said].search(value.encode("utf-8", "replace")) is not None
            return _counted(len(value), word, said, "Length")
        return word not in _BOUNDS or not _TYPES["number"](value) or _within(value, word, said)

    def _object(
        self, value: dict[str, Any], word: str, said: Any, schema: Mapping[str, Any], left: list[int]
    ) -> bool:
        if word == "properties":
            return all(self._fits(value[name], inner, left) for name, inner in said.items() if name in value)
        if word == "required":
            return all(name in value for name in said)
        if word == "additionalProperties":
            known = schema.get("properties", {})
            return all(self._fits(inner, said, left) for name, inner in value.items() if name not in known)
        return _counted(len(value), word, said, "Properties")


def _fault(word: str, value: Any) -> str:
    """What is wrong with a keyword that holds no schema; empty where nothing is."""
    listed = isinstance(value, list | tuple)
    if word == "type":
        kinds = value if listed else [value]
        known = kinds and all(isinstance(one, str) and one in _TYPES for one in kinds)
        return "" if known else f"a type is of {', '.join(_TYPES)}"
    if word == "required":
        return "" if listed and all(isinstance(one, str) for one in value) else "this is a list of names"
    if word == "enum":
        return "" if listed else "this is a list of values"
    if word in _COUNTS or word in _BOUNDS:
        return "" if _TYPES["integer" if word in _COUNTS else "number"](value) else "this is a number"
    known = word in _NOTES or word == "const"
    return "" if known else "this keyword of JSON Schema is not known here; leave it out"


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)


def _counted(count: int, word: str, said: Any, of: str) -> bool:
    if word == "min" + of:
        return bool(count >= said)
    return word != "max" + of or bool(count <= said)


def _within(value: float, word: str, said: Any) -> bool:
    if word == "minimum":
        return bool(value >= said)
    if word == "maximum":
        return bool(value <= said)
    return bool(value > said) if word == "exclusiveMinimum" else bool(value < said)


def schema(written: Mapping[str, Any]) -> Schema:
    """A judge of form. Raises Invalid with the place in the schema."""
    if not written:
        raise Invalid("give the JSON schema that an answer must fit", where="schema")
    try:
        return Schema(written)
    except RecursionError:
        raise Invalid("this is nested too deeply", where="schema") from None
