"""What freezes and windows say of a change that would start or go on, in words, and from when on it may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.model import Freeze
from holdfast.changes.rules.freezes import blocks, next_start
from holdfast.changes.rules.windows import LOOK_AHEAD, Interval, Windows, is_open

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE = Windows(
    zone="Europe/Berlin",
    open=(Interval(times=((540, 960),), weekdays=((1, 4),), zone="Europe/Berlin"),),
)
ALWAYS = Windows()


def freeze(**more: Any) -> Freeze:
    made: dict[str, Any] = {
        "id": "frz_1",
        "workspace": "ws_1",
        "systems": (),
        "begins_at": MONDAY,
        "ends_at": None,
        "reason": "an incident is open",
        "lets_emergencies": False,
        "by": "mem_1",
        "made_at": MONDAY,
    }
    return Freeze(**{**made, **more})


def test_nothing_said_is_nothing_in_the_way() -> None:
    assert blocks((), ALWAYS, "shop", MONDAY) == ""
    assert blocks((), OFFICE, "shop", MONDAY) == ""
    assert next_start((), OFFICE, "shop", MONDAY) == MONDAY


def test_a_closed_window_says_when_it_opens() -> None:
    night = MONDAY + 8 * HOUR
    assert blocks((), OFFICE, "shop", night) == (
        "the change window is closed; it may go on from 2026-11-24 08:00 UTC (2026-11-24 09:00 in Europe/Berlin)"
    )
    assert blocks((), OFFICE, "shop", night, emergency=True) == ""
    never = Windows(open=(Interval(years=((2020, 2020),)),))
    assert blocks((), never, "shop", night) == ("the change window is closed; no opening is within 400 days")


def test_a_freeze_holds_the_systems_that_it_names_from_its_beginning_up_to_its_end() -> None:
    one = freeze(ends_at=MONDAY + HOUR, systems=("shop",))
    assert blocks((one,), ALWAYS, "shop", MONDAY) == (
        "a freeze of this system holds until 2026-11-23 13:00 UTC: an incident is open; "
        "it may go on from 2026-11-23 13:00 UTC"
    )
    assert blocks((one,), ALWAYS, "desk", MONDAY) == ""
    assert blocks((one,), ALWAYS, "shop", MONDAY - timedelta(microseconds=1)) == ""
    assert blocks((one,), ALWAYS, "shop", MONDAY + HOUR) == ""


def test_a_freeze_without_an_end_holds_until_it_is_lifted() -> None:
    said = blocks((freeze(),), OFFICE, "shop", MONDAY)
    assert said == (
        "a freeze of every system holds until it is lifted: an incident is open; "
        "it may go on after the freeze that has no end is lifted"
    )
    assert next_start((freeze(),), OFFICE, "shop", MONDAY) is None


def test_an_emergency_passes_windows_but_freezes_only_that_let_it() -> None:
    night = MONDAY + 8 * HOUR
    assert "until it is lifted" in blocks((freeze(),), OFFICE, "shop", night, emergency=True)
    lets = freeze(lets_emergencies=True)
    assert blocks((lets,), OFFICE, "shop", night, emergency=True) == ""
    assert blocks((lets, freeze()), OFFICE, "shop", night, emergency=True) != ""
    assert "window" not in blocks((freeze(),), OFFICE, "shop", night, emergency=True)
    assert blocks((lets,), OFFICE, "shop", night).count("; ") == 2, (
        "the freeze, the window, and how it goes on"
    )


def test_the_next_start_is_after_every_freeze_and_in_a_window() -> None:
    freezes = (
        freeze(ends_at=MONDAY + 8 * HOUR),
        freeze(begins_at=MONDAY + 7 * HOUR, ends_at=MONDAY + 22 * HOUR),  # until Tuesday, 10:00 UTC
    )
    assert next_start(freezes, OFFICE, "shop", MONDAY) == MONDAY + 22 * HOUR
    later = freeze(begins_at=MONDAY + 21 * HOUR, ends_at=MONDAY + 27 * HOUR)  # beyond Tuesday's window
    assert next_start((*freezes, later), OFFICE, "shop", MONDAY) == datetime(2026, 11, 25, 8, tzinfo=UTC)
    planned = freeze(begins_at=MONDAY + 10 * HOUR)  # without an end, before the window opens again
    assert next_start((freezes[0], planned), OFFICE, "shop", MONDAY) is None
    assert blocks((planned,), OFFICE, "shop", MONDAY + 8 * HOUR) == (
        "the change window is closed; it may go on after the freeze that has no end is lifted"
    )


INSTANTS = st.integers(0, 96).map(lambda hours: MONDAY + hours * HOUR / 2)
FREEZES = st.builds(
    freeze,
    begins_at=INSTANTS,
    ends_at=st.none() | INSTANTS,
    systems=st.sampled_from([(), ("shop",), ("desk",)]),
    lets_emergencies=st.booleans(),
)


@given(st.lists(FREEZES, max_size=4), st.sampled_from([ALWAYS, OFFICE]), INSTANTS, st.booleans())
def test_it_may_go_on_at_the_next_start_and_at_no_instant_before(
    freezes: list[Freeze], windows: Windows, at: datetime, emergency: bool
) -> None:
    start = next_start(freezes, windows, "shop", at, emergency=emergency)
    one = at
    while one < min(start or at + LOOK_AHEAD, at + timedelta(days=5)):
        assert blocks(freezes, windows, "shop", one, emergency=emergency) != "", one
        one += HOUR / 2
    if start is not None:
        assert blocks(freezes, windows, "shop", start, emergency=emergency) == ""
        assert emergency or is_open(windows, start)
