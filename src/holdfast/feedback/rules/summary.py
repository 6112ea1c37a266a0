"""What a triage found, as it is kept and shown."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.feedback.rules import triage as rules
from holdfast.feedback.rules.triage import Cause, Trend

DIMENSIONS = ("release", "model", "route", "language")


@dataclass(frozen=True, slots=True)
class Row:
    """One category, or one failure mode. `distinct` counts without what says the same; `modes` are counts by mode."""

    id: str
    items: int
    distinct: int
    trend: Trend
    modes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a whole triage. `seconds` by phase. `calibration` names the method, empty: scores are no probabilities."""

    items: int
    distinct: int
    unclustered: int
    categories: tuple[Row, ...]
    modes: tuple[Row, ...]
    causes: tuple[Cause, ...]
    calibration: str
    confirmed: int
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """What counts of one item."""

    category: str
    mode: str
    copy: bool
    week: dt.date
    values: Mapping[str, str]


def summary(
    told: Sequence[Told], now: dt.date, weeks: int, method: str, confirmed: int, seconds: Mapping[str, float]
) -> Summary:
    """Counts, trends and causes of items with their category ("": unclustered) and mode."""
    totals = Counter(one.week for one in told)
    back = max(1, weeks - 1)

    def rows(name: str) -> tuple[Row, ...]:
        by: dict[str, list[Told]] = {}
        for one in told:
            by.setdefault(getattr(one, name), []).append(one)
        made = [
            Row(
                key,
                len(some),
                sum(not one.copy for one in some),
                rules.trend(Counter(one.week for one in some), totals, now, back),
                dict(Counter(one.mode for one in some).most_common()),
            )
            for key, some in by.items()
            if key
        ]
        return tuple(sorted(made, key=lambda row: (-row.items, row.id)))

    found = rules.causes([(one.category, one.values) for one in told if not one.copy], DIMENSIONS)
    return Summary(
        len(told),
        sum(not one.copy for one in told),
        sum(not one.category for one in told),
        rows("category"),
        rows("mode"),
        tuple(found[:100]),
        method,
        confirmed,
        dict(seconds),
    )
