"""How the registry plugs in: its routes."""

from __future__ import annotations

from fastapi import FastAPI

from holdfast.registry.api import registry


def install(app: FastAPI) -> None:
    """Adds the routes."""
    app.include_router(registry.router)
