"""Change windows: wall-clock intervals as Alertmanager understands them, and the next opening in every zone."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.changes.rules.windows import (
    LOOK_AHEAD,
    Interval,
    Windows,
    contains,
    is_open,
    next_closing,
    next_opening,
)
from holdfast.changes.rules.windows_written import parse, parse_interval
from holdfast.kernel.errors import Invalid

MINUTE = timedelta(minutes=1)
NIGHT = ((120, 180),)  # 02:00 to 03:00


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def alertmanager(folder: Path) -> Any:
    return json.loads((folder / "alertmanager" / "cases-timeinterval.json").read_text())


def test_alertmanagers_instants_are_in_and_out_of_its_intervals(shared_data: Path) -> None:
    instants = 0
    for case in alertmanager(shared_data)["contains"]:
        said = case["interval"]
        interval = Interval(
            times=tuple((one["start_minute"], one["end_minute"]) for one in said.get("times", ())),
            zone=said.get("location", "UTC"),
            **{
                name: tuple(tuple(pair) for pair in said.get(name, ()))
                for name in ("weekdays", "days_of_month", "months", "years")
            },
        )
        for name, inside in (("contains", True), ("excludes", False)):
            for text in case[name]:
                assert contains(interval, instant(text)) is inside, (case["comment"], text)
                instants += 1
    assert instants == 40


SAID_OF = {
    "couldn't parse timestamp 01:99": ("times[0].start_time", "'01:99' is no time"),
    "couldn't parse timestamp 99:99": ("times[0].end_time", "'99:99' is no time"),
    "start day cannot be before end day": ("weekdays[0]", "a week begins on sunday"),
    "blurgsday is not a valid": ("weekdays[0]", "'blurgsday' is no weekday"),
    "1 is not a valid weekday": ("weekdays[0]", "'1' is no weekday"),
    "-2 is not a valid weekday": ("weekdays[0]", "'-2' is no weekday"),
    "0 is not a valid day": ("days_of_month[0]", "0 is no day of a month"),
    "-50 is not a valid day": ("days_of_month[0]", "-50 is no day of a month"),
    "50 is not a valid day": ("days_of_month[0]", "50 is no day of a month"),
    "end day must be negative": ("days_of_month[0]", "ends below zero"),
    "end day -25 is always before": ("days_of_month[0]", "the end -25 is in every month before the start 10"),
    "martius is not a valid month": ("months[0]", "'martius' is no month"),
    "junius is not a valid month": ("months[0]", "'junius' is no month"),
    "end month january is before": ("months[0]", "the end january is before the start december"),
    "end year 2020 is before": ("years[0]", "the end not before the start"),
}
"""What Alertmanager says of a fault → where it is found here, and what is said of it."""


def test_alertmanagers_yaml_is_read_and_refused_as_it_does(shared_data: Path) -> None:
    met, instants = set(), 0
    cases = alertmanager(shared_data)["yaml"]
    for case in cases:
        written = yaml.safe_load(case["yaml"])
        intervals = written if isinstance(written, list) else [written]
        if case["error"] is not None:
            (said,) = (one for one in SAID_OF if case["error"].startswith(one))
            met.add(said)
            with pytest.raises(Invalid) as refused:
                parse({"open": intervals})
            where, what = SAID_OF[said]
            assert refused.value.where == f"windows.open[0].{where}"
            assert what in refused.value.detail
            continue
        windows = parse({"open": intervals})
        for name, inside in (("contains", True), ("excludes", False)):
            for text in case[name]:
                assert is_open(windows, instant(text)) is inside, (case["yaml"], text)
                instants += 1
    assert (len(cases), met, instants) == (23, SAID_OF.keys(), 21)


def test_alertmanagers_time_ranges_are_read_and_refused_as_it_does(shared_data: Path) -> None:
    cases = alertmanager(shared_data)["time_range"]
    for case in cases:
        written = {"times": [yaml.safe_load(case["yaml"])]}
        if case["error"]:
            with pytest.raises(Invalid) as refused:
                parse_interval(written, "open[0]")
            assert str(refused.value.where).startswith("open[0].times[0]")
        else:
            assert parse_interval(written, "open[0]").times
    assert len(cases) == 8


def test_windows_are_read_from_what_people_write() -> None:
    written = """
    zone: Europe/Berlin
    open:
      - weekdays: ['monday:thursday', Saturday]
        times: [{start_time: '09:00', end_time: '16:00'}, {start_time: '22:00', end_time: '24:00'}]
      - {days_of_month: [1, '-3:-1'], months: ['january:march', December], years: [2026], location: Asia/Tokyo}
    closed:
      - {days_of_month: ['-1']}
    holidays: [2026-12-24, '2026-12-30:2027-01-03']
    """
    assert parse(yaml.safe_load(written)) == Windows(
        zone="Europe/Berlin",
        open=(
            Interval(times=((540, 960), (1320, 1440)), weekdays=((1, 4), (6, 6)), zone="Europe/Berlin"),
            Interval(
                days_of_month=((1, 1), (-3, -1)),
                months=((1, 3), (12, 12)),
                years=((2026, 2026),),
                zone="Asia/Tokyo",
            ),
        ),
        closed=(Interval(days_of_month=((-1, -1),), zone="Europe/Berlin"),),
        holidays=((date(2026, 12, 24), date(2026, 12, 24)), (date(2026, 12, 30), date(2027, 1, 3))),
    )
    assert parse({}) == Windows()


@pytest.mark.parametrize(
    ("written", "where", "what"),
    [
        ([], "windows", "a mapping of zone, open, closed, holidays"),
        ({"opened": []}, "windows", "no field 'opened'"),
        ({"zone": "Berlin"}, "windows.zone", "like Europe/Berlin"),
        ({"zone": "../etc/passwd"}, "windows.zone", "no time zone"),
        ({"zone": 1}, "windows.zone", "no time zone"),
        ({"zone": ""}, "windows.zone", "no time zone"),
        ({"zone": "x" * 5000}, "windows.zone", "no time zone"),
        ({"open": {}}, "windows.open", "a list of 1 to"),
        ({"open": []}, "windows.open", "leave it out"),
        ({"open": [{}] * 21}, "windows.open", "a list of 1 to 20"),
        ({"open": [{"days_of_month": [1] * 32}]}, "windows.open[0].days_of_month", "a list of 1 to 31"),
        ({"open": ["monday"]}, "windows.open[0]", "a mapping of times, weekdays"),
        ({"open": [{}, {"weekday": []}]}, "windows.open[1]", "no field 'weekday'"),
        ({"closed": [{"weekdays": "monday"}]}, "windows.closed[0].weekdays", "a list of 1 to"),
        ({"closed": [{"weekdays": [True]}]}, "windows.closed[0].weekdays[0]", "one value, or a range"),
        ({"open": [{"location": "Mars"}]}, "windows.open[0].location", "no time zone"),
        ({"open": [{"times": [{"start_time": 1020}]}]}, "windows.open[0].times[0].start_time", "in quotes"),
        ({"open": [{"times": [{"end_time": "9:00"}]}]}, "windows.open[0].times[0].start_time", "is missing"),
        ({"open": [{"days_of_month": [65]}]}, "windows.open[0].days_of_month[0]", "in quotes like '1:7'"),
        ({"open": [{"days_of_month": ["1:2:3"]}]}, "windows.open[0].days_of_month[0]", "is no number"),
        ({"open": [{"days_of_month": ["-1:-3"]}]}, "windows.open[0].days_of_month[0]", "before the start"),
        ({"open": [{"days_of_month": ["9" * 5000]}]}, "windows.open[0].days_of_month[0]", "is no number"),
        ({"open": [{"days_of_month": ["³"]}]}, "windows.open[0].days_of_month[0]", "is no number"),
        ({"open": [{"years": ["26"]}]}, "windows.open[0].years[0]", "years are from"),
        ({"holidays": ["24.12.2026"]}, "windows.holidays[0]", "like '2026-12-24'"),
        ({"holidays": ["2027-01-03:2026-12-24"]}, "windows.holidays[0]", "the last not before the first"),
        ({"holidays": ["9999-12-31"]}, "windows.holidays[0]", "days are of the years"),
        ({"holidays": [datetime(2026, 12, 24, tzinfo=UTC)]}, "windows.holidays[0]", "in quotes"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_remedy(written: Any, where: str, what: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(written)
    assert refused.value.where == where
    assert what in refused.value.detail
    assert len(refused.value.detail) < 300


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.dates(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["zone", "open", "closed", "holidays", "times", "weekdays", "start_time", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_whatever_is_written_is_read_or_refused(written: Any) -> None:
    try:
        parse(written)
    except Invalid as refused:
        assert str(refused.where).startswith("windows")  # noqa: PT017  # where it is refused, and only then


def test_days_off_are_days_of_the_windows_own_zone() -> None:
    windows = Windows(zone="Pacific/Auckland", holidays=((date(2026, 12, 25), date(2026, 12, 26)),))
    assert next_closing(windows, instant("2026-12-20T00:00+00:00")) == instant("2026-12-25T00:00+13:00")
    assert next_opening(windows, instant("2026-12-25T00:00+13:00")) == instant("2026-12-27T00:00+13:00")
    assert not is_open(windows, instant("2026-12-26T23:59:59+13:00"))


@pytest.mark.parametrize(
    ("zone", "times", "after", "opens", "closes"),
    [
        # 02:00 to 03:00 is skipped: nothing of it is there that day
        ("Europe/Berlin", NIGHT, "2026-03-28T12:00Z", "2026-03-30T00:00Z", "2026-03-30T01:00Z"),
        # from 02:30, in the gap: the first instant after it, 03:00
        ("Europe/Berlin", ((150, 240),), "2026-03-28T12:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
        # until 02:30, in the gap: until the gap begins
        ("Europe/Berlin", ((60, 150),), "2026-03-28T12:00Z", "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        # 02:00 to 03:00 comes twice, and is open both times
        ("Europe/Berlin", NIGHT, "2026-10-24T12:00Z", "2026-10-25T00:00Z", "2026-10-25T02:00Z"),
        # from 02:30: until the clocks go back to 02:00, where it is closed for half an hour
        ("Europe/Berlin", ((150, 240),), "2026-10-24T12:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z"),
        ("Europe/Berlin", ((150, 240),), "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T03:00Z"),
        # Lord Howe moves by half an hour
        ("Australia/Lord_Howe", NIGHT, "2026-10-03T12:00Z", "2026-10-03T15:30Z", "2026-10-03T16:00Z"),
        # Apia had no 30 December 2011
        ("Pacific/Apia", ((0, 1440),), "2011-12-29T12:00Z", "2011-12-29T12:00Z", None),
        ("Pacific/Apia", ((600, 660),), "2011-12-29T22:00Z", "2011-12-30T20:00Z", "2011-12-30T21:00Z"),
    ],
)
def test_boundaries_at_a_change_of_the_clocks(
    zone: str, times: Any, after: str, opens: str, closes: str | None
) -> None:
    windows = Windows(zone=zone, open=(Interval(times=times, zone=zone),))
    opened = next_opening(windows, instant(after))
    assert opened == instant(opens)
    closed = next_closing(windows, opened)
    assert closed == (instant(closes) if closes else None)


def test_a_day_that_never_was_is_not_an_opening() -> None:
    zone = "Pacific/Apia"
    windows = Windows(zone=zone, open=(Interval(days_of_month=((30, 30),), months=((12, 12),), zone=zone),))
    assert next_opening(windows, instant("2011-12-01T00:00Z")) == instant("2012-12-30T00:00+14:00")


def test_what_does_not_come_within_the_look_ahead_is_not_known() -> None:
    windows = Windows(open=(Interval(months=((2, 2),), days_of_month=((29, 29),)),))
    leap = instant("2028-02-29T00:00Z")
    assert next_opening(windows, leap - LOOK_AHEAD + MINUTE) == leap
    assert next_opening(windows, leap - LOOK_AHEAD) is None
    assert next_opening(Windows(open=(Interval(years=((2020, 2020),)),)), leap) is None
    assert next_closing(Windows(), leap) is None
    assert next_opening(Windows(), leap) == leap


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/Sao_Paulo",
    "Europe/Dublin",
    "Asia/Tehran",
    "Africa/Monrovia",
)
TURNS = (  # near to where clocks were put on or back
    "2011-12-30T10:00Z",
    "2026-03-29T01:00Z",
    "2026-10-25T01:00Z",
    "2026-04-04T15:00Z",
    "2026-10-03T15:30Z",
    "2026-03-08T07:00Z",
    "2026-11-01T06:00Z",
    "1972-01-07T00:44:30Z",
)


def ranges(least: int, most: int) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pair = st.tuples(st.integers(least, most), st.integers(least, most)).map(lambda one: (min(one), max(one)))
    return st.lists(pair, max_size=2).map(tuple)


MINUTES = (
    st.tuples(st.integers(0, 1439), st.integers(1, 1440))
    .filter(lambda one: one[0] < one[1])
    .map(lambda one: (one[0] // 5 * 5, one[1]))
)
INTERVALS = st.builds(
    Interval,
    times=st.lists(MINUTES, max_size=3).map(tuple),
    weekdays=ranges(0, 6),
    days_of_month=st.sampled_from([(), (), ((-2, -1),), ((1, 1), (15, 20)), ((-31, 31),), ((30, 31),)]),
    months=st.sampled_from([(), (), (), ((3, 4), (10, 12))]),
    zone=st.sampled_from(ZONES),
)
WINDOWS = st.builds(
    Windows,
    zone=st.sampled_from(ZONES),
    open=st.lists(INTERVALS, max_size=2).map(tuple),
    closed=st.lists(INTERVALS, max_size=1).map(tuple),
    holidays=st.sampled_from(
        [(), ((date(2026, 3, 29), date(2026, 3, 29)), (date(2011, 12, 31), date(2012, 1, 1)))]
    ),
)


@settings(max_examples=60, deadline=None)
@given(WINDOWS, st.sampled_from(TURNS), st.integers(-3 * 86400, 86400), st.integers(0, 999_999))
def test_nothing_is_open_before_the_next_opening_nor_closed_before_the_next_closing(
    windows: Windows, turn: str, seconds: int, micros: int
) -> None:
    at = instant(turn) + timedelta(seconds=seconds, microseconds=micros)
    for found, wanted in ((next_opening(windows, at), True), (next_closing(windows, at), False)):
        if found is not None:
            assert found >= at
            assert is_open(windows, found) is wanted
            if found > at:
                assert is_open(windows, found - timedelta(microseconds=1)) is not wanted
        end = min(found or at + LOOK_AHEAD, at + timedelta(days=4))
        one = at
        while one < end:
            assert is_open(windows, one) is not wanted, one
            one += MINUTE


@given(st.sampled_from(ZONES), st.datetimes(datetime(1975, 1, 1), datetime(2100, 1, 1)), MINUTES)  # noqa: DTZ001
def test_what_is_open_is_what_a_clock_on_the_wall_shows(
    zone: str, naive: datetime, times: tuple[int, int]
) -> None:
    at = naive.replace(tzinfo=UTC)
    shown = at.astimezone(ZoneInfo(zone)).strftime("%H:%M")
    start, end = (f"{minute // 60:02d}:{minute % 60:02d}" for minute in times)
    written = {"zone": zone, "open": [{"times": [{"start_time": start, "end_time": end}]}]}
    assert is_open(parse(written), at) is (start <= shown < end)


def test_many_intervals_are_looked_through_in_bounded_time() -> None:
    """The most that can be written, which never opens: 400 days of it."""
    times = [{"start_time": f"{n // 60:02d}:{n % 60:02d}", "end_time": "24:00"} for n in range(20)]
    windows = parse({"open": [{"times": times}] * 20, "closed": [{"times": times}] * 19 + [{}]})
    began = time.process_time()
    assert next_opening(windows, instant("2026-01-01T00:00Z")) is None
    assert time.process_time() - began < 20
