"""Improvements on pages: the list, and one with what was measured and what it still lacks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.evals.reads import runs as run_reads
from holdfast.evals.states import RunState
from holdfast.feedback.actions import improvements as actions
from holdfast.feedback.model import Effect, Improvement, Stage, Wanted, Window
from holdfast.feedback.reads import improvements as reads
from holdfast.feedback.reads import rates
from holdfast.feedback.rules import improving
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/improvements")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Field = Annotated[str, Form(max_length=improving.MAX_TEXT)]
TONES = {
    Stage.PROPOSED: ("", "proposed"),
    Stage.IN_PROGRESS: ("accent", "in progress"),
    Stage.MEASURED: ("warning", "measured"),
    Stage.CLOSED: ("success", "closed"),
    Stage.DROPPED: ("", "dropped"),
}


def _may(by: Caller) -> bool:
    return by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere


def _base(by: Caller) -> str:
    return f"/w/{by.workspace.slug}/improvements"


@router.get("")
def improvements_page(request: Request, by: Reader) -> HTMLResponse:
    """The list, and the form of a new one."""
    with services(request).database.reading() as tx:
        found = reads.improvements(by.ctx, tx)
    rows = [_row(by, one) for one in found]
    return page(request, by, "feedback/improvements.html", timeless=True, rows=rows, may=_may(by))


@router.post("")
def propose(
    request: Request, by: Operator, title: Field = "", owner: Field = "", category: Field = ""
) -> Response:
    """Proposes one."""
    with services(request).database.transaction() as tx:
        made = actions.propose(by.ctx, tx, title=title, owner=owner, category=category)
    return RedirectResponse(f"{_base(by)}/{made.id}", 303)


@router.get("/{improvement}")
def improvement_page(request: Request, by: Reader, improvement: str) -> HTMLResponse:
    """One."""
    return _one(request, by, improvement)


@router.post("/{improvement}")
def change(
    request: Request,
    by: Operator,
    improvement: str,
    title: Field = "",
    owner: Field = "",
    hypothesis: Field = "",
    category: Field = "",
    change_ref: Field = "",
) -> Response:
    """Writes it anew."""
    told = {
        "title": title,
        "owner": owner,
        "hypothesis": hypothesis,
        "category": category,
        "change_ref": change_ref,
    }
    return _done(request, by, improvement, lambda tx: actions.change(by.ctx, tx, improvement, **told))


@router.post("/{improvement}/start")
def start(request: Request, by: Operator, improvement: str) -> Response:
    """It is worked on."""
    return _done(request, by, improvement, lambda tx: actions.start(by.ctx, tx, improvement))


@router.post("/{improvement}/measure")
def measure(
    request: Request,
    by: Operator,
    improvement: str,
    before_run: Field = "",
    after_run: Field = "",
    before_from: Field = "",
    before_to: Field = "",
    after_from: Field = "",
    after_to: Field = "",
) -> Response:
    """Measures it; windows are days in UTC, the last one included."""

    def measured(tx: Any) -> Improvement:
        before = Window(_day(before_from, "before_from"), _day(before_to, "before_to"))
        after = Window(_day(after_from, "after_from"), _day(after_to, "after_to"))
        return actions.measure(
            by.ctx, tx, improvement, before_run=before_run, after_run=after_run, before=before, after=after
        )

    return _done(request, by, improvement, measured)


@router.post("/{improvement}/close")
def close(request: Request, by: Operator, improvement: str, note: Field = "") -> Response:
    """Closes it with its measurement."""
    return _done(request, by, improvement, lambda tx: actions.close(by.ctx, tx, improvement, note))


@router.post("/{improvement}/drop")
def drop(request: Request, by: Operator, improvement: str, note: Field = "") -> Response:
    """Gives it up."""
    return _done(request, by, improvement, lambda tx: actions.drop(by.ctx, tx, improvement, note))


def _day(text: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid("write a day like 2026-11-20", where=where) from error


def _done(request: Request, by: Caller, improvement: str, act: Any) -> Response:
    try:
        with services(request).database.transaction() as tx:
            act(tx)
    except (Invalid, Conflict) as error:
        return _one(request, by, improvement, error)
    return RedirectResponse(f"{_base(by)}/{improvement}", 303)


def _one(request: Request, by: Caller, improvement: str, error: HoldfastError | None = None) -> HTMLResponse:
    with services(request).database.reading() as tx:
        one = reads.improvement(by.ctx, tx, improvement)
        done = [run for run in run_reads.runs(by.ctx, tx, None, None, 50) if run.state is RunState.DONE]
        labels = [value for value, _ in rates.by(by.ctx, tx, Wanted(), "label", 50) if value]
    answer = page(
        request,
        by,
        "feedback/improvement.html",
        timeless=True,
        row=_row(by, one),
        one=one,
        may=_may(by),
        runs=[
            (run.id, f"{run.suite}, {run.release or run.model or run.route}, {run.created_at:%Y-%m-%d %H:%M}")
            for run in done
        ],
        categories=[("", "none yet"), *((f"label:{one}", f"label {one}") for one in labels)],
        lacking=improving.lacking(one.measurement),
        faults=(error.errors or ((error.where or "", error.detail),)) if error else (),
        back=_base(by),
    )
    answer.status_code = error.status if error else 200
    return answer


def _row(by: Caller, one: Improvement) -> dict[str, Any]:
    told = one.measurement
    return {
        "one": one,
        "href": f"{_base(by)}/{one.id}",
        "tone": TONES[one.stage],
        "suite": _effect(told.suite if told else None, "score"),
        "feedback": _effect(told.feedback if told else None, "share of feedback"),
    }


def _effect(one: Effect | None, of: str) -> dict[str, Any] | None:
    if one is None:
        return None
    tone, word = {True: ("success", "better"), False: ("danger", "worse"), None: ("", "no change shown")}[
        one.better
    ]
    return {"one": one, "tone": tone, "word": word, "of": of}
