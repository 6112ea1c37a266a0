"""Whether a system's last day is off its week: each figure against the same hours of the seven days before.

A plain rule for reading a page, robust against one odd day, and no calibrated alert. The middle of the week is the median
of its days, its spread the median absolute deviation times 1.4826, which is the standard deviation where days scatter
normally (Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", JASA 88, 1993). A figure is off where it
lies more than four such spreads from the median, and further than the least change that is worth a look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

DAYS = 7
LEAST_DAYS = 4
"""Days of the week before that must be known; with fewer nothing is compared."""
LEAST_CALLS = 30
"""Calls that a day must have to be compared, or (for their number) that the week must have in the middle."""
SPREADS = 4.0
SCALE = 1.4826
LEAST_MISSED = 10
"""Calls that are usual for a time before their absence is silence."""

Figure = float | None
Day = Mapping[str, Figure]
"""Figures of 24 hours by measure; None is unknown."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a measure is compared: the least change, as a share of the median and in its own unit.

    `volume`: it follows the day of the week, so it must also be that far from the same day a week before.
    `falls`: whether less of it is worth a look.
    """

    share: float
    least: float
    volume: bool = False
    falls: bool = False


WATCHED: Mapping[str, Watch] = {
    "calls": Watch(0.5, 30, volume=True, falls=True),
    "cost": Watch(0.5, 0.01, volume=True),
    "error_rate": Watch(0.5, 0.01),
    "latency_p95": Watch(0.3, 100),
    "refusal_rate": Watch(0.5, 0.01),
    "unpriced_rate": Watch(0.5, 0.02),
}
"""What is compared, in the order in which it is named. Rates as shares, latency in ms, cost in its currency."""


@dataclass(frozen=True, slots=True)
class Off:
    """A figure that is off its week: what it is, the week's median, and the band from `low` to `high` that is usual.

    `spreads`: how far it is from the median, in widths of the band on its side; more is further off.
    """

    measure: str
    value: float
    middle: float
    low: float
    high: float
    spreads: float

    @property
    def above(self) -> bool:
        return self.value > self.middle


@dataclass(frozen=True, slots=True)
class Silence:
    """How many whole hours a system has not called, and how many calls are usual in them (the median of the week)."""

    hours: int
    usual: float


def off_week(last: Day, before: Sequence[Day]) -> list[Off]:
    """The figures of the last day that are off its week, the furthest first.

    `before` holds the days before it, the latest first; only the first seven count. Where the last day, or the days, are too
    few or too small to be compared, nothing is off.
    """
    found = []
    for measure, watch in WATCHED.items():
        value = last.get(measure)
        days = [day.get(measure) if _large(day, measure) else None for day in before[:DAYS]]
        known = [one for one in days if one is not None]
        if value is None or len(known) < LEAST_DAYS or not _comparable(last, before[:DAYS], measure):
            continue
        off = _off(measure, watch, value, known)
        if off is None or (off.value < off.middle and not watch.falls):
            continue
        same = days[DAYS - 1] if len(days) == DAYS else None
        if watch.volume and same is not None and abs(value - same) <= max(watch.share * same, watch.least):
            continue
        found.append(off)
    return sorted(found, key=lambda one: -one.spreads)


def comparable(last: Day, before: Sequence[Day]) -> bool:
    """Whether the last day can be compared with its week at all."""
    days = [day for day in before[:DAYS] if day.get("calls") is not None]
    return len(days) >= LEAST_DAYS and _comparable(last, before[:DAYS], "calls")


def silence(hours: Sequence[int | None]) -> Silence | None:
    """The silence of a system that should have called; None where it is not silent, or nobody can say.

    `hours` are calls by hour, oldest first, the running hour last; None is an hour before its first call. It should have
    called where the same hours of most of the seven days before held at least ten calls.
    """
    gap = 0
    while gap < len(hours) and not hours[-1 - gap]:
        gap += 1
    whole = gap - 1  # the running hour alone is no silence
    if whole < 1 or gap == len(hours):
        return None
    usual = []
    for day in range(1, DAYS + 1):
        end = len(hours) - 1 - 24 * day
        part = hours[end - whole : end] if end >= whole else []
        known = [one for one in part if one is not None]
        if part and len(known) == len(part):
            usual.append(sum(known))
    if len(usual) < LEAST_DAYS or median(usual) < LEAST_MISSED:
        return None
    return Silence(whole, median(usual))


def day_zone(hour: int) -> str:
    """The time zone whose days begin at a full hour of UTC (0 to 23); IANA turns the sign of these names round."""
    if hour == 0:
        return "UTC"
    return f"Etc/GMT+{hour}" if hour <= 12 else f"Etc/GMT-{24 - hour}"


def _off(measure: str, watch: Watch, value: float, known: Sequence[float]) -> Off | None:
    middle = median(known)
    spread = SCALE * median(abs(one - middle) for one in known)
    reach = max(SPREADS * spread, watch.share * middle, watch.least)
    if abs(value - middle) <= reach:
        return None
    return Off(measure, value, middle, max(middle - reach, 0.0), middle + reach, abs(value - middle) / reach)


def _large(day: Day, measure: str) -> bool:
    """Whether a day is large enough to be compared with: the number of calls always is, also where it is 0."""
    return measure == "calls" or (day.get("calls") or 0) >= LEAST_CALLS


def _comparable(last: Day, before: Sequence[Day], measure: str) -> bool:
    if measure != "calls":
        return (last.get("calls") or 0) >= LEAST_CALLS
    days = [calls for day in before if (calls := day.get("calls")) is not None]
    return bool(days) and max(median(days), last.get("calls") or 0) >= LEAST_CALLS
