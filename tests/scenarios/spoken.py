"""Feedback in a workspace, marked in all that it says, with the call that it is about."""

from __future__ import annotations

from tests.scenarios.triaged import triage_of

from holdfast.feedback.actions import improvements, links
from holdfast.feedback.actions import items as actions
from holdfast.feedback.model import Item, Joined, Source
from holdfast.feedback.store import items as store
from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id
from holdfast.storage.sql import Transaction


def feedback_of(ctx: Context, tx: Transaction, mark: str) -> dict[str, str]:
    """The ids of an item that nothing is sought for any more, of a key for links, and of an improvement."""
    item = Item(
        id=new_id("fb"), workspace=ctx.workspace, source=Source.EXPLICIT, call_id="cd" * 8, trace_id=None,
        session=f"session-{mark}", rating=-1, score=0.1, label=f"label-{mark}", comment=f"comment {mark}",
        correction=f"correction {mark}", used=f"used {mark}", author=f"author-{mark}", created_at=ctx.now,
        received_at=ctx.now, metadata={"mark": mark},
    )  # fmt: skip
    actions.add(ctx, tx, [item])
    joined = Joined(
        call_id="cd" * 8, trace_id="cd" * 16, session=f"session-{mark}", system=f"shop-{mark}",
        environment=f"prod-{mark}", route=f"route-{mark}", release=f"release-{mark}", model=f"model-{mark}",
        at=ctx.now,
    )  # fmt: skip
    store.join(tx, item, joined, ctx.now, 1, None)
    key = links.add_key(ctx, tx, f"links of {mark}", (f"https://{mark.lower()}.example",))
    better = improvements.propose(
        ctx,
        tx,
        title=f"improve {mark}",
        owner=f"owner {mark}",
        hypothesis=f"since {mark}",
        category=f"label:{mark}",
    )
    made = {"feedback": item.id, "link_key": key.id, "token": "no-such-token", "improvement": better.id}
    return made | triage_of(ctx, tx, mark, item.id)
