"""What several queries want of the same calls or stored buckets, as one query."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from holdfast.storage.columns import Select
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.rules.adding import Figures, Key, plus
from holdfast.telemetry.rules.cover import NS, Piece
from holdfast.telemetry.store import figures
from holdfast.telemetry.store.calls import CallFilter, among, where
from holdfast.telemetry.store.figures import MAPS

_MARK = "\0"
"""Stands between a currency and the first dimension: the engine groups by one text faster than by two."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks of the store. `step` is SQL that makes a step's start (Unix seconds) of `{at}`, or empty."""

    filters: CallFilter
    figures: tuple[str, ...]
    by: tuple[str, ...]
    step: str = ""


Part = tuple[Wanted, tuple[Piece, ...]]
"""What is wanted, and of which pieces of the window."""


class Together:
    """One query for several parts, whose filters differ in the window alone.

    It groups by the steps and dimensions of all, and by whether a row lies in each one's pieces.
    """

    def __init__(self, parts: Sequence[Part], *, stored: bool) -> None:
        self._parts, self._stored = parts, stored
        self._names = tuple(dict.fromkeys(name for wanted, _ in parts for name in wanted.figures))
        self._by = tuple(dict.fromkeys(name for wanted, _ in parts for name in wanted.by))
        self._steps = list(dict.fromkeys(wanted.step for wanted, _ in parts if wanted.step))
        self._places = list(dict.fromkeys(pieces for _, pieces in parts))

    def query(self, most: int, settings: dict[str, Any]) -> Select:
        """The query, of at most so many rows. Of stored buckets: it does not say yet which of them hold."""
        windows = [wanted.filters.within for wanted, _ in self._parts]
        hull = TimeRange(min(one.start for one in windows), max(one.end for one in windows))
        filters = replace(self._parts[0][0].filters, within=hull)
        clauses, params = chosen(filters) if self._stored else where(filters)
        inside = in_buckets if self._stored else within
        pieces = tuple(dict.fromkeys(itertools.chain(*self._places)))
        clauses.append(inside(pieces, params, "p"))
        at = "bucket" if self._stored else "started_at"
        read = [f"{step.format(at=at)} AS step{n}" for n, step in enumerate(self._steps)]
        grouped = [f"step{n}" for n in range(len(self._steps))]
        if len(self._places) > 1:
            read += [f"({inside(one, params, f'in{n}p')}) AS in{n}" for n, one in enumerate(self._places)]
            grouped += [f"in{n}" for n in range(len(self._places))]
        named, groups = keys(self._by, self._names, stored=self._stored)
        read += [*named, *(self._figure(name) for name in self._names)]
        table = "rollups" if self._stored else "calls"
        return Select(
            table, read, clauses, params, [*grouped, *groups], limit=most + 1, final=not self._stored,
            settings=settings,
        )  # fmt: skip

    def _figure(self, name: str) -> str:
        if not self._stored:
            return figures.counts_of_calls(name) if name in MAPS else figures.of_calls(name)
        counts = MAPS.get(name)
        return f"sumMap({counts.keys}, {counts.counts}) AS m_{name}" if counts else f"sum({name}) AS f_{name}"

    def found(self, rows: Iterable[Sequence[Any]]) -> list[dict[Key, Figures]]:
        """What each part wanted, in their order, of the rows that the query gave."""
        many = len(self._places) > 1
        lead = len(self._steps) + (len(self._places) if many else 0)
        money = any(map(is_money, self._names))
        first = lead + len(self._by) + (money and not self._by)
        layouts = [
            (
                self._steps.index(wanted.step) if wanted.step else None,
                len(self._steps) + self._places.index(pieces) if many else None,
                [self._by.index(name) for name in wanted.by],
                [(first + self._names.index(name), name, figured(name)) for name in wanted.figures],
            )
            for wanted, pieces in self._parts
        ]
        found: list[dict[Key, Figures]] = [{} for _ in self._parts]
        for row in rows:
            group, currency = dimensions(row, lead, len(self._by), money=money)
            for into, (step, inside, by, values) in zip(found, layouts, strict=True):
                if inside is None or row[inside]:
                    key = None if step is None else row[step], tuple(group[n] for n in by)
                    figures = {name: made(row[place], currency) for place, name, made in values}
                    held = into.get(key)
                    into[key] = figures if held is None else plus(held, figures)
        return found


def keys(by: Sequence[str], names: Iterable[str], *, stored: bool) -> tuple[list[str], list[str]]:
    """The columns of some dimensions, and of the currency of amounts, to read and to group by."""
    read = [f"{figures.dimension(name, stored=stored)} AS g{n}" for n, name in enumerate(by)]
    grouped = [f"g{n}" for n in range(len(by))]
    if any(map(is_money, names)):
        if by:
            first = figures.dimension(by[0], stored=stored)
            read[0] = f"concat(toString(cost_currency), char(0), {first}) AS g0"
        else:
            read.append("toString(cost_currency) AS currency")
            grouped.append("currency")
    return read, grouped


def dimensions(row: Sequence[Any], lead: int, width: int, *, money: bool) -> tuple[tuple[str, ...], str]:
    """The dimensions and the currency of a row in which the columns of `keys` begin at a place."""
    group = tuple(map(str, row[lead : lead + width]))
    if money and width:
        currency, _, first = group[0].partition(_MARK)
        return (first, *group[1:]), currency
    return group, str(row[lead]) if money else ""


def figured(name: str) -> Callable[[Any, str], Any]:
    """How a figure is made of its column and of the currency of the row."""
    if name in MAPS:
        return lambda value, _: dict(zip(*value, strict=True))
    if is_money(name):
        return lambda value, currency: {currency: value} if currency else {}
    return lambda value, _: value


def is_money(name: str) -> bool:
    """Whether a figure is an amount, which has a currency."""
    return name == "cost" or (name.endswith("_cost") and name in figures.DISTINCT)


def chosen(filters: CallFilter) -> tuple[list[str], dict[str, Any]]:
    """Conditions that choose stored buckets by their dimensions."""
    return among(filters, lambda name: figures.dimension(name, stored=True))


def in_buckets(pieces: Sequence[Piece], params: dict[str, Any], prefix: str) -> str:
    """A condition that a stored bucket is of one of some pieces; adds its parameters, whose names begin with `prefix`."""
    either = []
    for number, cuboid in enumerate(dict.fromkeys(piece.cuboid for piece in pieces)):
        bounds = []
        for index, piece in enumerate(piece for piece in pieces if piece.cuboid == cuboid):
            start, end = f"{prefix}{number}from{index}", f"{prefix}{number}to{index}"
            params |= {start: piece.start // NS, end: piece.end // NS}
            bounds.append(
                f"(bucket >= toDateTime({{{start}:Int64}}, 'UTC') AND bucket < toDateTime({{{end}:Int64}}, 'UTC'))"
            )
        params[f"{prefix}{number}"] = cuboid
        either.append(f"(cuboid = {{{prefix}{number}:String}} AND ({' OR '.join(bounds)}))")
    return " OR ".join(either)


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
