"""Changes on pages: the list by state, and one with its difference, gate, reviews and rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.changes.actions import proposing, reviewing, rolling
from holdfast.changes.actions.keeping import load
from holdfast.changes.model import BEFORE_SERVING, LIVE, Change, Decision, State
from holdfast.changes.pages.showing import compared, row, steps
from holdfast.changes.reads import briefing, listing, observing, standing
from holdfast.changes.reads.listing import Whole
from holdfast.changes.rules import brief as rules
from holdfast.changes.rules.reading import policy_of
from holdfast.gateway.model import Route
from holdfast.gateway.reads import applied
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid, Unavailable
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page
from holdfast.registry import reads as registry
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/changes")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Words = Annotated[str, Form(max_length=4000)]
MOST = 200


@router.get("")
def changes_page(request: Request, by: Reader) -> HTMLResponse:
    """All changes: those that wait for somebody or are under way first."""
    with services(request).database.reading() as tx:
        found = listing.changes(by.ctx, tx, limit=MOST)
        frozen = listing.freezes(by.ctx, tx)
    open_ones = [row(by, one) for one in found if not one.ended]
    ended = [row(by, one) for one in found if one.ended]
    return page(
        request,
        by,
        "changes/changes.html",
        timeless=True,
        groups=[("Open", open_ones), ("Ended", ended)],
        freezes=frozen,
        more=len(found) == MOST,
    )


@router.get("/{change}")
def change_page(request: Request, by: Reader, change: str) -> HTMLResponse:
    """One."""
    return _one(request, by, change)


@router.get("/{change}/brief")
def brief_page(request: Request, by: Reader, change: str) -> HTMLResponse:
    """What the gate found, for whoever decides."""
    with services(request).database.reading() as tx:
        found = briefing.brief(by.ctx, tx, change)
    return page(
        request,
        by,
        "changes/brief.html",
        timeless=True,
        brief=found,
        row=row(by, found.change),
        rules=rules,
        back=f"/w/{by.workspace.slug}/changes/{change}",
    )


@router.post("/{change}/submit")
def submit(request: Request, by: Operator, change: str) -> Response:
    """Has its suites run, and asks for reviews."""
    return _done(request, by, change, lambda ctx, tx: proposing.submit(ctx, tx, change))


@router.post("/{change}/withdraw")
def withdraw(request: Request, by: Operator, change: str, reason: Words = "") -> Response:
    """Takes it back before it served anybody."""
    return _done(request, by, change, lambda ctx, tx: proposing.withdraw(ctx, tx, change, reason))


@router.post("/{change}/approve")
def approve(
    request: Request, by: Operator, change: str, content_hash: Words = "", note: Words = ""
) -> Response:
    """Approves what was shown."""
    return _reviewed(request, by, change, Decision.APPROVED, content_hash, note)


@router.post("/{change}/reject")
def reject(
    request: Request, by: Operator, change: str, content_hash: Words = "", note: Words = ""
) -> Response:
    """Rejects what was shown, and says why."""
    return _reviewed(request, by, change, Decision.REJECTED, content_hash, note)


@router.post("/{change}/advance")
def advance(request: Request, by: Operator, change: str, reason: Words = "") -> Response:
    """One stage on before its time."""

    def act(ctx: Context, tx: Transaction) -> Change:
        return rolling.advance(ctx, tx, change, reason, standing.blocked(ctx, tx, load(ctx, tx, change)))

    return _done(request, by, change, act)


@router.post("/{change}/hold")
def hold(request: Request, by: Operator, change: str, reason: Words = "") -> Response:
    """Has it stand still."""
    return _done(request, by, change, lambda ctx, tx: rolling.hold(ctx, tx, change, reason))


@router.post("/{change}/resume")
def resume(request: Request, by: Operator, change: str, reason: Words = "") -> Response:
    """Lets it go on."""
    return _done(request, by, change, lambda ctx, tx: rolling.resume(ctx, tx, change, reason))


@router.post("/{change}/roll-back")
def roll_back(request: Request, by: Operator, change: str, reason: Words = "") -> Response:
    """Takes traffic off it at once."""
    return _done(request, by, change, lambda ctx, tx: rolling.roll_back(ctx, tx, change, reason))


def _reviewed(
    request: Request, by: Caller, change: str, decision: Decision, content_hash: str, note: str
) -> Response:
    return _done(
        request, by, change, lambda ctx, tx: reviewing.review(ctx, tx, change, decision, content_hash, note)
    )


def _done(
    request: Request, by: Caller, change: str, act: Callable[[Context, Transaction], object]
) -> Response:
    try:
        with services(request).database.transaction() as tx:
            act(by.ctx, tx)
    except (Invalid, Conflict, Denied) as error:
        return _one(request, by, change, error)
    return RedirectResponse(f"/w/{by.workspace.slug}/changes/{change}", 303)


def _one(request: Request, by: Caller, id: str, error: HoldfastError | None = None) -> HTMLResponse:
    with services(request).database.reading() as tx:
        whole = listing.change(by.ctx, tx, id)
        one = whole.change
        try:
            difference = registry.difference(by.ctx, tx, one.baseline or None, one.candidate)
        except HoldfastError:
            difference = None
        reviews = reviewing.standing(by.ctx, tx, one) if one.content else None
        blocked = standing.blocked(by.ctx, tx, one)
        version = applied.current(by.ctx, tx)
    answer = page(
        request,
        by,
        "changes/change.html",
        timeless=True,
        row=row(by, one),
        one=one,
        policy=policy_of(one),
        difference=compared(difference),
        reviews=reviews,
        gate=whole.gate,
        steps=steps(whole.evidence),
        live=_live(request, whole, version.configuration.routes.get(one.route) if version else None),
        blocked=blocked if one.state in (State.SCHEDULED, *LIVE) else "",
        before_serving=one.state in BEFORE_SERVING,
        may=by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere,
        back=f"/w/{by.workspace.slug}/changes",
        fault=error.detail if error else "",
    )
    answer.status_code = error.status if error else 200
    return answer


def _live(request: Request, whole: Whole, route: Route | None) -> dict[str, Any] | None:
    """How it does now, while it is under way; None else."""
    one = whole.change
    if one.state not in LIVE - {State.HALTED}:
        return None
    found = services(request)
    policy = policy_of(one)
    try:
        seen = observing.observe(
            found.database,
            found.columns,
            one,
            policy,
            whole.evidence,
            route or Route(),
            found.clock(),
            "",
            everywhere=one.first_at is not None,
        )
    except Unavailable as error:
        return {"unread": error.detail, "facts": {}, "findings": ()}
    return {"unread": "", "facts": seen.facts, "findings": seen.findings}
