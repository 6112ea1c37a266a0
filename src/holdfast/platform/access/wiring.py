"""How access plugs in: routes, the settings in the rail, and the workspaces that a reader can go to."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.platform.access import api, reads
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.access.pages import content, people, settings, sign_in
from holdfast.platform.frame import Frame, Place
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = (
    ("Workspace", "", "grid"),
    ("Systems", "systems", "cube"),
    ("Environments", "environments", "layers"),
    ("Members", "members", "users"),
    ("API keys", "keys", "key"),
    ("Content and retention", "content", "shield"),
)


def install(app: FastAPI, frame: Frame, services: Services) -> None:
    """Adds the routes, the settings in the rail and their sections."""
    app.include_router(api.router)
    for pages in (sign_in, settings, people, content):
        app.include_router(pages.router)
    frame.places.append(Place("Workspace", "Settings", "settings", "settings", "s", needs=Scope.ADMIN))
    frame.sections += SECTIONS

    def workspaces(caller: Caller) -> list[tuple[str, str]]:
        """Short name and name of each workspace that the caller has a role in."""
        own = caller.workspace.id
        with services.database.reading() as tx:
            ids = {own} | reads.workspaces_of(tx, caller.ctx.actor.id)
            found = [tenancy.workspace_by_id(tx, one) for one in ids]
        return sorted((one.slug, one.name) for one in found)

    frame.workspaces = workspaces
