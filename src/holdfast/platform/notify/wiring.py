"""How notify plugs in: its routes, the section of the settings, the courier."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.platform.frame import Frame
from holdfast.platform.notify import api, pages
from holdfast.platform.notify.actions.outbox import Post
from holdfast.platform.notify.jobs import Courier
from holdfast.platform.notify.senders.shelf import senders
from holdfast.platform.services import Job, Services

TEMPLATES = Path(__file__).parent / "templates"
EVERY_SECONDS = 1.0


def post_of(services: Services) -> Post:
    """What an attempt needs. Nothing is connected yet."""
    return Post(services.database, services.settings, senders(services.settings), services.clock)


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the section of the settings."""
    app.state.post = post_of(services)
    app.include_router(api.router)
    app.include_router(pages.router)
    frame.sections.append(("Notifications", "notifications", "mail"))


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's job."""
    return (Job("send notifications", EVERY_SECONDS, Courier(post_of(services)).deliver_due),)
