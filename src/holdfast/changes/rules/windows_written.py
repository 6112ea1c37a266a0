"""Change windows as people write them, read strictly: `zone`, `open`, `closed`, `holidays`.

    zone: Europe/Berlin
    open:
      - weekdays: ['monday:thursday']
        times: [{start_time: '09:00', end_time: '16:00'}]
    closed:
      - {days_of_month: ['-1'], months: ['march', 'december']}
    holidays: ['2026-12-24:2027-01-03', '2027-05-06']

Intervals are written as Alertmanager's `time_intervals` are; without a `location` they are meant in `zone`.
All of that form is read; a range of days is judged by a month of 31 days, where Alertmanager takes 30.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.changes.rules.windows import Interval, Range, Windows
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import YEARS

Read = TypeVar("Read")
MOST: Mapping[str, int] = MappingProxyType({"open": 20, "closed": 20, "times": 20, "holidays": 400})
"""Entries of a list; what is not named has at most 31."""
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_NUMBER = re.compile(r"-?[0-9]{1,4}")
_FIELDS = ("times", "weekdays", "days_of_month", "months", "years", "location")


def parse(written: Mapping[str, Any], where: str = "windows") -> Windows:
    """Windows as they are written; always open where nothing is. Raises Invalid with the place of what is wrong."""
    _known(written, ("zone", "open", "closed", "holidays"), where)
    zone = _zone(written.get("zone", "UTC"), f"{where}.zone")
    return Windows(
        zone=zone,
        open=_each(written, "open", where, lambda one, place: parse_interval(one, place, zone)),
        closed=_each(written, "closed", where, lambda one, place: parse_interval(one, place, zone)),
        holidays=_each(written, "holidays", where, _days),
    )


def parse_interval(written: Any, where: str, zone: str = "UTC") -> Interval:
    """One interval; `zone` where it names no location. Raises Invalid with the place of what is wrong."""
    _known(written, _FIELDS, where)
    return Interval(
        times=_each(written, "times", where, _times),
        weekdays=_each(written, "weekdays", where, _weekdays),
        days_of_month=_each(written, "days_of_month", where, _days_of_month),
        months=_each(written, "months", where, _months),
        years=_each(written, "years", where, _years),
        zone=_zone(written["location"], f"{where}.location") if "location" in written else zone,
    )


def _known(written: Any, fields: Sequence[str], where: str) -> None:
    if not isinstance(written, Mapping):
        raise Invalid(f"this is a mapping of {', '.join(fields)}", where=where)
    for name in written:
        if name not in fields:
            raise Invalid(f"there is no field {str(name)[:60]!r}; there are {', '.join(fields)}", where=where)


def _each(
    written: Mapping[str, Any], name: str, where: str, read: Callable[[Any, str], Read]
) -> tuple[Read, ...]:
    if name not in written:
        return ()
    place, found, most = f"{where}.{name}", written[name], MOST.get(name, 31)
    if not isinstance(found, list | tuple) or not 1 <= len(found) <= most:
        raise Invalid(f"this is a list of 1 to {most}; leave it out where it does not matter", where=place)
    return tuple(read(one, f"{place}[{index}]") for index, one in enumerate(found))


def _zone(written: Any, where: str) -> str:
    try:
        return ZoneInfo(written).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Invalid(
            f"{str(written)[:60]!r} is no time zone; write a name of the IANA database like Europe/Berlin",
            where=where,
        ) from None


def _times(written: Any, where: str) -> Range:
    _known(written, ("start_time", "end_time"), where)
    start, end = (_minute(written.get(name), f"{where}.{name}") for name in ("start_time", "end_time"))
    if start >= end:
        raise Invalid(
            "the start is before the end; what goes past midnight is two times, the first until '24:00'",
            where=where,
        )
    return start, end


def _minute(written: Any, where: str) -> int:
    if not isinstance(written, str) or not _TIME.fullmatch(written):
        said = "this is missing" if written is None else f"{str(written)[:60]!r} is no time"
        raise Invalid(f"{said}; write it like '09:00', in quotes, up to '24:00'", where=where)
    hours, minutes = written.split(":")
    return int(hours) * 60 + int(minutes)


def _weekdays(written: Any, where: str) -> Range:
    return _named(written, where, WEEKDAYS, "weekday", "a week begins on sunday; write it as two ranges")


def _months(written: Any, where: str) -> Range:
    first, last = _named(written, where, MONTHS, "month", "write what goes past december as two ranges")
    return first + 1, last + 1


def _named(written: Any, where: str, names: Sequence[str], what: str, past: str) -> Range:
    first, last = _pair(written, where)
    found = []
    for one in (first, last):
        if one.lower() not in names:
            raise Invalid(
                f"{one[:60]!r} is no {what}; write one like {names[1]}, or a range with :", where=where
            )
        found.append(names.index(one.lower()))
    if found[0] > found[1]:
        raise Invalid(f"the end {last} is before the start {first}; {past}", where=where)
    return found[0], found[1]


def _days_of_month(written: Any, where: str) -> Range:
    first, last = _numbers(written, where)
    for one in (first, last):
        if not 1 <= abs(one) <= 31:
            raise Invalid(
                f"{one} is no day of a month; write 1 to 31, -1 for the last to -31, a range in quotes like '1:7'",
                where=where,
            )
    if first < 0 < last:
        raise Invalid("a range that starts below zero ends below zero, like '-7:-1'", where=where)
    if first > (last if last > 0 or first < 0 else 32 + last):
        raise Invalid(f"the end {last} is in every month before the start {first}", where=where)
    return first, last


def _years(written: Any, where: str) -> Range:
    first, last = _numbers(written, where)
    if not YEARS[0] <= first <= last <= YEARS[1]:
        raise Invalid(
            f"years are from {YEARS[0]} to {YEARS[1]}, the end not before the start, like '2026:2028'",
            where=where,
        )
    return first, last


def _numbers(written: Any, where: str) -> Range:
    texts = _pair(written, where)
    if not all(_NUMBER.fullmatch(one) for one in texts):
        raise Invalid(f"{str(written)[:60]!r} is no number, nor a range of two like '1:7'", where=where)
    return int(texts[0]), int(texts[1])


def _pair(written: Any, where: str) -> tuple[str, str]:
    """Both ends of `from:to`, or what stands alone twice."""
    if not isinstance(written, str | int) or isinstance(written, bool):
        raise Invalid("this is one value, or a range with :, in quotes", where=where)
    first, colon, last = str(written).partition(":")
    return first.strip(), (last if colon else first).strip()


def _days(written: Any, where: str) -> tuple[date, date]:
    said = written.isoformat() if isinstance(written, date) and not isinstance(written, datetime) else written
    try:
        first, last = (date.fromisoformat(one) for one in _pair(said, where))
    except ValueError:
        raise Invalid(
            f"{str(said)[:60]!r} is no day; write it like '2026-12-24', a range like '2026-12-24:2027-01-03'",
            where=where,
        ) from None
    if not YEARS[0] <= first.year <= last.year <= YEARS[1] or first > last:
        raise Invalid(
            f"days are of the years {YEARS[0]} to {YEARS[1]}, the last not before the first", where=where
        )
    return first, last
