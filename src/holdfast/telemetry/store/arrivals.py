"""Calls in the order in which they were counted, for whoever follows them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.store.calls import FINAL

NAMES = (
    "id",
    "trace_id",
    "observations",
    "system",
    "environment",
    "route",
    "user",
    "started_at",
    "received_at",
    "finish_reasons",
    "release",
    "cache_hit",
)


def arrived(
    columns: Columns, workspace: str, since: datetime, reach: timedelta, limit: int
) -> list[dict[str, Any]]:
    """Inferences counted (or counted anew) from an instant on, in that order; sample data and attempts left out.

    Those that began more than `reach` before they were counted are history, and are left out too.
    """
    query = Select(
        "calls",
        NAMES,
        [
            "started_at >= {since:DateTime64(3, 'UTC')} - INTERVAL {reach:UInt32} SECOND",
            "received_at >= {since:DateTime64(3, 'UTC')}",
            "started_at >= received_at - INTERVAL {reach:UInt32} SECOND",
            "kind = 'inference'",
            "sample = false",
            "attempt = false",
        ],
        {"since": since, "reach": int(reach.total_seconds())},
        order_by=["received_at", "trace_id", "id"],
        limit=limit,
        final=True,
        settings=FINAL,
    )
    return columns.dicts(workspace, query)
