"""How applications plug in: their routes."""

from __future__ import annotations

from fastapi import FastAPI

from holdfast.applications.api import deployments, flags, prompts


def install(app: FastAPI) -> None:
    """Adds the routes."""
    for router in (prompts.router, flags.router, deployments.router):
        app.include_router(router)
