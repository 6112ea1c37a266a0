"""Verbs of telemetry that leave a mark in the audit log."""

from __future__ import annotations

from holdfast.kernel.context import Context
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction


def open_content(ctx: Context, tx: Transaction, trace_id: str) -> None:
    """Records that captured content of a trace was opened, and by whom."""
    audit.record(ctx, tx, action="content.opened", subject=f"trace:{trace_id}")


def export_calls(ctx: Context, tx: Transaction, format_name: str) -> None:
    """Records that calls were exported."""
    audit.record(ctx, tx, action="calls.exported", subject="calls", details={"format": format_name})
