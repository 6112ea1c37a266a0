"""Releases of a route compared by their live calls, as of now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.storage.columns import Columns
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads.arrivals import CUT
from holdfast.telemetry.reads.shapes import aware
from holdfast.telemetry.store import compared as store

LOOK_BACK = timedelta(days=1)
"""For so long before a span a unit is looked for, to know whether it began within the span."""
LATEST = 1000


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the calls that a release answered itself (no cached answers): n values, their total and the total of their squares.

    `errors` of all `calls`; `latency` in ms of those answered; `cost` of those priced, in `currencies`; `refused` of those
    that say whether they refuse; `cut` of the answered that say why they ended.
    """

    calls: int
    errors: int
    latency: tuple[int, float, float]
    cost: tuple[int, float, float]
    currencies: tuple[str, ...]
    refused: tuple[int, int]  # n, of them refusals
    cut: tuple[int, int]  # n, of them not whole
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Units:
    """What requests are told apart by (sessions, else users, else tenants, else calls) and began within a span.

    `met_both` of them met more than one of the releases.
    """

    by_release: dict[str, int]
    met_both: int


def sums(
    columns: Columns, workspace: str, route: str, releases: Sequence[str], within: TimeRange, without: str
) -> dict[str, Sums]:
    """By release, of its inferences but for those of one environment; releases without a call are left out.

    Raises Unavailable.
    """
    span = (within.start, within.end)
    rows = store.sums(columns, workspace, route, releases, span, without, sorted(CUT))
    return {
        str(row["release"]): Sums(
            calls=int(row["n"]),
            errors=int(row["errors"]),
            latency=(int(row["answered"]), float(row["ms"]), float(row["ms_squares"])),
            cost=(int(row["priced"]), float(row["cost"]), float(row["cost_squares"])),
            currencies=tuple(row["currencies"]),
            refused=(int(row["refusal_known"]), int(row["refusals"])),
            cut=(int(row["ended"]), int(row["cut"])),
            first_at=aware(row["first_at"]),
            last_at=aware(row["last_at"]),
        )
        for row in rows
    }


def longest_row(
    columns: Columns, workspace: str, route: str, release: str, within: TimeRange, without: str
) -> int:
    """Failed calls in a row: the longest among the latest `LATEST` of a release. Raises Unavailable."""
    longest = row = 0
    span = (within.start, within.end)
    for failed in store.latest(columns, workspace, route, release, span, without, LATEST):
        row = row + 1 if failed else 0
        longest = max(longest, row)
    return longest


def busiest_minute(columns: Columns, workspace: str, route: str, within: TimeRange, without: str) -> int:
    """Calls of a route that began in its busiest minute, but for those of one environment. Raises Unavailable."""
    return store.busiest_minute(columns, workspace, route, (within.start, within.end), without)


def units(
    columns: Columns,
    workspace: str,
    route: str,
    releases: Sequence[str],
    within: TimeRange,
    without: str,
    sticky: Sequence[str],
) -> Units:
    """Who was assigned to which release within a span. Raises Unavailable."""
    span = (within.start, within.end)
    before = within.start - LOOK_BACK
    found, whole = store.units(columns, workspace, route, releases, span, without, sticky, before)
    return Units(found, sum(found.values()) - whole)
