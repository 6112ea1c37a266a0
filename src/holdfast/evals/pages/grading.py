"""Where people grade the answers of a run, one after the other, without seeing what a judge says of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import grading as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.pages import verdicts
from holdfast.evals.reads import grading as reads
from holdfast.evals.reads import runs as run_reads
from holdfast.evals.rules.case_words import content
from holdfast.kernel.errors import Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/runs/{run}/grade")
Operator = Annotated[Caller, Depends(page_caller(Scope.OPERATE, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Short = Annotated[str, Form(max_length=200)]
UNTOLD = "untold"


@router.get("")
def grade_page(request: Request, by: Operator, run: str) -> HTMLResponse:
    """The next answer to grade, or that there is none."""
    with services(request).database.reading() as tx:
        found = run_reads.run(by.ctx, tx, run).run
        queue = reads.to_grade(by.ctx, tx, found, holdouts=sees_holdouts(by))
    one = queue[0] if queue else None
    return page(
        request,
        by,
        "evals/grade.html",
        timeless=True,
        run=found,
        href=verdicts.address(by, run),
        answering=verdicts.answering(found),
        left=len(queue),
        one=one,
        messages=[(str(each.get("role")), content(each)) for each in one.case.input.messages] if one else [],
        choices=_choices(one) if one else [],
    )


@router.post("")
def grade(
    request: Request,
    by: OperatorForm,
    run: str,
    case: Short = "",
    repeat: Short = "",
    expectation: Short = "",
    score: Short = "",
    note: Annotated[str, Form(max_length=actions.MAX_NOTE)] = "",
) -> Response:
    """Keeps what you say, and shows the next."""
    try:
        number = int(repeat)
        value = None if score == UNTOLD else float(score)
    except ValueError:
        raise Invalid("choose one of the grades", where="score") from None
    with services(request).database.transaction() as tx:
        actions.grade(by.ctx, tx, run, case, number, expectation, value, note, holdouts=sees_holdouts(by))
    return RedirectResponse(verdicts.address(by, run, "/grade"), 303)


def _choices(one: reads.ToGrade) -> list[tuple[str, str]]:
    """(value, words) of the grades, the worst first."""
    if one.other:
        found = [("0", "B is better"), ("0.5", "Neither"), ("1", "A is better")]
    elif one.steps == 1:
        found = [("0", "Fail"), ("1", "Pass")]
    else:
        found = [(repr(step / one.steps), f"{step}") for step in range(one.steps + 1)]
    return [*found, (UNTOLD, "Cannot be told")]
