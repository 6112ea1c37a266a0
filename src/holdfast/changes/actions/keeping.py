"""How a step is kept: the change as it is now, what its route serves, the facts, and the audit entry, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from holdfast.changes import store
from holdfast.changes.actions import routing
from holdfast.changes.model import Change, Evidence, State
from holdfast.changes.rules.notices import notice
from holdfast.changes.rules.reading import policy_of
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, NotFound
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify import actions as notify
from holdfast.platform.notify.model import Message, MessageKind
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Transaction


def load(ctx: Context, tx: Transaction, id: str) -> Change:
    """A change of the workspace. Raises NotFound."""
    found = store.get(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such change in this workspace")
    return found


def keep(
    ctx: Context, tx: Transaction, before: Change, after: Change, event: str, facts: Mapping[str, Any]
) -> Change:
    """Keeps a step. Raises Conflict where another came between."""
    made = replace(after, version=before.version + 1)
    if not store.put(tx, made):
        raise Conflict("this change was changed at the same moment; read it again and try again")
    if serves_otherwise(before, made):
        routing.put(ctx, tx, made)
    tell(ctx, tx, before, made)
    told(ctx, tx, before.state, made, event, facts)
    return made


def tell(ctx: Context, tx: Transaction, before: Change, after: Change) -> None:
    """Puts what people have to know of a step into the outbox: they are told if and only if the step is kept."""
    policy = policy_of(after)
    said = notice(before, after, policy.reviewers + bool(policy.external))
    if said is None:
        return
    workspace = tenancy.workspace_by_id(tx, ctx.workspace)
    message = Message(
        id=f"{after.id}.{after.version}",
        kind=MessageKind.CHANGE,
        severity=said.severity,
        title=said.title,
        summary=said.summary,
        at=ctx.now,
        workspace=workspace.id,
        workspace_name=workspace.name,
        system=after.system,
        about=after.id,
        link=f"/w/{workspace.slug}/changes/{after.id}",
        facts=said.facts,
    )
    notify.send(ctx, tx, None, message)


def told(
    ctx: Context, tx: Transaction, before: State, made: Change, event: str, facts: Mapping[str, Any]
) -> None:
    """The evidence of a step, and its entry on the audit log."""
    step = Evidence(
        change=made.id,
        workspace=ctx.workspace,
        number=store.steps(tx, ctx.workspace, made.id) + 1,
        at=ctx.now,
        event=event,
        before=before,
        after=made.state,
        stage=made.stage,
        reason=made.reason,
        facts=facts,
        actor=ctx.actor.id,
        actor_name=ctx.actor.name,
    )
    store.add_evidence(tx, step)
    details = {
        "route": made.route,
        "from": before.value,
        "to": made.state.value,
        "stage": made.stage,
        "reason": made.reason,
        "candidate": made.candidate,
        "baseline": made.baseline,
        "class": made.change_class.value,
        "content": made.content,
        "facts": dict(facts),
    }
    audit.record(ctx, tx, action=f"change.{event}", subject=made.id, details=details)


def serves_otherwise(before: Change, after: Change) -> bool:
    """Whether what the route serves, or what can be asked for, may follow from this step."""
    if (before.state, before.stage, before.from_state) == (after.state, after.stage, after.from_state):
        return False
    return not (before.state is State.DRAFT and after.state in (State.DRAFT, State.FAILED))
