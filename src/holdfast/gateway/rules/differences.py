"""What a new configuration changes: names of parts and fields, never their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.gateway.model import Configuration

_NAMED = ("upstreams", "guardrails", "releases", "routes", "keys", "regions")
_LISTED = ("budgets", "limits")


@dataclass(frozen=True, slots=True)
class Change:
    """One part that differs. `what` is added, removed or changed; `fields` are those that changed."""

    where: str
    what: str
    fields: tuple[str, ...] = ()


def changes(before: Configuration, after: Configuration) -> tuple[Change, ...]:
    """Every difference, by part and name."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    found = [one for part in _NAMED for one in _named(part, old.get(part, {}), new.get(part, {}))]
    found += [one for part in _LISTED for one in _listed(part, old.get(part, ()), new.get(part, ()))]
    return tuple(found)


def _named(part: str, old: Any, new: Any) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        where = f"{part}.{name}"
        if name not in old:
            yield Change(where, "added")
        elif name not in new:
            yield Change(where, "removed")
        elif old[name] != new[name]:
            one, other = old[name], new[name]
            fields = ()
            if isinstance(one, dict) and isinstance(other, dict):
                fields = tuple(
                    field for field in sorted({*one, *other}) if one.get(field) != other.get(field)
                )
            yield Change(where, "changed", fields)


def _listed(part: str, old: Any, new: Any) -> Iterator[Change]:
    """Entries have no names: those that are in one of the two alone."""
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    for what, entries in (("removed", gone), ("added", come)):
        for one in entries:
            named = " ".join(str(one[field]) for field in ("scope", "period") if field in one)
            yield Change(f"{part} ({named})", what)
