"""Managed prompts rendered: `{{name}}` replaced by declared variables, strictly and once.

No code, no escaping, no loops. A missing, unknown or wrongly typed variable is an error; what a value contains is never
rendered again. Of a `json` variable `{{name.key.0}}` takes a part, by keys of objects and places of lists alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from holdfast.gateway.model import Prompt, Variable
from holdfast.gateway.rules.placeholders import PLACEHOLDER
from holdfast.kernel.errors import Invalid

LONGEST = 1 << 20
"""Characters of a rendered prompt: work and memory are bounded by it, the prompt's own length and its longest value."""
PLACES = 9
"""Digits of a place in a list."""
TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "string": (str,),
        "number": (int, float),
        "boolean": (bool,),
        "json": (str, int, float, bool, list, dict),
    }
)


def rendered(prompt: Prompt, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The prompt's messages with the variables in place. Raises Invalid that names the variable."""
    values = _values(prompt.variables, given)
    room = [LONGEST]
    return [
        {name: _in_place(part, values, room) for name, part in message.items()} for message in prompt.messages
    ]


def _values(declared: Mapping[str, Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in declared:
            raise Invalid(f"the prompt declares no variable {name[:100]}", where=f"variables.{name[:100]}")
    values: dict[str, Any] = {}
    for name, variable in declared.items():
        value = given.get(name)
        if value is None:
            if variable.required and variable.default is None:
                raise Invalid(f"the prompt needs the variable {name}", where=f"variables.{name}")
            value = "" if variable.default is None else variable.default
        elif not _is(value, variable.type):
            raise Invalid(f"the variable {name} must be a {variable.type}", where=f"variables.{name}")
        values[name] = value
    return values


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind not in ("boolean", "json"):
        return False
    return isinstance(value, TYPES.get(kind, (str,)))


def _in_place(part: Any, values: Mapping[str, Any], room: list[int]) -> Any:
    if isinstance(part, str):
        pieces, end = [], 0
        for found in PLACEHOLDER.finditer(part):
            pieces.append(_fitting(part[end : found.start()], room))
            pieces.append(_fitting(_text(found[1], found[2], values), room))
            end = found.end()
        pieces.append(_fitting(part[end:], room))
        return "".join(pieces)
    if isinstance(part, Mapping):
        return {name: _in_place(inner, values, room) for name, inner in part.items()}
    if isinstance(part, Sequence):
        return [_in_place(inner, values, room) for inner in part]
    return part


def _fitting(text: str, room: list[int]) -> str:
    room[0] -= len(text)
    if room[0] < 0:
        raise Invalid(f"the rendered prompt is over {LONGEST} characters", where="variables")
    return text


def _text(name: str, path: str, values: Mapping[str, Any]) -> str:
    if name not in values:
        raise Invalid(f"the prompt uses {name}, which it does not declare", where=f"variables.{name}")
    value: Any = values[name]
    for step in path.split(".")[1:]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and len(step) <= PLACES and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Invalid(f"the variable {name} has no {(name + path)[:200]}", where=f"variables.{name}")
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        raise Invalid(f"the variable {name} is nested too deeply", where=f"variables.{name}") from None
