"""The page of triage: categories and failure modes with their trends, top causes, and what people should look at next."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.feedback.actions import triage as actions
from holdfast.feedback.reads import triage as reads
from holdfast.feedback.rules.failures import Mode
from holdfast.feedback.rules.summary import Row
from holdfast.feedback.states import Category, Triage
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/triage")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Short = Annotated[str, Form(max_length=200)]
ROWS = 60
REVIEWS = 10
CAUSES = 12


@router.get("")
def triage_page(request: Request, by: Reader) -> HTMLResponse:
    """What the latest triage found; `category` and `mode` narrow what is to be looked at."""
    place = here(request)
    category, mode = place.get("category"), place.get("mode")
    with services(request).database.reading() as tx:
        active, last = reads.active(by.ctx, tx), reads.last(by.ctx, tx)
        newest = next(iter(reads.triages(by.ctx, tx, 1)), None)
        known = reads.categories(by.ctx, tx)
        queue = reads.unsure(by.ctx, tx, REVIEWS, category=category or None, mode=mode or None)
    found = reads.summary_of(last) if last else None
    rows = list(found.categories[:ROWS]) if found else []
    modes = list(found.modes) if found else []
    return page(
        request,
        by,
        "feedback/triage.html",
        timeless=True,
        active=_progress(by, active) if active else None,
        failed=newest if newest and newest.note else None,
        last=last,
        found=found,
        rows=[_row(known, row, str(place.set(category=row.id))) for row in rows],
        more=max(0, len(found.categories) - ROWS) if found else 0,
        modes=[_mode(row, str(place.set(mode=row.id))) for row in modes],
        causes=[{"one": one, "name": _name(known, one.category)} for one in found.causes[:CAUSES]]
        if found
        else [],
        queue=queue,
        names={id: one.name for id, one in known.items()},
        choices=[("", "none of them"), *((row.id, _name(known, row.id)) for row in rows)],
        every_mode=list(Mode),
        category=category,
        mode=mode,
        words=by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere,
        may=by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere,
    )


@router.post("")
def ask(request: Request, by: OperatorForm) -> RedirectResponse:
    """Has a triage begin."""
    with services(request).database.transaction() as tx:
        actions.ask(by.ctx, tx)
    return RedirectResponse(f"/w/{by.workspace.slug}/triage", 303)


@router.post("/{feedback}/review")
def decide(
    request: Request, by: OperatorForm, feedback: str, category: Short = "", mode: Short = ""
) -> RedirectResponse:
    """Confirms or corrects where an item was put."""
    with services(request).database.transaction() as tx:
        actions.review(by.ctx, tx, feedback, category=category or None, mode=mode)
    return RedirectResponse(f"/w/{by.workspace.slug}/triage#review", 303)


@router.post("/{category}/name")
def rename(request: Request, by: OperatorForm, category: str, name: Short = "") -> RedirectResponse:
    """Names a category."""
    with services(request).database.transaction() as tx:
        actions.rename(by.ctx, tx, category, name)
    return RedirectResponse(f"/w/{by.workspace.slug}/triage?category={quote(category, safe='')}", 303)


def _name(known: dict[str, Category], id: str) -> str:
    return known[id].name if id in known else "a category that is gone"


def _progress(by: Caller, one: Triage) -> dict[str, Any]:
    return {
        "one": one,
        "share": 100 * one.done / one.total if one.total else 0,
        "left": reads.left(one, by.ctx),
    }


def _row(known: dict[str, Category], row: Row, href: str) -> dict[str, Any]:
    first = next(iter(row.modes.items()), None)
    return _mode(row, href) | {"name": _name(known, row.id), "first": first}


def _mode(row: Row, href: str) -> dict[str, Any]:
    """Bars of the weeks, each a share of the highest; 100 wide, 20 high."""
    weeks, top = row.trend.weeks, max(1, *row.trend.weeks)
    step = 100 / len(weeks)
    bars = [
        {"x": round(at * step, 2), "width": round(step * 0.8, 2), "height": round(20 * count / top, 2)}
        for at, count in enumerate(weeks)
    ]
    return {"row": row, "name": row.id, "href": href, "bars": bars, "trend": row.trend, "first": None}
