"""What stands in the way of a change now."""

from __future__ import annotations

from holdfast.changes import store
from holdfast.changes.model import Change, ChangeClass
from holdfast.changes.rules import policy as policies
from holdfast.changes.rules import windows_written
from holdfast.changes.rules.freezes import blocks
from holdfast.changes.rules.windows import Windows
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


def blocked(ctx: Context, tx: Transaction, change: Change) -> str:
    """Why it may neither begin nor go on now, by freezes and change windows; empty where it may. Rollback never asks."""
    found = store.policy(tx, ctx.workspace)
    written = policies.parse(found.document).windows if found else {}
    parsed = windows_written.parse(written) if written else Windows()
    freezes = store.freezes_of(tx, ctx.workspace, ctx.now)
    emergency = change.change_class is ChangeClass.EMERGENCY
    return blocks(freezes, parsed, change.system, ctx.now, emergency=emergency)
