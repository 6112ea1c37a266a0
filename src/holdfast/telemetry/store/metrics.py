"""Figures of calls by window, step and dimensions: from stored buckets where they hold, from the calls where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.adding import Figures, Key, added
from holdfast.telemetry.rules.cover import NS
from holdfast.telemetry.store.calls import FINAL
from holdfast.telemetry.store.figures import MAPS
from holdfast.telemetry.store.rollups import Known
from holdfast.telemetry.store.together import Part, Together, dimensions

SHORT_NS = 7200 * NS
"""Calls of no longer than this are read in one go."""
ONE_THREAD = {"max_threads": 1}
"""For what is little: the queries of a page run beside one another instead."""
STORED = {**ONE_THREAD, "optimize_move_to_prewhere": 0}
"""For stored buckets: the index finds just the rows that are wanted, so reading them in two steps gains nothing."""


def is_short(part: Part) -> bool:
    """Whether a part is of few calls, which are read in one go, whatever is wanted of them."""
    wanted, pieces = part
    return sum(one.end - one.start for one in pieces) <= SHORT_NS and "finish_reason" not in wanted.by


def from_calls(
    columns: Columns, workspace: str, parts: Sequence[Part], most: int
) -> list[dict[Key, Figures]]:
    """What each part wants of the calls that began within its pieces. Raises Invalid for more than so many rows.

    Several parts want different figures, steps, dimensions and windows of the same calls, and are short.
    """
    if len(parts) > 1 or is_short(parts[0]):
        together = Together(parts, stored=False)
        return together.found(_rows(columns, workspace, together.query(most, {**FINAL, **ONE_THREAD}), most))
    [(wanted, pieces)] = parts
    apart = [name for name in wanted.figures if name in MAPS]
    found: list[dict[Key, Figures]] = []
    if figures := tuple(name for name in wanted.figures if name not in apart):
        together = Together([(replace(wanted, figures=figures), pieces)], stored=False)
        found += together.found(_rows(columns, workspace, together.query(most, FINAL), most))
    for name in apart:  # of many calls, one count by key at a time is faster
        found.append(_by_key(columns, workspace, (replace(wanted, figures=(name,)), pieces), most))
    return [added(chain.from_iterable(one.items() for one in found))]


def _by_key(columns: Columns, workspace: str, part: Part, most: int) -> dict[Key, Figures]:
    """One figure that is counts by key, read as a row for each key."""
    wanted, pieces = part
    [name] = wanted.figures
    query = Together([(replace(wanted, figures=()), pieces)], stored=False).query(most, FINAL)
    query = replace(
        query,
        columns=[*query.columns, f"{MAPS[name].key} AS k", "count() AS n"],
        where=[*query.where, MAPS[name].where],
        group_by=[*query.group_by, "k"],
    )
    found: dict[Key, dict[str, dict[Any, int]]] = {}
    lead = bool(wanted.step)
    for row in _rows(columns, workspace, query, most):
        group, _ = dimensions(row, lead, len(wanted.by), money=False)
        counts = found.setdefault((row[0] if lead else None, group), {name: {}})[name]
        counts[row[-2]] = counts.get(row[-2], 0) + row[-1]
    return dict(found)


def from_buckets(
    columns: Columns, workspace: str, part: Part, most: int, known: Known
) -> list[dict[Key, Figures]]:
    """What a part wants of stored buckets. Raises Invalid for more than so many rows."""
    together = Together([part], stored=True)
    query = together.query(most, STORED)
    query = replace(query, where=[*query.where, known.holding(part[1])])
    return together.found(_rows(columns, workspace, query, most))


def from_memory(
    columns: Columns, workspace: str, part: Part, most: int, known: Known
) -> list[dict[Key, Figures]]:
    """Like `from_buckets`. It stays in memory, and is read again once a bucket of those has been made anew."""
    query = Together([part], stored=True).query(most, STORED)
    key = (workspace, query.sql(), repr(sorted(query.params.items())))
    held = columns.kept.get(key)
    if held is not None and known.stands(held[0], max(piece.end for piece in part[1])):
        return [held[1]]
    [found] = from_buckets(columns, workspace, part, most, known)
    columns.kept.put(key, (known.state.version, found), _size(found))
    return [found]


def _rows(columns: Columns, workspace: str, query: Select, most: int) -> list[tuple[Any, ...]]:
    rows = columns.rows(workspace, query)
    if len(rows) > most:
        raise Invalid(
            f"this would be more than {most:,} rows; ask for fewer groups, longer steps or a filter",
            where="group_by",
        )
    return rows


def _size(value: object) -> int:
    """How many values there are, those by key counted one by one."""
    return sum(map(_size, value.values())) + len(value) if isinstance(value, dict) else 1
