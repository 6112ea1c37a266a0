"""What a triage concludes from items that have their category: trends by week, and what a category comes with."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
ALPHA = 0.05
LEAST = 5
"""Items of a category with a value, below which that is nothing to test."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A category this week against the weeks before, by its share of all items. `ratio` None: none before, or none at all.

    `low`, `high` bound the ratio of the shares; `weeks` are counts, the earliest first, the last one is this week's.
    """

    weeks: tuple[int, ...]
    now: int
    of_now: int
    before: int
    of_before: int
    ratio: float | None
    low: float | None
    high: float | None

    @property
    def direction(self) -> str:
        """`up` or `down` where the interval leaves no doubt, else empty."""
        if self.low is not None and self.low > 1:
            return "up"
        return "down" if self.high is not None and self.high < 1 else ""


@dataclass(frozen=True, slots=True)
class Cause:
    """A category has more of a value than other items have: `count` of `of` items in it, `others` of `of_others`.

    `p` is Fisher's, one-sided, after Holm's correction over all that were tested.
    """

    category: str
    dimension: str
    value: str
    count: int
    of: int
    others: int
    of_others: int
    p: float


def week_of(at: dt.datetime) -> dt.date:
    """The Monday of an instant's week, UTC."""
    day = at.astimezone(dt.UTC).date()
    return day - dt.timedelta(days=day.weekday())


def trend(counts: Mapping[dt.date, int], totals: Mapping[dt.date, int], now: dt.date, weeks: int) -> Trend:
    """Of items by week, against all items by week: `now` and so many weeks before.

    Given both counts together, this week's is binomial under equal shares; the exact interval of Clopper & Pearson for its
    chance gives that of the ratio (Przyborowski & Wilenski 1940).
    """
    from scipy import special

    days = [now - dt.timedelta(weeks=back) for back in range(weeks, -1, -1)]
    each = tuple(counts.get(day, 0) for day in days)
    k1, n1 = each[-1], totals.get(now, 0)
    k0, n0 = sum(each[:-1]), sum(totals.get(day, 0) for day in days[:-1])
    if not n1 or not n0 or not k1 + k0:
        return Trend(each, k1, n1, k0, n0, None, None, None)
    tail = (1 - CONFIDENCE) / 2
    low = float(special.betaincinv(k1, k0 + 1, tail)) if k1 else 0.0
    high = float(special.betaincinv(k1 + 1, k0, 1 - tail)) if k0 else 1.0

    def ratio(chance: float) -> float | None:
        return None if chance >= 1 else chance / (1 - chance) * n0 / n1

    value = None if not k0 else k1 / n1 / (k0 / n0)
    return Trend(each, k1, n1, k0, n0, value, ratio(low), ratio(high))


def causes(rows: Sequence[tuple[str, Mapping[str, str]]], dimensions: Sequence[str]) -> list[Cause]:
    """Values that are more frequent in a category than outside of it, the surest first.

    `rows` are (category, dimension → value) of items; where a value is not known the item does not count in that dimension,
    and items without a category count as others. Each value with at least LEAST items in a category is tested.
    """
    import numpy as np
    from scipy.stats import hypergeom  # type: ignore[attr-defined]

    drafts: list[tuple[str, str, str, int, int, int, int]] = []
    for dimension in dimensions:
        both = Counter((category, told[dimension]) for category, told in rows if told.get(dimension))
        sizes, values = Counter[str](), Counter[str]()
        for (category, value), count in both.items():
            sizes[category] += count
            values[value] += count
        whole = sum(sizes.values())
        drafts += [
            (
                category,
                dimension,
                value,
                count,
                sizes[category],
                values[value] - count,
                whole - sizes[category],
            )
            for (category, value), count in both.items()
            if category and count >= LEAST and len(values) > 1
        ]
    if not drafts:
        return []
    table = np.asarray([one[3:] for one in drafts])
    count, of, others, of_others = table.T
    p = hypergeom.sf(count - 1, of + of_others, count + others, of)
    order = np.argsort(p, kind="stable")
    held = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return [
        Cause(*drafts[int(place)], p=float(adjusted))
        for place, adjusted in zip(order, held, strict=True)
        if adjusted < ALPHA
    ]
