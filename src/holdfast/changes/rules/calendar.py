"""Days of change windows and freezes, laid out for people: which parts of each day are open, and which are frozen."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from holdfast.changes.model import Freeze
from holdfast.changes.rules.windows import Windows, next_closing, next_opening

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a day, in percent of its length, with its two ends in UTC."""

    left: float
    width: float
    begins: datetime
    ends: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the windows' zone."""

    date: date
    holiday: bool
    open: tuple[Part, ...]
    frozen: tuple[Part, ...]


def days(windows: Windows, freezes: Collection[Freeze], at: datetime, count: int = 14) -> tuple[Day, ...]:
    """The day of an aware instant in the windows' zone and those after it, `count` in all.

    A day on which clocks are put on or back is as long as it is. Freezes are shown whichever systems they are of.
    """
    zone = ZoneInfo(windows.zone)
    first = at.astimezone(zone).date()
    return tuple(_day(windows, freezes, first + number * DAY, zone) for number in range(count))


def _day(windows: Windows, freezes: Collection[Freeze], day: date, zone: ZoneInfo) -> Day:
    start, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + DAY))
    frozen = tuple(
        _part(max(one.begins_at, start), min(one.ends_at or end, end), (start, end), _why(one))
        for one in freezes
        if one.begins_at < end and (one.ends_at is None or one.ends_at > start)
    )
    holiday = any(begins <= day <= ends for begins, ends in windows.holidays)
    opened = tuple(_part(*one, (start, end)) for one in _opened(windows, start, end))
    return Day(day, holiday, opened, frozen)


def _opened(windows: Windows, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    at = start
    while at < end:
        opens = next_opening(windows, at)
        if opens is None or opens >= end:
            return
        closes = next_closing(windows, opens)
        at = end if closes is None else min(closes, end)
        yield opens, at


def _part(begins: datetime, ends: datetime, of: tuple[datetime, datetime], why: str = "") -> Part:
    whole = of[1] - of[0]
    left, width = ((one / whole) * 100 for one in (begins - of[0], ends - begins))
    return Part(round(left, 2), round(width, 2), begins.astimezone(UTC), ends.astimezone(UTC), why)


def _why(freeze: Freeze) -> str:
    return f"{', '.join(freeze.systems)}: {freeze.reason}" if freeze.systems else freeze.reason
