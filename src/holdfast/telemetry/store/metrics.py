"""Figures of calls by window, step and dimensions: from stored buckets where they hold, from the calls where not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.cover import NS, Piece
from holdfast.telemetry.store import figures
from holdfast.telemetry.store.calls import FINAL, CallFilter, where
from holdfast.telemetry.store.figures import MAPS
from holdfast.telemetry.store.rollups import Known
from holdfast.telemetry.store.spans import in_places

Key = tuple[int | None, tuple[str, ...]]
"""The start of a step (Unix seconds; None without steps), and the value of each dimension."""
SHORT_NS = 7200 * NS
"""Calls of no longer than this are read in one go."""
ONE_THREAD = {"max_threads": 1}
"""For what is little: the queries of a page run beside one another instead."""
_MARK = "\0"
"""Stands between a currency and the first dimension: the engine groups by one text faster than by two."""


@dataclass(frozen=True, slots=True)
class Read:
    """Figures that were read together. A row is a step (where there are any), the dimensions, and the figures.

    Amounts are by currency: it stands with the first dimension, or alone before the figures. `by_key`: each row counts
    one key of the one figure.
    """

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks of the store. `step` is SQL that makes a step's start (Unix seconds) of `{at}`, or empty."""

    filters: CallFilter
    figures: tuple[str, ...]
    by: tuple[str, ...]
    step: str = ""


def from_calls(
    columns: Columns, workspace: str, wanted: Wanted, pieces: Sequence[Piece], most: int
) -> list[Read]:
    """Figures of the calls that began within some pieces of the window; at most so many rows for each read."""
    short = sum(piece.end - piece.start for piece in pieces) <= SHORT_NS
    settings = {**FINAL, **(ONE_THREAD if short else {})}
    apart: list[str] = []
    if not short or "finish_reason" in wanted.by:  # of many calls, one count by key at a time is faster
        apart = [name for name in wanted.figures if name in MAPS]
    together = tuple(name for name in wanted.figures if name not in apart)
    found: list[Read] = []
    for names in (together, *((name,) for name in apart)):
        if not names:
            continue
        read, grouped = _keys(wanted, "started_at", names, stored=False)
        clauses, params = where(wanted.filters)
        clauses.append(within(pieces, params, "p"))
        if names[0] in apart:
            counts = MAPS[names[0]]
            read += [f"{counts.key} AS k", "count() AS n"]
            grouped.append("k")
            clauses.append(counts.where)
        else:
            read += [
                figures.counts_of_calls(name) if name in MAPS else figures.of_calls(name) for name in names
            ]
        query = Select(
            "calls", read, clauses, params, group_by=grouped, limit=most + 1, final=True, settings=settings
        )
        found.append(Read(names, columns.rows(workspace, query), names[0] in apart))
    return found


def from_buckets(
    columns: Columns, workspace: str, wanted: Wanted, pieces: Sequence[Piece], most: int, known: Known
) -> Read:
    """Figures of the stored buckets of some pieces; at most so many rows."""
    read, grouped = _keys(wanted, "bucket", wanted.figures, stored=True)
    clauses, params = buckets(wanted.filters, pieces)
    clauses.append(known.holding(pieces))
    for name in wanted.figures:
        counts = MAPS.get(name)
        read.append(
            f"sumMap({counts.keys}, {counts.counts}) AS m_{name}" if counts else f"sum({name}) AS f_{name}"
        )
    query = Select("rollups", read, clauses, params, group_by=grouped, limit=most + 1, settings=ONE_THREAD)
    return Read(wanted.figures, columns.rows(workspace, query))


def _keys(wanted: Wanted, at: str, names: Iterable[str], *, stored: bool) -> tuple[list[str], list[str]]:
    """The key columns to read, and those to group by."""
    read = [f"{figures.dimension(name, stored=stored)} AS g{n}" for n, name in enumerate(wanted.by)]
    grouped = [f"g{n}" for n in range(len(wanted.by))]
    if any(map(_is_money, names)):
        if wanted.by:
            first = figures.dimension(wanted.by[0], stored=stored)
            read[0] = f"concat(toString(cost_currency), char(0), {first}) AS g0"
        else:
            read.append("toString(cost_currency) AS currency")
            grouped.append("currency")
    if wanted.step:
        read.insert(0, f"{wanted.step.format(at=at)} AS step")
        grouped.insert(0, "step")
    return read, grouped


def _is_money(name: str) -> bool:
    return name == "cost" or (name.endswith("_cost") and name in figures.DISTINCT)


def buckets(filters: CallFilter, pieces: Sequence[Piece]) -> tuple[list[str], dict[str, Any]]:
    """Conditions that choose the stored buckets of some pieces, and of the dimensions wanted."""
    params: dict[str, Any] = {}
    either = []
    for number, cuboid in enumerate(dict.fromkeys(piece.cuboid for piece in pieces)):
        own = [piece for piece in pieces if piece.cuboid == cuboid]
        bounds = []
        for index, piece in enumerate(own):
            start, end = f"c{number}from{index}", f"c{number}to{index}"
            params |= {start: piece.start // NS, end: piece.end // NS}
            bounds.append(
                f"(bucket >= toDateTime({{{start}:Int64}}, 'UTC') AND bucket < toDateTime({{{end}:Int64}}, 'UTC'))"
            )
        params[f"c{number}"] = cuboid
        either.append(f"(cuboid = {{c{number}:String}} AND ({' OR '.join(bounds)}))")
    clauses = [" OR ".join(either)]
    for number, (column, allowed) in enumerate(filters.equals.items()):
        clauses.append(f"{figures.dimension(column, stored=True)} IN {{v{number}:Array(String)}}")
        params[f"v{number}"] = list(allowed)
    if filters.pairs:
        clause, more = in_places(filters.pairs, "reach")
        clauses.append(clause)
        params |= more
    return clauses, params


def within(pieces: Sequence[Piece], params: dict[str, Any], prefix: str) -> str:
    """A condition that a call began in one of some pieces; adds its parameters, whose names begin with `prefix`."""
    either = []
    for number, piece in enumerate(pieces):
        start, end = f"{prefix}{number}from", f"{prefix}{number}to"
        params |= {start: piece.start, end: piece.end}
        either.append(
            f"(started_at >= fromUnixTimestamp64Nano({{{start}:Int64}}, 'UTC')"
            f" AND started_at < fromUnixTimestamp64Nano({{{end}:Int64}}, 'UTC'))"
        )
    return " OR ".join(either)


def added(reads: Iterable[Read], wanted: Wanted, into: dict[Key, dict[str, Any]]) -> None:
    """Adds what was read to what is there, key by key; amounts by currency."""
    at, width = bool(wanted.step), len(wanted.by)
    for read in reads:
        money = any(map(_is_money, read.names))
        first = at + width + (money and not width)
        places = list(enumerate(read.names, first))
        maps = [(place, name) for place, name in places if name in MAPS]
        amounts = [(place, name) for place, name in places if _is_money(name)]
        sums = [one for one in places if one not in maps and one not in amounts]
        for row in read.rows:
            group = tuple(map(str, row[at : at + width]))
            currency = ""
            if money and width:
                currency, _, value = group[0].partition(_MARK)
                group = (value, *group[1:])
            elif money:
                currency = row[at]
            held = into.setdefault((row[0] if at else None, group), {})
            if read.by_key:
                _count(held.setdefault(read.names[0], {}), (row[first],), (row[first + 1],))
                continue
            for place, name in sums:
                held[name] = held.get(name, 0) + row[place]
            for place, name in maps:
                _count(held.setdefault(name, {}), *row[place])
            for place, name in amounts:
                held.setdefault(name, {})
                if currency:
                    held[name][currency] = held[name].get(currency, Decimal(0)) + row[place]


def _count(into: dict[Any, int], keys: Iterable[Any], counts: Iterable[Any]) -> None:
    for key, count in zip(keys, counts, strict=True):
        into[key] = into.get(key, 0) + int(count)
