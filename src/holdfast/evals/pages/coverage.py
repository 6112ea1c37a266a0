"""Coverage of a suite on a page: the map, the figures, what nothing covers, and a case made of it."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import coverage as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.pages import verdicts
from holdfast.evals.pages.suites import address, may_apply, tabs
from holdfast.evals.reads import coverage as reads
from holdfast.evals.reads import suites
from holdfast.evals.rules.coverage import Group, Ref
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page
from holdfast.telemetry import actions as telemetry
from holdfast.telemetry.reads import arrivals

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/suites/{suite}/coverage")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Short = Annotated[str, Form(max_length=100)]
Text = Annotated[str, Form(max_length=actions.MAX_EXPECTED)]
ROWS = 100
WIDTH, HEIGHT, EDGE = 720, 360, 34
"""Of the map, in its own units; the edge is kept free for the largest mark."""
SMALLEST, LARGEST = 5.0, 26.0


def may_read_words(by: Caller) -> bool:
    """Whether the caller may read what is asked, in all of the workspace."""
    return by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere


@router.get("")
def coverage_page(request: Request, by: Reader, suite: str) -> HTMLResponse:
    """What the latest map found; `group` opens one group's questions."""
    return _page(request, by, suite, here(request).get("group"))


@router.post("")
def ask(request: Request, by: OperatorForm, suite: str) -> RedirectResponse:
    """Has a map begin."""
    with services(request).database.transaction() as tx:
        actions.ask(by.ctx, tx, suite)
    return RedirectResponse(address(by, suite, "/coverage"), 303)


@router.post("/cases")
def make_case(
    request: Request, by: OperatorForm, suite: str, group: Short = "", expected: Text = ""
) -> Response:
    """The most typical question of a group becomes a case, with what a person says is right."""
    found = services(request)
    try:
        with found.database.reading() as tx:
            one = _group(reads.standing(by.ctx, tx, suite), group)
        if not may_read_words(by):
            raise Invalid("a case holds what was asked, for which you need the permission to read content")
        ref = one.refs[0]
        messages = _messages(request, by, ref)
        with found.database.transaction() as tx:
            telemetry.open_content(by.ctx, tx, ref.trace)
            name, _ = actions.make_case(
                by.ctx, tx, suite, ref, messages, expected, holdouts=sees_holdouts(by)
            )
    except HoldfastError as error:
        if isinstance(error, NotFound):
            raise
        return _page(request, by, suite, group, error, expected)
    return RedirectResponse(f"{address(by, suite, '/coverage')}?made={name}", 303)


def _messages(request: Request, by: Caller, ref: Ref) -> tuple[tuple[str, str], ...]:
    columns = services(request).columns
    call = arrivals.call(columns, by.ctx.workspace, ref.trace, ref.call)
    if call is None:
        return ()
    return arrivals.said(columns, by.ctx.workspace, [call])[call.trace_id, call.id].messages


def _group(stands: reads.Standing, number: str) -> Group:
    groups = stands.found.groups if stands.found else ()
    chosen = next((one for one in groups if str(one.number) == number), None)
    if chosen is None:
        raise NotFound("the latest map has no such group", where="group")
    return chosen


def _page(
    request: Request,
    by: Caller,
    suite: str,
    group: str,
    error: HoldfastError | None = None,
    expected: str = "",
) -> HTMLResponse:
    place, words = here(request), may_read_words(by)
    with services(request).database.reading() as tx:
        stands = reads.standing(by.ctx, tx, suite)
        shown = suites.suite(by.ctx, tx, suite)
    hidden = set() if sees_holdouts(by) else {one.id for one in shown.suite.cases if one.holdout}
    chosen = _group(stands, group) if group and stands.found else None
    groups = _ordered(stands)
    rows = groups[:ROWS]
    if chosen and chosen not in rows:
        rows = [chosen, *rows]
    made = place.get("made")
    base = address(by, suite, "/coverage")
    answer = page(
        request,
        by,
        "evals/coverage.html",
        timeless=True,
        tabs=tabs(by, suite, "/coverage"),
        name=suite,
        version=shown.head.version,
        base_href=base,
        stands=stands,
        active=_progress(by, stands) if stands.active else None,
        found=stands.found,
        bands={name: _band(getattr(stands.found, name)) for name in ("uncovered", "unclustered")}
        if stands.found
        else {},
        run_href=verdicts.address(by, stands.run.id) if stands.run else "",
        marks=[_mark(one, base, words=words) for one in sorted(groups, key=lambda one: -one.share)],
        width=WIDTH,
        height=HEIGHT,
        rows=[_row(one, stands, base, hidden, words=words) for one in rows],
        more=len(groups) - len(rows),
        apart=[one.id for one in stands.found.apart if one.id not in hidden] if stands.found else [],
        chosen=chosen,
        questions=_questions(request, by, chosen) if chosen and words else [],
        words_allowed=words,
        may=may_apply(by),
        made=made if any(one.id == made for one in shown.suite.cases) else "",
        error=error,
        expected=expected,
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def _ordered(stands: reads.Standing) -> list[Group]:
    """What nothing covers first, then the rest; each by traffic."""
    groups = stands.found.groups if stands.found else ()
    return sorted(groups, key=lambda one: (one.covered, -one.share, one.number))


def _questions(request: Request, by: Caller, chosen: Group) -> list[dict[str, Any]]:
    """What was asked in the group's calls, read now; that they were opened is recorded."""
    found = services(request)
    asked = reads.asked(found.columns, by.ctx.workspace, chosen.refs)
    if asked:
        with found.database.transaction() as tx:
            for trace in sorted({ref.trace for ref, _ in asked}):
                telemetry.open_content(by.ctx, tx, trace)
    base = f"/w/{by.workspace.slug}/traces"
    return [
        {"text": text, "href": f"{base}/{ref.trace}?span={ref.call}", "typical": ref == chosen.refs[0]}
        for ref, text in asked
    ]


def _band(share: Any) -> dict[str, float] | None:
    """A share's place on an axis from 0 to 1, in percent."""
    if share.value is None:
        return None
    return {
        "at": share.low * 100,
        "width": max((share.high - share.low) * 100, 0.5),
        "point": share.value * 100,
    }


def _title(one: Group, *, words: bool) -> str:
    return ", ".join(one.keywords) if words and one.keywords else f"group {one.number + 1}"


def _mark(one: Group, base: str, *, words: bool) -> dict[str, Any]:
    """Where a group stands on the map, and how large: its area grows with its traffic."""
    size = min(LARGEST, max(SMALLEST, 80 * math.sqrt(one.share / math.pi)))
    says = "covered" if one.covered else "not covered"
    return {
        "x": round(WIDTH / 2 + one.x * (WIDTH / 2 - EDGE), 1),
        "y": round(HEIGHT / 2 - one.y * (HEIGHT / 2 - EDGE), 1),
        "size": round(size, 1),
        "covered": one.covered,
        "href": f"{base}?group={one.number}#group-{one.number}",
        "label": f"{_title(one, words=words)}: {one.share:.1%} of the traffic, {says}",
    }


def _row(one: Group, stands: reads.Standing, base: str, hidden: set[str], *, words: bool) -> dict[str, Any]:
    return {
        "one": one,
        "title": _title(one, words=words),
        "href": f"{base}?group={one.number}#group-{one.number}",
        "cases": [case.id for case in one.cases if case.id not in hidden],
        "hidden": sum(case.id in hidden for case in one.cases),
        "score": stands.scores.get(one.number),
    }


def _progress(by: Caller, stands: reads.Standing) -> dict[str, Any]:
    one = stands.active
    assert one is not None
    return {
        "one": one,
        "share": 100 * one.done / one.total if one.total else 0,
        "left": reads.left(one, by.ctx),
    }
