"""Verbs of authors: propose a change, edit it, submit it, take it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from holdfast.changes import store
from holdfast.changes.actions import routing
from holdfast.changes.actions.keeping import keep, load, told
from holdfast.changes.actions.persons import permit, person_of
from holdfast.changes.model import Change, ChangeClass, Person, State, Verdict
from holdfast.changes.rules import classes, states
from holdfast.changes.rules import policy as policies
from holdfast.changes.rules.policy import Policy
from holdfast.changes.rules.reading import content_hash, policy_of
from holdfast.changes.rules.reviewing import check_ticket, review_due
from holdfast.gateway import actions as gateway
from holdfast.gateway.reads import applied
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid
from holdfast.kernel.ids import new_id
from holdfast.registry import reads as registry
from holdfast.storage.sql import Transaction

MAX_TITLE = 200
MAX_TEXT = 8000


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an author wants. `release` is written as in a gateway's configuration; or `release_id` names one in the registry.

    `declared` is a class above the computed one, or emergency; `class_because` is needed for one below it.
    """

    route: str
    title: str
    release: Mapping[str, Any] | None = None
    release_id: str = ""
    rationale: str = ""
    ticket: str = ""
    declared: ChangeClass | None = None
    class_because: str = ""
    not_before: datetime | None = None
    source: str = "api"


def policy_in_force(ctx: Context, tx: Transaction) -> Policy:
    """The workspace's own, over what is shipped."""
    found = store.policy(tx, ctx.workspace)
    return policies.parse(found.document) if found else Policy()


def propose(ctx: Context, tx: Transaction, wanted: Proposal) -> Change:
    """A draft. Its class is worked out from the difference to what the route serves.

    Raises Invalid, NotFound, Conflict, Denied.
    """
    _check(wanted)
    baseline = routing.stable(ctx, tx, wanted.route)
    system = _system(ctx, tx, wanted.route)
    person = person_of(ctx, tx, system)
    made = Change(
        id=new_id("chg"),
        workspace=ctx.workspace,
        system=system,
        route=wanted.route,
        baseline=baseline,
        candidate="",
        title="",
        rationale="",
        ticket="",
        source=wanted.source,
        author=person,
        editors=(person.id,) if person.id else (),
        computed=ChangeClass.MAJOR,
        change_class=ChangeClass.MAJOR,
        reasons=(),
        class_because="",
        content="",
        policy={},
        state=State.DRAFT,
        stage=0,
        from_state=None,
        reason="",
        since=ctx.now,
        first_at=None,
        gate=Verdict.PENDING,
        risk=None,
        not_before=None,
        review_due=None,
        version=1,
        created_at=ctx.now,
        updated_at=ctx.now,
    )
    made = _written(ctx, tx, made, wanted, person)
    store.add(tx, made)
    told(ctx, tx, State.DRAFT, made, "proposed", _facts(made, person))
    return made


def edit(ctx: Context, tx: Transaction, id: str, wanted: Proposal) -> Change:
    """Writes it anew; it is a draft then, and what was decided about it holds no more. Raises as `propose` does."""
    before = load(ctx, tx, id)
    _check(wanted)
    if wanted.route != before.route:
        raise Invalid("a change stays on its route; open another for another route", where="route")
    person = person_of(ctx, tx, before.system)
    after = states.step(before, policy_of(before), states.Edited(), ctx.now)
    after = replace(after, baseline=routing.stable(ctx, tx, before.route))
    after = _written(ctx, tx, after, wanted, person)
    return keep(ctx, tx, before, after, "edited", _facts(after, person))


def submit(ctx: Context, tx: Transaction, id: str) -> Change:
    """Has its suites run, and asks for reviews. Raises NotFound, Conflict."""
    before = load(ctx, tx, id)
    policy = policies.of(policy_in_force(ctx, tx), before.system, before.change_class)
    permit(policy, "propose", person_of(ctx, tx, before.system))
    check_ticket(policy, before.ticket)
    written = msgspec.to_builtins(policy)
    due = review_due(policy, ctx.now) if before.change_class is ChangeClass.EMERGENCY else None
    after = states.step(before, policy, states.Submitted(due), ctx.now)
    content = content_hash(before.route, before.baseline, before.candidate, before.change_class, written)
    after = replace(after, policy=written, content=content)
    return keep(ctx, tx, before, after, "submitted", {"policy": written, "content": content})


def withdraw(ctx: Context, tx: Transaction, id: str, reason: str) -> Change:
    """Takes it back before it served anybody. Raises NotFound, Conflict, Invalid without a reason."""
    before = load(ctx, tx, id)
    after = states.step(before, policy_of(before), states.Withdrawn(reason), ctx.now)
    return keep(ctx, tx, before, after, "withdrawn", {})


def _written(ctx: Context, tx: Transaction, change: Change, wanted: Proposal, person: Person) -> Change:
    """The change with what was written: its candidate registered, its class worked out."""
    if wanted.release is not None:
        registered = gateway.register_release(
            ctx, tx, wanted.release, change.baseline, wanted.rationale or wanted.title
        )
        candidate = registered.id
    else:
        candidate = registry.release(ctx, tx, wanted.release_id)[0].id
    if candidate == change.baseline:
        raise Invalid(
            f"the route {change.route} serves this release already: nothing changes", where="release"
        )
    written = policy_in_force(ctx, tx)
    difference = registry.difference(ctx, tx, change.baseline or None, candidate)
    classed = classes.classify(difference, ranges(written))
    chosen = classes.in_force(classed.change_class, wanted.declared, wanted.class_because)
    policy = policies.of(written, change.system, chosen)
    permit(policy, "propose", person)
    return replace(
        change,
        candidate=candidate,
        title=wanted.title.strip(),
        rationale=wanted.rationale.strip(),
        ticket=wanted.ticket.strip(),
        editors=tuple(dict.fromkeys((*change.editors, *((person.id,) if person.id else ())))),
        computed=classed.change_class,
        change_class=chosen,
        reasons=tuple(
            {"class": one.change_class.value, "where": one.where, "what": one.what} for one in classed.reasons
        ),
        class_because=wanted.class_because.strip(),
        content="",
        policy=msgspec.to_builtins(policy),
        not_before=wanted.not_before,
    )


def ranges(written: Policy) -> classes.Ranges:
    """What a policy lets parameters be set to."""
    return classes.Ranges({name: (one.least, one.most) for name, one in written.parameters.items()})


def _facts(change: Change, person: Person) -> dict[str, Any]:
    return {
        "title": change.title,
        "ticket": change.ticket,
        "source": change.source,
        "person": person.id,
        "person_name": person.name,
        "computed": change.computed.value,
        "class_because": change.class_because,
        "reasons": [dict(one) for one in change.reasons[:50]],
    }


def _system(ctx: Context, tx: Transaction, route: str) -> str:
    version = applied.current(ctx, tx)
    return version.configuration.routes[route].system if version else ""


def _check(wanted: Proposal) -> None:
    if (wanted.release is None) == (not wanted.release_id):
        raise Invalid("say which release: its content, or the id of one in the registry", where="release")
    if not 1 <= len(wanted.title.strip()) <= MAX_TITLE:
        raise Invalid(f"a title has 1 to {MAX_TITLE} characters", where="title")
    for name in ("rationale", "ticket", "class_because"):
        if len(getattr(wanted, name)) > MAX_TEXT:
            raise Invalid(f"{MAX_TEXT} characters at most", where=name)
