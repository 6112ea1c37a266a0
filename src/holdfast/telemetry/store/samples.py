"""A reproducible random choice among calls.

A call's place in the order of choice is SHA-256 over the seed, its trace and its id, so it depends on nothing but these:
not on other calls, not on how the store holds them, nor on which engine it is. Those with the lowest places are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.store.calls import FINAL, FLAGS, LISTED, MODEL, CallFilter, where
from holdfast.telemetry.store.spans import LOOKED_UP

PLACE = "hex(SHA256(concat({seed:String}, '\\0', trace_id, '\\0', id)))"


def stratum(by: str) -> str:
    """SQL for the value that a call has in a dimension, as text; unknown is empty."""
    if not by:
        return "''"
    if by in FLAGS:
        return f"ifNull(toString({by}), '')"
    return f"toString({MODEL if by == 'model' else by})"


class Drawn(NamedTuple):
    """A stratum: its value, how many calls it has, and (place, trace id, id) of those with the lowest places."""

    value: str
    population: int
    keys: list[tuple[str, str, str]]


def drawn(
    columns: Columns, workspace: str, filters: CallFilter, by: str, n: int, seed: str, most: int
) -> list[Drawn]:
    """The strata of a filter by a dimension (empty: one), with at most `n` keys each, seen in one look.

    At most `most` strata, those with most calls first.
    """
    clauses, params = where(filters)
    query = Select(
        "calls",
        [
            f"{stratum(by)} AS stratum",
            "count() AS population",
            f"groupArraySorted({int(n)})(({PLACE}, trace_id, id))",
        ],
        clauses,
        {**params, "seed": seed},
        group_by=["stratum"],
        order_by=["population DESC", "stratum"],
        limit=most,
        final=True,
        settings=FINAL,
    )
    return [
        Drawn(str(value), int(population), [(str(p), str(t), str(i)) for p, t, i in keys])
        for value, population, keys in columns.rows(workspace, query)
    ]


def of_keys(
    columns: Columns, workspace: str, filters: CallFilter, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Some calls of a filter by (trace id, id); one that was taken away since is left out."""
    clauses, params = where(filters)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    wanted = set(keys)
    for start in range(0, len(keys), LOOKED_UP):
        some = keys[start : start + LOOKED_UP]
        query = Select(
            "calls",
            LISTED,
            [*clauses, "trace_id IN {chosen_traces:Array(String)}", "id IN {chosen_ids:Array(String)}"],
            {**params, "chosen_traces": [one for one, _ in some], "chosen_ids": [one for _, one in some]},
            final=True,
            settings=FINAL,
        )
        for row in columns.dicts(workspace, query):
            if (row["trace_id"], row["id"]) in wanted:
                found[row["trace_id"], row["id"]] = row
    return found
