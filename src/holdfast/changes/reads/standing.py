"""What stands in the way of a change now."""

from __future__ import annotations

from holdfast.changes import store
from holdfast.changes.model import Change, ChangeClass
from holdfast.changes.reads.calendar import windows
from holdfast.changes.rules.freezes import blocks
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


def blocked(ctx: Context, tx: Transaction, change: Change) -> str:
    """Why it may neither begin nor go on now, by freezes and change windows; empty where it may. Rollback never asks."""
    freezes = store.freezes_of(tx, ctx.workspace, ctx.now)
    emergency = change.change_class is ChangeClass.EMERGENCY
    return blocks(freezes, windows(ctx, tx), change.system, ctx.now, emergency=emergency)
