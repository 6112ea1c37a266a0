"""What only the command line may ask of a running core, through the data folder's own socket."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from holdfast import backups
from holdfast.kernel.errors import NotFound
from holdfast.platform.access.guard import LOCAL, services
from holdfast.storage import backup as snapshots
from holdfast.telemetry.ingest.service import Ingest

router = APIRouter(prefix="/local", include_in_schema=False)


@router.get("/backup")
def backup(request: Request) -> StreamingResponse:
    """A backup of the data folder as a tar, while everything goes on."""
    if request.scope.get(LOCAL) is not True:
        raise NotFound("there is nothing here")
    found = services(request)
    ingest: Ingest = request.app.state.ingest
    snapshots.check_embedded(found.settings.columns, found.settings.sql)
    made = backups.chunks(found.settings, found.database, found.columns, ingest.paused())
    return StreamingResponse(made, media_type="application/x-tar")
