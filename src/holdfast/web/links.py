"""Links that keep their place: a path with its query, and what a click would change in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

CURSORS = ("cursor", "before")
"""Parameters that point into one listing: dropped whenever anything else changes."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Here:
    """Where the reader is: a path and its query parameters, in order, repeated names allowed.

    Printing one gives the address. Every method gives a new one; cursors never survive a change of filter.
    """

    path: str
    pairs: tuple[Pair, ...] = ()

    @classmethod
    def of(cls, path: str, query: str) -> Here:
        """From a request's path and its raw query string; blank values are dropped."""
        return cls(path, tuple(parse_qsl(query)))

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter."""
        return tuple(value for key, value in self.pairs if key == name)

    def has(self, name: str, value: str) -> bool:
        """Whether this very pair is set."""
        return (name, value) in self.pairs

    def set(self, changes: Mapping[str, str | None] | None = None, **more: str | None) -> Here:
        """With these parameters replaced; None or an empty text removes one."""
        wanted = {**(changes or {}), **more}
        kept = self._without({*wanted, *CURSORS})
        return Here(self.path, kept + tuple((name, value) for name, value in wanted.items() if value))

    def toggle(self, name: str, value: str) -> Here:
        """With this pair added, or taken away where it was set: a facet's click."""
        kept = self._without(set(CURSORS))
        if (name, value) in kept:
            return Here(self.path, tuple(pair for pair in kept if pair != (name, value)))
        return Here(self.path, (*kept, (name, value)))

    def without(self, *names: str) -> Here:
        """With these parameters taken away."""
        return Here(self.path, self._without({*names, *CURSORS}))

    def only(self, names: Iterable[str]) -> Here:
        """With nothing but these parameters: what a link to another page carries along."""
        wanted = set(names)
        return Here(self.path, tuple(pair for pair in self.pairs if pair[0] in wanted))

    def at(self, path: str) -> Here:
        """The same query on another path."""
        return Here(path, self.pairs)

    def hidden(self, *names: str) -> tuple[Pair, ...]:
        """The pairs that a GET form must repeat, when the form itself sends `names`."""
        return self._without({*names, *CURSORS})

    def __str__(self) -> str:
        return f"{self.path}?{urlencode(self.pairs)}" if self.pairs else self.path

    def _without(self, names: Collection[str]) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair[0] not in names)
