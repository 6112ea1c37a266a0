"""Answers about calls: by any dimension, counted once, page by page or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.page import Page, decode_cursor, encode_cursor
from holdfast.kernel.time import iso
from holdfast.platform.access.model import Reach
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads.shapes import aware, call_json
from holdfast.telemetry.store import calls as call_store
from holdfast.telemetry.store import spans as span_store
from holdfast.telemetry.store.calls import FILTERS, FLAGS, CallFilter, Summary

FILTER_NAMES = (*FILTERS, *FLAGS, "model", "finish_reason", "quality")
MOST_LISTED = 500
UNKNOWN = "(unknown)"
"""How an unknown value is asked for, in the API and in the addresses of pages."""
ORDERS = ("time", "duration", "cost")


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls and spans of a time range, each counted once; `complete` is False while some are still being counted."""

    calls: int
    spans: int
    complete: bool


def reachable(filters: CallFilter, reach: Reach, content: Reach | None) -> CallFilter:
    """The filter limited to where the caller's permission holds; text is sought in content only where `content` does.

    Raises NotFound where that leaves nothing.
    """
    filters = replace(filters, content_pairs=content.pairs if content else ())
    if reach.everywhere:
        return filters
    equals = dict(filters.equals)
    for column, position in (("system", 0), ("environment", 1)):
        allowed = {pair[position] for pair in reach.pairs}
        if "" in allowed:
            continue
        asked = set(equals.get(column, ())) or allowed
        if not asked & allowed:
            raise NotFound("there is nothing here that you may see")
        equals[column] = tuple(sorted(asked & allowed))
    return replace(filters, equals=equals, pairs=reach.pairs)


def calls(
    columns: Columns,
    workspace: str,
    filters: CallFilter,
    limit: int,
    cursor: str | None = None,
    order: str = "time",
) -> Page[dict[str, Any]]:
    """Calls by a filter, as `call_json` shows them. Raises Invalid on a bad limit, order or cursor."""
    if not 1 <= limit <= MOST_LISTED:
        raise Invalid(f"a page holds 1 to {MOST_LISTED} calls", where="limit")
    if order not in ORDERS:
        raise Invalid(f"calls are ordered by {', '.join(ORDERS)}", where="order")
    after = None
    if cursor:
        kinds = (str, str, str) if order == "cost" else (str, int, str)
        named, key, last = decode_cursor(cursor, kinds)
        if named != order:
            raise Invalid("this cursor belongs to another order; start from the first page", where="cursor")
        _check_key(order, key)
        after = (key, str(last))
    rows = call_store.listed(columns, workspace, filters, limit + 1, after, order)
    more = len(rows) > limit
    rows = rows[:limit]
    next_cursor = None
    if more:
        last_row = rows[-1]
        key_value: str | int = last_row["start_ns"] if order == "time" else last_row["duration_ns"]
        if order == "cost":
            key_value = str(last_row["cost_amount"])
        next_cursor = encode_cursor(order, key_value, last_row["id"])
    return Page([call_json(row) for row in rows], next_cursor)


def last_failures(
    columns: Columns, workspace: str, within: TimeRange, routes: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """The latest calls of some routes that failed, as `call_json` shows them."""
    failed = {"route": tuple(routes), "status": ("error",), "attempt": ("false",)}
    return calls(columns, workspace, CallFilter(within, failed), limit).items


def _check_key(order: str, key: str | int) -> None:
    """Raises Invalid where a cursor's key is nothing that the store can compare with."""
    fits = False
    if isinstance(key, int):
        fits = -(2**63) <= key < 2**63
    else:
        with suppress(ArithmeticError):
            fits = order == "cost" and abs(Decimal(key)) < 10**20
    if not fits:
        raise Invalid("this cursor was not given out here; start from the first page", where="cursor")


def facets(
    columns: Columns, workspace: str, filters: CallFilter, names: Sequence[str], limit: int = 12
) -> dict[str, list[tuple[str, int]]]:
    """For each name, its commonest values with counts, under all filters but its own."""
    for name in names:
        if name not in FILTER_NAMES:
            raise Invalid(
                f"there is no dimension {name[:40]!r}; there are {', '.join(FILTER_NAMES)}", where="name"
            )
    chosen = [name for name in names if name in filters.equals]
    rest = [name for name in names if name not in filters.equals]
    found = call_store.facets(columns, workspace, filters, rest, limit)
    for name in chosen:
        others = {column: values for column, values in filters.equals.items() if column != name}
        found |= call_store.facets(columns, workspace, replace(filters, equals=others), [name], limit)
    return {name: found[name] for name in names}


@dataclass(frozen=True, slots=True)
class Past:
    """Figures by bucket of time, in order, with none left out: None is a bucket without calls."""

    step_seconds: int
    starts: list[datetime]
    figures: list[Summary | None]


def past(columns: Columns, workspace: str, filters: CallFilter, buckets: int = 60) -> Past:
    """The figures of a filter over its time range, in at most about so many buckets of a round length."""
    seconds = (filters.within.end - filters.within.start).total_seconds()
    step = next((s for s in STEPS if seconds / s <= buckets), STEPS[-1])
    found = call_store.series(columns, workspace, filters, step)
    first = int(filters.within.start.timestamp()) // step * step
    starts = []
    at = datetime.fromtimestamp(first, UTC)
    while at < filters.within.end:
        starts.append(at)
        at += timedelta(seconds=step)
    return Past(step, starts, [found.get(start) for start in starts])


def summary(columns: Columns, workspace: str, filters: CallFilter) -> Summary:
    """The figures of all calls of a filter."""
    return call_store.summary(columns, workspace, filters)


def ever(columns: Columns, workspace: str) -> bool:
    """Whether the workspace has ever had a call."""
    return call_store.any_call(columns, workspace)


def places(columns: Columns, workspace: str) -> list[tuple[str, str]]:
    """Every pair of system and environment that calls name, in order; empty text where a call does not say."""
    return call_store.places(columns, workspace)


STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800, 2592000)


def count(columns: Columns, workspace: str, filters: CallFilter, *, complete: bool) -> Counted:
    """Calls and spans of a time range (and system), each once."""
    systems = filters.equals.get("system")
    return Counted(
        call_store.count(columns, workspace, filters),
        span_store.count(
            columns, workspace, filters.within, systems, filters.equals.get("environment"), filters.pairs
        ),
        complete,
    )


def iterate(
    columns: Columns, workspace: str, filters: CallFilter, size: int = 5000
) -> Iterator[dict[str, Any]]:
    """Every call of a filter, the latest first, read page by page, as `call_json` shows them."""
    after: tuple[Any, str] | None = None
    while True:
        rows = call_store.listed(columns, workspace, filters, size, after)
        yield from (call_json(row) for row in rows)
        if len(rows) < size:
            return
        after = (rows[-1]["start_ns"], rows[-1]["id"])


def named(
    columns: Columns,
    workspace: str,
    within: TimeRange,
    by: Literal["trace_id", "session", "id", "response_id"],
    values: Sequence[str],
    limit: int = 10_000,
) -> list[dict[str, Any]]:
    """Calls of a time range whose `by` is one of these, the latest first, as `call_json` shows them; no attempts."""
    return [call_json(row) for row in call_store.named(columns, workspace, within, by, values, limit)]


def sessions(columns: Columns, workspace: str, within: TimeRange, limit: int = 5000) -> list[str]:
    """Sessions with a call in a time range, those with most calls first; no sample data, no attempts."""
    filters = CallFilter(within, {"attempt": ("false",), "sample": ("false",)})
    found = call_store.facets(columns, workspace, filters, ["session"], limit + 1)["session"]
    return [name for name, _ in found if name][:limit]


def parquet(columns: Columns, workspace: str, filters: CallFilter) -> bytes:
    """Every call of a filter as one Parquet file, oldest first."""
    return call_store.exported(columns, workspace, filters, "Parquet")


def received_since(
    columns: Columns, workspace: str, filters: CallFilter, after: datetime
) -> Page[dict[str, Any]]:
    """Calls of a filter that were first counted after an instant, the latest first; the cursor is the last arrival."""
    rows = call_store.received_since(columns, workspace, filters, after)
    last = max((aware(row["received_at"]) for row in rows), default=None)
    return Page([call_json(row) for row in rows], None if last is None else iso(last))
