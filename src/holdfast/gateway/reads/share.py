"""Which share of each system's traffic passes through Holdfast: only that can be rolled back here."""

from __future__ import annotations

from datetime import timedelta

from holdfast.gateway.model import SCOPE
from holdfast.kernel.context import Context
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Transaction
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import observers
from holdfast.telemetry.reads.observers import Observed

RANGES = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}


def systems(ctx: Context, tx: Transaction) -> list[str]:
    """The registered systems of a workspace: those without a call are shown too."""
    return [one.slug for one in tenancy.systems(tx, ctx.workspace)]


def share(ctx: Context, columns: Columns, range_: str, systems: list[str]) -> list[Observed]:
    """By system, calls of the last 24h or 7d and those that a gateway recorded. Raises Unavailable."""
    within = TimeRange(ctx.now - RANGES[range_], ctx.now)
    return observers.observed(columns, ctx.workspace, within, SCOPE, systems)
