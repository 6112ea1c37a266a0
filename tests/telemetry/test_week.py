"""Whether a last day is off its week: by table, and for any week."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.rules.week import (
    DAYS,
    LEAST_CALLS,
    LEAST_MISSED,
    WATCHED,
    Day,
    comparable,
    day_zone,
    off_week,
    silence,
)

QUIET = {"calls": 1000.0, "cost": 5.0, "error_rate": 0.01, "latency_p95": 900.0, "refusal_rate": 0.0}
QUIET |= {"unpriced_rate": 0.0}


def off(last: dict[str, float | None], before: list[Day]) -> list[str]:
    return [one.measure for one in off_week({**QUIET, **last}, before)]


WEEK: list[Day] = [{**QUIET, "calls": 1000.0 + 10 * number} for number in range(DAYS)]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({}, []),
        ({"error_rate": 0.015}, []),  # half a percent more is not worth a look
        ({"error_rate": 0.05}, ["error_rate"]),
        ({"error_rate": None}, []),
        ({"latency_p95": 980.0}, []),
        ({"latency_p95": 1800.0}, ["latency_p95"]),
        ({"latency_p95": 300.0}, []),  # faster needs nobody
        ({"calls": 300.0}, ["calls"]),
        ({"calls": 2500.0, "cost": 13.0}, ["cost", "calls"]),
        ({"cost": 1.0}, []),  # cheaper needs nobody
        ({"unpriced_rate": 0.5}, ["unpriced_rate"]),
        ({"error_rate": 0.3, "latency_p95": 2000.0}, ["error_rate", "latency_p95"]),
    ],
)
def test_what_is_off(last: dict[str, float | None], expected: list[str]) -> None:
    assert off(last, WEEK) == expected


def test_what_is_said_of_it() -> None:
    (found,) = off_week({**QUIET, "latency_p95": 1800.0}, WEEK)
    assert found.above and found.middle == 900.0
    assert (found.low, found.high) == (pytest.approx(630.0), pytest.approx(1170.0))
    assert found.spreads == pytest.approx(900 / 270)


def test_a_weekend_is_held_against_the_last_weekend() -> None:
    week: list[Day] = [{**QUIET, "calls": 1000.0} for _ in range(DAYS - 1)]
    assert off({"calls": 200.0}, [*week, {**QUIET, "calls": 1000.0}]) == ["calls"]
    assert off({"calls": 200.0}, [*week, {**QUIET, "calls": 210.0}]) == []


def test_one_odd_day_does_not_widen_the_week() -> None:
    odd: list[Day] = [{**QUIET, "error_rate": 0.9}, *WEEK[1:]]
    assert off({"error_rate": 0.05}, odd) == ["error_rate"]


@pytest.mark.parametrize(
    ("last", "before"),
    [
        ({"calls": 5.0, "error_rate": 1.0}, [{**QUIET, "calls": 6.0}] * DAYS),  # too small a day
        ({"error_rate": 1.0}, [{**QUIET, "calls": 6.0}] * DAYS),  # too small a week
        ({"error_rate": 1.0}, WEEK[:3]),  # too short a week
        ({"error_rate": 1.0}, [{}, {}, {}, {}, *WEEK[:3]]),  # days before its first call
        ({"error_rate": 1.0}, []),
    ],
)
def test_what_cannot_be_compared_is_not_off(last: dict[str, float | None], before: list[Day]) -> None:
    assert [one for one in off(last, before) if one != "calls"] == []


def test_a_comparison_takes_days_and_calls() -> None:
    assert comparable(QUIET, WEEK) and not comparable(QUIET, WEEK[:3]) and not comparable(QUIET, [])
    assert not comparable({"calls": 2.0}, [{"calls": 3.0}] * DAYS)
    assert comparable({"calls": 0.0}, WEEK)  # a day without calls is known, and far off


FIGURES = st.fixed_dictionaries(
    {
        "calls": st.floats(0, 1e6),
        "cost": st.none() | st.floats(0, 1e5),
        "error_rate": st.none() | st.floats(0, 1),
        "latency_p95": st.none() | st.floats(0, 1e6),
        "refusal_rate": st.none() | st.floats(0, 1),
        "unpriced_rate": st.none() | st.floats(0, 1),
    }
)


@given(FIGURES, st.lists(FIGURES | st.just({}), max_size=10))
def test_any_week(last: dict[str, float | None], before: list[Day]) -> None:
    found = off_week(last, before)
    assert found == off_week(last, before[:DAYS])
    assert [one.spreads for one in found] == sorted((one.spreads for one in found), reverse=True)
    for one in found:
        assert one.value == last[one.measure] and one.spreads > 1
        assert not one.low <= one.value <= one.high
        assert one.low <= one.middle <= one.high
        assert one.above or WATCHED[one.measure].falls
        assert abs(one.value - one.middle) > WATCHED[one.measure].least
        large = [day for day in before[:DAYS] if (day.get("calls") or 0) >= LEAST_CALLS]
        assert one.measure == "calls" or one.middle == median(
            [value for day in large if (value := day.get(one.measure)) is not None]
        )


@given(FIGURES, st.integers(4, 7))
def test_a_day_like_its_week_is_never_off(day: dict[str, float | None], days: int) -> None:
    assert off_week(day, [day] * days) == []


@given(FIGURES, st.lists(FIGURES, min_size=7, max_size=7), st.floats(1, 5))
def test_more_errors_are_never_less_off(
    last: dict[str, float | None], before: list[Day], more: float
) -> None:
    last = {**last, "error_rate": 0.1}
    worse = {**last, "error_rate": 0.1 * more}
    was = {one.measure: one.spreads for one in off_week(last, before)}.get("error_rate", 0)
    now = {one.measure: one.spreads for one in off_week(worse, before)}.get("error_rate", 0)
    assert now >= was


USUAL = [10] * 24 * DAYS


@pytest.mark.parametrize(
    ("hours", "silent"),
    [
        ([*USUAL, *[10] * 24], None),
        ([*USUAL, *[10] * 23, 0], None),  # the running hour has only begun
        ([*USUAL, *[10] * 22, 0, 0], 1),
        ([*USUAL, *[10] * 20, 0, 0, 0, 0], 3),
        ([*USUAL, *[0] * 24], 23),
        ([*[2] * 24 * DAYS, *[2] * 21, 0, 0, 0], None),  # four calls are no habit
        ([*[2] * 24 * DAYS, *[2] * 17, *[0] * 7], 6),
        ([*[None] * 24 * 5, *[10] * 24 * 2, *[10] * 22, 0, 0], None),  # too young
        ([*[0] * 24 * DAYS, *[0] * 24], None),
        ([None] * 192, None),
        ([], None),
    ],
)
def test_silence(hours: list[int | None], silent: int | None) -> None:
    found = silence(hours)
    assert (found and found.hours) == silent


def test_a_system_that_sleeps_at_night_is_not_silent_at_night() -> None:
    day = [0] * 6 + [30] * 12 + [0] * 6  # UTC hours
    assert silence([*(day * DAYS), *day[:6], 30, 30, 0, 0][-192:]) is not None
    at_four = [*(day * (DAYS + 1))][: 24 * DAYS + 5]
    padded: list[int | None] = [None] * (192 - len(at_four)) + [int(one) for one in at_four]
    assert silence(padded) is None


@given(st.lists(st.none() | st.integers(0, 50), min_size=0, max_size=192))
def test_silence_is_true(hours: list[int | None]) -> None:
    found = silence(hours)
    if found is not None:
        assert not any(hours[-found.hours - 1 :]) and found.usual >= LEAST_MISSED
        assert hours[-found.hours - 2]


@pytest.mark.parametrize("hour", range(24))
def test_days_begin_at_any_hour_of_utc(hour: int) -> None:
    at = datetime(2026, 11, 22, hour, tzinfo=UTC)
    local = at.astimezone(ZoneInfo(day_zone(hour)))
    assert (local.hour, local.minute) == (0, 0)
