"""Deployments that were announced."""

from __future__ import annotations

from datetime import datetime

from holdfast.applications import store
from holdfast.applications.model import Deployment
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


def deployments(
    ctx: Context,
    tx: Transaction,
    *,
    system: str | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[Deployment]:
    """The latest first; those of one system, or of all."""
    return store.deployments_of(tx, ctx.workspace, system=system, before=before, limit=limit)
