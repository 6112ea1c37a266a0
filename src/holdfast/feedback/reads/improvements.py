"""Answers on improvements."""

from __future__ import annotations

from holdfast.feedback.model import Improvement, Stage
from holdfast.feedback.store import improvements as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction


def improvements(ctx: Context, tx: Transaction, stages: tuple[Stage, ...] = ()) -> list[Improvement]:
    """The latest first."""
    return store.listed(tx, ctx.workspace, stages)


def improvement(ctx: Context, tx: Transaction, id: str) -> Improvement:
    """One. Raises NotFound."""
    found = store.get(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such improvement in this workspace")
    return found
