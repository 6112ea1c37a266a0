"""A triage of a workspace's feedback that is done: its category, named with the mark, and the item in it."""

from __future__ import annotations

import numpy as np

from holdfast.feedback.rules.triage import week_of
from holdfast.feedback.states import Category, Placed, Triage, TriageState
from holdfast.feedback.store import triage as store
from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id
from holdfast.storage.sql import Transaction


def triage_of(ctx: Context, tx: Transaction, mark: str, item: str) -> dict[str, str]:
    """The ids of a triage and of its category."""
    vector = np.ones(384, dtype=np.float32) / np.float32(384**0.5)
    category = Category(
        new_id("cat"), f"category {mark}", "", (f"keyword-{mark}",), vector, item, ctx.now, ctx.now
    )
    store.keep_category(tx, ctx.workspace, category)
    week = week_of(ctx.now)
    store.place(tx, ctx.workspace, [Placed(item, category.id, 0.5, "tone", 0.5, None, item, week)])
    triage = Triage(
        new_id("tri"), ctx.workspace, week, 12, ctx.now, f"asked by {mark}", TriageState.FAILED, "done", 1, 1,
        f"failed for {mark}", ctx.now, ctx.now,
    )  # fmt: skip
    store.add(tx, triage)
    return {"triage": triage.id, "category": category.id}
