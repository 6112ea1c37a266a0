"""The JSON door to calls, counts, traces, exports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.time import parse_instant
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry import actions
from holdfast.telemetry.api.answers import Calls, Count, FacetValue, TraceOut
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import calls as reads
from holdfast.telemetry.reads import shapes, traces
from holdfast.telemetry.store.calls import CallFilter

router = APIRouter(prefix="/api/v1", tags=["calls"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
FOREVER = TimeRange(shapes.instant(0), shapes.instant(2**62))
Values = Annotated[
    list[str],
    Field(default_factory=list, description="May be repeated; (unknown) finds calls that do not say."),
]


FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet")
        },
    }
}
"""How an answer is described that is a file in one of the open formats."""


class CallQuery(BaseModel):
    """Filters that calls are chosen by; each may be repeated, and all must hold."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Annotated[str, Field(alias="from", description="Began at or after (ISO 8601 with zone).")] = ""
    to: Annotated[str, Field(description="Began before (ISO 8601 with zone).")] = ""
    text: Annotated[str, Field(description="Text in captured content, or an id.", max_length=500)] = ""
    min_duration_ms: float | None = Field(None, ge=0, le=1e12)
    workspace: Annotated[str, Field(description="Workspace, for signed-in members; keys have theirs.")] = ""
    system: Values
    environment: Values
    route: Values
    agent: Values
    tenant: Values
    user: Values
    session: Values
    release: Values
    feature: Values
    provider: Values
    model: Values
    request_model: Values
    response_model: Values
    operation: Values
    kind: Values
    status: Values
    error_class: Values
    error_type: Values
    price_id: Values
    response_id: Values
    trace_id: Values
    convention: Values
    scope: Values
    service_tier: Values
    cost_source: Values
    cost_unknown_reason: Values
    configuration: Values
    streaming: Values
    refusal: Values
    sample: Values
    attempt: Values
    cache_hit: Values
    finish_reason: Values
    quality: Values


class CallPage(CallQuery):
    """A page of calls."""

    limit: int = Field(100, ge=1, le=reads.MOST_LISTED)
    cursor: str = ""
    order: Literal["time", "duration", "cost"] = "time"


class CallExport(CallQuery):
    """All calls of a filter, in a format."""

    format: Literal["csv", "jsonl", "parquet"] = "jsonl"


class CallFacets(CallQuery):
    """Dimensions to count calls by."""

    name: Annotated[list[str], Field(description="Dimensions to count by.", min_length=1, max_length=40)]


def chosen(query: CallQuery, found: Caller) -> CallFilter:
    """The filter that a query asks for, limited to what the caller may see. Raises Invalid, NotFound."""
    within = TimeRange(
        parse_instant(query.from_, "from") if query.from_ else FOREVER.start,
        parse_instant(query.to, "to") if query.to else FOREVER.end,
    )
    equals = {}
    for name in reads.FILTER_NAMES:
        asked = [value for value in getattr(query, name) if value]
        if asked:
            equals[name] = tuple("" if value == reads.UNKNOWN else value for value in asked)
    filters = CallFilter(within, equals, query.text, query.min_duration_ms)
    return reads.reachable(filters, found.reach[Scope.READ], found.reach.get(Scope.CONTENT))


@router.get("/calls")
def list_calls(request: Request, query: Annotated[CallPage, Query()], found: Reader) -> Calls:
    """Calls, the latest first, each counted once."""
    ingest(request).counter.wait()
    columns = services(request).columns
    page = reads.calls(
        columns, found.ctx.workspace, chosen(query, found), query.limit, query.cursor or None, query.order
    )
    return Calls.model_validate({"calls": page.items, "next_cursor": page.next_cursor})


@router.get("/calls/count")
def count_calls(request: Request, query: Annotated[CallQuery, Query()], found: Reader) -> Count:
    """How many calls and spans there are, each counted once. Spans heed time, system and environment alone."""
    complete = ingest(request).counter.wait()
    counted = reads.count(
        services(request).columns, found.ctx.workspace, chosen(query, found), complete=complete
    )
    return Count(calls=counted.calls, spans=counted.spans, complete=counted.complete)


@router.get("/calls/export", response_class=Response, responses=FILES)
def export_calls(
    request: Request,
    query: Annotated[CallExport, Query()],
    found: Reader,
) -> Response:
    """All calls of a filter, as CSV, JSON lines or Parquet."""
    ingest(request).counter.wait()
    columns = services(request).columns
    filters = chosen(query, found)
    with services(request).database.transaction() as tx:
        actions.export_calls(found.ctx, tx, query.format)
    name = f'attachment; filename="calls.{query.format}"'
    headers = {"content-disposition": name, "x-content-type-options": "nosniff"}
    if query.format == "parquet":
        body = reads.parquet(columns, found.ctx.workspace, filters)
        return Response(body, media_type="application/vnd.apache.parquet", headers=headers)
    rows = reads.iterate(columns, found.ctx.workspace, filters)
    made = shapes.csv_lines(rows) if query.format == "csv" else shapes.json_lines(rows)
    kind = "text/csv; charset=utf-8" if query.format == "csv" else "application/x-ndjson"
    return StreamingResponse(made, media_type=kind, headers=headers)


@router.get("/calls/facets")
def call_facets(
    request: Request,
    query: Annotated[CallFacets, Query()],
    found: Reader,
) -> dict[str, list[FacetValue]]:
    """The commonest values of dimensions, with the number of calls that have them."""
    made = reads.facets(services(request).columns, found.ctx.workspace, chosen(query, found), query.name)
    return {
        one: [FacetValue(value=value or None, calls=n) for value, n in values] for one, values in made.items()
    }


@router.get("/traces/{trace_id}")
def one_trace(request: Request, trace_id: str, found: Reader, workspace: str = "") -> TraceOut:
    """One trace: its spans with the facts read from them, and the calls they make. Content needs its own permission."""
    ingest(request).counter.wait()
    found_services = services(request)
    view = traces.trace(
        found_services.columns,
        found.ctx.workspace,
        trace_id,
        found.reach[Scope.READ],
        ingest(request).policies.overrides,
    )
    reach = found.reach.get(Scope.CONTENT)
    shown = traces.trace_json(
        view, lambda system, environment: reach is not None and reach.covers(system, environment)
    )
    if traces.shows_content(shown):
        with found_services.database.transaction() as tx:
            actions.open_content(found.ctx, tx, trace_id)
    return TraceOut.model_validate(shown)
