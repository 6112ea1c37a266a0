"""Verbs on what judges are shown of live calls: keep what one said, or leave it for later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from holdfast.evals.actions import review as actions
from holdfast.evals.rules import review as rules
from holdfast.evals.rules.review import Basis, Found, Item, Judging, Looked, Policy
from holdfast.evals.rules.review_judging import Shown, Verdicts, confidence
from holdfast.evals.store import review as queue
from holdfast.evals.store import review_asks as store
from holdfast.evals.store.review_asks import Ask, Outcome
from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Evidence:
    """How good a judge is: on its labels (None: it was not checked), and what it said of live calls."""

    shown: Shown | None
    said: Verdicts


def postpone(ctx: Context, tx: Transaction, ask: Ask, seconds: float, *, counts: bool) -> None:
    """Leaves it for later; `counts`: this was one of the tries."""
    store.postpone(tx, ask, ctx.now + timedelta(seconds=seconds), ask.tries + counts)


def settle(
    ctx: Context,
    tx: Transaction,
    policy: Policy,
    entry: Judging | None,
    ask: Ask,
    outcome: Outcome,
    evidence: Evidence | None,
    base_url: str,
) -> Item | None:
    """Keeps what a judge said of a call, once; the item that a failed answer opens or joins, None where nobody is asked.

    What is told at once is what a rule would be told of, by a judge whose confidence is corrected and which surely agrees
    with people on its labels.
    """
    if not store.settle(tx, ask, outcome, ctx.now) or not outcome.failed:
        return None
    assert entry is not None, "only what the policy names is asked"
    assert outcome.score is not None, "it failed"
    shown, said = (evidence.shown, evidence.said) if evidence else (None, Verdicts())
    sure, basis = confidence(outcome.score, shown, said)
    found = Found(f"judge {ask.judge}", str(ask.version), ask.dimension, entry.severity, sure, basis)
    item = rules.opened(new_id("rev"), ctx.workspace, policy, ask.call, Looked((found,)), ctx.now)
    if item is None:
        return None
    if not queue.add_item(tx, item):
        there = queue.item_of_call(tx, ctx.workspace, ask.call.trace, ask.call.id)
        assert there is not None, "its key is taken"
        item = actions.joined(there, item)
        queue.change(tx, item)
    queue.add_findings(tx, ctx.workspace, item.id, [found])
    if basis is Basis.JUDGE and shown is not None and shown.agrees:
        actions.raise_at_once(ctx, tx, policy, item, [found], base_url)
    return item
