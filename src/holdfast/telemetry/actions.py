"""Verbs of telemetry that leave a mark in the audit log."""

from __future__ import annotations

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.ids import new_id
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


def save_view(ctx: Context, tx: Transaction, page: str, name: str, query: str) -> None:
    """Keeps a page's query under a name, in place of an earlier one of that name. Raises Invalid."""
    if not name.strip() or len(name) > 80:
        raise Invalid("a view needs a name of at most 80 characters", where="name")
    if len(query) > 4000:
        raise Invalid("this query is too long to be kept", where="query")
    view = SavedView(new_id("view"), ctx.workspace, page, name.strip(), query, ctx.actor.id, ctx.now)
    control.put_view(tx, view)
    audit.record(
        ctx, tx, action="view.saved", subject=f"view:{page}", details={"name": view.name, "query": query}
    )


def delete_view(ctx: Context, tx: Transaction, view: str) -> None:
    """Forgets a saved view. Raises NotFound."""
    if not control.delete_view(tx, ctx.workspace, view):
        raise NotFound("there is no such saved view")
    audit.record(ctx, tx, action="view.deleted", subject=view)


def flip_demo(ctx: Context, tx: Transaction, fault: str, state: str) -> None:
    """Records that somebody broke or mended the demo on purpose."""
    audit.record(ctx, tx, action=f"demo.{state}", subject=f"demo:{fault}")


def export(ctx: Context, tx: Transaction, what: str, format_name: str, *, content: bool) -> None:
    """Records that all rows of a kind were exported, and whether captured content went with them."""
    audit.record(
        ctx, tx, action=f"{what}.exported", subject=what, details={"format": format_name, "content": content}
    )
