"""Answers about legal holds and erasures."""

from __future__ import annotations

from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.store import control
from holdfast.telemetry.store.control import Erasure


def holds(ctx: Context, tx: Transaction) -> list[Hold]:
    """Every legal hold of the workspace, released ones included, the oldest first."""
    return control.holds_of(tx, ctx.workspace, active=False)


def erasures(ctx: Context, tx: Transaction) -> list[Erasure]:
    """Every erasure of the workspace, the latest first. Who was erased is not known here."""
    return control.erasures_of(tx, ctx.workspace)
