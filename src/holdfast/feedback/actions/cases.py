"""An item becomes a case of a suite: what was asked, and what would have been right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from holdfast.evals.actions import adding
from holdfast.evals.actions.suites import Applied
from holdfast.evals.model import Case, CaseInput, Expectation, Provenance
from holdfast.evals.model import Source as Origin
from holdfast.feedback.model import Exchange, Item, Sentiment, Source
from holdfast.feedback.store import items as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

ROLES = frozenset({"system", "developer", "user", "assistant"})
MAX_EXPECTED = 20_000


@dataclass(frozen=True, slots=True)
class MadeCase:
    """The case that was made, and the suite's new version."""

    case: str
    applied: Applied


def make_case(
    ctx: Context, tx: Transaction, id: str, suite: str, expected: str, exchange: Exchange, *, holdouts: bool
) -> MadeCase:
    """Makes a case of an item, and notes that in it. Whoever calls this may read content.

    What is right is `expected`; else the correction or the text that was used; else, of praise, the answer itself. Raises
    NotFound; Invalid where what was asked is not kept or nobody says what is right; Conflict where it is a case already.
    """
    if len(expected) > MAX_EXPECTED:
        raise Invalid(f"a right answer has at most {MAX_EXPECTED:,} characters", where="right")
    item = store.one(tx, ctx.workspace, id)
    if item is None:
        raise NotFound("there is no such feedback in this workspace")
    if item.handled and item.handled.startswith("case:"):
        raise Conflict(f"this feedback is a case already: {item.handled.removeprefix('case:')}")
    case = _case(ctx, item, expected, exchange)
    done = adding.add_case(ctx, tx, suite, case, holdouts=holdouts, note=f"from feedback {item.id}")
    store.handle(tx, ctx.workspace, item.id, f"case:{suite}/{case.id}", ctx.actor.id, ctx.now)
    details = {"handled": "case", "suite": suite, "case": case.id, "version": done.version}
    audit.record(ctx, tx, action="feedback.handled", subject=f"feedback:{item.id}", details=details)
    return MadeCase(case.id, done)


def _case(ctx: Context, item: Item, expected: str, exchange: Exchange) -> Case:
    messages = tuple({"role": role, "content": text} for role, text in exchange.asked if role in ROLES)
    if not any(one["role"] == "user" for one in messages):
        raise Invalid(
            "what was asked is not known: the call has not arrived, is not a single one, or was not captured",
            where="feedback",
        )
    right = expected.strip() or item.correction or item.used or ""
    if not right and item.sentiment is Sentiment.POSITIVE and item.source is not Source.IMPLICIT:
        right = exchange.answer or ""
    if not right.strip():
        raise Invalid("say what a right answer is: this feedback has no correction", where="right")
    name = f"feedback-{hashlib.sha256(item.id.encode()).hexdigest()[:12]}"
    segments = {"feedback": item.label} if item.label else {}
    return Case(
        id=name,
        input=CaseInput(messages=messages),
        expectations=(Expectation("similarity", {"expected": right}),),
        family=name,
        segments=segments,
        provenance=Provenance(Origin.FEEDBACK, ctx.actor.name, ctx.now.date(), None, item.id),
    )
