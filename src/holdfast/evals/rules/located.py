"""Texts of suites as plain values that know where they stand: YAML by line and column, JSON Lines by line.

YAML is read with fewer surprises than it allows: what stands without quotes is true, false, null or a number only where
JSON would read it so, and text otherwise (`no`, `12:30`, `2026-01-05`). No aliases, no tags, no name twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

DEEPEST = 60
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, ten times as fast
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)

Mark = tuple[int, int]
"""Line and column, from 1."""


class Located(dict[str, Any]):
    """A mapping from YAML. `marks`: where each of its names stands."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, Mark] = {}


class LocatedList(list[Any]):
    """A list from YAML. `marks`: where each item begins."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[Mark] = []


class Broken(Exception):
    """This is not what it should be. `line` and `column` from 1, None where that is not known."""

    def __init__(self, what: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(what)
        self.what, self.line, self.column = what, line, column


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and how to mend it, and where: the file, line and column as far as known, and the field."""

    file: str
    line: int | None
    column: int | None
    where: str
    what: str

    @property
    def at(self) -> str:
        """`suites/a.yaml:12:5 cases[3].expect[0].bar`, as far as it is known."""
        numbers = "".join(f":{one}" for one in (self.line, self.column) if one is not None)
        return f"{self.file}{numbers} {self.where}".strip()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: what a fault in it says."""

    file: str
    line: int | None = None
    column: int | None = None
    path: str = ""

    def of(self, holder: Any, key: str | int) -> Place:
        """The place of a part of what stands here; where the text has no marks, on the same line."""
        path = f"{self.path}[{key}]" if isinstance(key, int) else f"{self.path}.{key}".lstrip(".")
        marks: Any = getattr(holder, "marks", None)
        if marks is None or (isinstance(key, str) and key not in marks):
            return Place(self.file, self.line, self.column, path)
        line, column = marks[key]
        return Place(self.file, line, column, path)

    def fault(self, what: str) -> Fault:
        """A fault here."""
        return Fault(self.file, self.line, self.column, self.path, what)


def plain(value: Any) -> Any:
    """The value without its places."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def from_yaml(text: bytes) -> Any:
    """What one YAML document says, None where it is empty. Raises Broken."""
    try:
        events = yaml.parse(text.decode("utf-8-sig"), _PARSER)
        found: Any = _Builder(events).document()
    except UnicodeDecodeError:
        raise Broken("this is not UTF-8 text; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(one for one in (error.context, error.problem) if one)
        at = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
        raise Broken(f"this is not YAML: {said or 'it cannot be read'}", *at) from None
    except yaml.YAMLError:
        raise Broken("this is not YAML: it holds a character that YAML does not allow") from None
    return found


class _Builder:
    """Values from the parser's events, without recursion by the parser and no deeper than DEEPEST."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events

    def document(self) -> Any:
        found = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise _broken(event, "a file holds one document; put the next into a file of its own")
                seen = True
                found = self._value(next(self._events), 0)
        return found

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            raise _broken(event, "aliases (*name) are not read here; write it out, or use defaults")
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise _broken(event, "tags (!name) are not read here; leave it out")
        if depth > DEEPEST:
            raise _broken(event, f"this is nested more than {DEEPEST} deep")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] and event.tag is None else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(depth)
        return self._mapping(depth)

    def _list(self, depth: int) -> LocatedList:
        made = LocatedList()
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            made.marks.append(_mark(event))
            made.append(self._value(event, depth + 1))
        return made

    def _mapping(self, depth: int) -> Located:
        made = Located()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _broken(event, "names are text; a text that begins with {{ or [ is put in quotes")
            name = str(event.value)
            if name in made:
                raise _broken(event, f"{name[:100]!r} comes twice in one mapping; leave one out")
            if name == "<<" and event.implicit[0]:
                raise _broken(event, "merging (<<) is not read here; write it out, or use defaults")
            made.marks[name] = _mark(event)
            made[name] = self._value(next(self._events), depth + 1)
        return made


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _broken(event: Any, what: str) -> Broken:
    return Broken(what, *_mark(event))


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-0123456789":
        return text
    if _WHOLE.fullmatch(text) and len(text) <= 20:
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def from_lines(text: bytes, broken: Callable[[Broken], None]) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line of JSON Lines; empty lines are passed over, `broken` is told of bad ones."""
    for number, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, from_json(line)
        except Broken as error:
            broken(Broken(error.what, number, error.column))


def from_json(text: bytes | str) -> Any:
    """What a JSON text says; no name twice, no NaN. Raises Broken."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise Broken(f"this is not JSON: {error.msg}", error.lineno, error.colno) from None
    except UnicodeDecodeError:
        raise Broken("this is not UTF-8 text; save it as UTF-8") from None
    except RecursionError:
        raise Broken("this is nested too deep") from None
    except ValueError:  # a number of thousands of digits
        raise Broken("this is not JSON that can be read: a number is too long") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Broken(f"{twice[:100]!r} comes twice in one mapping; leave one out")
    return made


def _constant(text: str) -> Any:
    raise Broken(f"JSON has no {text}; a number is finite")
