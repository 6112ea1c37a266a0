"""When runs begin by themselves: schedules by the wall clock, and what is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.evals.rules.triggers import MOST_SEEN, explained, news, next_due, remembered, schedule_fault
from holdfast.evals.states import Trigger

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 3 * * *", "2026-11-23T01:59", "2026-11-23T02:00"),
        ("0 3 * * *", "2026-11-23T02:00", "2026-11-24T02:00"),
        ("0 3 * * 1-5", "2026-11-27T12:00", "2026-11-30T02:00"),  # a Friday
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),  # 02:30 is skipped: right after, at 03:00
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),  # 02:30 comes twice: the first
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),  # and not again
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-28T23:00"),
    ],
)
def test_a_schedule_follows_the_wall_clock(cron: str, after: str, due: str) -> None:
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_due(cron, BERLIN, at) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@given(
    st.sampled_from(["*/7 * * * *", "15 3 * * *", "0 12 1 * *", "30 2 * * 0"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001
)
def test_a_schedule_always_goes_on(cron: str, after: datetime) -> None:
    at = after.replace(tzinfo=UTC)
    first = next_due(cron, BERLIN, at)
    assert at < first <= at + timedelta(days=32)
    assert next_due(cron, BERLIN, first) > first


@pytest.mark.parametrize("cron", ["", "x", "0 3 * *", "0 3 * * * *", "61 * * * *", "0 0 31 2 *", "@daily"])
def test_a_schedule_that_is_none_says_how_to_mend_it(cron: str) -> None:
    assert "minute hour day month weekday" in schedule_fault(cron, "UTC")


def test_a_good_schedule_is_told_in_words() -> None:
    assert schedule_fault("0 3 * * 1-5", BERLIN) == ""
    assert explained("0 3 * * 1-5") == "At 03:00 on Monday through Friday"


def test_only_what_was_not_seen_is_news() -> None:
    assert news(Trigger.MODEL, ("m-1",), {"m-1": "m-1"}) == []
    [one] = news(Trigger.MODEL, ("m-1",), {"m-1": "m-1", "m-3": "m-3", "m-2": "m-2"})
    assert one.because == "answers came from m-2, m-3, not seen before"
    assert (one.release, set(one.marks)) == ("", {"m-2", "m-3"})


def test_each_release_that_is_new_is_asked_in_a_run_of_its_own() -> None:
    found = {"rel_1": "v1", "rel_2": "v2", "rel_3": "v3"}
    assert [(one.release, one.marks) for one in news(Trigger.CHANGE, ("rel_1",), found)] == [
        ("v2", ("rel_2",)),
        ("v3", ("rel_3",)),
    ]


def test_what_was_seen_stays_seen_and_the_oldest_is_forgotten() -> None:
    assert remembered(("a", "b"), ["b", "c"]) == ("a", "b", "c")
    long = remembered(tuple(f"{number:04}" for number in range(MOST_SEEN)), ["new"])
    assert (len(long), long[0], long[-1]) == (MOST_SEEN, "0001", "new")
