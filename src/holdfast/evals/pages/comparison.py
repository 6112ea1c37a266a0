"""Two runs of a suite: the verdict as if the other were the baseline, what got worse first, and how answers changed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.evals.actions import runs as actions
from holdfast.evals.pages import verdicts
from holdfast.evals.pages.run import case_list, case_shown, one_line
from holdfast.evals.reads import behaviour
from holdfast.evals.reads import runs as reads
from holdfast.evals.states import Run
from holdfast.kernel.errors import Invalid
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import fragment, here, page
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/runs/{run}/against/{other}")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
SHOWN_FEATURES = 8


@router.get("")
def comparison_page(request: Request, by: Reader, run: str, other: str) -> HTMLResponse:
    """The comparison. Nothing of it is kept."""
    with services(request).database.reading() as tx:
        mine, theirs = _both(by, tx, run, other)
        verdict = actions.verdict_of(by.ctx, tx, mine, reads.suite_of(by.ctx, tx, mine), theirs.id)
        listed = case_list(request, by, tx, mine, theirs, by_change=True)
        opened = case_shown(by, tx, mine, theirs, here(request).get("case"))
    return page(
        request,
        by,
        "evals/comparison.html",
        timeless=True,
        run=mine,
        mine=one_line(by, mine),
        theirs=one_line(by, theirs),
        verdict=verdict,
        badge=verdicts.BADGES[verdict.outcome],
        table=verdicts.table(mine, verdict),
        runs_of=verdicts.runs_of(by, mine.suite),
        swapped=verdicts.address(by, theirs.id, f"/against/{mine.id}"),
        behaviour=verdicts.address(by, mine.id, f"/against/{theirs.id}/behaviour"),
        opened=opened,
        **listed,
    )


@router.get("/behaviour")
def behaviour_fragment(request: Request, by: Reader, run: str, other: str) -> HTMLResponse:
    """How the answers differ in style, whether they are right or not."""
    with services(request).database.reading() as tx:
        found = behaviour.between(by.ctx, tx, *_both(by, tx, run, other))
    shown: dict[str, Any] = {"found": found, "named": found.named}
    if not found.named:
        shown["closest"] = [one for one in found.changes if one.difference][:SHOWN_FEATURES]
    return fragment(request, by, "evals/_behaviour.html", most=behaviour.MOST_CASES, **shown)


def _both(by: Caller, tx: Transaction, run: str, other: str) -> tuple[Run, Run]:
    mine, theirs = reads.run(by.ctx, tx, run).run, reads.run(by.ctx, tx, other).run
    if mine.suite != theirs.suite:
        raise Invalid(f"these are runs of different suites, {mine.suite} and {theirs.suite}", where="other")
    return mine, theirs
