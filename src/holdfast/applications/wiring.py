"""How applications plug in: their routes, their place in the rail, their job."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.applications.api import deployments, flags, prompts
from holdfast.platform.frame import Frame
from holdfast.platform.services import Job, Services

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes."""
    for router in (prompts.router, flags.router, deployments.router):
        app.include_router(router)


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's jobs."""
    return ()
