"""What ran and nobody registered, on a page: since when, who could have brought it, and two buttons."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.applications.actions import unrecorded as actions
from holdfast.applications.governing import Finding
from holdfast.applications.reads import unrecorded as reads
from holdfast.gateway.reads.share import share
from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid, NotFound
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page
from holdfast.telemetry.reads.recorded import Match

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/unrecorded")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Words = Annotated[str, Form(max_length=4000)]
GROUPS = (
    (Match.UNRECORDED, "Nobody registered"),
    (Match.UNKNOWN, "Cannot be told"),
    (Match.RECORDED, "Registered"),
)


@router.get("")
def unrecorded_page(request: Request, by: Reader) -> HTMLResponse:
    """Every configuration of the last seven days, those that nobody registered first."""
    return _page(request, by)


@router.post("/{configuration}/register")
def register(request: Request, by: Operator, configuration: str, name: Words = "") -> Response:
    """Registers what was sent."""
    held = services(request)
    try:
        one = reads.finding(by.ctx, held.columns, held.database, configuration)
        sent = reads.sent(by, held.columns, one)
        with held.database.transaction() as tx:
            actions.register(by.ctx, tx, one, sent, name=name)
    except (Invalid, Conflict, Denied, NotFound) as error:
        return _page(request, by, error)
    return _back(by)


@router.post("/{configuration}/raise")
def raise_it(request: Request, by: Operator, configuration: str, note: Words = "") -> Response:
    """Has somebody answer for it."""
    held = services(request)
    try:
        one = reads.finding(by.ctx, held.columns, held.database, configuration)
        with held.database.transaction() as tx:
            actions.raise_it(by.ctx, tx, one, note)
    except (Invalid, Conflict, NotFound) as error:
        return _page(request, by, error)
    return _back(by)


def _back(by: Caller) -> Response:
    return RedirectResponse(f"/w/{by.workspace.slug}/unrecorded", 303)


def _page(request: Request, by: Caller, error: HoldfastError | None = None) -> HTMLResponse:
    held = services(request)
    found = reads.findings(by.ctx, held.columns, held.database)
    passing = {one.system: one for one in share(by.ctx, held.columns, "7d", [])}
    rows = [_row(by, one, passing) for one in found]
    answer = page(
        request,
        by,
        "applications/unrecorded.html",
        timeless=True,
        groups=[(title, [row for row in rows if row["match"] is match]) for match, title in GROUPS],
        may=by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere,
        fault=error.detail if error else "",
    )
    answer.status_code = error.status if error else 200
    return answer


def _row(by: Caller, one: Finding, passing: dict[str, Any]) -> dict[str, Any]:
    base = f"/w/{by.workspace.slug}"
    match: Match = one.compared.match
    through = passing.get(one.seen.system)
    return {
        "one": one,
        "match": match,
        "href": f"{base}/traces/{one.seen.first_trace}",
        "action": f"{base}/unrecorded/{one.seen.id}",
        "share": through.share if through else None,
    }
