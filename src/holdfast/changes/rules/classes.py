"""The class of a change, worked out from what differs between two releases, each part of it with its reason.

What no rule here knows is major: "cannot tell" is never minor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from holdfast.changes.model import ChangeClass
from holdfast.changes.rules import weakening
from holdfast.changes.rules.edited import edits, unseen
from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Difference, Kind, PartDifference, ValueChange, What

_MINOR, _MODERATE, _MAJOR = ChangeClass.MINOR, ChangeClass.MODERATE, ChangeClass.MAJOR
_ORDER = tuple(ChangeClass)
_SERVING = frozenset({"retries", "cache_seconds", "cache_tools", "continue_on_fallback", "hedge_seconds"})
"""Members of a release's body that say how it is served, not what answers."""
_NOTES = frozenset({"comment", "description"})
"""Members of a prompt that no model is sent."""
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Ranges:
    """Parameter → the least and the most that a policy lets it be set to. Raises Invalid where these are no range."""

    parameters: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (least, most) in self.parameters.items():
            if not least <= most:
                raise Invalid("a range is written least first, both numbers", where=f"parameters.{name}")

    def hold(self, name: str, value: Any) -> bool:
        """Whether a value lies within the range of a parameter that has one."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return (
            number
            and name in self.parameters
            and self.parameters[name][0] <= value <= self.parameters[name][1]
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """What makes a change as large as `change_class`. `where` is the kind of component (or `release`) and a path in it."""

    change_class: ChangeClass
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Classed:
    """The class of a change: the highest of its reasons, which stand highest first and are never none."""

    change_class: ChangeClass
    reasons: tuple[Reason, ...]


def classify(difference: Difference, ranges: Ranges) -> Classed:
    """The class of a change. Raises Invalid where nothing changes."""
    found = list(_reasons(difference, ranges))
    if not found:
        raise Invalid("nothing changes: both releases say the same", where="release")
    found.sort(key=lambda one: -_ORDER.index(one.change_class))
    return Classed(found[0].change_class, tuple(found))


def in_force(computed: ChangeClass, declared: ChangeClass | None, lowered_because: str = "") -> ChangeClass:
    """The class that counts: as computed, or as a person declares it. Raises Invalid.

    Everybody may raise it; to lower it takes a reason, which the caller records. Emergency is only ever declared.
    """
    if declared is None:
        return computed
    if _ORDER.index(declared) < _ORDER.index(computed) and not lowered_because.strip():
        raise Invalid(
            f"this change is {computed} by its difference; to call it {declared}, say why",
            where="lowered_because",
        )
    return declared


def _reasons(difference: Difference, ranges: Ranges) -> Iterator[Reason]:
    if difference.first:
        yield Reason(_MAJOR, "release", "the first release: there is none to hold it against")
        return
    for change in difference.body:
        name = change.path.split("/")[1] if "/" in change.path else ""
        if name in _SERVING and change.path == f"/{name}":
            yield Reason(_MODERATE, f"release{change.path}", _told(change))
        else:
            yield Reason(_MAJOR, f"release{change.path}", f"{_told(change)}; no rule knows this")
    for part in difference.parts:
        found = list(_part(part, ranges))
        yield from found or [Reason(_MAJOR, part.kind.value, "changed in a way that no rule knows")]


def _part(part: PartDifference, ranges: Ranges) -> Iterator[Reason]:
    where = part.kind.value
    for change in part.changes:
        for change_class, what in _unseen(change):
            yield Reason(change_class, f"{where}{change.path}", what)
    if part.kind is Kind.PROMPT:
        yield from _prompt(part)
    elif part.kind is Kind.MODEL:
        for change in part.changes:
            yield _model(change, ranges)
    elif part.kind is Kind.GUARDRAILS:
        yield from (
            Reason(one, f"{where}{path}", what) for one, path, what in weakening.judged(part.old, part.new)
        )
    else:
        yield from _whole(part)


def _whole(part: PartDifference) -> Iterator[Reason]:
    """Tools, retrieval, and whatever comes to be known: all of it is structure."""
    if part.old is None or part.new is None:
        yield Reason(_MAJOR, part.kind.value, f"{part.kind} {'added' if part.old is None else 'removed'}")
    for change in part.changes:
        yield Reason(_MAJOR, f"{part.kind}{change.path}", _told(change))


def _unseen(change: ValueChange) -> Iterator[tuple[ChangeClass, str]]:
    """What somebody who reads a changed value would not see."""
    old, new = "\n".join(_texts(change.old)), "\n".join(_texts(change.new))
    yield from unseen(old, new)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _model(change: ValueChange, ranges: Ranges) -> Reason:
    where = f"{Kind.MODEL}{change.path}"
    parts = change.path.split("/")
    if len(parts) == 3 and parts[1] == "parameters":
        if change.what is not What.REMOVED and ranges.hold(parts[2], change.new):
            return Reason(_MODERATE, where, f"{_told(change)}; within the policy's range")
        known = parts[2] in ranges.parameters
        return Reason(
            _MAJOR, where, f"{_told(change)}; {'not within' if known else 'without'} a range of the policy"
        )
    return Reason(
        _MAJOR, where, f"{_told(change)}: which models answer" if parts[1:2] == ["chain"] else _told(change)
    )


def _prompt(part: PartDifference) -> Iterator[Reason]:
    old, new = part.old, part.new
    if old is None or new is None:
        yield Reason(_MAJOR, Kind.PROMPT.value, "prompt added" if old is None else "prompt removed")
        return
    for name in sorted({*old, *new}):
        if name == "messages":
            yield from _messages(old.get(name), new.get(name))
    for change in part.changes:
        name = change.path.split("/")[1] if change.path else ""
        where = f"{Kind.PROMPT}{change.path}"
        if name == "messages":
            continue
        if name in _NOTES:
            yield Reason(_MINOR, where, "a note that no model is sent")
        elif name == "examples":
            yield from _example(change, where)
        elif name == "variables" and change.path.split("/")[3:4] == ["default"]:
            yield Reason(_MODERATE, where, f"what stands where none is given: {_told(change)}")
        else:
            yield Reason(_MAJOR, where, _told(change))


def _example(change: ValueChange, where: str) -> Iterator[Reason]:
    if isinstance(change.old, str) and isinstance(change.new, str):
        yield from (Reason(one, where, what) for one, what in edits(change.old, change.new))
    else:
        yield Reason(_MODERATE, where, _told(change))


def _messages(old: Any, new: Any) -> Iterator[Reason]:
    where = f"{Kind.PROMPT}/messages"
    if not (_are_messages(old) and _are_messages(new)):
        if old != new:
            yield Reason(_MAJOR, where, "these messages are not of a form that can be judged")
        return
    roles = [[one["role"] for one in some] for some in (old, new)]
    if roles[0] != roles[1]:
        said = f"{', '.join(roles[1]) or 'none'} where they were {', '.join(roles[0]) or 'none'}"
        yield Reason(_MAJOR, where, f"messages added, removed or given to others: {said}"[:LONGEST_REASON])
        return
    if _moved(old, new):
        yield Reason(_MAJOR, where, "messages stand in another order")
    for place, (one, other) in enumerate(zip(old, new, strict=True)):
        yield from _edited(one, other, f"{where}/{place}")


def _are_messages(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(one, Mapping) and isinstance(one.get("role"), str) for one in value
    )


def _moved(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a message that changed is more like another one of the old than like the one in its place."""
    words = [Counter(" ".join(_texts(one.get("content"))).split()) for one in old]
    for place, one in enumerate(new):
        said = Counter(" ".join(_texts(one.get("content"))).split())
        if said == words[place]:
            continue
        alike = [_alike(said, other) for other in words]
        if max(alike) > max(alike[place], 0.5):
            return True
    return False


def _alike(one: Counter[str], other: Counter[str]) -> float:
    """How much of both they share, from 0 to 1."""
    return (one & other).total() / max((one | other).total(), 1)


def _edited(old: Any, new: Any, where: str) -> Iterator[Reason]:
    """A message, or something in it: texts are judged by their words, all else is structure."""
    if isinstance(old, str) and isinstance(new, str) and where.rsplit("/", 1)[1] in ("content", "text"):
        yield from (Reason(one, where, what) for one, what in edits(old, new))
    elif isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys():
        for name in old:
            yield from _edited(old[name], new[name], f"{where}/{name}")
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _edited(one, other, f"{where}/{place}")
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Reason(_MAJOR, where, "the form of a message")


def _told(change: ValueChange) -> str:
    if change.what is What.ADDED:
        return f"added {_shown(change.new)}"
    if change.what is What.REMOVED:
        return f"removed {_shown(change.old)}"
    return f"{_shown(change.new)} where it was {_shown(change.old)}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
