"""When changes may start and go on: weekly and yearly intervals of wall-clock time, days off, and the next opening.

Intervals are those of Prometheus Alertmanager, field for field. Whether one contains an instant is asked of the instant's
wall clock in the interval's zone: a boundary that the clocks skip falls on the first instant after the gap, and an hour that
comes twice belongs to the interval both times.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Range = tuple[int, int]
"""From and to, both included."""
Span = tuple[datetime, datetime]
"""From and up to, the end not included."""
WHOLE_DAY: tuple[Range, ...] = ((0, 1440),)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
LOOK_AHEAD = 400 * DAY
"""How far ahead an opening or a closing is looked for."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where everything that it names agrees; what is empty agrees with everything.

    `times`: minutes of the day, 0 to 1440, the end not included. `weekdays`: 0 is Sunday. `days_of_month`: 1 to 31, or
    -1 for the last day to -31. `months`: 1 to 12. `zone`: a name of the IANA database; it is all meant by its wall clock.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Windows:
    """Open while one of `open` is, or always where there is none; never in `closed` or on `holidays`.

    `holidays` are days from and to, both included, of the zone.
    """

    zone: str = "UTC"
    open: tuple[Interval, ...] = ()
    closed: tuple[Interval, ...] = ()
    holidays: tuple[tuple[date, date], ...] = ()


def contains(interval: Interval, instant: datetime) -> bool:
    """Whether an aware instant is within an interval."""
    local = instant.astimezone(ZoneInfo(interval.zone))
    minute = local.hour * 60 + local.minute
    return _on(interval, local.date()) and any(
        start <= minute < end for start, end in interval.times or WHOLE_DAY
    )


def is_open(windows: Windows, at: datetime) -> bool:
    """Whether changes may start and go on at an aware instant, as far as windows say."""
    day = at.astimezone(ZoneInfo(windows.zone)).date()
    if any(first <= day <= last for first, last in windows.holidays):
        return False
    if any(contains(interval, at) for interval in windows.closed):
        return False
    return not windows.open or any(contains(interval, at) for interval in windows.open)


def next_opening(windows: Windows, at: datetime) -> datetime | None:
    """The first instant from `at` on that is open, in UTC; None where none is within `LOOK_AHEAD`."""
    return _first(windows, at, open_=True)


def next_closing(windows: Windows, at: datetime) -> datetime | None:
    """The first instant from `at` on that is not open, in UTC; None where none is within `LOOK_AHEAD`."""
    return _first(windows, at, open_=False)


def _first(windows: Windows, at: datetime, *, open_: bool) -> datetime | None:
    """Goes from stretch to stretch, in each of which no zone's clocks are put on or back."""
    used = {windows.zone, *(one.zone for one in (*windows.open, *windows.closed))}
    zones = {name: ZoneInfo(name) for name in used}
    start = at.astimezone(UTC)
    end = start + LOOK_AHEAD
    while start < end:
        stop = start + DAY
        for zone in zones.values():
            if _offset(zone, stop) != _offset(zone, start):
                stop = _transition(zone, start, stop)
        offsets = {name: _offset(zone, start) for name, zone in zones.items()}
        found = _first_within(windows, offsets, (start, stop), open_=open_)
        if found is not None:
            return found if found < end else None
        start = stop
    return None


def _first_within(
    windows: Windows, offsets: Mapping[str, timedelta], stretch: Span, *, open_: bool
) -> datetime | None:
    """Counts what is open and what is closed from turn to turn; nothing changes between two of them."""
    opens, closes = Counter[datetime](), Counter[datetime]()
    for intervals, turns in ((windows.open or (Interval(),), opens), (windows.closed, closes)):
        for interval in intervals:
            offset = offsets.get(interval.zone, timedelta())
            for begins, ends in _spans(interval, offset, stretch):
                turns[begins] += 1
                turns[ends] -= 1
    for first, last in windows.holidays:
        begins, ends = (_midnight(day, offsets[windows.zone]) for day in (first, last + DAY))
        if begins < stretch[1] and ends > stretch[0]:
            closes[max(begins, stretch[0])] += 1
            closes[ends] -= 1
    opened = closed = 0
    for instant in sorted({stretch[0], *opens, *closes}):
        opened += opens[instant]
        closed += closes[instant]
        if instant < stretch[1] and (opened > 0 and closed == 0) is open_:
            return instant
    return None


def _spans(interval: Interval, offset: timedelta, stretch: Span) -> Iterator[Span]:
    """From when to when an interval is within a stretch, all of which has one offset."""
    day = (stretch[0] + offset).date()
    while (midnight := _midnight(day, offset)) < stretch[1]:
        if _on(interval, day):
            for start, end in interval.times or WHOLE_DAY:
                begins = max(midnight + timedelta(minutes=start), stretch[0])
                ends = min(midnight + timedelta(minutes=end), stretch[1])
                if begins < ends:
                    yield begins, ends
        day += DAY


def _transition(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The first instant at which a zone's offset is no longer that of `start`, where that of `end` is another."""
    before, low, high = _offset(zone, start), start.replace(microsecond=0), end.replace(microsecond=0)
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _midnight(day: date, offset: timedelta) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - offset


def _on(interval: Interval, day: date) -> bool:
    """Whether a day of the interval's own calendar is one of its days."""
    return (
        _within(interval.years, day.year)
        and _within(interval.months, day.month)
        and _within(interval.weekdays, day.isoweekday() % 7)
        and (not interval.days_of_month or _of_month(interval.days_of_month, day))
    )


def _within(ranges: tuple[Range, ...], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _of_month(ranges: tuple[Range, ...], day: date) -> bool:
    """Days below zero are counted from the month's end; what a month does not have is no day of it."""
    after = monthrange(day.year, day.month)[1] + 1
    return any(
        (first if first > 0 else after + first) <= day.day <= (last if last > 0 else after + last)
        for first, last in ranges
    )
