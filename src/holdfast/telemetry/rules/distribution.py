"""Histograms with fixed bounds, of the exponential buckets in which figures are kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from holdfast.telemetry.rules.histogram import middle

BOUNDS = tuple(Decimal(2**n) / 100 for n in range(14))
"""Upper bounds in seconds, as OpenTelemetry's GenAI conventions advise for durations: .01, .02, … 81.92."""
_MS = tuple(float(bound) * 1000 for bound in BOUNDS)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values are in each bucket (one more than bounds: the last has no end), how many in all, their sum (s).

    A value stands for the middle of the exponential bucket that it was kept in, which is within 2.2 % of it: so is the
    sum, and one within 4.4 % of a bound may be counted on its other side.
    """

    counts: tuple[int, ...]
    count: int
    sum: float


def distribution(figures: Mapping[str, Decimal], name: str) -> Distribution:
    """The values of the figures `<name>:<exponential bucket>`, which are in milliseconds."""
    counts, total = [0] * (len(BOUNDS) + 1), 0.0
    for index, n in bins(figures, name).items():
        value = middle(index)
        counts[bisect_left(_MS, value)] += n
        total += value / 1000 * n
    return Distribution(tuple(counts), sum(counts), total)


def bins(figures: Mapping[str, Decimal], name: str) -> dict[int, int]:
    """Exponential bucket → how many values, in order."""
    start = f"{name}:"
    found = {int(one[len(start) :]): int(n) for one, n in figures.items() if one.startswith(start)}
    return dict(sorted(found.items()))


def parts(figures: Mapping[str, Decimal], name: str) -> dict[str, Decimal]:
    """The figures `<name>:<part>` by their part, in order."""
    start = f"{name}:"
    return {one[len(start) :]: n for one, n in sorted(figures.items()) if one.startswith(start)}
