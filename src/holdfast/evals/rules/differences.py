"""What differs between two versions of a suite: case by case, field by field, texts word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

import msgspec

from holdfast.evals.model import Case, Suite
from holdfast.evals.rules.cases import called

MOST_WORDS = 4000
"""Words of a text up to which it is compared by words; a longer one differs as a whole."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


class What(StrEnum):
    """What became of a case."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


_SIGNS = {What.ADDED: "+", What.REMOVED: "-", What.CHANGED: "~"}


class Kind(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that stayed, went or came."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs; None where it is absent. `pieces`: of two texts, in reading order."""

    field: str
    before: Any
    after: Any
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case that differs. `fields` of a changed one; of a holdout that may not be read, none."""

    id: str
    what: What
    fields: tuple[FieldChange, ...] = ()
    holdout: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs. `suite`: bars, description, system, route; `same`: how many cases do not differ."""

    suite: tuple[FieldChange, ...]
    cases: tuple[CaseChange, ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.suite or self.cases)

    def count(self, what: What) -> int:
        """How many cases were added, removed or changed."""
        return sum(one.what is what for one in self.cases)

    def lines(self) -> Iterator[str]:
        """All of it for people to read, a line for each field."""
        for field in self.suite:
            yield f"{field.field}: {told(field)}"
        for case in self.cases:
            yield f"{_SIGNS[case.what]} {case.id}{' (holdout)' if case.holdout else ''}"
            for field in case.fields:
                yield f"    {field.field}: {told(field)}"


def difference(before: Suite | None, after: Suite | None, *, holdouts: bool = True) -> Difference:
    """What differs; None stands for no suite. Without `holdouts`, of a holdout case only that it differs."""
    old = {one.id: one for one in before.cases} if before else {}
    new = {one.id: one for one in after.cases} if after else {}
    cases = []
    for name in [*new, *(name for name in old if name not in new)]:
        change = _case(name, old.get(name), new.get(name), holdouts)
        if change is not None:
            cases.append(change)
    return Difference(tuple(_fields(_head(before), _head(after))), tuple(cases), len(old | new) - len(cases))


def _case(name: str, before: Case | None, after: Case | None, holdouts: bool) -> CaseChange | None:
    hidden = any(one is not None and one.holdout for one in (before, after))
    if before is None or after is None:
        return CaseChange(name, What.ADDED if before is None else What.REMOVED, (), hidden)
    if before == after and before.hash == after.hash:  # the hash tells true from 1
        return None
    fields = () if hidden and not holdouts else tuple(_fields(_flat(before), _flat(after)))
    differs = (
        fields or before.hash != after.hash or (hidden and not holdouts)
    )  # a key may hold the dot of a path
    return CaseChange(name, What.CHANGED, fields, hidden) if differs else None


def _head(suite: Suite | None) -> dict[str, Any]:
    if suite is None:
        return {}
    said = {"description": suite.description, "system": suite.system, "route": suite.route}
    said |= {f"bars.{name}": value for name, value in asdict(suite.bars).items()}
    return {name: value for name, value in said.items() if value not in ("", None, ())}


def _flat(case: Case) -> dict[str, Any]:
    """Path → value of every leaf. Expectations stand under their names, not their places."""
    said = msgspec.to_builtins(case)
    for name in ("id", "hash"):
        del said[name]
    said["expect"] = {
        called(one): written for one, written in zip(case.expectations, said.pop("expectations"), strict=True)
    }
    return dict(_leaves("", said))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, one in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), one)
    elif isinstance(value, list | tuple) and value:
        for index, one in enumerate(value):
            yield from _leaves(f"{path}[{index}]", one)
    elif value not in ("", None, {}, [], ()):
        yield path, value


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old != new or isinstance(old, bool) != isinstance(new, bool):
            texts = isinstance(old, str) and isinstance(new, str)
            yield FieldChange(name, old, new, pieces(str(old), str(new)) if texts else ())


def pieces(before: str, after: str) -> tuple[Piece, ...]:
    """One text beside another, word by word."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) > MOST_WORDS or len(new) > MOST_WORDS:
        return tuple(one for one in (Piece(Kind.REMOVED, before), Piece(Kind.ADDED, after)) if one.text)
    made: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            made.append(Piece(Kind.SAME, "".join(old[a:b])))
            continue
        if b > a:
            made.append(Piece(Kind.REMOVED, "".join(old[a:b])))
        if d > c:
            made.append(Piece(Kind.ADDED, "".join(new[c:d])))
    return tuple(made)


def told(change: FieldChange, context: int = 40) -> str:
    """A change on one line: `[-old-]{+new+}`, with so many characters of what stayed on either side of it."""
    if not change.pieces:
        return f"{_shown(change.before)} → {_shown(change.after)}"
    said = []
    for index, one in enumerate(change.pieces):
        text = one.text.replace("\n", "⏎")
        if one.kind is Kind.REMOVED:
            said.append(f"[-{text}-]")
        elif one.kind is Kind.ADDED:
            said.append(f"{{+{text}+}}")
        else:
            said.append(_shortened(text, context, index == 0, index == len(change.pieces) - 1))
    return "".join(said)


def _shortened(text: str, context: int, first: bool, last: bool) -> str:
    if len(text) <= 2 * context:
        return text
    head, tail = ("" if first else text[:context]), ("" if last else text[-context:])
    return f"{head}…{tail}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = text.replace("\n", "⏎")
    return text if len(text) <= 80 else f"{text[:79]}…"
