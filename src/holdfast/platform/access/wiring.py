"""How access plugs in."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from holdfast.platform.access import api

TEMPLATES = Path(__file__).parent / "templates"


def install(app: FastAPI) -> None:
    """Adds the routes."""
    app.include_router(api.router)
