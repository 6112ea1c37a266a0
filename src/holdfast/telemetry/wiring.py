"""How telemetry plugs in: its routes and pages, its jobs, and whether its stores answer."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.kernel.errors import Unavailable
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Job, Services
from holdfast.telemetry.api import calls as calls_api
from holdfast.telemetry.api import exports, governance
from holdfast.telemetry.ingest.policies import Fresh
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.jobs import EXPIRE_SECONDS, Retention
from holdfast.telemetry.pages import calls, demo, trace
from holdfast.telemetry.reads import calls as reads

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes and the places in the rail."""
    for door in (calls_api, exports, governance):
        app.include_router(door.router)
    for pages in (calls, trace, demo):
        app.include_router(pages.router)
    frame.places.append(Place("Observe", "Calls", "calls", "list", "c"))
    port = services.settings.data / "demo" / "control.port"
    frame.places.append(
        Place(
            "Workspace", "Demo", "demo", "power", "d", exists=lambda slug: slug == "demo" and port.is_file()
        )
    )
    seen: Fresh[str, tuple[list[str], list[str]]] = Fresh(lambda workspace: _seen(services, workspace), 10.0)

    def dimensions(caller: Caller) -> tuple[list[str], list[str]]:
        reach = caller.reach[Scope.READ]
        systems, environments = seen.get(caller.ctx.workspace)
        return (
            [one for one in systems if any(s in ("", one) for s, _ in reach.pairs)],
            [one for one in environments if any(e in ("", one) for _, e in reach.pairs)],
        )

    frame.dimensions = dimensions


def _seen(services: Services, workspace: str) -> tuple[list[str], list[str]]:
    return (
        reads.dimension_values(services.columns, workspace, "system"),
        reads.dimension_values(services.columns, workspace, "environment"),
    )


def jobs(services: Services, _ingest: Ingest) -> tuple[Job, ...]:
    """The room's jobs."""
    kept = Retention(services)
    return (
        Job("apply retention", 15, kept.apply),
        Job("remove what has expired", EXPIRE_SECONDS, kept.expire),
    )


def ready(services: Services) -> dict[str, str]:
    """Which stores answer. Raises Unavailable where one does not."""
    if not services.columns.ping():
        raise Unavailable("the call store does not answer", retry_after=5)
    if not services.database.ping():
        raise Unavailable("the control store does not answer", retry_after=5)
    return {"status": "ready", "control_store": "open", "call_store": "open"}
