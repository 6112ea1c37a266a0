"""Panels: the steps they draw, what is refused, and how a list of them changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.kernel.errors import Invalid, NotFound
from holdfast.telemetry.model import Step, TimeRange
from holdfast.telemetry.reads.panels import check
from holdfast.telemetry.rules import panels
from holdfast.telemetry.rules.panels import Panel

NOON = datetime(2026, 11, 21, 12, 0, 20, tzinfo=UTC)
GOOD = Panel("p1", "Calls", ("calls",), ("route",), (("tenant", "acme"), ("tenant", "")))


def window(**length: float) -> TimeRange:
    return TimeRange(NOON - timedelta(**length), NOON)


@pytest.mark.parametrize(
    ("length", "step"),
    [
        ({"minutes": 15}, Step(10)),
        ({"hours": 24}, Step(900)),
        ({"days": 7}, Step(7200)),
        ({"days": 90}, Step(calendar="day", zone="Asia/Tokyo")),
        ({"days": 700}, Step(calendar="week", zone="Asia/Tokyo")),
        ({"days": 3000}, Step(calendar="month", zone="Asia/Tokyo")),
    ],
)
def test_a_window_is_drawn_in_about_a_hundred_points(length: dict[str, float], step: Step) -> None:
    assert panels.auto_step(window(**length), "Asia/Tokyo") == step
    assert len(panels.starts(step, window(**length))) <= 125


def test_days_of_a_zone_are_23_or_25_hours_long_where_its_clock_changes() -> None:
    within = TimeRange(datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 27, tzinfo=UTC))
    found = panels.starts(Step(calendar="day", zone="Europe/Berlin"), within)
    assert [at.isoformat() for at in found] == [
        "2026-10-23T22:00:00+00:00",
        "2026-10-24T22:00:00+00:00",
        "2026-10-25T23:00:00+00:00",
        "2026-10-26T23:00:00+00:00",
    ]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    within = TimeRange(datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 3, 1, 1, tzinfo=UTC))
    weeks = panels.starts(Step(calendar="week"), within)
    assert weeks[0] == datetime(2026, 1, 26, tzinfo=UTC) and {at.weekday() for at in weeks} == {0}
    months = panels.starts(Step(calendar="month"), within)
    assert [(at.month, at.day) for at in months] == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("text", ["fortnight", "0", "-5", "1e3", "٣", "999999999"])
def test_a_step_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        panels.step_of(text, window(hours=1), "UTC")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"measures": ()}, "measures"),
        ({"measures": ("calls", "cost", "errors", "users", "sessions")}, "measures"),
        ({"measures": ("speed",)}, "measures"),
        ({"group_by": ("route", "route")}, "group_by"),
        ({"group_by": ("colour",)}, "group_by"),
        ({"filters": (("colour", "red"),)}, "group_by"),
        ({"title": "  "}, "title"),
        ({"step": "often"}, "step"),
        ({"top": 0}, "top"),
    ],
)
def test_a_panel_names_only_what_there_is(change: dict[str, object], where: str) -> None:
    assert check(GOOD) == GOOD
    with pytest.raises(Invalid) as refused:
        check(replace(GOOD, **change))  # type: ignore[arg-type]
    assert refused.value.where == where


def test_a_panel_comes_back_from_json_as_it_was() -> None:
    assert panels.of_plain(panels.plain(GOOD)) == GOOD
    assert panels.plain(GOOD)["filters"] == {"tenant": ["acme", None]}


def test_panels_are_moved_renamed_and_taken_away() -> None:
    three = tuple(replace(GOOD, id=name) for name in "abc")

    def order(change: str, panel: str) -> str:
        return "".join(one.id for one in panels.changed(three, panel, change))

    assert [
        order("up", "c"),
        order("down", "a"),
        order("up", "a"),
        order("down", "c"),
        order("remove", "b"),
    ] == [
        "acb",
        "bac",
        "abc",
        "abc",
        "ac",
    ]
    assert panels.changed(three, "b", "title", " New ")[1].title == "New"
    with pytest.raises(NotFound):
        panels.changed(three, "z", "up")
    with pytest.raises(Invalid):
        panels.changed(three, "a", "spin")


def test_names_in_addresses_are_plain_and_free() -> None:
    assert panels.slug_of("Übersicht: Kosten & Zeit") == "ubersicht-kosten-zeit"
    assert panels.slug_of("Calls", {"calls", "calls-2"}) == "calls-3"
    assert panels.slug_of("呼び出し") == "dashboard"
    assert panels.check_slug("a-1") == "a-1"
    for bad in ("", "A", "a/b", "-a", "x" * 61):
        with pytest.raises(Invalid):
            panels.check_slug(bad)


def test_the_first_dashboard_names_only_what_there_is() -> None:
    made = panels.overview(lambda n: f"p{n}")
    assert len(made) > 5 and len({one.id for one in made}) == len(made)
    for one in made:
        assert check(one) == one


def test_panels_that_name_a_person_are_found_in_any_case() -> None:
    named = replace(GOOD, id="p2", filters=(("user", "Ann@Example.org"),))
    assert panels.without((GOOD, named), ["ann@example.org"]) == (GOOD,)
