"""Figures for rules, read from counted calls."""

from __future__ import annotations

from holdfast.signals.model import Scope, Window
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import calls
from holdfast.telemetry.reads.calls import CallFilter


class CountedCalls:
    """Figures of counted calls, without sample data."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def of(self, workspace: str, scope: Scope, within: TimeRange) -> Window:
        """Calls of a scope that started within a range."""
        equals = {**scope.equals, "sample": ("false",)}
        found = calls.summary(self._columns, workspace, CallFilter(within, equals))
        return Window(within, found.calls, found.errors, found.p95_ms, dict(found.costs), found.unpriced)
