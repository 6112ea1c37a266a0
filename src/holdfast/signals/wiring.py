"""How signals plugs in: its routes, its place in the rail, its job."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services
from holdfast.signals import api, rules
from holdfast.signals.jobs import Watch
from holdfast.signals.pages import alerts as alert_pages
from holdfast.signals.pages import rules as rule_pages
from holdfast.signals.reads.figures import CountedCalls

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the place in the rail."""
    app.state.figures = CountedCalls(services.columns)
    app.include_router(api.router)
    app.include_router(rule_pages.router)
    app.include_router(alert_pages.router)
    frame.places.append(Place("Respond", "Alerts", "alerts", "alert", "a"))
    frame.fill("today.waiting", alert_pages.waiting)


def jobs(services: Services) -> tuple[Job, ...]:
    """The room's job."""
    watch = Watch(services, CountedCalls(services.columns))
    return (Job("evaluate alert rules", rules.EVERY.total_seconds() / 3, watch.evaluate_due),)
