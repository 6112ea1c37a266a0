"""What gateways tell of budgets becomes known: kept once, on the audit log, and told to people."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from holdfast.gateway import store
from holdfast.gateway.states import BudgetEvent, BudgetEventKind, BudgetState
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import NotFound
from holdfast.kernel.time import iso
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify import actions as notify
from holdfast.platform.notify.model import Message, MessageKind, Severity
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import Workspace
from holdfast.storage.sql import Transaction
from holdfast.web import words


def event_id(kind: BudgetEventKind, told: BudgetState) -> str:
    """One id for each kind, budget, value and window, whichever gateway tells and however often."""
    text = "\0".join((kind, told.workspace, told.budget, told.value, told.window))
    return "bev_" + blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


def tell(services: Services, told: Iterable[BudgetState]) -> list[BudgetEvent]:
    """Takes what a gateway says: what is new is kept, recorded and sent in one transaction each; returns it.

    Raises Unavailable where the control store is away; then the gateway says it again.
    """
    found = {event_id(kind, one): (kind, one) for one in told if (kind := one.event) is not None}
    if not found:
        return []
    with services.database.reading() as tx:
        known = store.known_events(tx, found.keys())
    made = []
    for id, (kind, one) in found.items():
        if id in known:
            continue
        with services.database.transaction() as tx:
            event = _keep(services, tx, id, kind, one)
        if event is not None:
            made.append(event)
    return made


def _keep(
    services: Services, tx: Transaction, id: str, kind: BudgetEventKind, one: BudgetState
) -> BudgetEvent | None:
    try:
        workspace = tenancy.workspace_by_id(tx, one.workspace)
    except NotFound:
        return None
    ctx = Context(one.workspace, SYSTEM, services.clock())
    event = BudgetEvent(
        id=id,
        workspace=one.workspace,
        kind=kind,
        scope=one.scope,
        value=one.value[:300],
        period=one.period,
        window=one.window,
        ends=one.ends,
        currency=one.currency,
        amount=one.amount,
        spent=one.spent + (one.elsewhere if not one.hard else 0),
        at=ctx.now,
    )
    if not store.add_event(tx, event):
        return None  # another core was told at the same moment
    notify.send(ctx, tx, None, _message(workspace, event, services.settings.base_url))
    audit.record(ctx, tx, action=f"gateway.budget_{kind}", subject=id, details=_details(event))
    return event


def _details(event: BudgetEvent) -> dict[str, object]:
    return {
        "scope": event.scope.value,
        "value": event.value,
        "window": event.window,
        "amount": f"{event.amount:f}",
        "spent": f"{event.spent:f}",
        "currency": event.currency,
    }


def _message(workspace: Workspace, event: BudgetEvent, base_url: str) -> Message:
    value = workspace.slug if event.value == workspace.id else event.value
    over = f"{event.scope} {value}"
    amount, spent = (words.money(one, event.currency) for one in (event.amount, event.spent))
    if event.kind is BudgetEventKind.CROSSED:
        title = f"Soft budget crossed: {over}"
        summary = f"{spent} of {amount} for the {event.period} is spent. Requests go on."
    else:
        title = f"Hard budget closed: {over}"
        summary = (
            "A call cost more than could be foreseen, so no more requests pass until the window ends"
            " or the budget is lifted."
        )
    return Message(
        id=event.id,
        kind=MessageKind.FIRING,
        severity=Severity.WARNING if event.kind is BudgetEventKind.CROSSED else Severity.CRITICAL,
        title=title,
        summary=summary,
        at=event.at,
        workspace=workspace.id,
        workspace_name=workspace.name,
        system=event.value if event.scope == "system" else "",
        about=event.id,
        link=f"{base_url}/w/{workspace.slug}/gateway/budgets",
        facts=(
            ("Budget", f"{amount} for each {event.period}, over {event.scope}"),
            (event.scope.capitalize(), value),
            ("Spent", spent),
            ("Window", f"{event.window}, until {iso(event.ends)}"),
        ),
    )
