"""How telemetry plugs in: its routes, jobs, and whether its stores answer."""

from __future__ import annotations

from fastapi import FastAPI

from holdfast.kernel.errors import Unavailable
from holdfast.platform.services import Job, Services
from holdfast.telemetry.api import calls
from holdfast.telemetry.ingest.service import Ingest


def install(app: FastAPI) -> None:
    """Adds the routes."""
    app.include_router(calls.router)


def jobs(_services: Services, _ingest: Ingest) -> tuple[Job, ...]:
    """The room's jobs."""
    return ()


def ready(services: Services) -> dict[str, str]:
    """Which stores answer. Raises Unavailable where one does not."""
    if not services.columns.ping():
        raise Unavailable("the call store does not answer", retry_after=5)
    if not services.database.ping():
        raise Unavailable("the control store does not answer", retry_after=5)
    return {"status": "ready", "control_store": "open", "call_store": "open"}
