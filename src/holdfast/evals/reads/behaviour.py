"""How the answers of one run differ from another's in style, whether they are right or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.evals.reads.runs import suite_of
from holdfast.evals.states import Run
from holdfast.evals.store import runs as store
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

if TYPE_CHECKING:
    from holdfast.evals.rules.behaviour import Behaviour

MOST_CASES = 400
"""Cases that are compared: the first of the suite."""
SEED = 1
"""Of the random sign flips, so that the same answers give the same figures."""


def between(ctx: Context, tx: Transaction, run: Run, other: Run) -> Behaviour:
    """The first answer of `run` to each case beside that of `other`; a second answer of `other` gives the noise floor."""
    hashes = {case.id: case.hash for case in suite_of(ctx, tx, other).cases}
    cases = [case.id for case in suite_of(ctx, tx, run).cases if hashes.get(case.id) == case.hash][
        :MOST_CASES
    ]
    mine, theirs = _texts(ctx, tx, run, cases), _texts(ctx, tx, other, cases)
    again = [theirs.get((case, 1)) for case in cases]
    from numpy.random import default_rng  # half a second

    from holdfast.evals.rules import behaviour

    return behaviour.compare(
        [theirs.get((case, 0)) for case in cases],
        [mine.get((case, 0)) for case in cases],
        default_rng(SEED),
        again=again if other.bars.repeats > 1 and any(again) else None,
    )


def _texts(ctx: Context, tx: Transaction, run: Run, cases: list[str]) -> dict[tuple[str, int], str]:
    """(case, repeat) → what was answered, where anything was."""
    return {
        (one.case, one.repeat): one.answer.text or one.answer.refusal
        for one in store.few(tx, ctx.workspace, run.id, cases)
        if not one.answer.error
    }
