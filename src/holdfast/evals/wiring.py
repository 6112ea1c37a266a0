"""How evals plugs in: its routes, its places in the rail, its jobs."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.evals.api import coverage, credentials, imports, judges, review, runs, suites, triggers
from holdfast.evals.pages import comparison, editing, grading, review_policy, run, starting
from holdfast.evals.pages import coverage as coverage_pages
from holdfast.evals.pages import judges as judge_pages
from holdfast.evals.pages import review as review_pages
from holdfast.evals.pages import runs as run_pages
from holdfast.evals.pages import suites as suite_pages
from holdfast.evals.pages import triggers as trigger_pages
from holdfast.evals.runner import mapping, review_judging, reviewing, triggering
from holdfast.evals.runner.checking import Checks
from holdfast.evals.runner.working import EVERY_SECONDS, Runs
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services

TEMPLATES = Path(__file__).parent / "templates"
APIS = (suites, imports, judges, runs, triggers, credentials, review, coverage)
PAGES = (
    suite_pages,
    editing,
    trigger_pages,
    coverage_pages,
    run_pages,
    starting,
    grading,
    run,
    comparison,
    judge_pages,
    review_policy,
    review_pages,
)


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the places in the rail."""
    for door in (*APIS, *PAGES):
        app.include_router(door.router)
    frame.places.append(Place("Evaluate", "Suites", "suites", "proof", "e"))
    frame.places.append(Place("Evaluate", "Runs", "runs", "flask", "r"))
    frame.places.append(Place("Evaluate", "Judges", "judges", "spark", "j"))
    frame.places.append(Place("Evaluate", "Review", "review", "shield", "v"))


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's jobs."""
    return (
        Job("work on evaluation runs", EVERY_SECONDS, Runs(services).turn),
        Job("begin runs that are due", triggering.EVERY_SECONDS, triggering.Triggers(services).turn),
        Job("check judges", EVERY_SECONDS, Checks(services).turn),
        Job("review live calls", reviewing.EVERY_SECONDS, reviewing.Reviews(services).turn),
        Job(
            "show judges live calls",
            review_judging.EVERY_SECONDS,
            review_judging.ReviewJudges(services).turn,
        ),
        Job("map coverage", mapping.EVERY_SECONDS, mapping.Maps(services).turn),
    )
