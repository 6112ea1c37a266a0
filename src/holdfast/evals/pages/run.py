"""One run on a page: how far it is, its verdict, its cases with what failed first, and a case beside another run's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import runs as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.model import Answer, Case
from holdfast.evals.pages import suites as suite_pages
from holdfast.evals.pages import verdicts
from holdfast.evals.reads import cases as case_reads
from holdfast.evals.reads import grading as grading_reads
from holdfast.evals.reads import runs as reads
from holdfast.evals.rules.case_words import asked, content, expected
from holdfast.evals.rules.differences import Kind, Piece, pieces
from holdfast.evals.states import ACTIVE, Graded, Run, RunState
from holdfast.kernel.errors import NotFound
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import fragment, here, page
from holdfast.storage.sql import Transaction
from holdfast.web.links import Here

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/runs/{run}")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
ROWS = 50
OTHERS = 20
"""Runs that one can be compared with from its page."""
MOST_MARKED = 8_000
"""Characters of an answer up to which differing words are marked: longer ones are shown as they are."""


@router.get("")
def run_page(request: Request, by: Reader, run: str) -> HTMLResponse:
    """A run. `case` opens one; `standing` and others narrow the list down."""
    with services(request).database.reading() as tx:
        shown = reads.run(by.ctx, tx, run)
        baseline = reads.run(by.ctx, tx, shown.run.baseline).run if shown.run.baseline else None
        listed = case_list(request, by, tx, shown.run, baseline)
        opened = case_shown(by, tx, shown.run, baseline, here(request).get("case"))
        waiting = _to_grade(by, tx, shown)
        others = [one for one in reads.runs(by.ctx, tx, shown.run.suite, None, OTHERS + 1) if one.id != run]
        names = verdicts.people(by, tx)
    api = f"/api/v1/evals/runs/{run}"
    workspace = f"workspace={by.workspace.slug}"
    return page(
        request,
        by,
        "evals/run.html",
        timeless=True,
        **_head(by, shown, names),
        baseline=None if baseline is None else one_line(by, baseline),
        to_grade=waiting,
        table=verdicts.table(shown.run, shown.verdict) if shown.verdict else None,
        others=[one_line(by, one, shown.run) for one in others if one.state not in ACTIVE],
        runs_of=verdicts.runs_of(by, shown.run.suite),
        suite_href=f"{suite_pages.address(by, shown.run.suite)}?version={shown.run.version}",
        reports=[
            ("Markdown", f"{api}/report?{workspace}", f"{shown.run.suite}-{run}.md"),
            ("JUnit XML", f"{api}/report?format=junit&{workspace}", f"{shown.run.suite}-{run}.xml"),
            ("Verdict as JSON", f"{api}?{workspace}", f"{shown.run.suite}-{run}.json"),
            ("Cases as JSON", f"{api}/cases?{workspace}", f"{shown.run.suite}-{run}-cases.json"),
        ],
        opened=opened,
        **listed,
    )


@router.get("/live")
def live_fragment(request: Request, by: Reader, run: str) -> HTMLResponse:
    """How far it is; when it is over, the page is to be read anew."""
    with services(request).database.reading() as tx:
        shown = reads.run(by.ctx, tx, run)
        names = verdicts.people(by, tx)
    answer = fragment(request, by, "evals/_live.html", csrf_token=by.csrf, **_head(by, shown, names))
    if shown.run.state not in ACTIVE:
        answer.headers["hx-refresh"] = "true"
    return answer


@router.get("/case")
def case_fragment(request: Request, by: Reader, run: str) -> HTMLResponse:
    """One case, `case`, with its answers beside those of the run `beside`."""
    place = here(request)
    with services(request).database.reading() as tx:
        mine = reads.run(by.ctx, tx, run).run
        other = reads.run(by.ctx, tx, place.get("beside")).run if place.get("beside") else None
        opened = case_shown(by, tx, mine, other, place.get("case"))
    if opened is None:
        raise NotFound("the suite of this run has no such case")
    return fragment(request, by, "evals/_case.html", one=opened)


@router.post("/cancel")
def cancel(request: Request, by: OperatorForm, run: str) -> Response:
    """Ends it without a verdict."""
    with services(request).database.transaction() as tx:
        actions.cancel(by.ctx, tx, run)
    return RedirectResponse(verdicts.address(by, run), 303)


def _to_grade(by: Caller, tx: Transaction, shown: reads.Shown) -> dict[str, int] | None:
    """How many answers wait for a person, and how many more labels would help; None where people have nothing to do."""
    if shown.run.state in ACTIVE or not suite_pages.may_apply(by):
        return None
    found = grading_reads.to_grade(by.ctx, tx, shown.run, holdouts=sees_holdouts(by))
    waits = sum(one.why == "waits" for one in found)
    return {"waits": waits, "label": len(found) - waits} if found else None


def _head(by: Caller, shown: reads.Shown, names: dict[str, str]) -> dict[str, Any]:
    """What stands above everything else, also while it runs."""
    run = shown.run
    return {
        "run": run,
        "href": verdicts.address(by, run.id),
        "badge": verdicts.badge(run, shown.verdict),
        "verdict": shown.verdict,
        "progress": shown.progress,
        "bar": verdicts.bar(shown.progress),
        "left_ms": None if shown.left is None else shown.left.total_seconds() * 1000,
        "active": run.state in ACTIVE,
        "stopped": run.state is RunState.STOPPED,
        "answering": verdicts.answering(run),
        "by_whom": names.get(run.created_by, run.created_by),
        "took_ms": (run.finished_at - run.started_at).total_seconds() * 1000
        if run.started_at and run.finished_at
        else None,
        "may_operate": suite_pages.may_apply(by),
    }


def one_line(by: Caller, run: Run, against: Run | None = None) -> dict[str, Any]:
    """A run in a menu: with `against`, the link compares that one with it."""
    verdict = reads.verdict_of(run)
    return {
        "run": run,
        "answering": verdicts.answering(run),
        "badge": verdicts.badge(run, verdict),
        "score": verdicts.estimated(verdict.suite) if verdict else None,
        "href": verdicts.address(by, run.id)
        if against is None
        else verdicts.address(by, against.id, f"/against/{run.id}"),
    }


def case_list(
    request: Request, by: Caller, tx: Transaction, run: Run, other: Run | None, by_change: bool = False
) -> dict[str, Any]:
    """The cases as the address narrows them down, and what it can be narrowed down by."""
    place = here(request)
    holdouts = sees_holdouts(by)
    rows = case_reads.stands(by.ctx, tx, run, other, holdouts=holdouts)
    if by_change:
        order = ("worse", "better", "not compared", "same")
        rows.sort(key=lambda row: order.index(row.change or "same"))
    names = case_reads.names(rows)
    narrowed = case_reads.narrowed(rows, {name: place.all(name) for name in names}, place.get("q"))
    cursor = place.get("cursor")
    start = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 10 else 0
    few = narrowed[start : start + ROWS]
    reasons = case_reads.reasons(by.ctx, tx, run, few, holdouts=holdouts)
    tab = "change" if by_change else "standing"
    values = case_reads.CHANGES if by_change else case_reads.STANDINGS
    counts = {value: sum(getattr(row, tab) == value for row in rows) for value in values}
    return {
        "rows": [_row(row, reasons, place, verdicts.address(by, run.id), other) for row in few],
        "matching": len(narrowed),
        "next_cursor": str(start + ROWS) if start + ROWS < len(narrowed) else None,
        "tabs": [
            {
                "label": "All",
                "href": place.without(tab, "case"),
                "current": not place.get(tab),
                "count": f"{len(rows):,}",
            },
            *(
                {
                    "label": (verdicts.STANDINGS[value][2] if tab == "standing" else value).capitalize(),
                    "href": place.without("case").set({tab: value}),
                    "current": place.get(tab) == value,
                    "count": f"{count:,}",
                }
                for value, count in counts.items()
                if count
            ),
        ],
        "facets": [one for one in case_reads.facets(rows) if one.name != tab],
        "filters": {
            name: case_reads.LABELS.get(name, name.removeprefix("in.")) for name in names if name != tab
        }
        | {"q": "Search"},
        "beside": other,
    }


def _row(
    row: case_reads.Stands, reasons: dict[str, str], place: Here, address: str, other: Run | None
) -> dict[str, Any]:
    fetch = Here(f"{address}/case").set(case=row.case.id, beside=other.id if other else None)
    return {
        "one": row,
        "standing": verdicts.STANDINGS[row.standing],
        "change": verdicts.CHANGES[row.change] if row.change else None,
        "asked": "" if _hidden(row.case) else asked(row.case),
        "hidden": _hidden(row.case),
        "reason": reasons.get(row.case.id, ""),
        "fetch": str(fetch),
    }


def _hidden(case: Case) -> bool:
    return case.holdout and not case.expectations


def case_shown(by: Caller, tx: Transaction, run: Run, other: Run | None, case: str) -> dict[str, Any] | None:
    """A case with its question, expectations, and answers side by side; None where none is named."""
    if not case:
        return None
    holdouts = sees_holdouts(by)
    mine = reads.answer(by.ctx, tx, run, case, holdouts=holdouts)
    theirs = None if other is None else case_reads.beside(by.ctx, tx, other, mine, holdouts=holdouts)
    asks = mine.case
    labels = [expected(each)[0] for each in asks.expectations]
    pairs = _pairs(mine.answers, theirs.answers if theirs else (), labels)
    return {
        "case": asks,
        "hidden": _hidden(asks),
        "messages": [(str(message.get("role")), content(message)) for message in asks.input.messages],
        "tools": ", ".join(str(tool["function"]["name"]) for tool in asks.input.tools),
        "expected": [expected(each) for each in asks.expectations],
        "link": str(Here(verdicts.address(by, run.id)).set(case=case)),
        "suite": f"{suite_pages.address(by, run.suite)}?version={run.version}#case-{case}",
        "pairs": pairs,
        "run": one_line(by, run),
        "other": None if other is None else one_line(by, other),
        "not_there": other is not None and theirs is None,
    }


def _pairs(mine: Sequence[Graded], theirs: Sequence[Graded], labels: Sequence[str]) -> list[dict[str, Any]]:
    """The answers by repeat, both sides; those that did not pass first."""
    left, right = {one.repeat: one for one in mine}, {one.repeat: one for one in theirs}
    order = {False: 0, None: 1, True: 2}
    found = []
    for repeat in sorted(
        left.keys() | right.keys(), key=lambda n: (order[left[n].passed] if n in left else 3, n)
    ):
        new, old = left.get(repeat), right.get(repeat)
        mark = None if new is None or old is None else _marked(said(old.answer), said(new.answer))
        found.append(
            {
                "repeat": repeat,
                "mine": None if new is None else _side(new, mark, Kind.ADDED, labels),
                "theirs": None if old is None else _side(old, mark, Kind.REMOVED, labels),
                "same": new is not None and old is not None and said(new.answer) == said(old.answer),
                "unmarked": mark is None and new is not None and old is not None,
            }
        )
    return found


def _side(one: Graded, marked: Sequence[Piece] | None, kind: Kind, labels: Sequence[str]) -> dict[str, Any]:
    text = said(one.answer)
    return {
        "one": one,
        "pieces": [Piece(Kind.SAME, text)]
        if marked is None
        else _joined([piece for piece in marked if piece.kind in (Kind.SAME, kind)]),
        "empty": not text,
        "standing": verdicts.STANDINGS[reads.standing_of([one.passed])],
        "grades": [
            (grade, verdicts.STANDINGS[reads.standing_of([grade.passed])], label)
            for grade, label in zip_longest(one.grades, labels[: len(one.grades)])
        ],
    }


def _joined(found: Sequence[Piece]) -> list[Piece]:
    """Words that differ in a row as one piece, with the spaces between them."""
    made: list[Piece] = []
    for piece in found:
        if len(made) > 1 and piece.kind is made[-2].kind is not Kind.SAME and made[-1].text.isspace():
            made[-2:] = [Piece(piece.kind, made[-2].text + made[-1].text + piece.text)]
        else:
            made.append(piece)
    return made


def _marked(before: str, after: str) -> Sequence[Piece] | None:
    if before == after:
        return [Piece(Kind.SAME, after)]
    return pieces(before, after) if max(len(before), len(after)) <= MOST_MARKED else None


def said(answer: Answer) -> str:
    """All that an answer says: text, refusal, and the tools that it calls."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return "\n".join(part for part in (answer.text, answer.refusal, *calls) if part)
