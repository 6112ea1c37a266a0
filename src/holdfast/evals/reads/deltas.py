"""What the answers of one run cost, how long they took and whether they kept their format, beside another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.evals.model import Delta
from holdfast.evals.reads.runs import suite_of
from holdfast.evals.states import Run
from holdfast.evals.store import runs as store
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

if TYPE_CHECKING:
    from holdfast.evals.rules.deltas import Told


def between(ctx: Context, tx: Transaction, run: Run, other: Run) -> tuple[Delta, ...]:
    """How `run` differs from `other`, over the cases that say the same in both."""
    from holdfast.evals.rules.deltas import deltas  # numpy takes half a second

    return deltas(_told(ctx, tx, other), _told(ctx, tx, run))


def _told(ctx: Context, tx: Transaction, run: Run) -> dict[str, list[Told]]:
    """By the hash of the case: one that was rewritten is another."""
    from holdfast.evals.rules.deltas import Told

    families = {case.hash: case.family for case in suite_of(ctx, tx, run).cases}
    found: dict[str, list[Told]] = {}
    for one in store.graded(tx, ctx.workspace, run.id):
        if not one.answer.error:
            told = Told(one.answer, one.reused, families.get(one.case_hash, ""))
            found.setdefault(one.case_hash, []).append(told)
    return found
