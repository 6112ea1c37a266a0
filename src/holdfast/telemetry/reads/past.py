"""Jobs over past calls, and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from holdfast.storage.columns import Columns
from holdfast.storage.sql import Transaction
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.store import past as store
from holdfast.telemetry.store import recounted, repriced
from holdfast.telemetry.store.past import PastJob, PastKind, knows_costs, shown, tally

__all__ = ["PastJob", "PastKind", "jobs", "knows_costs", "shown", "tally", "total"]

_TOTAL: Mapping[PastKind, Callable[[Columns, str, TimeRange, str], int]] = MappingProxyType(
    {PastKind.PRICE: repriced.total, PastKind.COUNT: recounted.total}
)


def jobs(tx: Transaction, workspace: str, kind: PastKind | None = None) -> list[PastJob]:
    """The jobs of a workspace, of one kind or all, the latest first."""
    return store.of_workspace(tx, workspace, kind)


def total(columns: Columns, workspace: str, kind: PastKind, within: TimeRange, system: str) -> int:
    """How much there is to do in a window, of a system or (empty) all: calls to price, or traces to count."""
    return _TOTAL[kind](columns, workspace, within, system)
