"""Calls drawn by chance, and how many there are to draw from."""

from __future__ import annotations

from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.store.calls import FINAL, CallFilter, where

NAMES = ("id", "trace_id", "system", "environment")


def counts(columns: Columns, workspace: str, filters: CallFilter, without: str) -> list[tuple[str, str, int]]:
    """(system, environment, calls) of a filter, but for one environment."""
    clauses, params = where(filters)
    query = Select(
        "calls",
        ["system", "environment", "count()"],
        [*clauses, "environment != {without:String}"],
        params | {"without": without},
        group_by=["system", "environment"],
        order_by=["system", "environment"],
        final=True,
        settings=FINAL,
    )
    return [(str(row[0]), str(row[1]), int(row[2])) for row in columns.rows(workspace, query)]


def drawn(
    columns: Columns, workspace: str, filters: CallFilter, without: str, limit: int, seed: int
) -> list[dict[str, Any]]:
    """At most so many calls of a filter, each as likely as any other; the same ones for the same seed."""
    clauses, params = where(filters)
    query = Select(
        "calls",
        NAMES,
        [*clauses, "environment != {without:String}"],
        params | {"without": without, "seed": seed},
        order_by=["cityHash64(trace_id, id, {seed:UInt64})", "trace_id", "id"],
        limit=limit,
        final=True,
        settings=FINAL,
    )
    return columns.dicts(workspace, query)
