"""Metrics of calls and operations: any measure, over any window and step, by any two dimensions, exact at every moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricAnswer, MetricQuery, MetricRow, Step, TimeRange
from holdfast.telemetry.reads import operations as operated
from holdfast.telemetry.rules.cover import NS, Level, Piece, cover
from holdfast.telemetry.rules.measure import Measure
from holdfast.telemetry.rules.measures import MEASURES
from holdfast.telemetry.store import metrics as store
from holdfast.telemetry.store import operations, rollups
from holdfast.telemetry.store.calls import FILTERS, FLAGS, CallFilter
from holdfast.telemetry.store.figures import BY_SYSTEM, DISTINCT, MAPS, NARROW, WIDE
from holdfast.telemetry.store.metrics import Key, Wanted
from holdfast.telemetry.store.rollups import Known
from holdfast.telemetry.store.spans import nanoseconds

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


def answers(
    columns: Columns, workspace: str, asked: Sequence[MetricQuery], *, complete: bool = True
) -> list[MetricAnswer]:
    """The answers to several queries, in their order, as of one moment; some are read at the same time.

    Raises as `query` does.
    """
    at = moment(columns, workspace)
    return columns.each(lambda one: query(columns, workspace, one, complete=complete, at=at), asked)


def query(
    columns: Columns,
    workspace: str,
    asked: MetricQuery,
    *,
    complete: bool = True,
    at: Moment | None = None,
) -> MetricAnswer:
    """The measures asked for. `complete`: whether all that was received has been counted. `at`: as of now, or later.

    Raises Invalid for a measure, dimension, step or zone that there is not, and where there would be too many rows.
    """
    measures = [_measure(name) for name in asked.measures]
    _check(asked)
    operated.check(asked, measures)
    step = _step_sql(asked.step) if asked.step else ""
    found: dict[Key, dict[str, Any]] = {}
    done: dict[Key, dict[str, Any]] = {}
    raw, all_raw = 0.0, 0.0
    if of_calls := [one for one in measures if one.source == "calls"]:
        found, raw = _of_calls(columns, workspace, asked, of_calls, step, at)
    if others := [one for one in measures if one.source == "operations"]:
        done = operated.figures(columns, workspace, asked, others, step, MOST_ROWS)
        all_raw = (asked.within.end - asked.within.start).total_seconds()
    rows, groups = _rows(found, done, measures, asked.limit)
    totals: list[MetricRow] = []
    if asked.totals and DISTINCT.keys().isdisjoint(name for one in of_calls for name in one.figures):
        start, length = int(asked.within.start.timestamp()), int(asked.totals.total_seconds())
        by_span = _by_span(found, start, length), _by_span(done, start, length)
        totals, _ = _rows(*by_span, measures, asked.limit)
    return MetricAnswer(rows, groups, complete and groups <= asked.limit, raw, totals, all_raw)


def _of_calls(
    columns: Columns,
    workspace: str,
    asked: MetricQuery,
    measures: list[Measure],
    step: str,
    at: Moment | None,
) -> tuple[dict[Key, dict[str, Any]], float]:
    """The figures that measures of calls need, and how many seconds of the window were read from calls."""
    filters = CallFilter(asked.within, dict(asked.equals), pairs=asked.pairs)
    needed = dict.fromkeys(name for measure in measures for name in measure.figures)
    distinct = [name for name in needed if name in DISTINCT]
    plain = tuple(dict.fromkeys(["rows", *(name for name in needed if name not in distinct)]))
    at = at or moment(columns, workspace)
    parts = _pieces(at, asked)
    found: dict[Key, dict[str, Any]] = {}
    _read(columns, workspace, Wanted(filters, plain, asked.group_by, step), parts, found, at)
    whole = [Piece("", nanoseconds(asked.within.start), nanoseconds(asked.within.end))]
    amounts = tuple(name for name in distinct if name.endswith("_cost"))
    counts = tuple(name for name in distinct if name not in amounts)
    for names in (amounts, counts):  # apart: amounts are grouped by currency, and counts must not be
        if names:
            _read(columns, workspace, Wanted(filters, names, asked.group_by, step), whole, found, at)
    return found, sum(piece.end - piece.start for piece in parts if not piece.cuboid) / NS


def figures(
    columns: Columns, workspace: str, asked: MetricQuery, names: tuple[str, ...], most: int
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Figures (names of `store.figures`, no distinct ones) of a window, by any number of the stored dimensions.

    Without the step and limit of the query. Raises Invalid where the store would answer more than `most` rows.
    """
    filters = CallFilter(asked.within, dict(asked.equals), pairs=asked.pairs)
    found: dict[Key, dict[str, Any]] = {}
    at = moment(columns, workspace)
    _read(columns, workspace, Wanted(filters, names, asked.group_by), _pieces(at, asked), found, at, most)
    return {group: one for (_, group), one in found.items() if one.get("rows")}


def _read(
    columns: Columns,
    workspace: str,
    wanted: Wanted,
    pieces: Iterable[Piece],
    into: dict[Key, dict[str, Any]],
    at: Moment,
    most: int = MOST_ROWS,
) -> None:
    """Adds what all pieces of a window hold. Raises Invalid for too many rows."""
    stored = [piece for piece in pieces if piece.cuboid]
    raw = [piece for piece in pieces if not piece.cuboid]
    made = [store.from_buckets(columns, workspace, wanted, stored, most, at.known)] if stored else []
    if raw:
        made += store.from_calls(columns, workspace, wanted, raw, most)
    if any(len(read.rows) > most for read in made):
        raise Invalid(
            f"this would be more than {most:,} rows; ask for fewer groups, longer steps or a filter",
            where="group_by",
        )
    store.added(made, wanted, into)


def _by_span(found: dict[Key, dict[str, Any]], start: int, length: int) -> dict[Key, dict[str, Any]]:
    """Figures by step, added up by spans of so many seconds from a start (Unix seconds) on."""
    made: dict[Key, dict[str, Any]] = {}
    for (step, group), figures in found.items():
        span = start + max((step or 0) - start, 0) // length * length
        held = made.setdefault((span, group), {})
        for name, value in figures.items():
            if isinstance(value, dict):
                counts = held.setdefault(name, {})
                for key, count in value.items():
                    counts[key] = counts.get(key, 0) + count
            else:
                held[name] = held.get(name, 0) + value
    return made


def _rows(
    found: dict[Key, dict[str, Any]], done: dict[Key, dict[str, Any]], measures: list[Measure], limit: int
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
