"""How access plugs in."""

from __future__ import annotations

from fastapi import FastAPI

from holdfast.platform.access import api


def install(app: FastAPI) -> None:
    """Adds the routes."""
    app.include_router(api.router)
