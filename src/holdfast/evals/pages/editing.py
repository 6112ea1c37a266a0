"""A suite edited on a page: the text, what it would change, every fault of it, and its application."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import judges
from holdfast.evals.actions import suites as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.pages.suites import address, shown, tabs
from holdfast.evals.reads import suites
from holdfast.evals.rules.located import Fault
from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}")
Operator = Annotated[Caller, Depends(page_caller(Scope.OPERATE, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
LONGEST = 1_000_000
Text = Annotated[str, Form(max_length=LONGEST)]
Short = Annotated[str, Form(max_length=1000)]
FIRST = """\
name: my-suite
description: What a good answer holds
route: ""           # of the gateway, by which the cases are asked
bars:
  least: 0.8        # the share of points that passes
  margin: 0.05      # how much worse than the baseline it may be
cases:
- id: first
  prompt: Within how many days may I return shoes?
  expect:
  - contains: 30 days
  criticality: critical
"""


@router.get("/new-suite")
def new_page(request: Request, by: Operator) -> HTMLResponse:
    """A first text to begin with."""
    return _page(request, by, "", FIRST, 0, "")


@router.post("/new-suite")
def make(
    request: Request,
    by: OperatorForm,
    text: Text = "",
    note: Short = "",
    version: Short = "",
    step: Short = "",
) -> Response:
    """Checks or applies a new suite."""
    return _post(request, by, "", text, note, version, step)


@router.get("/suites/{suite}/edit")
def edit_page(request: Request, by: Operator, suite: str) -> HTMLResponse:
    """The suite as it is in force, as text."""
    with services(request).database.reading() as tx:
        head = suites.suite(by.ctx, tx, suite).head
        text = suites.exported(by.ctx, tx, suite, holdouts=sees_holdouts(by)).decode()
    return _page(request, by, suite, text, head.version, "")


@router.post("/suites/{suite}/edit")
def change(
    request: Request,
    by: OperatorForm,
    suite: str,
    text: Text = "",
    note: Short = "",
    version: Short = "",
    step: Short = "",
) -> Response:
    """Checks or applies the text."""
    return _post(request, by, suite, text, note, version, step)


def _post(
    request: Request, by: Caller, suite: str, text: str, note: str, version: str, step: str
) -> Response:
    if suite:
        with services(request).database.reading() as tx:
            suites.versions(by.ctx, tx, suite, None, 1)  # there is one: this page makes none
    based = int(version) if version.isascii() and version.isdigit() and len(version) < 16 else 0
    with services(request).database.reading() as tx:
        known = judges.kinds(by.ctx, tx)
    judged = actions.judge(
        {f"{suite or 'my-suite'}.yaml": text.replace("\r\n", "\n").encode(errors="replace")}, known
    )
    if judged.faults:
        return _page(request, by, suite, text, based, note, faults=judged.faults)
    try:
        if judged.judges:
            raise Invalid(
                "judges are applied from files, or by the API; this page edits suites", where="judges"
            )
        (read,) = judged.suites
        if suite and read.name != suite:
            raise Invalid(
                f"this page edits {suite}; a suite of another name is made as a new one", where="name"
            )
        holdouts = sees_holdouts(by)
        if step == "apply":
            with services(request).database.transaction() as tx:
                actions.apply(by.ctx, tx, [read], holdouts=holdouts, note=note, expected={read.name: based})
            return RedirectResponse(address(by, read.name), 303)
        with services(request).database.reading() as tx:
            (told,) = actions.check(by.ctx, tx, [read], holdouts=holdouts)
    except (Invalid, Denied, Conflict) as error:
        return _page(request, by, suite, text, based, note, error=error)
    return _page(request, by, suite, text, based, note, told=told)


def _page(
    request: Request,
    by: Caller,
    suite: str,
    text: str,
    version: int,
    note: str,
    *,
    faults: tuple[Fault, ...] = (),
    error: HoldfastError | None = None,
    told: actions.Applied | None = None,
) -> HTMLResponse:
    lines = text.splitlines()
    shown_faults: list[dict[str, Any]] = [
        {"line": one.line, "says": _line(lines, one.line), "where": one.where, "what": one.what}
        for one in faults[:200]
    ]
    answer = page(
        request,
        by,
        "evals/edit.html",
        timeless=True,
        tabs=tabs(by, suite, "/edit") if suite else [],
        name=suite,
        action=address(by, suite, "/edit") if suite else f"/w/{by.workspace.slug}/new-suite",
        text=text,
        too_long=len(text) > LONGEST,
        version=version,
        note=note,
        faults=shown_faults,
        more_faults=max(0, len(faults) - len(shown_faults)),
        error=error,
        told=told,
        shown=shown(told.difference) if told else None,
    )
    if faults or error:
        answer.status_code = error.status if error else 422
    return answer


def _line(lines: list[str], number: int | None) -> str:
    text = lines[number - 1].strip() if number is not None and number <= len(lines) else ""
    return text if len(text) <= 80 else f"{text[:79]}…"
