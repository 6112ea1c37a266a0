"""Answers about saved views."""

from __future__ import annotations

from holdfast.platform.access.model import Caller, Scope
from holdfast.storage.sql import Transaction
from holdfast.telemetry.store import control
from holdfast.telemetry.store.control import SavedView


def views(caller: Caller, tx: Transaction, page: str) -> list[SavedView]:
    """The saved views of a page, by name: all, or one's own for who may not read the whole workspace.

    A view's name and query may name systems that its reader may not know of.
    """
    found = control.views_of(tx, caller.ctx.workspace, page)
    if caller.reach[Scope.READ].everywhere:
        return found
    return [view for view in found if view.created_by == caller.ctx.actor.id]
