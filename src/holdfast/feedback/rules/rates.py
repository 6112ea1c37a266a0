"""Rates of what people said: the share that is negative among those who said which, with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.feedback.model import Sentiment

Z = 1.959963984540054
"""Of a two-sided interval at 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`share` of `said` items that are negative, 0 to 1, with its interval; None where nobody said. `unknown` do not."""

    negative: int
    positive: int
    unknown: int
    share: float | None
    low: float | None
    high: float | None

    @property
    def said(self) -> int:
        """How many say which way."""
        return self.negative + self.positive


@dataclass(frozen=True, slots=True)
class Change:
    """The share after less that before, with its interval (Newcombe's score interval, 95 %)."""

    before: Rate
    after: Rate
    difference: float
    low: float
    high: float


def wilson(hits: int, n: int, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share; `n` is at least 1."""
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(sentiments: Iterable[Sentiment]) -> Rate:
    """Of these items."""
    counts = Counter(sentiments)
    return of_counts(counts[Sentiment.NEGATIVE], counts[Sentiment.POSITIVE], counts[Sentiment.UNKNOWN])


def of_counts(negative: int, positive: int, unknown: int = 0) -> Rate:
    """The rate of counts."""
    n = negative + positive
    if n == 0:
        return Rate(negative, positive, unknown, None, None, None)
    low, high = wilson(negative, n)
    return Rate(negative, positive, unknown, negative / n, low, high)


def share_of(hits: int, n: int) -> Rate:
    """The share of `hits` among `n`: of a category among all that was said."""
    return of_counts(hits, n - hits)


def change(before: Rate, after: Rate) -> Change | None:
    """How two independent rates differ (Newcombe 1998, method 10); None where one is unknown."""
    if (
        before.share is None
        or after.share is None
        or None in (before.low, before.high, after.low, after.high)
    ):
        return None
    assert before.low is not None and before.high is not None  # noqa: PT018
    assert after.low is not None and after.high is not None  # noqa: PT018
    difference = after.share - before.share
    low = difference - math.hypot(after.share - after.low, before.high - before.share)
    high = difference + math.hypot(after.high - after.share, before.share - before.low)
    return Change(before, after, difference, max(-1.0, low), min(1.0, high))


STEPS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7), timedelta(days=30))


def step_of(start: datetime, end: datetime, most: int = 14) -> timedelta:
    """The shortest step by which a range has at most so many buckets."""
    return next((one for one in STEPS if (end - start) / one <= most), (end - start) / most)


def over_time(
    marks: Iterable[tuple[datetime, Sentiment]], start: datetime, end: datetime, step: timedelta
) -> list[tuple[datetime, Rate]]:
    """A rate for each step, in order, none left out: one without items is unknown."""
    count = max(1, math.ceil((end - start) / step))
    found: list[list[Sentiment]] = [[] for _ in range(count)]
    for at, sentiment in marks:
        place = int((at - start) / step)
        if 0 <= place < count:
            found[place].append(sentiment)
    return [(start + step * number, rate(of)) for number, of in enumerate(found)]
