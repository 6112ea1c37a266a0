"""Runs on pages: the list, and the scores of a suite over time."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.evals.model import Verdict
from holdfast.evals.pages import suites as suite_pages
from holdfast.evals.pages import verdicts
from holdfast.evals.reads import runs as reads
from holdfast.evals.reads import suites
from holdfast.evals.states import ACTIVE, Progress, Run
from holdfast.kernel.errors import NotFound
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
ROWS = 25
TREND = 60
"""Runs of a suite whose scores are drawn."""


@router.get("/runs")
def runs_page(request: Request, by: Reader) -> HTMLResponse:
    """Runs, the latest first; `suite`: of one suite, with its scores over time."""
    place = here(request)
    suite, before = place.get("suite"), place.get("before")
    since = parse_instant(before, "before") if before else None
    with services(request).database.reading() as tx:
        found = reads.runs(by.ctx, tx, suite or None, since, ROWS)
        past = reads.runs(by.ctx, tx, suite, None, TREND) if suite else []
        progress = reads.progresses(by.ctx, tx, found)
        names = verdicts.people(by, tx)
        known = [one.name for one in suites.latest(by.ctx, tx)]
        held_against = _held_against(by, tx, found)
    if suite and suite not in known and not found:
        raise NotFound("there is no such suite in this workspace", where="suite")
    rows = [(run, reads.verdict_of(run)) for run in found]
    axis = verdicts.score_axis(
        score.low for _, one in rows if one and (score := verdicts.estimated(one.suite))
    )
    return page(
        request,
        by,
        "evals/runs.html",
        timeless=True,
        suite=suite,
        suites=[
            {"label": "All suites", "href": str(place.without("suite")), "current": not suite, "note": ""},
            *(
                {"label": name, "href": str(place.set(suite=name)), "current": name == suite, "note": ""}
                for name in known
            ),
        ],
        rows=[_row(by, run, verdict, progress[run.id], names, held_against, axis) for run, verdict in rows],
        axis=axis,
        active=any(run.state in ACTIVE for run in found),
        trend=verdicts.trend(by, past, names) if past else None,
        next_before=iso(found[-1].created_at) if len(found) == ROWS else None,
        may_start=suite_pages.may_apply(by),
        any_suite=bool(known),
    )


def _held_against(by: Caller, tx: Transaction, found: list[Run]) -> dict[str, Run]:
    """Baselines of these runs, by id."""
    made = {run.id: run for run in found}
    for id in {run.baseline for run in found if run.baseline} - made.keys():
        made[id] = reads.run(by.ctx, tx, id).run
    return made


def _row(
    by: Caller,
    run: Run,
    verdict: Verdict | None,
    progress: Progress,
    names: dict[str, str],
    others: dict[str, Run],
    axis: verdicts.Axis,
) -> dict[str, Any]:
    score = verdicts.estimated(verdict.suite) if verdict else None
    baseline = others.get(run.baseline)
    return {
        "run": run,
        "href": verdicts.address(by, run.id),
        "badge": verdicts.badge(run, verdict),
        "active": run.state in ACTIVE,
        "answering": verdicts.answering(run),
        "part": verdict.suite if verdict else None,
        "placed": None
        if score is None
        else axis.band(score.low, score.high) | {"point": axis.at(score.value)},
        "compared": verdict.suite.apart if verdict else None,
        "baseline": None
        if baseline is None
        else {
            "href": verdicts.address(by, baseline.id),
            "run": baseline,
            "words": verdicts.answering(baseline),
        },
        "progress": progress,
        "bar": verdicts.bar(progress),
        "by": names.get(run.created_by, run.created_by),
    }
