"""How changes plug in: their routes, their place in the rail, their job."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.changes.api import changes, governing, releases
from holdfast.changes.jobs import EVERY_SECONDS, Changes
from holdfast.changes.pages import changes as pages
from holdfast.changes.pages import rules
from holdfast.changes.runner import loading
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the place in the rail."""
    for router in (changes.router, changes.routes, governing.router, releases.router):
        app.include_router(router)
    for router in (pages.router, rules.router):
        app.include_router(router)
    frame.places.append(Place("Change", "Changes", "changes", "steps", "x"))


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's jobs."""
    return (
        Job("have changes go on", EVERY_SECONDS, Changes(services).turn),
        Job("load releases", loading.EVERY_SECONDS, loading.Loads(services).turn),
    )
