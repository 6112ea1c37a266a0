"""How pricing plugs in."""

from __future__ import annotations

from fastapi import FastAPI

from holdfast.platform.frame import Frame
from holdfast.pricing import api, pages


def install(app: FastAPI, frame: Frame) -> None:
    """Adds the routes and the section of the settings."""
    app.include_router(api.router)
    app.include_router(pages.router)
    frame.sections.append(("Price book", "prices", "coin"))
