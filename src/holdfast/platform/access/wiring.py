"""How access plugs in."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.platform.access import api
from holdfast.platform.access.pages import content, people, settings, sign_in

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI) -> None:
    """Adds the routes."""
    app.include_router(api.router)
    app.include_router(sign_in.router)
    app.include_router(settings.router)
    app.include_router(people.router)
    app.include_router(content.router)
