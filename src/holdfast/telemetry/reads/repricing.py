"""Jobs that price the past anew, and how far they are."""

from __future__ import annotations

from holdfast.storage.columns import Columns
from holdfast.storage.sql import Transaction
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.store import repricing as store
from holdfast.telemetry.store.repricing import Repricing

__all__ = ["Repricing", "jobs", "total"]


def jobs(tx: Transaction, workspace: str) -> list[Repricing]:
    """The jobs of a workspace, the latest first."""
    return store.of_workspace(tx, workspace)


def total(columns: Columns, workspace: str, within: TimeRange) -> int:
    """How many calls a window holds."""
    return store.total(columns, workspace, within)
