"""Verbs of telemetry that leave a mark in the audit log."""

from __future__ import annotations

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction
from holdfast.telemetry.store import control
from holdfast.telemetry.store.control import SavedView


def open_content(ctx: Context, tx: Transaction, trace_id: str) -> None:
    """Records that captured content of a trace was opened, and by whom."""
    audit.record(ctx, tx, action="content.opened", subject=f"trace:{trace_id}")


def export_calls(ctx: Context, tx: Transaction, format_name: str) -> None:
    """Records that calls were exported."""
    audit.record(ctx, tx, action="calls.exported", subject="calls", details={"format": format_name})


def save_view(by: Caller, tx: Transaction, page: str, name: str, query: str) -> None:
    """Keeps a page's query under a name, in place of an earlier one of that name.

    Raises Invalid, and Conflict where the earlier one is another's that the caller may not see.
    """
    ctx = by.ctx
    if not name.strip() or len(name) > 80:
        raise Invalid("a view needs a name of at most 80 characters", where="name")
    if len(query) > 4000:
        raise Invalid("this query is too long to be kept", where="query")
    view = SavedView(new_id("view"), ctx.workspace, page, name.strip(), query, ctx.actor.id, ctx.now)
    if not by.reach[Scope.READ].everywhere and any(
        one.name == view.name and one.created_by != ctx.actor.id
        for one in control.views_of(tx, ctx.workspace, page)
    ):
        raise Conflict("somebody else has a view of this name; choose another", where="name")
    control.put_view(tx, view)
    audit.record(
        ctx, tx, action="view.saved", subject=f"view:{page}", details={"name": view.name, "query": query}
    )


def delete_view(by: Caller, tx: Transaction, view: str) -> None:
    """Forgets a saved view; one's own, for who may not read the whole workspace. Raises NotFound."""
    owner = None if by.reach[Scope.READ].everywhere else by.ctx.actor.id
    if not control.delete_view(tx, by.ctx.workspace, view, owner):
        raise NotFound("there is no such saved view")
    audit.record(by.ctx, tx, action="view.deleted", subject=view)


def flip_demo(ctx: Context, tx: Transaction, fault: str, state: str) -> None:
    """Records that somebody broke or mended the demo on purpose."""
    audit.record(ctx, tx, action=f"demo.{state}", subject=f"demo:{fault}")
