"""Two JSON values beside each other: every value that was added, removed or changed, with its path.

A path is a JSON pointer (RFC 6901), save that an entry of a list stands under its name where all entries of both lists have
one: `/tools/look_up/function/description`. Such lists are matched by name, others from both ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast.registry.model import ValueChange, What
from holdfast.registry.rules.naming import canonical

DEEPEST = 50
"""Levels below which values are compared whole."""


def changes(old: Any, new: Any, path: str = "") -> tuple[ValueChange, ...]:
    """All that differs: members of objects by name, entries of lists as the new list has them, then those that are gone.

    Numbers are compared as JSON does: 1 is 1.0, and no number is true. Raises Invalid for what JSON cannot hold.
    """
    return tuple(_changes(old, new, path, DEEPEST))


def same(old: Any, new: Any) -> bool:
    """Whether both are the same JSON."""
    return canonical(old) == canonical(new)


def _changes(old: Any, new: Any, path: str, depth: int) -> Iterator[ValueChange]:
    if same(old, new):
        return
    if depth and isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _members(old, new, path, depth - 1)
    elif depth and _is_list(old) and _is_list(new):
        names = _names(old), _names(new)
        if names[0] is not None and names[1] is not None:
            yield from _named(
                dict(zip(names[0], old, strict=True)), dict(zip(names[1], new, strict=True)), path, depth - 1
            )
        else:
            yield from _placed(old, new, path, depth - 1)
    else:
        yield ValueChange(path, What.CHANGED, old, new)


def _members(old: Mapping[str, Any], new: Mapping[str, Any], path: str, depth: int) -> Iterator[ValueChange]:
    for name in sorted({*old, *new}):
        at = f"{path}/{_escaped(name)}"
        if name not in new:
            yield ValueChange(at, What.REMOVED, old[name], None)
        elif name not in old:
            yield ValueChange(at, What.ADDED, None, new[name])
        else:
            yield from _changes(old[name], new[name], at, depth)


def _named(old: Mapping[str, Any], new: Mapping[str, Any], path: str, depth: int) -> Iterator[ValueChange]:
    stayed = [name for name in old if name in new]
    order = [name for name in new if name in old]
    if stayed != order:
        yield ValueChange(path, What.CHANGED, stayed, order)
    for name in new:
        at = f"{path}/{_escaped(name)}"
        if name in old:
            yield from _changes(old[name], new[name], at, depth)
        else:
            yield ValueChange(at, What.ADDED, None, new[name])
    for name in old:
        if name not in new:
            yield ValueChange(f"{path}/{_escaped(name)}", What.REMOVED, old[name], None)


def _placed(old: Sequence[Any], new: Sequence[Any], path: str, depth: int) -> Iterator[ValueChange]:
    ours, theirs = [canonical(one) for one in old], [canonical(one) for one in new]
    least = min(len(ours), len(theirs))
    begin = next((i for i in range(least) if ours[i] != theirs[i]), least)
    end = next((i for i in range(least - begin) if ours[-1 - i] != theirs[-1 - i]), least - begin)
    both = range(begin, least - end)
    for place in both:
        yield from _changes(old[place], new[place], f"{path}/{place}", depth)
    for place in range(both.stop, len(new) - end):
        yield ValueChange(f"{path}/{place}", What.ADDED, None, new[place])
    for place in range(both.stop, len(old) - end):
        yield ValueChange(f"{path}/{place}", What.REMOVED, old[place], None)


def _names(value: Sequence[Any]) -> list[str] | None:
    """The names of a list's entries, their own or their functions'; None where one has none, or two have the same."""
    found = []
    for one in value:
        name = one.get("name") if isinstance(one, Mapping) else None
        inner = one.get("function") if isinstance(one, Mapping) else None
        if name is None and isinstance(inner, Mapping):
            name = inner.get("name")
        if not isinstance(name, str):
            return None
        found.append(name)
    return found if len(set(found)) == len(found) else None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
