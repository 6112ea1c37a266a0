"""Figures for rules, asked of the metrics of counted calls."""

from __future__ import annotations

from holdfast.signals.model import Scope, Window
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads import metrics

MEASURES = ("calls", "errors", "latency_p95", "cost", "unpriced")


class CountedCalls:
    """Figures of counted calls, without sample data."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def of(self, workspace: str, scope: Scope, within: TimeRange) -> Window:
        """Calls of a scope that started within a range; an empty range has none."""
        if within.start >= within.end:
            return Window(within, 0, 0, None, {}, 0)
        asked = MetricQuery(MEASURES, within, equals={**scope.equals, "sample": ("false",)})
        answer = metrics.query(self._columns, workspace, asked)
        if not answer.rows:
            return Window(within, 0, 0, None, {}, 0, answer.complete)
        found = answer.rows[0].values
        return Window(
            within,
            found["calls"],
            found["errors"],
            found["latency_p95"],
            dict(found["cost"]),
            found["unpriced"],
            answer.complete,
        )
