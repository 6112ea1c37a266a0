"""Metric points, log records and evaluation results: each kept once by the hash of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.storage.columns import Columns, Select

METRIC_NAMES = (
    "workspace",
    "name",
    "key",
    "at",
    "start_at",
    "type",
    "unit",
    "temporality",
    "monotonic",
    "system",
    "environment",
    "attributes",
    "resource",
    "value",
    "count",
    "sum",
    "min",
    "max",
    "bounds",
    "bucket_counts",
    "received_at",
    "expires_at",
)
LOG_NAMES = (
    "workspace",
    "key",
    "at",
    "trace_id",
    "span_id",
    "event_name",
    "severity",
    "system",
    "environment",
    "user",
    "attributes",
    "resource",
    "content",
    "content_state",
    "received_at",
    "expires_at",
    "content_expires_at",
)
EVALUATION_NAMES = (
    "workspace",
    "name",
    "key",
    "at",
    "trace_id",
    "span_id",
    "response_id",
    "score",
    "label",
    "explanation",
    "error_type",
    "system",
    "environment",
    "received_at",
    "expires_at",
)
TABLES = (("metric_points", METRIC_NAMES), ("log_records", LOG_NAMES), ("evaluations", EVALUATION_NAMES))


@dataclass(slots=True)
class EventRows:
    """Rows for the three tables; each tuple follows the NAMES of its table."""

    metric_points: list[tuple[Any, ...]] = field(default_factory=list)
    log_records: list[tuple[Any, ...]] = field(default_factory=list)
    evaluations: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.metric_points) + len(self.log_records) + len(self.evaluations)


def insert(columns: Columns, batches: Sequence[EventRows], sequence: int) -> None:
    """Stores the rows of several requests durably."""
    for table, names in TABLES:
        rows = [row for batch in batches for row in getattr(batch, table)]
        if rows:
            data: list[Sequence[Any]] = [*zip(*rows, strict=True), [sequence] * len(rows)]
            columns.insert(table, (*names, "sequence"), data)


def evaluations_of_trace(columns: Columns, workspace: str, trace_id: str) -> list[dict[str, Any]]:
    """The evaluation results of one trace, oldest first."""
    query = Select(
        "evaluations",
        [
            "name",
            "at",
            "span_id",
            "response_id",
            "score",
            "label",
            "explanation",
            "error_type",
            "system",
            "environment",
        ],
        ["trace_id = {trace:String}"],
        {"trace": trace_id},
        order_by=["at"],
        final=True,
    )
    return columns.dicts(workspace, query)
