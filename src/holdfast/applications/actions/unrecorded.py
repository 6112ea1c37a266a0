"""Verbs on configurations that nobody recorded: register one from what was sent, raise one, and have people told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.applications import store
from holdfast.applications.governing import Finding, stated
from holdfast.applications.model import Flagged
from holdfast.gateway.reads import written
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.kernel.time import iso
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify.actions import outbox
from holdfast.platform.notify.model import Message, MessageKind, Severity
from holdfast.platform.tenancy import reads as tenancy
from holdfast.registry import actions as registry
from holdfast.registry.model import Kind, Release
from holdfast.storage.sql import Transaction
from holdfast.telemetry import actions as telemetry
from holdfast.telemetry.reads import recorded
from holdfast.telemetry.reads.recorded import Match, Sent

MAX_NOTE = 2000


def register(
    ctx: Context,
    tx: Transaction,
    one: Finding,
    sent: Sent,
    *,
    name: str = "",
    rationale: str = "",
    ticket: str = "",
) -> Release:
    """The release that says what this configuration was sent, with its prompt as the next version of `name` (its route
    where none is given). Registered, not approved: it serves nobody through the gateway.

    Raises Conflict where a release says it already, and Invalid where what was sent is not known well enough.
    """
    if one.compared.match is Match.RECORDED:
        raise Conflict(f"the release {one.compared.release} says this already")
    why = rationale.strip() or f"registered from traffic: configuration {one.seen.id}"
    components = _components(one, sent)
    check = recorded.compared(one.seen, [stated("", components)])
    if check.differs:
        raise Invalid(
            f"what was kept of its first call is not what was sent ({'; '.join(check.differs)}); register the release"
            " from where it is written",
            where="configuration",
        )
    telemetry.open_content(ctx, tx, one.seen.first_trace)
    made = registry.register(ctx, tx, body={}, components=components, rationale=why)
    versions = {}
    if Kind.PROMPT in components:
        version = registry.add_version(
            ctx,
            tx,
            kind=Kind.PROMPT,
            name=name.strip() or one.seen.route,
            body=components[Kind.PROMPT],
            rationale=why,
            ticket=ticket,
        )
        versions = {"prompt": version.name, "version": version.number}
    details = {"release": made.id, "system": one.seen.system, "route": one.seen.route, "ticket": ticket}
    audit.record(
        ctx, tx, action="configuration.registered", subject=one.seen.id, details={**details, **versions}
    )
    return made


def raise_it(ctx: Context, tx: Transaction, one: Finding, note: str = "") -> Flagged:
    """Tells everybody who is told of this workspace that somebody should answer for it. Raises Conflict where it was
    raised already or a release says it, and Invalid.
    """
    if not one.unrecorded:
        raise Conflict(f"the release {one.compared.release} says this, as far as it can be seen")
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    before = store.flagged(tx, ctx.workspace, one.seen.id)
    if before is not None and before.raised_at is not None:
        raise Conflict(f"it was raised already, by {before.raised_by_name} on {iso(before.raised_at)}")
    made = Flagged(
        ctx.workspace,
        one.seen.id,
        before.found_at if before else ctx.now,
        ctx.now,
        ctx.actor.id,
        ctx.actor.name,
        note.strip(),
    )
    store.put_flagged(tx, made)
    _tell(ctx, tx, one, f"{one.seen.id}.raised", Severity.CRITICAL, f"Raised by {ctx.actor.name}", made.note)
    details = {**_details(one), "note": made.note}
    audit.record(ctx, tx, action="configuration.raised", subject=one.seen.id, details=details)
    return made


def found(ctx: Context, tx: Transaction, one: Finding) -> bool:
    """Has people told of it once, with an entry on the audit log. False where that was done before."""
    made = Flagged(ctx.workspace, one.seen.id, ctx.now, None, "", "", "")
    if not store.add_flagged(tx, made):
        return False
    _tell(ctx, tx, one, f"{one.seen.id}.found", Severity.WARNING, "Unrecorded change", "")
    audit.record(ctx, tx, action="configuration.unrecorded", subject=one.seen.id, details=_details(one))
    return True


def _components(one: Finding, sent: Sent) -> dict[Kind, Mapping[str, Any]]:
    if sent.prompt is None:
        raise Invalid(
            f"the system prompt of its first call is not kept as it was sent (content: {sent.state}); register the"
            " release from where it is written",
            where="configuration",
        )
    parts = one.seen.parts
    chain = [{"upstream": "", "model": parts.model}] if parts.model else []
    components: dict[Kind, Mapping[str, Any]] = {
        Kind.MODEL: {"chain": chain, "parameters": dict(sent.parameters)}
    }
    if sent.prompt:
        body, faults = written.prompt([{"role": "system", "content": sent.prompt}])
        if faults:
            raise Invalid(f"its prompt cannot be registered as it is: {faults[0]}", where="prompt")
        components[Kind.PROMPT] = body
    if parts.tools:
        components[Kind.TOOLS] = {"tools": [dict(each) for each in sent.tools]}
    if sent.retrieval:
        components[Kind.RETRIEVAL] = {"index": dict(sent.retrieval)}
    return components


def _details(one: Finding) -> dict[str, Any]:
    return {
        "system": one.seen.system,
        "route": one.seen.route,
        "model": one.seen.parts.model,
        "changed": list(one.seen.changed),
        "nearest": one.compared.release,
        "differs": list(one.compared.differs),
        "deployment": one.deployment.id if one.deployment else None,
        "first_call": one.seen.first_call,
        "first_at": iso(one.seen.first_at),
    }


def _tell(
    ctx: Context, tx: Transaction, one: Finding, id: str, severity: Severity, title: str, note: str
) -> None:
    workspace = tenancy.workspace_by_id(tx, ctx.workspace)
    seen = one.seen
    facts = [("Route", seen.route or "not said"), ("What", "; ".join(seen.changed or one.compared.differs))]
    facts.append(("First call", f"{seen.first_at:%Y-%m-%d %H:%M} UTC"))
    facts.append(("Calls", f"{seen.calls:,}"))
    facts.append(("Made by", _maker(one)))
    if note:
        facts.append(("Note", note))
    message = Message(
        id=id,
        kind=MessageKind.CHANGE,
        severity=severity,
        title=f"{title}: {seen.route or seen.system or 'a system'} runs what nobody registered",
        summary="Calls run under a configuration that no registered release says. Register it, or have it answered for.",
        at=ctx.now,
        workspace=workspace.id,
        workspace_name=workspace.name,
        system=seen.system,
        about=seen.id,
        link=f"/w/{workspace.slug}/unrecorded",
        facts=tuple(facts),
    )
    outbox.send(ctx, tx, None, message)


def _maker(one: Finding) -> str:
    if one.deployment is None:
        return "unknown: no deployment was announced for it"
    return f"perhaps the deployment {one.deployment.id} by {one.deployment.author or one.deployment.by}"
