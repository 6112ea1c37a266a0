"""The template that cases of a suite share: `{{name}}` is replaced by the case's variables, strictly and once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+)*)\s*\}\}")


class Missing(Exception):
    """A variable, or a part of one, that the template uses and the case does not give."""


def texts(value: Any) -> Iterable[str]:
    """Every text in a message or a list of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)


def used(value: Any) -> frozenset[str]:
    """The names of the variables that a template uses."""
    return frozenset(found[1] for text in texts(value) for found in PLACEHOLDER.finditer(text))


def faults(value: Any) -> Iterable[str]:
    """What of a template is no placeholder though it begins like one."""
    for text in texts(value):
        rest = PLACEHOLDER.sub("", text)
        if "{{" in rest:
            broken = rest[rest.index("{{") :][:30]
            yield f"{broken!r} is no placeholder; write {{{{name}}}}, of letters, digits and _, and close it"


def rendered(value: Any, variables: Mapping[str, Any]) -> Any:
    """The template with the variables in place; what a value contains is not rendered again. Raises Missing."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: _text(found[1], found[2], variables), value)
    if isinstance(value, Mapping):
        return {name: rendered(one, variables) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(one, variables) for one in value]
    return value


def _text(name: str, path: str, variables: Mapping[str, Any]) -> str:
    if name not in variables:
        raise Missing(name)
    value: Any = variables[name]
    for step in path.split(".")[1:]:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Missing(name + path)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
