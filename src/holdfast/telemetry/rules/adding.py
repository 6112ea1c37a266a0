"""Figures add up: those of two groups of calls give those of both, however often and in whatever order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Figures = Mapping[str, Any]
"""By name: a sum, or counts or amounts by key."""
Key = tuple[int | None, tuple[str, ...]]
"""The start of a step (Unix seconds; None without steps), and the value of each dimension."""


def plus(one: Figures, other: Figures) -> Figures:
    """The figures of both; neither is changed."""
    made = dict(one)
    for name, value in other.items():
        held = made.get(name)
        if not held:
            made[name] = value
        elif isinstance(held, dict):
            made[name] = {**held, **{key: held.get(key, 0) + count for key, count in value.items()}}
        else:
            made[name] = held + value
    return made


def added(parts: Iterable[tuple[Key, Figures]]) -> dict[Key, Figures]:
    """Figures by step and group, added up where a step and group comes more than once."""
    made: dict[Key, Figures] = {}
    for key, figures in parts:
        held = made.get(key)
        made[key] = figures if held is None else plus(held, figures)
    return made
