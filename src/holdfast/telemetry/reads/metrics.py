"""Metrics of calls and operations: any measure, over any window and step, by any two dimensions, exact at every moment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricAnswer, MetricQuery, MetricRow, Step, TimeRange
from holdfast.telemetry.reads import operations as operated
from holdfast.telemetry.rules.adding import Figures, Key, added
from holdfast.telemetry.rules.cover import DAY, HOUR, NS, Level, Piece, aligned, cover
from holdfast.telemetry.rules.measure import Measure
from holdfast.telemetry.rules.measures import MEASURES
from holdfast.telemetry.store import metrics as store
from holdfast.telemetry.store import operations, rollups
from holdfast.telemetry.store.calls import FILTERS, FLAGS, CallFilter
from holdfast.telemetry.store.figures import BY_SYSTEM, DISTINCT, MAPS, NARROW, WIDE
from holdfast.telemetry.store.rollups import Known
from holdfast.telemetry.store.spans import nanoseconds
from holdfast.telemetry.store.together import Part, Wanted

GROUPS = (*FILTERS, *FLAGS, "model", "finish_reason", *operations.OWN)
"""Dimensions that figures can be grouped by; not every one of them is one of calls, and not every one of operations."""
MOST_ROWS = 100_000
MOST_STEPS = 3000


@dataclass(frozen=True, slots=True)
class Moment:
    """What the stored buckets of a workspace know, and the starts of the minutes (Unix ns) that changed since.

    Queries that are asked together share one; an answer is exact as of then, or later.
    """

    known: Known
    changed: tuple[int, ...]


def moment(columns: Columns, workspace: str) -> Moment:
    """The present one."""
    known = rollups.known(columns, workspace)
    if not known.state.version:
        return Moment(known, ())
    return Moment(known, tuple(rollups.changed_minutes(columns, workspace, known.state.received_ms)))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query needs of the calls: figures of pieces of its window, from stored buckets and from calls."""

    parts: tuple[Part, ...] = ()
    raw_seconds: float = 0.0


def query(
    columns: Columns,
    workspace: str,
    asked: MetricQuery,
    *,
    complete: bool = True,
    at: Moment | None = None,
) -> MetricAnswer:
    """The answer to one query; see `answers`."""
    return answers(columns, workspace, [asked], complete=complete, at=at)[0]


def answers(
    columns: Columns,
    workspace: str,
    asked: Sequence[MetricQuery],
    *,
    complete: bool = True,
    at: Moment | None = None,
) -> list[MetricAnswer]:
    """The answers to several queries, in their order, as of one moment: `at` or later. What they share is read once.

    `complete`: whether all that was received has been counted. Raises Invalid for a measure, dimension, step or zone
    that there is not, and where there would be too many rows.
    """
    measures = [_checked(one) for one in asked]
    plans = []
    for one, wanted in zip(asked, measures, strict=True):
        of_calls = [measure for measure in wanted if measure.source == "calls"]
        if of_calls:
            at = at or moment(columns, workspace)
        plans.append(_plan(one, of_calls, at) if of_calls and at else Plan())
    found = _read(columns, workspace, [plan.parts for plan in plans], at)
    return [
        _answer(columns, workspace, *parts, complete)
        for parts in zip(asked, measures, plans, found, strict=True)
    ]


def _checked(asked: MetricQuery) -> list[Measure]:
    measures = [_measure(name) for name in asked.measures]
    _check(asked)
    operated.check(asked, measures)
    return measures


def _plan(asked: MetricQuery, measures: list[Measure], at: Moment) -> Plan:
    filters = CallFilter(asked.within, dict(asked.equals), pairs=asked.pairs)
    step = _step_sql(asked.step) if asked.step else ""
    needed = dict.fromkeys(name for measure in measures for name in measure.figures)
    distinct = [name for name in needed if name in DISTINCT]
    plain = tuple(dict.fromkeys(["rows", *(name for name in needed if name not in distinct)]))
    own = _pieces(at, asked)
    parts = [(Wanted(filters, plain, asked.group_by, step), own)]
    whole = (Piece("", nanoseconds(asked.within.start), nanoseconds(asked.within.end)),)
    amounts = tuple(name for name in distinct if name.endswith("_cost"))
    counts = tuple(name for name in distinct if name not in amounts)
    for names in (amounts, counts):  # apart: amounts are grouped by currency, and counts must not be
        if names:
            parts.append((Wanted(filters, names, asked.group_by, step), whole))
    return Plan(tuple(parts), sum(piece.end - piece.start for piece in own if not piece.cuboid) / NS)


def _answer(
    columns: Columns,
    workspace: str,
    asked: MetricQuery,
    measures: list[Measure],
    plan: Plan,
    found: dict[Key, Figures],
    complete: bool,
) -> MetricAnswer:
    done: dict[Key, Figures] = {}
    all_raw = 0.0
    if others := [one for one in measures if one.source == "operations"]:
        step = _step_sql(asked.step) if asked.step else ""
        done = operated.figures(columns, workspace, asked, others, step, MOST_ROWS)
        all_raw = (asked.within.end - asked.within.start).total_seconds()
    rows, groups = _rows(found, done, measures, asked.limit)
    totals: list[MetricRow] = []
    if asked.totals and DISTINCT.keys().isdisjoint(name for one in measures for name in one.figures):
        start, length = int(asked.within.start.timestamp()), int(asked.totals.total_seconds())
        by_span = _by_span(found, start, length), _by_span(done, start, length)
        totals, _ = _rows(*by_span, measures, asked.limit)
    return MetricAnswer(rows, groups, complete and groups <= asked.limit, plan.raw_seconds, totals, all_raw)


def figures(
    columns: Columns, workspace: str, asked: MetricQuery, names: tuple[str, ...], most: int
) -> dict[tuple[str, ...], Figures]:
    """Figures (names of `store.figures`, no distinct ones) of a window, by any number of the stored dimensions.

    Without the step and limit of the query. Raises Invalid where the store would answer more than `most` rows.
    """
    filters = CallFilter(asked.within, dict(asked.equals), pairs=asked.pairs)
    at = moment(columns, workspace)
    part = Wanted(filters, names, asked.group_by), _pieces(at, asked)
    [found] = _read(columns, workspace, [(part,)], at, most)
    return {group: one for (_, group), one in found.items() if one.get("rows")}


def _read(
    columns: Columns,
    workspace: str,
    plans: Sequence[Sequence[Part]],
    at: Moment | None,
    most: int = MOST_ROWS,
) -> list[dict[Key, Figures]]:
    """The figures of each plan's parts, some queries at the same time. Raises Invalid for too many rows."""
    tasks: list[tuple[list[int], Callable[[], list[dict[Key, Figures]]]]] = []
    little: list[tuple[int, Part]] = []
    for number, (wanted, pieces) in ((number, part) for number, parts in enumerate(plans) for part in parts):
        days, rest = aligned([piece for piece in pieces if piece.cuboid], DAY)
        hours, minutes = aligned(rest, HOUR)
        for read, stored in (
            (store.from_memory, days),
            (store.from_memory, hours),
            (store.from_buckets, minutes),
        ):
            if stored and at:
                part = wanted, tuple(stored)
                tasks.append(([number], partial(read, columns, workspace, part, most, at.known)))
        raw = wanted, tuple(piece for piece in pieces if not piece.cuboid)
        if raw[1] and store.is_short(raw) and DISTINCT.keys().isdisjoint(wanted.figures):
            little.append((number, raw))
        elif raw[1]:
            tasks.append(([number], partial(store.from_calls, columns, workspace, [raw], most)))
    for together in _alike(little):
        parts = [part for _, part in together]
        task = partial(store.from_calls, columns, workspace, parts, most)
        tasks.append(([number for number, _ in together], task))
    answered = columns.each(lambda one: one[1](), tasks)
    of: list[list[dict[Key, Figures]]] = [[] for _ in plans]
    for (numbers, _), found in zip(tasks, answered, strict=True):
        for number, own in zip(numbers, found, strict=True):
            of[number].append(own)
    return [added(itertools.chain.from_iterable(map(dict.items, parts))) for parts in of]


def _alike(parts: Sequence[tuple[int, Part]]) -> list[list[tuple[int, Part]]]:
    """Parts to be read by one query: their filters are the same, and one of them groups by all that any groups by."""
    found: list[list[tuple[int, Part]]] = []
    for one in sorted(parts, key=lambda one: -len(one[1][0].by)):
        wanted = one[1][0]
        for some in found:
            widest = some[0][1][0]
            same = (
                wanted.filters.equals == widest.filters.equals
                and wanted.filters.pairs == widest.filters.pairs
            )
            if same and set(wanted.by) <= set(widest.by):
                some.append(one)
                break
        else:
            found.append([one])
    return found


def _by_span(found: dict[Key, Figures], start: int, length: int) -> dict[Key, Figures]:
    """Figures by step, added up by spans of so many seconds from a start (Unix seconds) on."""

    def span(step: int | None) -> int:
        return start + max((step or 0) - start, 0) // length * length

    return added(((span(step), group), figures) for (step, group), figures in found.items())


def _rows(
    found: dict[Key, Figures], done: dict[Key, Figures], measures: list[Measure], limit: int
) -> tuple[list[MetricRow], int]:
    """The groups with most calls (without any asked for: most operations), as rows; and how many groups there are.

    Where a group has figures of calls (`found`) or of operations (`done`) alone, measures of the other are None.
    """
    sizes: dict[tuple[str, ...], tuple[int, int]] = {}
    for key in found.keys() | done.keys():
        calls, others = sizes.get(key[1], (0, 0))
        calls += found.get(key, {}).get("rows", 0)
        sizes[key[1]] = (calls, others + done.get(key, {}).get("operations", 0))
    order = sorted(sizes, key=lambda group: (-sizes[group][0], -sizes[group][1], group))
    places = {group: number for number, group in enumerate(order[:limit])}
    called = {key: one for key, one in found.items() if one.get("rows")}
    keys = sorted(
        (key for key in called.keys() | done.keys() if key[1] in places),
        key=lambda key: (key[0] or 0, places[key[1]]),
    )
    empty: dict[str, Any] = {name: {} for name in _empty(measures)}
    rows = []
    for key in keys:
        start = None if key[0] is None else datetime.fromtimestamp(int(key[0]), UTC)
        of = {
            "calls": {**empty, **called[key]} if key in called else None,
            "operations": done.get(key),
        }
        values = {
            one.name: None if (figures := of[one.source]) is None else one.of(figures) for one in measures
        }
        rows.append(MetricRow(start, key[1], values))
    return rows, len(order)


def _empty(measures: list[Measure]) -> set[str]:
    """Figures that are counts by key, of which a group may have none."""
    return {name for measure in measures for name in measure.figures if name in MAPS}


def _measure(name: str) -> Measure:
    found = MEASURES.get(name)
    if found is None:
        raise Invalid(f"there is no measure {name[:40]!r}; there are {', '.join(MEASURES)}", where="measure")
    return found


def _check(asked: MetricQuery) -> None:
    if not asked.measures:
        raise Invalid("name at least one measure", where="measure")
    for name in (*asked.group_by, *asked.equals):
        if name not in GROUPS:
            raise Invalid(
                f"there is no dimension {name[:40]!r}; there are {', '.join(GROUPS)}", where="group_by"
            )
    if len(asked.group_by) > 2 or len(set(asked.group_by)) < len(asked.group_by):
        raise Invalid("group by at most two different dimensions", where="group_by")
    if not asked.within.start < asked.within.end:
        raise Invalid("the window ends before it begins", where="from")
    if not 1 <= asked.limit <= 10_000:
        raise Invalid("ask for 1 to 10,000 groups", where="limit")
    if asked.step is not None:
        _check_step(asked.step, (asked.within.end - asked.within.start).total_seconds())


def _check_step(step: Step, seconds: float) -> None:
    if step.calendar:
        try:
            ZoneInfo(step.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise Invalid(f"there is no time zone {step.zone[:40]!r}", where="zone") from error
    elif step.seconds < 1:
        raise Invalid("a step is at least one second long", where="step")
    elif seconds / step.seconds > MOST_STEPS:
        raise Invalid(f"this would be more than {MOST_STEPS} steps; ask for longer ones", where="step")


def _step_sql(step: Step) -> str:
    """A step's start in Unix seconds, as SQL over the instant `{at}`. The zone was checked."""
    if not step.calendar:
        return f"toInt64(intDiv(toUnixTimestamp({{at}}), {int(step.seconds)}) * {int(step.seconds)})"
    made = {
        "day": "toStartOfDay({at}, '%s')",
        "week": "toDateTime(toMonday({at}, '%s'), '%s')",
        "month": "toDateTime(toStartOfMonth({at}, '%s'), '%s')",
    }[step.calendar]
    return f"toInt64(toUnixTimestamp({made.replace('%s', step.zone)}))"


def pieces(at: Moment, within: TimeRange, levels: Sequence[Level]) -> tuple[Piece, ...]:
    """Where each part of a window is read from: from stored buckets of these levels, coarsest first, or from calls."""
    start, end = nanoseconds(within.start), nanoseconds(within.end)
    if not levels or not at.known.state.closed_ms:
        return (Piece("", start, end),)
    return cover(start, end, levels, at.known.state.closed_ms * 1_000_000, at.changed)


def _pieces(at: Moment, asked: MetricQuery) -> tuple[Piece, ...]:
    return pieces(at, asked.within, [level for level in levels_of(asked) if _fits(level, asked)])


def levels_of(asked: MetricQuery) -> tuple[Level, ...]:
    """The stored buckets that keep every dimension of a query, coarsest first."""
    names = {*asked.group_by, *asked.equals}
    if names <= set(BY_SYSTEM):
        return rollups.SYSTEM_LEVELS
    if names <= set(NARROW):
        return rollups.NARROW_LEVELS
    return rollups.WIDE_LEVELS if names <= set(WIDE) else ()


def _fits(level: Level, asked: MetricQuery) -> bool:
    """Whether no bucket of a level lies across the border of two steps."""
    step = asked.step
    if step is None:
        return True
    if not step.calendar:
        return step.seconds % level.seconds == 0
    zone = ZoneInfo(step.zone)
    at = asked.within.start
    while at < asked.within.end + timedelta(days=1):
        offset = at.astimezone(zone).utcoffset() or timedelta()
        if offset.total_seconds() % level.seconds:
            return False
        at += timedelta(days=1)
    return True
