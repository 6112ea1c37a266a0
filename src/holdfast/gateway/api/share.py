"""The JSON door of the share of traffic that passes through Holdfast."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from holdfast.gateway.api.configuration import Reader
from holdfast.gateway.reads import share as reads
from holdfast.platform.access.guard import problems, services

router = APIRouter(
    prefix="/api/v1/gateway/share", tags=["gateway"], responses=problems(401, 403, 404, 422, 503)
)


class ShareOut(BaseModel):
    """A system's calls, those of them that a gateway recorded, and their share; none: there was no call.

    `estimated`: from the calls of some traces, because there were very many.
    """

    system: str | None
    calls: int
    through_gateway: int
    share: float | None
    estimated: bool


@router.get("")
def get_share(
    request: Request, by: Reader, window: Annotated[Literal["24h", "7d"], Query()] = "24h"
) -> list[ShareOut]:
    """By system, which share of its calls passes through Holdfast. Sample data and failed attempts do not count."""
    found = services(request)
    with found.database.reading() as tx:
        systems = reads.systems(by.ctx, tx)
    return [
        ShareOut(
            system=one.system or None,
            calls=one.calls,
            through_gateway=one.observed,
            share=one.share,
            estimated=one.estimated,
        )
        for one in reads.share(by.ctx, found.columns, window, systems)
    ]
