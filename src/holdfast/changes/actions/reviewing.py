"""Verbs of reviewers: decide about a change, answer for an inconclusive gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.changes import store
from holdfast.changes.actions.keeping import keep, load
from holdfast.changes.actions.persons import permit, person_of
from holdfast.changes.model import Change, Decision, Person, Review, Risk, State
from holdfast.changes.rules import reviewing, states
from holdfast.changes.rules.reading import policy_of
from holdfast.changes.rules.reviewing import Standing
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Denied, Invalid
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.platform.audit import reads as log
from holdfast.storage.sql import Transaction

REVIEWED = "change.reviewed"
WROTE = ("change.proposed", "change.edited")
MAX_NOTE = 4000


@dataclass(frozen=True, slots=True)
class Logged:
    """What the audit log says of a change: who wrote any of it, and the reviews, by id, as (person, decision, content)."""

    authors: frozenset[str]
    reviews: dict[str, tuple[str, str, str]]


def review(
    ctx: Context, tx: Transaction, id: str, decision: Decision, content: str, note: str = ""
) -> Review:
    """Approves or rejects what somebody saw: `content` is the hash of that. Raises NotFound, Conflict, Denied, Invalid."""
    change = load(ctx, tx, id)
    emergency = change.review_due is not None and change.state is not State.DRAFT and not change.ended
    if change.state is not State.GATED and not emergency:
        raise Conflict(f"this change is {change.state.replace('_', ' ')}: there is nothing to review")
    if content != change.content:
        raise Conflict("the change was edited since you read it: read it again, then decide")
    if decision is Decision.REJECTED and not note.strip():
        raise Invalid("say why it is rejected, so that its author can mend it", where="note")
    if len(note) > MAX_NOTE:
        raise Invalid(f"{MAX_NOTE} characters at most", where="note")
    policy = policy_of(change)
    if policy.external and (ctx.actor.kind, ctx.actor.id) == ("key", policy.external):
        person = Person(ctx.actor.id, ctx.actor.name, frozenset({reviewing.EXTERNAL}))
    else:
        person = person_of(ctx, tx, change.system)
        permit(policy, "approve", person)
        reviewing.check_reviewer(change, policy, person, logged(ctx, tx, id).authors)
    made = Review(new_id("rev"), id, ctx.workspace, person, decision, content, note.strip(), ctx.now)
    store.add_review(tx, made)
    details = {
        "review": made.id,
        "person": person.id,
        "person_name": person.name,
        "roles": sorted(person.roles),
        "decision": decision.value,
        "content": content,
        "note": made.note,
    }
    audit.record(ctx, tx, action=REVIEWED, subject=id, details=details)
    return made


def standing(ctx: Context, tx: Transaction, change: Change) -> Standing:
    """Which reviews count now. Raises Invalid where the audit log was tampered with."""
    said = logged(ctx, tx, change.id)
    found = store.reviews_of(tx, ctx.workspace, change.id)
    same = {
        one.id
        for one in found
        if said.reviews.get(one.id) == (one.person.id, one.decision.value, one.content)
    }
    return reviewing.standing(change, policy_of(change), found, said.authors, same)


def accept_risk(ctx: Context, tx: Transaction, id: str, reason: str, until: datetime) -> Change:
    """Answers for going on with an inconclusive gate until an instant. Raises NotFound, Conflict, Denied, Invalid."""
    before = load(ctx, tx, id)
    policy = policy_of(before)
    person = person_of(ctx, tx, before.system)
    permit(policy, "accept_risk", person)
    if not person.id:
        raise Denied("a risk is accepted by somebody: sign in, or send a key that a member made")
    if until > ctx.now + timedelta(days=policy.accept_days):
        raise Invalid(f"by the policy, for {policy.accept_days} days at most", where="until")
    risk = Risk(person.id, person.name, reason, ctx.now, until)
    after = states.step(before, policy, states.Accepted(risk), ctx.now)
    facts = {"person": person.id, "person_name": person.name, "reason": reason.strip(), "until": until}
    return keep(ctx, tx, before, after, "risk_accepted", facts)


def logged(ctx: Context, tx: Transaction, id: str) -> Logged:
    """What the log says, each entry vouched for by its tree. Raises Invalid where one was tampered with."""
    authors: set[str] = set()
    reviews: dict[str, tuple[str, str, str]] = {}
    for action in (*WROTE, REVIEWED):
        cursor: str | None = None
        while True:
            page = log.entries(ctx, tx, action=action, subject=id, cursor=cursor, limit=log.MAX_PAGE)
            for entry in page.items:
                said = log.vouched(ctx, tx, entry)
                if said is None:
                    continue
                about = said.details
                if action == REVIEWED:
                    told = (str(about["person"]), str(about["decision"]), str(about["content"]))
                    reviews[str(about["review"])] = told
                else:
                    authors.add(str(about["facts"]["person"]))
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
    return Logged(frozenset(authors - {""}), reviews)
