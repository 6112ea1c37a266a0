"""Questions to metrics that people keep: panels, the dashboards they stand on, and what makes one valid."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.kernel.errors import Invalid, NotFound
from holdfast.telemetry.model import Step, TimeRange

MOST_MEASURES = 4
MOST_SERIES = 12
MOST_PANELS = 24
SERIES = 6
"""How many groups a chart shows unless told otherwise."""
CALENDAR = ("day", "week", "month")
POINTS = 100
LADDER = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Lengths of steps that a clock shows, in seconds."""
DAY = 86400
DEFAULT = "overview"
"""The name in addresses of the dashboard that is there before anybody made one."""
_EPOCH = TimeRange(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True, slots=True)
class Panel:
    """A question to metrics. `step` is `auto`, seconds, `day`, `week` or `month`; `filters` are (dimension, value),
    empty value unknown. The window is the page's.
    """

    id: str
    title: str
    measures: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    step: str = "auto"
    top: int = SERIES


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A named list of panels of a workspace; `slug` is its name in addresses."""

    workspace: str
    slug: str
    name: str
    panels: tuple[Panel, ...]
    changed_by: str
    changed_at: datetime


def auto_step(within: TimeRange, zone: str, points: int = POINTS) -> Step:
    """The shortest step that draws a window in about so many points; from 40 days on, days of the zone."""
    seconds = (within.end - within.start).total_seconds()
    if seconds > 40 * DAY:
        calendar = "day" if seconds <= 120 * DAY else "week" if seconds <= 3 * 366 * DAY else "month"
        return Step(calendar=calendar, zone=zone)  # type: ignore[arg-type]
    return Step(next(one for one in LADDER if seconds / one <= points))


def step_of(text: str, within: TimeRange, zone: str, points: int = POINTS) -> Step:
    """A step as addresses and panels write it. Raises Invalid."""
    if text in ("", "auto"):
        return auto_step(within, zone, points)
    if text in CALENDAR:
        return Step(calendar=text, zone=zone)  # type: ignore[arg-type]
    if not text.isascii() or not text.isdecimal() or len(text) > 8 or not int(text):
        raise Invalid("a step is auto, a number of seconds, day, week or month", where="step")
    return Step(int(text))


def starts(step: Step, within: TimeRange) -> list[datetime]:
    """The beginning of every step that a window touches, in order and in UTC."""
    if not step.calendar:
        first = int(within.start.timestamp()) // step.seconds * step.seconds
        return [
            datetime.fromtimestamp(at, UTC) for at in range(first, ceil(within.end.timestamp()), step.seconds)
        ]
    zone = ZoneInfo(step.zone)
    day = within.start.astimezone(zone).date()
    if step.calendar == "week":
        day -= timedelta(days=day.weekday())
    elif step.calendar == "month":
        day = day.replace(day=1)
    found = []
    while (at := datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) < within.end:
        found.append(at)
        if step.calendar == "month":
            day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        else:
            day += timedelta(days=7 if step.calendar == "week" else 1)
    return found


def checked(panel: Panel, measures: Collection[str], dimensions: Collection[str]) -> Panel:
    """The panel, where everything it names exists. Raises Invalid."""
    if not 1 <= len(panel.measures) <= MOST_MEASURES:
        raise Invalid(f"a panel has 1 to {MOST_MEASURES} measures", where="measures")
    for name in panel.measures:
        if name not in measures:
            raise Invalid(f"there is no measure {name[:40]!r}", where="measures")
    if len(panel.group_by) > 2 or len(set(panel.group_by)) < len(panel.group_by):
        raise Invalid("group by at most two different dimensions", where="group_by")
    for name in (*panel.group_by, *(one for one, _ in panel.filters)):
        if name not in dimensions:
            raise Invalid(f"there is no dimension {name[:40]!r}", where="group_by")
    if len(panel.filters) > 100 or any(len(value) > 500 for _, value in panel.filters):
        raise Invalid("a panel has at most 100 filters of 500 characters", where="filters")
    if not 1 <= panel.top <= MOST_SERIES:
        raise Invalid(f"a chart shows 1 to {MOST_SERIES} groups", where="top")
    step_of(panel.step, _EPOCH, "UTC")
    title = panel.title.strip()
    if not title or len(title) > 120:
        raise Invalid("a panel needs a title of at most 120 characters", where="title")
    return replace(panel, title=title)


def name_of(text: str) -> str:
    """A dashboard's name. Raises Invalid."""
    name = text.strip()
    if not name or len(name) > 80:
        raise Invalid("a dashboard needs a name of at most 80 characters", where="name")
    return name


def slug_of(text: str, taken: Collection[str] = ()) -> str:
    """A name for addresses, made of a name for people, that nobody has yet."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50] or "dashboard"
    number, free = 2, made
    while free in taken:
        free, number = f"{made}-{number}", number + 1
    return free


def check_slug(text: str) -> str:
    """The text, where it can be a dashboard's name in addresses. Raises Invalid."""
    if not _SLUG.fullmatch(text):
        raise Invalid("a dashboard's id has 1 to 60 small letters, digits and hyphens", where="dashboard")
    return text


def changed(panels: Sequence[Panel], panel: str, change: str, title: str = "") -> tuple[Panel, ...]:
    """The panels after one of them was moved `up` or `down`, was taken away (`remove`) or got a `title`.

    Raises NotFound, Invalid.
    """
    found = list(panels)
    at = next((number for number, one in enumerate(found) if one.id == panel), None)
    if at is None:
        raise NotFound("there is no such panel; somebody may have taken it away")
    if change == "remove":
        del found[at]
    elif change in ("up", "down"):
        to = min(max(at + (1 if change == "down" else -1), 0), len(found) - 1)
        found.insert(to, found.pop(at))
    elif change == "title":
        name = title.strip()
        if not name or len(name) > 120:
            raise Invalid("a panel needs a title of at most 120 characters", where="title")
        found[at] = replace(found[at], title=name)
    else:
        raise Invalid("a panel can be moved up or down, renamed or removed", where="change")
    return tuple(found)


def plain(panel: Panel) -> dict[str, Any]:
    """A panel as JSON holds it; unknown values are null."""
    filters: dict[str, list[str | None]] = {}
    for name, value in panel.filters:
        filters.setdefault(name, []).append(value or None)
    return {
        "id": panel.id,
        "title": panel.title,
        "measures": list(panel.measures),
        "group_by": list(panel.group_by),
        "filters": filters,
        "step": panel.step,
        "top": panel.top,
    }


def of_plain(found: Mapping[str, Any]) -> Panel:
    """A panel back from `plain`."""
    return Panel(
        found["id"],
        found["title"],
        tuple(found["measures"]),
        tuple(found["group_by"]),
        tuple((name, value or "") for name, values in found["filters"].items() for value in values),
        found["step"],
        found["top"],
    )


def without(panels: Sequence[Panel], texts: Collection[str]) -> tuple[Panel, ...]:
    """The panels that name none of these texts, in their titles or filters."""
    lowered = [text.lower() for text in texts]

    def names(panel: Panel) -> bool:
        said = [panel.title, *(value for _, value in panel.filters)]
        return any(text in one.lower() for text in lowered for one in said)

    return tuple(panel for panel in panels if not names(panel))


def overview(new: Callable[[int], str]) -> tuple[Panel, ...]:
    """What stands on the dashboard that is there from the beginning. `new` makes ids of their numbers."""
    made = (
        ("Calls", ("calls",), ()),
        ("Failed calls, throttled requests, refusals", ("error_rate", "throttled_rate", "refusal_rate"), ()),
        ("Latency", ("latency_p50", "latency_p95", "latency_p99"), ()),
        ("Time to the first token", ("ttft_p50", "ttft_p95"), ()),
        ("Cost", ("cost",), ()),
        ("Cost by model", ("cost",), ("model",)),
        ("Calls by route", ("calls",), ("route",)),
        ("Latency p95 by route", ("latency_p95",), ("route",)),
        ("Tokens", ("input_uncached_tokens", "input_cache_read_tokens", "output_tokens"), ()),
    )
    return tuple(Panel(new(n), title, names, by) for n, (title, names, by) in enumerate(made))
