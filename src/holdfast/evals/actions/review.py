"""Verbs of review: set the policy, keep what was found, flag a call, claim, release and decide."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from holdfast.evals.rules import review as rules
from holdfast.evals.rules.judging import Judge
from holdfast.evals.rules.online import in_force
from holdfast.evals.rules.review import (
    Basis,
    CallRef,
    Decision,
    Dimension,
    Found,
    Item,
    KeptPolicy,
    Looked,
    Policy,
    Reviewed,
    Severity,
    State,
    Vote,
    Why,
)
from holdfast.evals.rules.review_judging import check_known
from holdfast.evals.rules.review_releases import span_of
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import review as store
from holdfast.evals.store import review_asks, review_served, reviewed
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify import actions as notify
from holdfast.platform.notify.model import Message, MessageKind
from holdfast.platform.notify.model import Severity as Loudness
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Transaction
from holdfast.telemetry.reads.arrivals import REACH

MAX_NOTE = 2000


def put_policy(ctx: Context, tx: Transaction, policy: Policy, expected: int, note: str = "") -> KeptPolicy:
    """Puts a policy in force, as the version after `expected` (0: there is none). Raises Invalid, Conflict.

    Invalid too where it names a judge that the workspace does not have.
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    before = reviewed.policy(tx, ctx.workspace)
    version = before.version if before else 0
    check_known(policy.judges, {one.name: one.kind for one in judge_store.latest(tx, ctx.workspace)})
    kept = KeptPolicy(version + 1, policy, ctx.now, ctx.actor.id, note)
    if version != expected or not reviewed.add_policy(tx, ctx.workspace, kept):
        raise Conflict(
            f"version {version} of the review policy is in force, not {expected}: it was changed meanwhile; read it again"
        )
    details = {
        "version": kept.version,
        "before": _hash(before.policy if before else Policy()),
        "after": _hash(policy),
        "rules": [one.name for one in in_force(policy)],
        "judges": {one.judge: f"{one.max_cost:f} USD a day" for one in policy.judges},
        "note": note,
    }
    audit.record(ctx, tx, action="review_policy.changed", subject="review", details=details)
    return kept


def _hash(policy: Policy) -> str:
    return hashlib.sha256(msgspec.json.encode(policy)).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """What a turn of the job looked at, and how far it is then."""

    reviewed: Sequence[Reviewed]
    position: datetime
    behind: bool


def keep(ctx: Context, tx: Transaction, policy: Policy, batch: Batch, base_url: str) -> list[Item]:
    """Keeps what a turn found: tallies, items, what judges are to be shown, and how far it is, all or nothing.

    Returns the items that are new.

    A call that was looked at is not counted again; one of which nothing was known then, and something is now, is counted
    in the place of what it was. What presses is told at once, in this transaction.
    """
    before = reviewed.known(tx, ctx.workspace, [rules.fingerprint(one.call) for one in batch.reviewed])
    fresh = [
        one
        for one in batch.reviewed
        if rules.fingerprint(one.call) not in before
        or (one.known and not before[rules.fingerprint(one.call)])
    ]
    counts: reviewed.Counts = {}
    made = []
    for one in fresh:
        again = rules.fingerprint(one.call) in before
        for method, looked, weight in one.parts:
            _count(counts, one.call, method, looked, weight, again=again)
        if one.item is not None and store.add_item(tx, one.item):
            store.add_findings(tx, ctx.workspace, one.item.id, one.found)
            made.append(one.item)
            raise_at_once(ctx, tx, policy, one.item, one.found, base_url)
    _draw(ctx, tx, fresh)
    review_served.add(tx, ctx.workspace, _by_release(fresh))
    reviewed.add_counts(tx, ctx.workspace, counts)
    reviewed.note_seen(
        tx, ctx.workspace, ((rules.fingerprint(one.call), one.call.started_at, one.known) for one in fresh)
    )
    reviewed.forget_seen(tx, ctx.workspace, batch.position - REACH)
    place = reviewed.place(tx, ctx.workspace)
    total = (place.looked if place else 0) + len(fresh)
    reviewed.put_place(tx, ctx.workspace, batch.position, ctx.now, total, behind=batch.behind)
    return made


def _draw(ctx: Context, tx: Transaction, fresh: Iterable[Reviewed]) -> None:
    """Notes what judges are to be shown, each as it is in force now."""
    judges: dict[str, Judge | None] = {}
    for one in fresh:
        for drawn in one.drawn:
            if drawn.judge not in judges:
                judges[drawn.judge] = judge_store.judge(tx, ctx.workspace, drawn.judge)
            judge = judges[drawn.judge]
            assert judge is not None, "a policy names judges that are there, and none is ever removed"
            review_asks.add(
                tx,
                review_asks.Ask(
                    ctx.workspace, one.call, judge.name, judge.version, judge.asks, drawn.dimension, drawn.weight, ctx.now,
                    release=one.served.release if one.served else "", by_chance=drawn.by_chance,
                ),
            )  # fmt: skip


def _by_release(fresh: Iterable[Reviewed]) -> review_served.Counts:
    """A call of which nothing was known adds nothing, so that it is counted once when more of it comes."""
    counts: review_served.Counts = {}
    for one in fresh:
        seen = one.served
        if seen is None or not one.known:
            continue
        row = counts.setdefault((one.call.route, seen.release, span_of(one.call.started_at)), [0, 0, 0, 0])
        for place, said in ((0, seen.flagged), (2, seen.refused)):
            row[place] += said is not None
            row[place + 1] += said is True
    return counts


def begin(ctx: Context, tx: Transaction) -> None:
    """Notes that calls are followed from now on; what was before is history."""
    reviewed.put_place(tx, ctx.workspace, ctx.now, ctx.now, 0, behind=False)


def _count(
    counts: reviewed.Counts, call: CallRef, method: str, looked: Looked, weight: float, *, again: bool
) -> None:
    hour = call.started_at.replace(minute=0, second=0, microsecond=0)
    flagged = {one.dimension for one in looked.found}
    for dimension in sorted(flagged | looked.clean | looked.unknown.keys()):
        key = (hour, call.system, call.environment, call.route, dimension.value, str(method))
        row = counts.setdefault(key, [0.0, 0.0, 0.0, 0])
        place = 0 if dimension in flagged else 1 if dimension in looked.clean else 2
        row[place] += weight
        row[3] += 1
        if again and str(method) == "rules":  # what was unknown of it before
            row[2] -= weight
            row[3] -= 1


def raise_at_once(
    ctx: Context, tx: Transaction, policy: Policy, item: Item, found: Iterable[Found], base_url: str
) -> None:
    """Tells people of what presses, where something does; of each item once."""
    pressing = rules.raises(policy, found)
    if pressing is None:
        return
    workspace = tenancy.workspace_by_id(tx, ctx.workspace)
    facts = (
        ("Rule", f"{pressing.rule} ({pressing.version})"),
        ("Confidence", f"{pressing.confidence:.2f}, {pressing.basis}"),
        ("Route", item.call.route or "not named"),
        ("Call", item.call.id),
        ("To be decided by", f"{item.due_at:%Y-%m-%d %H:%M} UTC"),
    )
    message = Message(
        id=f"{item.id}.raised",
        kind=MessageKind.FIRING,
        severity=Loudness.CRITICAL,
        title=f"Harmful answer flagged: {pressing.rule}",
        summary="A live answer was flagged as harmful content. This message quotes nothing; open it to judge.",
        at=ctx.now,
        workspace=workspace.id,
        workspace_name=workspace.name,
        system=item.call.system,
        about=item.id,
        link=f"{base_url}/w/{workspace.slug}/review/{item.id}",
        facts=facts,
    )
    notify.send(ctx, tx, None, message)
    details = {"rule": pressing.rule, "version": pressing.version, "confidence": pressing.confidence}
    audit.record(ctx, tx, action="review.raised", subject=item.id, details=details)


def flag(
    ctx: Context,
    tx: Transaction,
    call: CallRef,
    dimension: Dimension,
    *,
    by: str,
    severity: Severity = Severity.MEDIUM,
    confidence: float = 1.0,
) -> Item:
    """Puts a call into the queue because somebody reported it; `by` says who or what, such as `feedback`.

    A call has one item: reported again, or flagged by a rule before, it is added to that; a decided one is open again
    where nobody has judged this dimension. Raises Invalid.
    """
    if not 0 < len(by) <= 100 or not by.isprintable():
        raise Invalid("say who or what reports it, in at most 100 characters", where="by")
    if not 0 <= confidence <= 1:
        raise Invalid("a share from 0 to 1", where="confidence")
    kept = reviewed.policy(tx, ctx.workspace)
    policy = kept.policy if kept else Policy()
    found = Found(by, "", dimension, severity, confidence, Basis.PERSON)
    new = rules.opened(new_id("rev"), ctx.workspace, policy, call, Looked((found,)), ctx.now)
    new = replace(new or _least(ctx, call, found), why=Why.REPORTED)
    item = new
    if not store.add_item(tx, new):
        there = store.item_of_call(tx, ctx.workspace, call.trace, call.id)
        assert there is not None, "its key is taken"
        item = joined(there, new)
        store.change(tx, item)
    store.add_findings(tx, ctx.workspace, item.id, [found])
    details = {"call": call.id, "trace": call.trace, "dimension": dimension.value, "by": by}
    audit.record(ctx, tx, action="review.flagged", subject=item.id, details=details)
    return item


def _least(ctx: Context, call: CallRef, found: Found) -> Item:
    """An item for what the policy gives no time: it is due like what was sampled."""
    looked = Looked(clean=frozenset({found.dimension}))
    policy = Policy(sampling=rules.Rates(people=1.0))
    made = rules.opened(new_id("rev"), ctx.workspace, policy, call, looked, ctx.now)
    assert made is not None
    return replace(made, severity=found.severity, confidence=found.confidence, inclusion=1.0)


def joined(there: Item, new: Item) -> Item:
    """An item with one more reason: whatever presses more holds."""
    dimensions = tuple(sorted({*there.dimensions, *new.dimensions}))
    more = dimensions != there.dimensions
    open_again = there.state is State.DECIDED and more
    first = min(there, new, key=lambda one: one.priority)
    return replace(
        there,
        dimensions=dimensions,
        severity=first.severity,
        confidence=first.confidence,
        priority=first.priority,
        due_at=new.due_at if open_again else min(there.due_at, new.due_at),
        state=State.OPEN if open_again else there.state,
        decided_at=None if open_again else there.decided_at,
    )


def claim(ctx: Context, tx: Transaction, item_id: str) -> Item:
    """Takes an item for half an hour, so that nobody else begins on it. Raises NotFound, Conflict."""
    item, votes = _there(ctx, tx, item_id)
    _check_free(ctx, item, votes)
    if item.state is State.CLAIMED and item.holder == ctx.actor.id and _lasts(item, ctx.now):
        return item
    return _changed(tx, replace(item, state=State.CLAIMED, holder=ctx.actor.id, claimed_at=ctx.now))


def assign(ctx: Context, tx: Transaction, item_id: str, person: str) -> Item:
    """Gives an item to somebody. Raises NotFound, Conflict, Invalid."""
    item, votes = _there(ctx, tx, item_id)
    if why := rules.free_for(replace(item, state=State.OPEN), person, votes, ctx.now):
        raise Conflict(why.replace("you decided", "that person decided"))
    if item.state is State.DECIDED:
        raise Conflict("this is decided already")
    changed = _changed(tx, replace(item, state=State.CLAIMED, holder=person, claimed_at=ctx.now))
    audit.record(ctx, tx, action="review.assigned", subject=item.id, details={"to": person})
    return changed


def release(ctx: Context, tx: Transaction, item_id: str) -> Item:
    """Gives a claim back. Raises NotFound, Conflict where it is another's."""
    item, _ = _there(ctx, tx, item_id)
    if item.state is not State.CLAIMED or item.holder != ctx.actor.id:
        raise Conflict("you have not claimed this")
    return _changed(tx, replace(item, state=State.OPEN, holder="", claimed_at=None))


def decide(
    ctx: Context,
    tx: Transaction,
    item_id: str,
    decisions: Mapping[Dimension, Decision],
    note: str = "",
) -> Item:
    """Decides every dimension of an item. Where two have to look, it is open for another then, unless both agree.

    Raises NotFound, Conflict where somebody else has it or it is decided, Invalid where a dimension is left out.
    """
    item, votes = _there(ctx, tx, item_id)
    _check_free(ctx, item, votes)
    if decisions.keys() != set(item.dimensions):
        named = ", ".join(item.dimensions)
        raise Invalid(f"decide each of its dimensions, and no other: {named}", where="decisions")
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    mine = item.state is State.CLAIMED and item.holder == ctx.actor.id and _lasts(item, ctx.now)
    seconds = (ctx.now - item.claimed_at).total_seconds() if mine and item.claimed_at else None
    cast = [
        Vote(dimension, ctx.actor.id, decision, note, ctx.now, seconds)
        for dimension, decision in sorted(decisions.items())
    ]
    store.add_votes(tx, ctx.workspace, item.id, cast)
    done = rules.settled(item, [*votes, *cast])
    changed = replace(
        item,
        state=State.DECIDED if done else State.OPEN,
        holder="",
        claimed_at=None,
        decided_at=ctx.now if done else None,
    )
    _changed(tx, changed)
    details = {
        "call": item.call.id,
        "decisions": {one.value: said.value for one, said in sorted(decisions.items())},
        "settled": done,
        "late": ctx.now > item.due_at,
        "seconds": None if seconds is None else round(seconds, 1),
    }
    audit.record(ctx, tx, action="review.decided", subject=item.id, details=details)
    return changed


def _there(ctx: Context, tx: Transaction, item_id: str) -> tuple[Item, list[Vote]]:
    item = store.item(tx, ctx.workspace, item_id, lock=True)
    if item is None:
        raise NotFound(rules.NO_ITEM)
    return item, store.votes_of(tx, ctx.workspace, [item_id])[item_id]


def _check_free(ctx: Context, item: Item, votes: Sequence[Vote]) -> None:
    if why := rules.free_for(item, ctx.actor.id, votes, ctx.now):
        raise Conflict(why)


def _lasts(item: Item, now: datetime) -> bool:
    return item.claimed_at is not None and now - item.claimed_at < rules.CLAIM


def _changed(tx: Transaction, item: Item) -> Item:
    store.change(tx, item)
    return item
