"""Days of windows and freezes as people see them: the same instants are open as the windows say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.model import Freeze
from holdfast.changes.rules.calendar import days
from holdfast.changes.rules.windows import Windows, is_open
from holdfast.changes.rules.windows_written import parse

BERLIN = parse(
    {
        "zone": "Europe/Berlin",
        "open": [
            {
                "weekdays": ["monday:thursday"],
                "times": [
                    {"start_time": "09:00", "end_time": "12:00"},
                    {"start_time": "13:00", "end_time": "16:00"},
                ],
            }
        ],
        "holidays": ["2026-11-25"],
    }
)
MONDAY = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


def frozen(begins: datetime, ends: datetime | None) -> Freeze:
    return Freeze("frz_1", "ws", (), begins, ends, "an incident", False, "", begins)


def test_a_day_is_of_the_windows_zone_and_says_what_is_open() -> None:
    monday, tuesday, wednesday = days(BERLIN, (), MONDAY, 3)
    assert (monday.date, tuesday.date) == (date(2026, 11, 23), date(2026, 11, 24))
    assert [(one.begins.hour, one.ends.hour, one.left, one.width) for one in tuesday.open] == [
        (8, 11, 37.5, 12.5),
        (12, 15, 54.17, 12.5),
    ]
    assert (wednesday.holiday, wednesday.open) == (True, ())


def test_without_windows_every_day_is_open_and_a_freeze_covers_its_part() -> None:
    begins = datetime(2026, 11, 24, 6, tzinfo=UTC)
    first, second, third = days(Windows(), [frozen(begins, None)], MONDAY, 3)
    assert [(one.left, one.width) for one in first.open] == [(0, 100)]
    assert first.frozen == ()
    assert [(one.left, one.width, one.why) for one in second.frozen] == [(25, 75, "an incident")]
    assert [(one.left, one.width) for one in third.frozen] == [(0, 100)]


def test_a_day_without_an_hour_is_as_long_as_it_is() -> None:
    (day,) = days(parse({"zone": "Europe/Berlin"}), (), datetime(2026, 3, 29, 12, tzinfo=UTC), 1)
    (part,) = day.open
    assert (part.ends - part.begins, part.width) == (timedelta(hours=23), 100)


@given(st.integers(0, 400 * 24 * 60))
def test_what_is_shown_open_is_open(minutes: int) -> None:
    at = MONDAY + timedelta(minutes=minutes)
    (day,) = days(BERLIN, (), at, 1)
    assert any(one.begins <= at < one.ends for one in day.open) is is_open(BERLIN, at)
