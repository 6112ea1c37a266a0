"""A review queue of a workspace, marked in all that it says: a policy, an item that somebody decided of two who look, and a
call that a judge was shown."""

from __future__ import annotations

from holdfast.evals.actions import review
from holdfast.evals.rules.online import read_policy
from holdfast.evals.rules.review import CallRef, Decision, Dimension
from holdfast.evals.store import review_asks
from holdfast.evals.store.review_asks import Ask, Outcome
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


def review_of(ctx: Context, tx: Transaction, mark: str) -> str:
    """The id of the item."""
    rule = {"name": f"rule-{mark}".lower(), "dimension": "tone", "patterns": [f"pattern {mark}"]}
    policy = read_policy({"rules": [{**rule, "routes": [f"route-{mark}"]}], "second_look": 1.0})
    review.put_policy(ctx, tx, policy, 0, f"because {mark}")
    call = CallRef("ab" * 16, f"call {mark}", f"shop-{mark}", f"prod-{mark}", f"route-{mark}", ctx.now)
    item = review.flag(ctx, tx, call, Dimension.TONE, by=f"reporter {mark}")
    judge = f"judge-{mark}".lower()
    ask = Ask(ctx.workspace, call, judge, 1, "a" * 64, Dimension.TONE, 1.0, ctx.now)
    review_asks.add(tx, ask)
    review_asks.settle(tx, ask, Outcome(None, None, f"unknown to {mark}"), ctx.now)
    review.decide(ctx, tx, item.id, {Dimension.TONE: Decision.UNCLEAR}, f"noted by {mark}")
    return item.id
