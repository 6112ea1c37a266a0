"""Windows of budgets in the zones where calendars are odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.gateway.model import Period
from holdfast.gateway.rules.windows import window

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests."""


@pytest.mark.parametrize(
    ("period", "at", "zone", "start", "end", "name"),
    [
        (Period.DAY, "2026-11-22T18:00Z", "UTC", "2026-11-22T00:00Z", "2026-11-23T00:00Z", "2026-11-22"),
        (
            Period.DAY,
            "2026-11-22T23:30Z",
            "Europe/Berlin",
            "2026-11-22T23:00Z",
            "2026-11-23T23:00Z",
            "2026-11-23",
        ),
        # 25 hours: clocks go back on 25 October
        (
            Period.DAY,
            "2026-10-25T12:00Z",
            "Europe/Berlin",
            "2026-10-24T22:00Z",
            "2026-10-25T23:00Z",
            "2026-10-25",
        ),
        # 23 hours
        (
            Period.DAY,
            "2026-03-29T12:00Z",
            "Europe/Berlin",
            "2026-03-28T23:00Z",
            "2026-03-29T22:00Z",
            "2026-03-29",
        ),
        # midnight is skipped in Beirut on 29 March 2026: the day starts at 01:00 summer time
        (
            Period.DAY,
            "2026-03-29T10:00Z",
            "Asia/Beirut",
            "2026-03-28T22:00Z",
            "2026-03-29T21:00Z",
            "2026-03-29",
        ),
        # midnight happens twice in Havana on 1 November 2026: the day starts with the first
        (
            Period.DAY,
            "2026-11-01T04:30Z",
            "America/Havana",
            "2026-11-01T04:00Z",
            "2026-11-02T05:00Z",
            "2026-11-01",
        ),
        (
            Period.DAY,
            "2026-11-01T05:30Z",
            "America/Havana",
            "2026-11-01T04:00Z",
            "2026-11-02T05:00Z",
            "2026-11-01",
        ),
        (Period.WEEK, "2026-11-22T18:00Z", "UTC", "2026-11-16T00:00Z", "2026-11-23T00:00Z", "2026-W47"),
        (Period.WEEK, "2027-01-01T00:00Z", "UTC", "2026-12-28T00:00Z", "2027-01-04T00:00Z", "2026-W53"),
        (
            Period.MONTH,
            "2026-11-30T23:30Z",
            "Europe/Berlin",
            "2026-11-30T23:00Z",
            "2026-12-31T23:00Z",
            "2026-12",
        ),
        (
            Period.MONTH,
            "2026-10-31T12:00Z",
            "America/New_York",
            "2026-10-01T04:00Z",
            "2026-11-01T04:00Z",
            "2026-10",
        ),
        (
            Period.MONTH,
            "2024-02-29T12:00Z",
            "Asia/Kolkata",
            "2024-01-31T18:30Z",
            "2024-02-29T18:30Z",
            "2024-02",
        ),
    ],
)
def test_windows(period: Period, at: str, zone: str, start: str, end: str, name: str) -> None:
    found = window(period, datetime.fromisoformat(at), zone)
    assert found == (datetime.fromisoformat(start), datetime.fromisoformat(end), name)


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/Santiago",
)
INSTANTS = st.integers(946_684_800, 2_840_140_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@UNHURRIED
@given(st.sampled_from(list(Period)), INSTANTS, st.sampled_from(ZONES))
def test_windows_hold_their_instant_and_follow_one_another(period: Period, at: datetime, zone: str) -> None:
    found = window(period, at, zone)
    assert found.start <= at < found.end
    assert window(period, found.start, zone) == found
    assert window(period, found.end - timedelta(seconds=1), zone) == found
    after = window(period, found.end, zone)
    assert after.start == found.end
    assert after.id > found.id
    local = found.start.astimezone(ZoneInfo(zone))
    before = (found.start - timedelta(seconds=1)).astimezone(ZoneInfo(zone))  # a day may begin at one o'clock
    assert before.date() < local.date()
