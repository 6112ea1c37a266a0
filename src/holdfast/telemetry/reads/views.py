"""Answers about saved views."""

from __future__ import annotations

from holdfast.storage.sql import Transaction
from holdfast.telemetry.store import control
from holdfast.telemetry.store.control import SavedView


def views(tx: Transaction, workspace: str, page: str) -> list[SavedView]:
    """The saved views of a page, by name."""
    return control.views_of(tx, workspace, page)
