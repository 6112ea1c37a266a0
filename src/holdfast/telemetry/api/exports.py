"""The JSON door to whole exports: everything that telemetry keeps of a workspace, in open formats."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry import actions
from holdfast.telemetry.api.calls import FILES
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.reads import exports

router = APIRouter(prefix="/api/v1", tags=["exports"], responses=problems(401, 403, 404, 422, 503))
WholeReader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


@router.get("/exports/{what}", response_class=StreamingResponse, responses=FILES)
def export(
    request: Request,
    by: WholeReader,
    what: Literal["calls", "operations", "spans", "metrics", "logs", "evaluations"],
    format: Literal["csv", "jsonl", "parquet"] = "jsonl",
    workspace: str = "",
) -> StreamingResponse:
    """Every row of a kind. Captured content goes with it where the caller may read content in the whole workspace."""
    ingest(request).counter.wait()
    found = services(request)
    content = Scope.CONTENT in by.reach and by.reach[Scope.CONTENT].everywhere
    made = exports.export(
        found.columns, by.ctx.workspace, what, format, found.settings.data / "tmp", content=content
    )
    with found.database.transaction() as tx:
        actions.export(by.ctx, tx, what, format, content=content)
    headers = {
        "content-disposition": f'attachment; filename="{what}.{format}"',
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(made, media_type=MEDIA_TYPES[format], headers=headers)
