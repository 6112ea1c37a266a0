"""Placeholders of managed prompts: `{{name}}`, and `{{name.key.0}}` for a part of a json variable.

Everything else that two braces begin is a stray: it has no meaning here, and a prompt with one is not applied. The
tags of Mustache are known by name, so that who writes one is told what to do instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

PLACEHOLDER = re.compile(r"\{\{\s*+([A-Za-z_][A-Za-z0-9_]*+)((?:\.[A-Za-z0-9_]++)*+)\s*+\}\}")
_SECTION = "let the application choose, and give the text as a variable"
_PARTIAL = "write the text here, or give it as a variable"
_TAGS: Mapping[str, str] = MappingProxyType(
    {
        "#": f"begins a section, and sections are not rendered; {_SECTION}",
        "^": f"begins an inverted section, and sections are not rendered; {_SECTION}",
        "/": f"ends a section, and sections are not rendered; {_SECTION}",
        ">": f"includes a partial, and nothing is included; {_PARTIAL}",
        "<": f"begins a parent, and nothing is inherited; {_PARTIAL}",
        "$": f"begins a block, and nothing is inherited; {_PARTIAL}",
        "*": f"is a dynamic name, and names stand as they are; {_PARTIAL}",
        "!": "begins a comment, and comments are not taken out; remove it",
        "=": "changes the delimiters, and they are always {{ and }}; remove it",
        "&": "asks not to escape, and nothing is escaped; write {{name}}",
        "{": "is one brace too many, and nothing is escaped; write {{name}}, after a space where a { is meant",
    }
)
_EMPTY = "{{}} names no variable; write {{name}}"
_NAME = "{{ is no placeholder; a name is letters, digits and _, not a digit first, with dots before the parts of it"
_LITERAL = "where {{ itself is meant, write {{braces}} and declare braces with the default '{{'"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{name.key.0}}`: the variable's name, the path with its dots (or empty), where it begins in the text."""

    name: str
    path: str
    at: int


@dataclass(frozen=True, slots=True)
class Stray:
    """Braces without a meaning: what they are and how to mend them, where they begin in the text."""

    said: str
    at: int


def scanned(text: str) -> Iterator[Placeholder | Stray]:
    """Everything that `{{` begins in a text, in its order. Takes time in proportion to the text."""
    at = text.find("{{")
    while at >= 0:
        found = PLACEHOLDER.match(text, at)
        if found is not None:
            following = text.find("{{", found.end())
            yield Placeholder(found[1], found[2], at)
        else:
            end = at + 2
            while text.startswith("{", end):
                end += 1
            following = text.find("{{", end)
            yield Stray(_stray(text[at + 2 : following if following >= 0 else len(text)]), at)
        at = following


def position(text: str, at: int) -> str:
    """`line 2, column 7`: counted from 1 within the text, in characters."""
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def _stray(inside: str) -> str:
    """What is wrong with braces, by what follows them up to the next."""
    sign = inside[:1]
    if sign in _TAGS:
        said = f"{{{{{sign} {_TAGS[sign]}"
    elif "}}" not in inside:
        said = "{{ is not closed; write }} behind the name"
    elif not inside.partition("}}")[0].strip():
        said = _EMPTY
    else:
        said = _NAME
    return f"{said}; {_LITERAL}"
