"""How access plugs in."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.platform.access import api
from holdfast.platform.access.model import Scope
from holdfast.platform.access.pages import content, people, settings, sign_in
from holdfast.platform.frame import Frame, Place

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = (
    ("Workspace", "", "grid"),
    ("Systems", "systems", "cube"),
    ("Environments", "environments", "layers"),
    ("Members", "members", "users"),
    ("API keys", "keys", "key"),
    ("Content and retention", "content", "shield"),
)


def install(app: FastAPI, frame: Frame) -> None:
    """Adds the routes, the settings in the rail and their sections."""
    frame.places.append(Place("Workspace", "Settings", "settings", "settings", "s", needs=Scope.ADMIN))
    frame.sections += SECTIONS
    app.include_router(api.router)
    app.include_router(sign_in.router)
    app.include_router(settings.router)
    app.include_router(people.router)
    app.include_router(content.router)
