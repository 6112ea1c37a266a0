"""The fields of one written mapping, taken one by one: each of the right kind, or a fault in its place."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from holdfast.evals.rules.located import Fault, Place

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
Word = TypeVar("Word", bound=StrEnum)


class Fields:
    """What a mapping holds. A field that is absent or wrong is its default; whatever is wrong is added to `faults`."""

    def __init__(self, value: Any, place: Place, faults: list[Fault], known: tuple[str, ...]) -> None:
        self.place, self._faults = place, faults
        self.given: dict[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            faults.append(place.fault(f"this is a mapping of {', '.join(known)}"))
        for name in self.given:
            if name not in known:
                self.at(name, unknown(name, known))

    def __contains__(self, name: str) -> bool:
        return self.given.get(name) is not None

    def of(self, name: str) -> Place:
        """The place of a field."""
        return self.place.of(self.given, name)

    def at(self, name: str, what: str) -> None:
        """Adds a fault of a field."""
        self._faults.append(self.of(name).fault(what))

    def text(self, name: str, default: str = "", *, most: int = 200) -> str:
        """A text of at most so many characters."""
        value = self.given.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.at(name, "this is a text; put it in quotes")
            return default
        if len(value) > most:
            self.at(name, f"this has at most {most} characters, not {len(value)}")
            return default
        if not storable(value):
            self.at(name, "this holds a character that is no text: U+0000, or half of a pair; take it out")
            return default
        return value

    def name(self, name: str) -> str:
        """A text of one line without spaces around it; a whole number stands for its digits. Empty where absent."""
        value = self.given.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        found = self.text(name)
        if found and (found != found.strip() or not found.isprintable()):
            self.at(name, "this is one line, without spaces around it")
            return ""
        return found

    def number(self, name: str, default: float | None, low: float, high: float) -> float | None:
        """A finite number between these."""
        value = self.given.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.at(name, "this is a number, without quotes")
            return default
        if not math.isfinite(value) or not low <= value <= high:
            bound = f"{low:g} or more" if high >= 1e9 else f"between {low:g} and {high:g}"
            self.at(name, f"this is {bound}, not {value:g}" if math.isfinite(value) else f"this is {bound}")
            return default
        return float(value)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number between these."""
        found = self.number(name, default, low, high)
        if found is None or found != int(found):
            self.at(name, f"this is a whole number between {low} and {high}")
            return default
        return int(found)

    def flag(self, name: str) -> bool:
        """True or false; false where absent."""
        value = self.given.get(name)
        if value is not None and not isinstance(value, bool):
            self.at(name, "this is true or false, without quotes")
        return value is True

    def date(self, name: str) -> dt.date | None:
        """A day, 2026-01-31."""
        value = self.given.get(name)
        if value is None:
            return None
        try:
            found = dt.date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
        except ValueError:
            found = None
        if found is None or not 1900 <= found.year <= 2200:
            self.at(name, "this is a day of the calendar, written 2026-01-31")
            return None
        return found

    def word(self, name: str, kind: type[Word], default: Word) -> Word:
        """One of a few words."""
        value = self.given.get(name)
        if value is None:
            return default
        if isinstance(value, str) and value in {one.value for one in kind}:
            return kind(value)
        self.at(name, f"this is one of {', '.join(one.value for one in kind)}")
        return default

    def mapping(self, name: str) -> dict[str, Any]:
        """A mapping; empty where absent."""
        value = self.given.get(name)
        if value is not None and not isinstance(value, dict):
            self.at(name, "this is a mapping: name to value")
        return value if isinstance(value, dict) else {}

    def items(self, name: str) -> Iterator[tuple[Any, Place]]:
        """The items of a list, each with its place; none where absent."""
        value = self.given.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            self.at(name, "this is a list")
            return
        place = self.of(name)
        for index, one in enumerate(value):
            yield one, place.of(value, index)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = []
        for one, place in self.items(name):
            if isinstance(one, str) and one:
                found.append(one)
            else:
                self._faults.append(place.fault("this is a text; put it in quotes"))
        return tuple(found)


def storable(text: str) -> bool:
    """Whether every store can hold it."""
    return _UNSTORABLE.search(text) is None


def unknown(name: str, known: tuple[str, ...]) -> str:
    """What is said of a name that is not known."""
    near = get_close_matches(name, known, 1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"there is no {name[:100]!r} here; {meant}"
