"""How the gateway plugs into the core: its routes, its job."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.gateway.api import budgets, configuration, lifts, share, trying
from holdfast.gateway.api import keys as key_api
from holdfast.gateway.jobs import EVERY_SECONDS, PriceWatch
from holdfast.gateway.link import PREFIX, Deliver, Link
from holdfast.gateway.pages import caps, overview
from holdfast.gateway.pages import keys as key_pages
from holdfast.gateway.pages import trying as try_pages
from holdfast.gateway.reads.states import States
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services
from holdfast.pricing.reads import Pricer

TEMPLATES = Path(__file__).parent / "templates"

__all__ = ["PREFIX", "TEMPLATES", "Link", "install", "jobs", "link_of"]


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the place in the rail."""
    app.state.gateway_states = States(services.clock)
    for door in (configuration, lifts, budgets, share, key_api, trying, overview, caps, key_pages, try_pages):
        app.include_router(door.router)
    frame.places.append(Place("Change", "Gateway", "gateway", "flow", "g"))


def link_of(app: FastAPI, services: Services, deliver: Deliver, pricer: Pricer) -> Link:
    """The door for gateway processes, to be mounted before `app` for paths under PREFIX."""
    app.state.gateway_pricer = pricer
    return Link(services, app.state.gateway_states, deliver, pricer)


def jobs(services: Services, pricer: Pricer) -> tuple[Job, ...]:
    """The room's job."""
    return (Job("tell gateways of prices", EVERY_SECONDS, PriceWatch(services, pricer).look),)
