"""How applications plug in: their routes, their place in the rail, their job."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.applications.api import deployments, flags, prompts, unrecorded
from holdfast.applications.jobs import EVERY_SECONDS, Unrecorded
from holdfast.applications.pages import unrecorded as pages
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame) -> None:
    """Adds the routes and the place in the rail."""
    for router in (prompts.router, flags.router, deployments.router, unrecorded.router, pages.router):
        app.include_router(router)
    frame.places.append(Place("Change", "Unrecorded", "unrecorded", "lookup", "n"))


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's jobs."""
    return (Job("find what nobody recorded", EVERY_SECONDS, Unrecorded(services).turn),)
