"""Reading a document that people wrote: every fault of its form, each with its place, or the configuration."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from holdfast.gateway.model import (
    Action,
    Auth,
    Budget,
    Configuration,
    Dialect,
    Guardrail,
    GuardrailKind,
    KeyUse,
    Limit,
    OnFailure,
    Period,
    Release,
    Route,
    Scope,
    Side,
    Upstream,
)

_PLACE = re.compile(r"^(.*) - at `\$(.*)`$", re.DOTALL)
NAMED: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {"upstreams": Upstream, "guardrails": Guardrail, "releases": Release, "routes": Route, "keys": KeyUse}
)
LISTED: Mapping[str, type[msgspec.Struct]] = MappingProxyType({"budgets": Budget, "limits": Limit})
WORDS: Mapping[str, type[StrEnum]] = MappingProxyType(
    {
        "dialect": Dialect,
        "auth": Auth,
        "scope": Scope,
        "period": Period,
        "kind": GuardrailKind,
        "action": Action,
        "at": Side,
        "on_failure": OnFailure,
    }
)
"""Fields that take one of a few words."""
MOST = 50
"""Faults that are told at once."""
EXACT = (1 << 53) - 1
"""The largest whole number that every reader of JSON takes for the same."""
DEEPEST = 64
"""Lists and mappings within one another."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: `routes.chat.variants[0].release`. Never repeats a value that may be a credential."""

    where: str
    what: str


def read(document: Mapping[str, Any]) -> tuple[Configuration | None, list[Fault]]:
    """The configuration, or every fault of its form."""
    if not isinstance(document, Mapping):
        return None, [
            Fault("", "a configuration has the parts " + ", ".join(Configuration.__struct_fields__))
        ]
    faults = list(_faults(document))
    if not faults:
        try:
            return msgspec.convert(document, Configuration), []
        except (msgspec.ValidationError, RecursionError) as error:
            faults = [_fault("", error)]
    return None, faults


def inexact(value: Any, where: str, depth: int = 0) -> Iterator[Fault]:
    """What of a value JSON cannot carry to everybody alike."""
    if depth > DEEPEST:
        yield Fault(where[:200], f"this is nested too deeply: {DEEPEST} lists and mappings at most")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(name, str):
                yield from inexact(inner, f"{where}.{name}", depth + 1)
            else:
                yield Fault(where, "names are text; put the name in quotes")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from inexact(inner, f"{where}[{index}]", depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Fault(where, "a number is finite")
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > EXACT:
            yield Fault(where, "a whole number is below 2^53; write a larger one as text")
    elif value is not None and not isinstance(value, str | bool):
        yield Fault(where, "this is neither text, number, true, false, list nor mapping; put it in quotes")


def _faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    for part, value in document.items():
        if part in NAMED:
            yield from _named(part, value, NAMED[part])
        elif part in LISTED:
            yield from _listed(part, value, LISTED[part])
        elif part != "regions":
            known = ", ".join(Configuration.__struct_fields__)
            yield Fault(str(part)[:100], f"there is no such part; the parts are {known}")


def _named(part: str, value: Any, kind: type[msgspec.Struct]) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(part, "this is a mapping: name to what it is")
        return
    for name, one in value.items():
        if not isinstance(name, str):
            yield Fault(part, "names are text; put the name in quotes")
            continue
        yield from _one(f"{part}.{name}", one, kind)


def _listed(part: str, value: Any, kind: type[msgspec.Struct]) -> Iterator[Fault]:
    if not isinstance(value, list | tuple):
        yield Fault(part, "this is a list")
        return
    for index, one in enumerate(value):
        yield from _one(f"{part}[{index}]", one, kind)


def _one(where: str, value: Any, kind: type[msgspec.Struct]) -> Iterator[Fault]:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        yield _fault(where, error)


def _fault(where: str, error: Exception) -> Fault:
    if isinstance(error, RecursionError):
        return Fault(where, "this is nested too deeply")
    found = _PLACE.match(str(error))
    said, place = (found[1], (where + found[2]).lstrip(".")) if found else (str(error), where)
    if said.startswith("Invalid enum value"):  # it would repeat what is written there
        words = WORDS.get(place.rpartition(".")[2])
        said = f"this is one of {', '.join(words)}" if words else "there is no such word"
    return Fault(place, said[:1].lower() + said[1:])
