"""Geometry of small charts: numbers in, SVG path data and percentages out. Pure; the templates draw them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Series = Sequence[float | int | None]
"""Values at equal steps of time; None is unknown and leaves a gap, it is never drawn as 0."""


def spark_line(values: Series, width: float = 80, height: float = 20, pad: float = 1.5) -> str:
    """SVG path data of a sparkline in a width × height box, y growing downwards.

    The scale runs from the smaller of 0 and the minimum to the maximum, so that a flat line of zeros lies on the
    floor. A gap starts a new stroke; a value alone between gaps becomes a dot. Empty text when nothing is known.
    """
    points = _points(values, width, height, pad)
    parts: list[str] = []
    for run in _runs(points):
        if len(run) == 1:
            parts.append(f"M{_n(run[0][0] - 0.5)} {_n(run[0][1])}h1")
        else:
            parts.append("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in run))
    return "".join(parts)


def spark_area(values: Series, width: float = 80, height: float = 20, pad: float = 1.5) -> str:
    """The filled area beneath `spark_line`, closed run by run at the floor of the box."""
    parts: list[str] = []
    for run in _runs(_points(values, width, height, pad)):
        if len(run) > 1:
            line = "L".join(f"{_n(x)} {_n(y)}" for x, y in run)
            parts.append(f"M{_n(run[0][0])} {_n(height)}L{line}L{_n(run[-1][0])} {_n(height)}Z")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Column:
    """One bar of a histogram in user units: the whole, and its marked part standing on the floor."""

    x: float
    width: float
    y: float
    height: float
    part_y: float
    part_height: float


def columns(
    totals: Sequence[int | float],
    parts: Sequence[int | float],
    width: float = 1000,
    height: float = 60,
    gap: float = 1,
) -> list[Column]:
    """Bars for `totals`, each with its share `parts` (failures among all) marked. Both have one length.

    A part that is not zero is at least 2 units high: a single failure among thousands must be seen.
    Raises ValueError when the lengths differ.
    """
    if len(totals) != len(parts):
        raise ValueError("totals and parts differ in length")
    top = max(totals, default=0) or 1
    step = width / len(totals) if totals else width
    drawn = []
    for index, (total, part) in enumerate(zip(totals, parts, strict=True)):
        whole = max(total / top * height, 1.0) if total else 0.0
        marked = min(max(part / top * height, 2.0), max(whole, 2.0)) if part else 0.0
        drawn.append(
            Column(
                round(index * step, 2), round(max(step - gap, step * 0.6), 2),
                round(height - whole, 2), round(whole, 2), round(height - marked, 2), round(marked, 2),
            )
        )  # fmt: skip
    return drawn


def share(value: float | int | None, whole: float | int | None) -> float:
    """`value` as a percentage of `whole`, held between 0 and 100, with one decimal; 0 where either is unknown."""
    if not value or not whole or whole <= 0:
        return 0.0
    return round(min(max(float(value) / float(whole) * 100, 0.0), 100.0), 1)


def log_share(value: float | None, low: float = 10, high: float = 100_000) -> float:
    """`value` as a percentage of the way from `low` to `high` on a logarithmic scale, held between 0 and 100.

    A fixed scale, so that bars on different pages and in rows that arrive later can be compared.
    """
    if value is None or value <= low:
        return 0.0
    return round(min(math.log(value / low) / math.log(high / low), 1.0) * 100, 1)


@dataclass(frozen=True, slots=True)
class Bar:
    """Something with a beginning and an end under a parent; instants in nanoseconds on one clock."""

    id: str
    parent: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a waterfall: how deep it stands, and its place on the time axis in percent of the whole."""

    id: str
    depth: int
    left: float
    width: float
    children: int
    orphan: bool


def waterfall(bars: Iterable[Bar], least: float = 0.4) -> list[Row]:
    """Lays bars out as a tree in time: parents before children, siblings by their start, then by id.

    A bar whose parent is not there stands at the top as an orphan; members of a parent cycle are cut open at the
    earliest of them, so every bar comes out exactly once. Widths are at least `least` percent, and no bar leaves
    the box: clocks that run apart are clipped, not drawn outside.
    """
    known = {bar.id: bar for bar in bars}
    if not known:
        return []
    first = min(bar.start for bar in known.values())
    span = max(max(bar.end for bar in known.values()) - first, 1)
    children: dict[str, list[Bar]] = {}
    for bar in sorted(known.values(), key=lambda bar: (bar.start, bar.id)):
        parent = bar.parent if bar.parent in known and bar.parent != bar.id else ""
        children.setdefault(parent, []).append(bar)
    rows: list[Row] = []
    seen: set[str] = set()

    def lay(top: Bar) -> None:
        pending = [(top, 0)]
        while pending:
            bar, depth = pending.pop()
            if bar.id in seen:
                continue
            seen.add(bar.id)
            below = children.get(bar.id, [])
            width = min(max((max(bar.end, bar.start) - bar.start) / span * 100, least), 100.0)
            left = min(max((bar.start - first) / span * 100, 0.0), 100.0 - width)
            orphan = bool(bar.parent) and bar.parent not in known
            rows.append(Row(bar.id, depth, round(left, 3), round(width, 3), len(below), orphan))
            pending += [(child, depth + 1) for child in reversed(below)]

    for root in children.get("", []):
        lay(root)
    for bar in sorted(known.values(), key=lambda bar: (bar.start, bar.id)):
        lay(bar)
    return rows


def ticks(whole: float, most: int = 6) -> list[tuple[float, float]]:
    """Round marks on an axis from 0 to `whole`: (place in percent, value). Steps are 1, 2 or 5 times a power of 10."""
    if whole <= 0 or most < 1:
        return [(0.0, 0.0)]
    raw = whole / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    return [(round(n * step / whole * 100, 3), n * step) for n in range(int(whole / step * 1.0001) + 1)]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at an instant, to be shown above figures over time. `note` says more; links may be empty."""

    at: datetime
    label: str
    href: str = ""
    note: str = ""


def place(at: datetime, start: datetime, end: datetime) -> float:
    """Where an instant lies between two others, in percent with two decimals; may be below 0 or above 100."""
    return round((at - start) / (end - start) * 100, 2)


def step_line(values: Series, height: float = 48, top: float | None = None, width: float = 1000) -> str:
    """SVG path data of a line with a point in the middle of each step. `top` is the value at the upper edge.

    The scale begins at 0. A gap starts a new stroke; a value alone between gaps becomes a dash as wide as its step.
    """
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    scale = (height - 3) / ((max(known, default=0.0) if top is None else top) or 1.0)
    step = width / len(values) if values else width
    points = [
        ((number + 0.5) * step, height - 1.5 - float(value) * scale)
        if value is not None and math.isfinite(value)
        else None
        for number, value in enumerate(values)
    ]
    parts = []
    for run in _runs(points):
        if len(run) == 1:
            parts.append(f"M{_n(run[0][0] - step / 2)} {_n(run[0][1])}h{_n(max(step, 1))}")
        else:
            parts.append("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in run))
    return "".join(parts)


_TICKS = (60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)


def time_ticks(start: datetime, end: datetime, most: int = 9) -> list[tuple[float, str]]:
    """Round marks on an axis of time in UTC: (place in percent, words): the hour, or at midnight the day."""
    seconds = (end - start).total_seconds()
    step = next((one for one in _TICKS if seconds / one <= most), math.ceil(seconds / most / 86_400) * 86_400)
    at = datetime.fromtimestamp(math.ceil(start.timestamp() / step) * step, UTC)
    found = []
    while at < end:
        midnight = at.hour == at.minute == 0
        found.append((place(at, start, end), f"{at.day} {at:%b}" if midnight else f"{at:%H:%M}"))
        at += timedelta(seconds=step)
    return found


def _points(values: Series, width: float, height: float, pad: float) -> list[tuple[float, float] | None]:
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    if not known:
        return []
    low, high = min(0.0, *known), max(known)
    scale = (height - 2 * pad) / (high - low) if high > low else 0.0
    step = (width - 2 * pad) / (len(values) - 1) if len(values) > 1 else 0.0
    return [
        (pad + index * step, height - pad - (float(value) - low) * scale)
        if value is not None and math.isfinite(value)
        else None
        for index, value in enumerate(values)
    ]


def _runs(points: Iterable[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
