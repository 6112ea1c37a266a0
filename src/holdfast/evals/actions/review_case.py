"""A reviewed call becomes a case of a suite: its next version, with where it came from."""

from __future__ import annotations

from dataclasses import replace

from holdfast.evals.actions import suites
from holdfast.evals.actions.suites import Applied
from holdfast.evals.model import Case, CaseInput, Criticality, Document, Expectation, Provenance, Source
from holdfast.evals.rules.hashing import hashed
from holdfast.evals.rules.review import Found, Item, Severity
from holdfast.evals.store import suites as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.storage.sql import Transaction
from holdfast.telemetry.reads.arrivals import Said

LONGEST_PHRASE = 300
ROLES = frozenset({"system", "user", "assistant"})


def make(
    ctx: Context,
    tx: Transaction,
    item: Item,
    found: list[Found],
    said: Said,
    suite: str,
    expected: str,
    *,
    holdouts: bool,
) -> Applied:
    """Adds the call to a suite: what was asked, the documents, and what a good answer holds.

    `expected` is what a good answer says (text that it must contain); without it, a good answer is one that says none of
    the spots that were found. What is kept in the suite is a copy, made by whoever calls this. Raises NotFound, Invalid
    where there is nothing to ask or to expect, Conflict where the suite has this call already.
    """
    head = store.head(tx, ctx.workspace, suite)
    current = None if head is None else store.suite(tx, ctx.workspace, suite, head.version)
    if current is None:
        raise NotFound("there is no such suite in this workspace", where="suite")
    if not holdouts:
        current = replace(current, cases=tuple(one for one in current.cases if not one.holdout))
    reference = item.call.id
    if any(case.provenance.reference == reference for case in current.cases):
        raise Conflict(f"the suite {suite} has a case of this call already")
    messages = tuple({"role": role, "content": text} for role, text in said.messages if role in ROLES)
    if not any(message["role"] == "user" for message in messages):
        raise Invalid("what was asked is not kept, so nobody can be asked it again", where="suite")
    case = Case(
        id=f"production-{item.id.removeprefix('rev_')}",
        input=CaseInput(messages, context=tuple(Document(text) for text in said.documents)),
        expectations=(_expectation(found, said, expected),),
        segments={"reviewed": ", ".join(item.dimensions)},
        criticality=Criticality.CRITICAL if item.severity is Severity.CRITICAL else Criticality.NORMAL,
        provenance=Provenance(Source.PRODUCTION, ctx.actor.name, ctx.now.date(), None, reference),
    )
    made = hashed(replace(current, cases=(*current.cases, replace(case, family=case.id))))
    note = f"from the review of call {reference}"
    (done,) = suites.apply(ctx, tx, [made], holdouts=holdouts, note=note)
    return done


def _expectation(found: list[Found], said: Said, expected: str) -> Expectation:
    if expected.strip():
        return Expectation("contains", {"all": [expected.strip()]})
    answer = said.answer or ""
    spots = {answer[start:end].strip()[:LONGEST_PHRASE] for one in found for start, end in one.spots}
    phrases = sorted(one for one in spots if one)
    if not phrases:
        raise Invalid("nothing was marked in this answer: write what a good answer says", where="expected")
    return Expectation("contains", {"none": phrases})
