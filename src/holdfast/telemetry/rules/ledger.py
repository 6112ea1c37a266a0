"""What has been told to others of the calls: counters that only grow, though calls come late, merge and are erased.

A call store changes its mind; a counter must not. So of every series a ledger holds what was told for the calls that began
within its window. Each turn compares that with what the calls of the window add up to now: where that is more, the
difference is told; where it is less, nothing is told until the calls have made good for it. What was told is thus the
highest sum there ever was, figure by figure, and never less than the truth within the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

Series = tuple[str, ...]
"""The value of each dimension; empty text is unknown."""
Figures = dict[str, Decimal]
"""Figure → sum. Names: `calls`, `tokens:output`, `cost:USD`, `error:timeout`, `latency:<bucket>` and so on."""
Sums = dict[Series, Figures]

OVERFLOW = "__overflow__"
"""Every dimension of the series that takes what has no series of its own."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was told of the calls that began at or after `since`, by series. `more`: whether series overflowed ever."""

    since: datetime
    told: Sums = field(default_factory=dict)
    more: bool = False


def advance(
    ledger: Ledger, truth: Mapping[Series, Figures], most: int, dimensions: int
) -> tuple[Ledger, Sums]:
    """The ledger after a turn, and what is to be told: never below zero, nothing where nothing grew.

    `truth`: the calls of the ledger's window up to now. Of more than `most` series, those that came first keep their own
    for good, those with most calls before others; the rest is added to one series of `dimensions` times OVERFLOW.
    """
    held, more = _bounded(ledger, truth, most, dimensions)
    told, news = dict(ledger.told), Sums()
    for series, figures in held.items():
        before = told.get(series, {})
        grown = {name: value - before.get(name, Decimal(0)) for name, value in figures.items()}
        grown = {name: value for name, value in grown.items() if value > 0}
        if grown:
            news[series] = grown
        told[series] = _plus(before, grown)
    return replace(ledger, told=told, more=more), news


def moved(ledger: Ledger, since: datetime, passed: Mapping[Series, Figures]) -> Ledger:
    """The ledger with a window that begins later; `passed`: the calls that leave it. Series stay known."""
    told: Sums = {}
    overflow = next((series for series in ledger.told if set(series) == {OVERFLOW}), None)
    for series, figures in ledger.told.items():
        told[series] = dict(figures)
    for series, figures in passed.items():
        own = series if series in told else overflow
        if own is not None:
            left = told[own]
            for name, value in figures.items():
                left[name] = max(left.get(name, Decimal(0)) - value, Decimal(0))
    kept = {series: {name: value for name, value in one.items() if value} for series, one in told.items()}
    return replace(ledger, since=since, told=kept)


def added(total: Sums, news: Mapping[Series, Figures]) -> Sums:
    """Sums with what is new."""
    return {**total, **{series: _plus(total.get(series, {}), one) for series, one in news.items()}}


def _plus(one: Figures, other: Figures) -> Figures:
    return {**one, **{name: one.get(name, Decimal(0)) + value for name, value in other.items()}}


def _bounded(
    ledger: Ledger, truth: Mapping[Series, Figures], most: int, dimensions: int
) -> tuple[Sums, bool]:
    overflow = (OVERFLOW,) * dimensions
    known = {series for series in ledger.told if series != overflow}
    fresh = sorted(
        (series for series in truth if series not in known),
        key=lambda series: (-truth[series].get("calls", Decimal(0)), series),
    )
    known.update(fresh[: max(most - len(known), 0)])
    held: Sums = {}
    for series, figures in truth.items():
        own = series if series in known else overflow
        held[own] = _plus(held.get(own, {}), figures)
    return held, ledger.more or overflow in held


def as_json(ledger: Ledger) -> dict[str, object]:
    """A ledger as JSON holds it."""
    told = [
        [list(series), {name: str(value) for name, value in one.items()}]
        for series, one in ledger.told.items()
    ]
    return {"since": ledger.since.isoformat(), "more": ledger.more, "told": told}


def from_json(held: Mapping[str, object]) -> Ledger:
    """The ledger that `as_json` wrote. Raises ValueError, KeyError, TypeError for anything else."""
    told = held["told"]
    if not isinstance(told, list):
        raise TypeError("a ledger holds a list of series")
    sums = {tuple(series): {name: Decimal(value) for name, value in one.items()} for series, one in told}
    return Ledger(datetime.fromisoformat(str(held["since"])), sums, bool(held["more"]))
