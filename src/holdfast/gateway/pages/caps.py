"""Budgets and limits as they stand, what people were told of them, and break-glass."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.gateway.actions import lifts as actions
from holdfast.gateway.model import Configuration, Lifted, Limit, Scope
from holdfast.gateway.pages.doors import AdminForm, Reader, Text, administers, tabs
from holdfast.gateway.reads import applied, budgets
from holdfast.gateway.reads import lifts as reads
from holdfast.gateway.reads.states import States
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.platform.access import reads as access
from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller
from holdfast.platform.forms import with_error
from holdfast.platform.frame import fragment, page
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/gateway")
MINUTES = ((15, "15 minutes"), (60, "1 hour"), (240, "4 hours"), (720, "12 hours"), (1440, "24 hours"))
WHAT = {Lifted.BUDGET: "hard budgets", Lifted.LIMIT: "limits"}


@router.get("/budgets")
def budgets_page(request: Request, by: Reader) -> HTMLResponse:
    """The page."""
    return _page(request, by, {}, None)


@router.get("/budgets/now")
def now_fragment(request: Request, by: Reader) -> HTMLResponse:
    """Budgets and limits as gateways said last."""
    with services(request).database.reading() as tx:
        return fragment(request, by, "gateway/_caps.html", **_now(request, by, tx))


@router.post("/lifts")
def make_lift(
    request: Request,
    by: AdminForm,
    what: Text = "",
    scope: Text = "",
    value: Text = "",
    minutes: Text = "60",
    extra: Text = "",
    reason: Text = "",
) -> Response:
    """Lifts a cap."""
    given = {
        "what": what,
        "scope": scope,
        "value": value,
        "minutes": minutes,
        "extra": extra,
        "reason": reason,
    }
    try:
        if what not in set(Lifted) or scope not in set(Scope):
            raise Invalid("choose what is lifted, and over what", where="what")
        if minutes not in {str(one) for one, _ in MINUTES}:
            raise Invalid("choose for how long", where="minutes")
        with services(request).database.transaction() as tx:
            actions.lift(
                by.ctx,
                tx,
                what=Lifted(what),
                scope=Scope(scope),
                value=value,
                until=by.ctx.now + timedelta(minutes=int(minutes)),
                reason=reason,
                person=by.ctx.actor.name,
                extra=_amount(extra),
            )
    except (Invalid, Conflict) as error:
        answer = _page(request, by, given, error)
        answer.status_code = error.status
        return answer
    return RedirectResponse(f"/w/{by.workspace.slug}/gateway/budgets#lifts", 303)


@router.post("/lifts/{lift}/end")
def end_lift(request: Request, by: AdminForm, lift: str) -> Response:
    """Ends a lift before its time."""
    with services(request).database.transaction() as tx:
        actions.end_lift(by.ctx, tx, lift)
    return RedirectResponse(f"/w/{by.workspace.slug}/gateway/budgets#lifts", 303)


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text.strip() else None
    except InvalidOperation:
        raise Invalid("an amount is a number, such as 25", where="extra") from None


def _page(request: Request, by: Caller, given: dict[str, str], error: HoldfastError | None) -> HTMLResponse:
    with services(request).database.reading() as tx:
        shown = _now(request, by, tx)
        lifts = reads.latest(by.ctx, tx, 20)
        events = budgets.events(by.ctx, tx, 20)
        names = _names(by, tx)
    return page(
        request,
        by,
        "gateway/budgets.html",
        timeless=True,
        tabs=tabs(by, "budgets"),
        lifts=[
            {
                "id": one.id,
                "what": WHAT[one.what],
                "over": _over(one.scope, one.value, names),
                "extra": one.extra,
                "until": one.until,
                "ended_at": one.ended_at,
                "holds": one.holds(by.ctx.now),
                "person": one.person,
                "reason": one.reason,
            }
            for one in lifts
        ],
        events=[
            {
                "kind": one.kind.value,
                "over": _over(one.scope, one.value, names),
                "period": one.period.value,
                "window": one.window,
                "spent": one.spent,
                "amount": one.amount,
                "currency": one.currency,
                "at": one.at,
            }
            for one in events
        ],
        form=_form(by, given, error) if administers(by) else None,
        **shown,
    )


def _now(request: Request, by: Caller, tx: Transaction) -> dict[str, Any]:
    states: States = request.app.state.gateway_states
    current = applied.current(by.ctx, tx)
    found = budgets.now(current.configuration if current else Configuration(), states.all(), by.ctx.workspace)
    names = _names(by, tx)
    return {
        "as_of": found.as_of,
        "gateways": found.gateways,
        "budgets": [
            {
                "scope": one.budget.scope.value,
                "only": ", ".join(names.get(value, value) for value in one.budget.only),
                "amount": one.budget.amount,
                "currency": one.budget.currency,
                "period": one.budget.period.value,
                "hard": one.budget.hard,
                "values": [(names.get(value.value, value.value), value) for value in one.values],
            }
            for one in found.budgets
        ],
        "limits": [
            {
                "scope": one.limit.scope.value,
                "only": ", ".join(names.get(value, value) for value in one.limit.only),
                "words": _words(one.limit),
                "limit": one.limit,
                "values": [(names.get(use.value, use.value), use) for use in one.values],
            }
            for one in found.limits
        ],
    }


def _names(by: Caller, tx: Transaction) -> dict[str, str]:
    """Ids that are values of a scope, as people know them."""
    keys = {key.id: key.name for key in access.keys(tx, by.ctx.workspace)}
    return {**keys, by.ctx.workspace: by.workspace.slug}


def _over(scope: Scope, value: str, names: dict[str, str]) -> str:
    return f"{scope} {names.get(value, value)}" if value else f"every {scope}"


def _words(limit: Limit) -> list[str]:
    """What a limit says, in words."""
    said = (
        (limit.requests_per_minute, "{} requests a minute"),
        (limit.tokens_per_minute, "{} tokens a minute"),
        (limit.concurrency, "{} at once"),
        (limit.run_cost, "a run costs {} USD at most"),
        (limit.run_steps, "a run has {} steps at most"),
        (limit.same_tool_calls, "one tool call {} times in a run"),
    )
    return [text.format(f"{value:,}") for value, text in said if value is not None]


def _form(by: Caller, given: dict[str, str], error: HoldfastError | None) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [
        {
            "name": "what",
            "label": "What gives way",
            "required": True,
            "options": [(one.value, words) for one, words in WHAT.items()],
            "value": given.get("what", "budget"),
        },
        {
            "name": "scope",
            "label": "Over",
            "required": True,
            "options": [(one.value, one.value) for one in Scope],
            "value": given.get("scope", "tenant"),
        },
        {
            "name": "value",
            "label": "Which one",
            "value": given.get("value", ""),
            "hint": "Such as the tenant's name. Empty: every one.",
        },
        {
            "name": "minutes",
            "label": "For how long",
            "required": True,
            "options": [(str(one), words) for one, words in MINUTES],
            "value": given.get("minutes", "60"),
        },
        {
            "name": "extra",
            "label": "At most so much more",
            "value": given.get("extra", ""),
            "hint": "In the budget's currency. Empty: whatever is spent meanwhile.",
        },
        {
            "name": "reason",
            "label": "Why",
            "required": True,
            "value": given.get("reason", ""),
            "hint": f"On the audit log, with your name: {by.ctx.actor.name}.",
        },
    ]
    return {
        "action": f"/w/{by.workspace.slug}/gateway/lifts",
        "submit": "Lift it",
        "fields": with_error(fields, error),
    }
