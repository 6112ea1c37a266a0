"""The days, weeks and months over which a budget runs, as a workspace's wall clock has them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from holdfast.gateway.model import Period


class Window(NamedTuple):
    """From `start` (inside) to `end` (outside), UTC instants; `id` is the same text for every instant within."""

    start: datetime
    end: datetime
    id: str


def window(period: Period, at: datetime, time_zone: str) -> Window:
    """The window of `period` that `at` (aware) lies in, by the calendar of `time_zone` (IANA name).

    A day is from midnight to midnight and so has 23 or 25 hours where clocks change; where midnight itself is skipped
    it starts with the first instant after. Weeks begin on Monday (ISO 8601): `2026-11-22`, `2026-W47`, `2026-11`.
    """
    return _of_day(period, at.astimezone(ZoneInfo(time_zone)).date(), time_zone)


@lru_cache(maxsize=4096)
def _of_day(period: Period, day: date, time_zone: str) -> Window:
    if period is Period.DAY:
        first, after, name = day, day + timedelta(days=1), day.isoformat()
    elif period is Period.WEEK:
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
        year, week, _ = day.isocalendar()
        name = f"{year:04}-W{week:02}"
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
        name = f"{day:%Y-%m}"
    return Window(_begins(first, time_zone), _begins(after, time_zone), name)


def _begins(day: date, time_zone: str) -> datetime:
    """The first instant of `day`. fold=0 is the earlier of two midnights, and for one that is skipped the offset from
    before the gap, which lands on the first instant after it."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)
