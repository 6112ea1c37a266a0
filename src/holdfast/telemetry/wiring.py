"""How telemetry plugs in: its routes and pages, its jobs, and whether its stores answer."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.kernel.errors import Unavailable
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services
from holdfast.telemetry.actions import Eraser
from holdfast.telemetry.api import calls as calls_api
from holdfast.telemetry.api import (
    configurations,
    exports,
    governance,
    metrics,
    past,
    prometheus,
    vendor_usage,
)
from holdfast.telemetry.api import dashboards as dashboards_api
from holdfast.telemetry.ingest.policies import Fresh
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.jobs import outward
from holdfast.telemetry.jobs.past import EVERY_SECONDS as PAST_SECONDS
from holdfast.telemetry.jobs.past import Past
from holdfast.telemetry.jobs.retention import EXPIRE_SECONDS, Retention
from holdfast.telemetry.jobs.rollups import EVERY_SECONDS as ROLLUP_SECONDS
from holdfast.telemetry.jobs.rollups import SWEEP_SECONDS, Rollups
from holdfast.telemetry.pages import calls, cost, dashboards, demo, portfolio, system, today, trace
from holdfast.telemetry.pages import configurations as configuration_parts
from holdfast.telemetry.pages import metrics as metrics_pages
from holdfast.telemetry.pages import past as past_pages
from holdfast.telemetry.reads import calls as reads
from holdfast.telemetry.reads.outward import Meters

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the places in the rail."""
    erasers: list[Eraser] = []
    app.state.erasers = erasers  # rooms above add theirs
    app.state.meters = Meters(services.columns, services.clock, services.settings.metrics_series)
    doors = (calls_api, metrics, prometheus, configurations, exports, governance, past, vendor_usage)
    for door in (*doors, dashboards_api):
        app.include_router(door.router)
    for pages in (today, portfolio, system, calls, trace, metrics_pages, dashboards, cost, demo):
        app.include_router(pages.router)
    app.include_router(past_pages.router)
    frame.sections.append(past_pages.SECTION)
    frame.fill(today.CHANGES, configuration_parts.today)
    frame.fill(system.MARKS, configuration_parts.marks)
    frame.fill(system.MORE, configuration_parts.panel)
    frame.places.append(Place("Observe", "Today", "today", "sun", "t"))
    frame.places.append(Place("Observe", "Portfolio", "portfolio", "cube", "p"))
    frame.places.append(Place("Observe", "Calls", "calls", "list", "c"))
    frame.places.append(Place("Observe", "Metrics", "metrics", "chart", "m"))
    frame.places.append(Place("Observe", "Dashboards", "dashboards", "overview", "b"))
    frame.places.append(Place("Observe", "Cost", "cost", "coin", "o"))
    port = services.settings.data / "demo" / "control.port"
    frame.places.append(
        Place(
            "Workspace", "Demo", "demo", "power", "d", exists=lambda slug: slug == "demo" and port.is_file()
        )
    )
    seen: Fresh[str, list[tuple[str, str]]] = Fresh(
        lambda workspace: reads.places(services.columns, workspace), 10.0
    )

    def dimensions(caller: Caller) -> tuple[list[str], list[str]]:
        reach = caller.reach.get(Scope.READ)
        if reach is None:
            return [], []
        found = [place for place in seen.get(caller.ctx.workspace) if reach.covers(*place)]
        systems, environments = {system for system, _ in found}, {environment for _, environment in found}
        return sorted(systems - {""}), sorted(environments - {""})

    frame.dimensions = dimensions


def jobs(services: Services, ingest: Ingest) -> tuple[Job, ...]:
    """The room's jobs."""
    kept = Retention(services)
    stored = Rollups(services.columns, services.clock)
    sent = outward.Outward(services, outward.targets(services), services.settings.metrics_series)
    return (
        Job("send figures to other stacks", outward.EVERY_SECONDS, sent.turn),
        Job("keep stored figures true", ROLLUP_SECONDS, stored.turn),
        Job("price or count the past anew", PAST_SECONDS, Past(services, ingest).turn),
        Job("remove figures that no longer hold", SWEEP_SECONDS, stored.sweep),
        Job("apply retention", 15, kept.apply),
        Job("remove what has expired", EXPIRE_SECONDS, kept.expire),
        Job("count what stopped processes left", 10, ingest.recover),
    )


def ready(services: Services) -> dict[str, str]:
    """Which stores answer. Raises Unavailable where one does not."""
    if not services.columns.ping():
        raise Unavailable("the call store does not answer", retry_after=5)
    if not services.database.ping():
        raise Unavailable("the control store does not answer", retry_after=5)
    return {"status": "ready", "control_store": "open", "call_store": "open"}
