"""What only the command line may ask of a running core, through the data folder's own socket."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi.responses import StreamingResponse

from holdfast import backups
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.platform.access.guard import LOCAL, local_caller, services
from holdfast.storage import backup as snapshots
from holdfast.telemetry.ingest.imports import Imports, Summary
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.model import ImportProgress, VendorUsage

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


Sent = Annotated[bytes, Body(media_type="application/msgpack")]
_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_rows = msgspec.msgpack.Decoder(list[VendorUsage]).decode
_summary = msgspec.msgpack.Decoder(tuple[Summary, bool]).decode
_progress = msgspec.msgpack.Decoder(ImportProgress).decode


def _import(request: Request) -> tuple[Context, Imports]:
    """Who imports, and the receiving end. Raises NotFound over any other way than the data folder's own socket."""
    by = local_caller(request)
    if by is None:
        raise NotFound("there is nothing here")
    return by.ctx, request.app.state.imports


Receiving = Annotated[tuple[Context, Imports], Depends(_import)]


@router.post("/import/begin")
def begin(receiving: Receiving, body: Sent) -> Response:
    """How far an unfinished import has come; the body is the digest of its file."""
    ctx, imports = receiving
    return Response(_encode(imports.begin(ctx, body.decode("ascii", "replace"))))


@router.post("/import/calls")
def take(receiving: Receiving, body: Sent) -> Response:
    """Stores a batch of spans; answers once they are on disk."""
    ctx, imports = receiving
    return Response(_encode(imports.take(ctx, body)))


@router.post("/import/usage")
def usage(receiving: Receiving, body: Sent) -> Response:
    """Keeps rows of vendors' own counting."""
    ctx, imports = receiving
    return Response(_encode(imports.usage(ctx, _rows(body))))


@router.post("/import/progress")
def progress(receiving: Receiving, body: Sent) -> Response:
    """Keeps how far an import has come."""
    ctx, imports = receiving
    imports.note(ctx, _progress(body))
    return Response()


@router.post("/import/end")
def end(receiving: Receiving, body: Sent) -> Response:
    """Ends an import; tells which models have no price."""
    ctx, imports = receiving
    summary, complete = _summary(body)
    return Response(_encode(imports.finish(ctx, summary, complete=complete)))
