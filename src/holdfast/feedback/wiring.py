"""How feedback plugs in: its routes, its place in the rail, its jobs."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.feedback.actions.erasing import ErasePerson
from holdfast.feedback.actions.pacing import Pace
from holdfast.feedback.actions.taking import Taking
from holdfast.feedback.api import backlog as backlog_api
from holdfast.feedback.api import improvements as improvements_api
from holdfast.feedback.api import items as items_api
from holdfast.feedback.api import links as links_api
from holdfast.feedback.api import triage as triage_api
from holdfast.feedback.api.bodies import Limited
from holdfast.feedback.jobs import expiring, implicit, joining
from holdfast.feedback.jobs.expiring import Expiring
from holdfast.feedback.jobs.implicit import Implicit
from holdfast.feedback.jobs.joining import Joining
from holdfast.feedback.jobs.triage import EVERY_SECONDS as TRIAGE_SECONDS
from holdfast.feedback.jobs.triage import Triaging
from holdfast.feedback.pages import improvements, inbox
from holdfast.feedback.pages import links as link_pages
from holdfast.feedback.pages import triage as triage_pages
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the place in the rail."""
    app.state.feedback_taking = Taking(services.settings, services.database)
    app.add_middleware(Limited)
    app.state.feedback_pace = Pace()
    app.state.erasers.append(ErasePerson(services.settings))
    apis = (links_api, backlog_api, items_api, improvements_api, triage_api)
    for door in (*apis, link_pages, inbox, improvements, triage_pages):
        app.include_router(door.router)
    frame.places.append(Place("Evaluate", "Feedback", "feedback", "bookmark", "i"))
    frame.places.append(Place("Evaluate", "Triage", "triage", "flow", "f"))
    frame.places.append(Place("Evaluate", "Improvements", "improvements", "up", "u"))
    frame.fill("trace.scores", inbox.on_trace)


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's jobs."""
    return (
        Job("find the calls of feedback", joining.EVERY_SECONDS, Joining(services).turn),
        Job("read sessions for feedback", implicit.EVERY_SECONDS, Implicit(services).turn),
        Job("expire words of feedback", expiring.EVERY_SECONDS, Expiring(services).turn),
        Job("triage feedback", TRIAGE_SECONDS, Triaging(services).turn),
    )
