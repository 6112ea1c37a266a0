"""Break-glass: what is lifted, and what was."""

from __future__ import annotations

from holdfast.gateway import store
from holdfast.gateway.model import Lift
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


def in_force(ctx: Context, tx: Transaction) -> list[Lift]:
    """Lifts that hold now, what ends first first."""
    return store.lifts(tx, ctx.workspace, ctx.now)


def latest(ctx: Context, tx: Transaction, limit: int = 50) -> list[Lift]:
    """The latest made first, whether they hold or have ended."""
    return store.last_lifts(tx, ctx.workspace, limit)
