"""How systems stand: their last day beside the week before, their figures over a range, what their calls lack.

Everything here is asked of `reads.metrics`, a few queries for all systems together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from holdfast.platform.access.model import Reach
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricAnswer, MetricQuery, MetricRow, Step, TimeRange
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.rules import capture, week
from holdfast.telemetry.rules.measures import SAID
from holdfast.telemetry.store import spans
from holdfast.telemetry.store.calls import CallFilter

FIGURES = (
    "calls",
    "errors",
    "error_rate",
    "latency_p95",
    "cost",
    "unpriced",
    "unpriced_rate",
    "refusals",
    "refusal_rate",
    "usage_unknown",
)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOURS = 24 * (week.DAYS + 1)
UNSAID = ("without_route", "without_tenant")
MOST_SYSTEMS = 200
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which calls a caller looks at: the dimensions chosen, within what the caller may see."""

    equals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()

    def asked(
        self,
        measures: Sequence[str],
        within: TimeRange,
        step: Step | None = None,
        by: tuple[str, ...] = (),
        *,
        limit: int = 1000,
        also: Mapping[str, tuple[str, ...]] | None = None,
    ) -> MetricQuery:
        """A query of these calls; `also` narrows it."""
        return MetricQuery(
            tuple(measures), within, step, by, {**self.equals, **(also or {})}, pairs=self.pairs, limit=limit
        )


def chosen(equals: Mapping[str, tuple[str, ...]], reach: Reach, now: datetime) -> Chosen:
    """Raises NotFound where the caller may see nothing of it."""
    wanted = CallFilter(
        TimeRange(now - DAY, now), {name: values for name, values in equals.items() if values}
    )
    found = calls_reads.reachable(wanted, reach, None)
    return Chosen(found.equals, found.pairs)


@dataclass(frozen=True, slots=True)
class Standing:
    """A system's days, the latest first: eight windows of 24 hours. None is a day before its first call.

    `calls` and `cost` of earlier days are as of the same minute of the running hour. `hours` are calls by hour,
    oldest first, the running one last. `hour` are the figures of the last 60 minutes; None without calls.
    """

    system: str
    days: tuple[week.Day | None, ...]
    last: Values | None
    currency: str
    hours: tuple[int | None, ...]
    hour: Values | None
    off: tuple[week.Off, ...]
    silence: week.Silence | None
    last_call: datetime | None = None  # of a silent one

    @property
    def compared(self) -> bool:
        """Whether the last day can be compared with its week."""
        return week.comparable(self.days[0] or {}, [day or {} for day in self.days[1:]])


@dataclass(frozen=True, slots=True)
class Today:
    """All systems since `start`, those that are silent or off their week first."""

    start: datetime
    end: datetime
    systems: list[Standing]
    more: int
    routeless: int
    tenantless: int
    hourless: bool  # no call in the last 60 minutes


def today(columns: Columns, workspace: str, of: Chosen, now: datetime) -> Today:
    """How all systems stand. Days end with the running hour, so that stored hours answer for them."""
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    start = end - DAY * (week.DAYS + 1)
    past = TimeRange(start, end)
    step = Step(calendar="day", zone=week.day_zone(end.hour))
    days, hours, last_hour = metrics.answers(
        columns,
        workspace,
        (
            of.asked((*FIGURES, *UNSAID), past, step, ("system",), limit=MOST_SYSTEMS),
            of.asked(("calls", "cost"), past, Step(3600), ("system",), limit=MOST_SYSTEMS),
            of.asked(FIGURES[:4], TimeRange(now - HOUR, now), None, ("system",), limit=MOST_SYSTEMS),
        ),
    )
    left = 1 - (now.astimezone(UTC) - (end - HOUR)) / HOUR
    by_day, by_hour = _by_system(days.rows), _by_system(hours.rows)
    recent = {row.group[0]: row.values for row in last_hour.rows}
    made = [
        _standing(name, start, left, by_day.get(name, {}), by_hour.get(name, {}), recent.get(name))
        for name in dict.fromkeys([*by_day, *recent])
    ]
    made = [
        replace(one, last_call=_last(columns, workspace, of, one, end)) if one.silence else one
        for one in made
    ]
    made.sort(
        key=lambda one: (-(one.silence.usual if one.silence else 0), -(one.off[0].spreads if one.off else 0))
    )
    routeless, tenantless = (
        int(sum(row.values[name] for row in days.rows if row.start == end - DAY)) for name in UNSAID
    )
    return Today(
        end - DAY,
        end,
        made,
        max(days.groups - MOST_SYSTEMS, 0),
        routeless,
        tenantless,
        not recent,
    )


def _last(columns: Columns, workspace: str, of: Chosen, one: Standing, end: datetime) -> datetime | None:
    """The last call of a system, sought in the last hour that has any."""
    ago = next((ago for ago, calls in enumerate(reversed(one.hours)) if calls), None)
    if ago is None:
        return None
    within = TimeRange(end - HOUR * (ago + 1), end - HOUR * ago)
    filters = CallFilter(within, {**of.equals, "system": (one.system,)}, pairs=of.pairs)
    listed = calls_reads.calls(columns, workspace, filters, 1).items
    return datetime.fromisoformat(listed[0]["started_at"]) if listed else None


def _by_system(rows: Iterable[MetricRow]) -> dict[str, dict[datetime, Values]]:
    found: dict[str, dict[datetime, Values]] = {}
    for row in rows:
        assert row.start is not None
        found.setdefault(row.group[0], {})[row.start] = row.values
    return found


def _standing(
    name: str,
    start: datetime,
    left: float,
    by_day: Mapping[datetime, Values],
    by_hour: Mapping[datetime, Values],
    hour: Values | None,
) -> Standing:
    """`left`: the share of the running hour that is still to come."""
    starts = [start + DAY * number for number in range(week.DAYS, -1, -1)]
    latest: Mapping[str, Decimal] = next(
        (by_day[at]["cost"] for at in starts if at in by_day and by_day[at]["cost"]), {}
    )
    currency = max(latest, key=lambda one: latest[one], default="USD")
    first = min(by_hour, default=starts[0])
    days: list[week.Day | None] = [_day(by_day.get(starts[0]), {}, left, currency)]
    for at in starts[1:]:  # a day that the first call fell into is no whole day to compare with
        running = by_hour.get(at + DAY - HOUR, {})
        days.append(_day(by_day.get(at), running, left, currency) if first <= at else None)
    moments = [start + HOUR * number for number in range(HOURS)]
    hours = [None if at < first else int(by_hour.get(at, {}).get("calls", 0)) for at in moments]
    return Standing(
        name,
        tuple(days),
        by_day.get(starts[0]),
        currency,
        tuple(hours),
        hour,
        tuple(week.off_week(days[0] or {}, [day or {} for day in days[1:]])),
        week.silence(hours),
    )


def _day(values: Values | None, running: Values, left: float, currency: str) -> week.Day:
    """A day's figures, without the part of its last hour that today has not seen yet. No row: no call."""
    if values is None:
        return {"calls": 0.0}
    cost = values["cost"].get(currency)
    extra = running.get("cost", {}).get(currency, Decimal(0))
    return {
        "calls": values["calls"] - left * running.get("calls", 0),
        "cost": None if cost is None else float(cost) - left * float(extra),
        **{name: values[name] for name in ("error_rate", "latency_p95", "refusal_rate", "unpriced_rate")},
    }


@dataclass(frozen=True, slots=True)
class LastCall:
    """When a system called last: the beginning of the minute, hour or day (`seconds`) in which it did."""

    at: datetime
    seconds: int


@dataclass(frozen=True, slots=True)
class Line:
    """A system over a range: its figures (None without calls), calls by step (0 where there were none), where it runs."""

    system: str
    values: Values | None
    series: tuple[int, ...]
    environments: tuple[str, ...]
    last_call: LastCall | None


def portfolio(
    columns: Columns, workspace: str, of: Chosen, within: TimeRange, now: datetime, names: Iterable[str]
) -> tuple[list[Line], int]:
    """Every system that called within a range or is among `names`; and how many more there are."""
    step = step_of(within, 32)
    whole, places, recent = metrics.answers(
        columns,
        workspace,
        (
            of.asked(FIGURES, within, None, ("system",), limit=MOST_SYSTEMS),
            of.asked(("calls",), within, Step(step), ("system", "environment"), limit=5 * MOST_SYSTEMS),
            _recent(of, now, *BACK[0]),
        ),
    )
    found = {row.group[0]: row.values for row in whole.rows}
    by_step: dict[str, dict[datetime, int]] = {}
    environments: dict[str, list[str]] = {}
    for row in places.rows:
        system, environment = row.group
        assert row.start is not None
        counts = by_step.setdefault(system, {})
        counts[row.start] = counts.get(row.start, 0) + int(row.values["calls"])
        if environment not in environments.setdefault(system, []):
            environments[system].append(environment)
    every = list(dict.fromkeys([*found, *names]))
    last = _last_calls(columns, workspace, of, now, every, recent)
    starts = starts_of(within, step)
    lines = [
        Line(
            name,
            found.get(name),
            tuple(by_step.get(name, {}).get(at, 0) for at in starts),
            tuple(environments.get(name, ())),
            last.get(name),
        )
        for name in every
    ]
    return lines, max(whole.groups - MOST_SYSTEMS, 0)


BACK = ((HOUR, 60), (DAY * 8, 3600), (DAY * 400, 86_400))
"""How far back the last call of a system is sought, and how exactly, in seconds."""


def _recent(of: Chosen, now: datetime, back: timedelta, seconds: int) -> MetricQuery:
    return of.asked(("calls",), TimeRange(now - back, now), Step(seconds), ("system",))


def _last_calls(
    columns: Columns,
    workspace: str,
    of: Chosen,
    now: datetime,
    names: Sequence[str],
    recent: MetricAnswer,
) -> dict[str, LastCall]:
    """The last call of each system, the older the coarser; `recent` is the answer for the first part of BACK."""
    found: dict[str, LastCall] = {}
    for back, seconds in BACK:
        if all(name in found for name in names):
            break
        if seconds != BACK[0][1]:
            recent = metrics.query(columns, workspace, _recent(of, now, back, seconds))
        latest: dict[str, LastCall] = {}
        for row in recent.rows:  # in order of time
            assert row.start is not None
            latest[row.group[0]] = LastCall(row.start, seconds)
        found = {**latest, **found}
    return found


STEPS = (60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)


def step_of(within: TimeRange, most: int) -> int:
    """The shortest round step, in seconds, of which a window has no more than so many (or the longest there is)."""
    seconds = (within.end - within.start).total_seconds()
    return next((one for one in STEPS if seconds / one <= most), STEPS[-1])


def starts_of(within: TimeRange, step: int) -> list[datetime]:
    """The beginnings of a window's steps; the first may lie before the window."""
    first = int(within.start.timestamp()) // step * step
    count = -(-(int(within.end.timestamp()) - first) // step)
    return [datetime.fromtimestamp(first + step * number, UTC) for number in range(max(count, 1))]


@dataclass(frozen=True, slots=True)
class Course:
    """A system over a range: its figures as a whole, by step (None without calls), and by route."""

    whole: Values | None
    starts: list[datetime]
    step: int
    by_step: list[Values | None]
    routes: list[tuple[str, Values]]
    more_routes: int


COURSE = ("calls", "errors", "error_rate", "latency_p50", "latency_p95", "cost", "refusal_rate", "unpriced")
ROUTE = (
    "calls",
    "error_rate",
    "latency_p50",
    "latency_p95",
    "cost",
    "input_tokens",
    "output_tokens",
    "refusal_rate",
)
MOST_ROUTES = 50


def course(columns: Columns, workspace: str, of: Chosen, within: TimeRange) -> Course:
    """How a system (chosen by `of`) went."""
    step = step_of(within, 120)
    steps, routes = metrics.answers(
        columns,
        workspace,
        (
            replace(of.asked(COURSE, within, Step(step)), totals=within.end - within.start),
            of.asked(ROUTE, within, None, ("route",), limit=MOST_ROUTES),
        ),
    )
    found = {row.start: row.values for row in steps.rows}
    starts = starts_of(within, step)
    return Course(
        steps.totals[0].values if steps.totals else None,
        starts,
        step,
        [found.get(at) for at in starts],
        [(row.group[0], row.values) for row in routes.rows],
        max(routes.groups - MOST_ROUTES, 0),
    )


def any_sample(columns: Columns, workspace: str, of: Chosen, within: TimeRange) -> bool:
    """Whether some of the calls are sample data."""
    asked = of.asked(("calls",), within, also={"sample": ("true",)})
    return bool(metrics.query(columns, workspace, asked).rows)


SAYS = ("calls", "errors", "streamed", "ttft_known", "finish_reasons")
OWED = (
    "calls",
    "errors",
    "answered_without_usage",
    "answered_unpriced",
    *(f"without_{name}" for name in SAID),
)


def coverage(
    columns: Columns, workspace: str, of: Chosen, within: TimeRange
) -> tuple[dict[str, int | None], dict[str, int], int]:
    """By fact of `rules.instrumentation`: the calls that lack it, and those that could say it; then all calls.

    A failed call owes no tokens, cost or finish reason; only inferences have a finish reason or content, only streamed
    ones a first token. Content is counted by spans: it stands with them.
    """

    asked = (of.asked(OWED, within), of.asked(SAYS, within, also={"kind": ("inference",)}))
    owed, said = (
        one.rows[0].values if one.rows else {} for one in metrics.answers(columns, workspace, asked)
    )
    calls = int(owed.get("calls", 0))
    if not calls:
        return {}, {}, 0
    could = dict.fromkeys(SAID, calls)
    lacking: dict[str, int | None] = {
        name: int(owed[f"without_{name}"]) for name in SAID if name not in of.equals
    }
    for fact, figure in (("usage", "answered_without_usage"), ("cost", "answered_unpriced")):
        could[fact] = calls - int(owed["errors"])
        lacking[fact] = int(owed[figure])
    could["ttft"] = int(said.get("streamed", 0))
    lacking["ttft"] = max(could["ttft"] - int(said.get("ttft_known", 0)), 0)
    could["finish_reason"] = int(said.get("calls", 0) - said.get("errors", 0))
    lacking["finish_reason"] = max(could["finish_reason"] - sum(said.get("finish_reasons", {}).values()), 0)
    systems, environments = of.equals.get("system"), of.equals.get("environment")
    states = spans.content_states(columns, workspace, within, systems, environments, of.pairs)
    could["content"], lacking["content"] = sum(states.values()), states.get(capture.NONE, 0)
    return lacking, could, calls
