"""The JSON door to configurations seen in traffic."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry.api.calls import CallQuery, chosen
from holdfast.telemetry.api.metrics import plain
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import configurations as reads
from holdfast.telemetry.reads.configurations import Observed
from holdfast.telemetry.store.calls import CallFilter

router = APIRouter(prefix="/api/v1", tags=["configurations"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ))]


class ConfigurationOut(BaseModel):
    """A configuration as one model answered it. The prompt and the tools are told apart by fingerprints; no text is
    kept here. `changed` says what differs from `before`, the one that the route ran until then.
    """

    id: str
    system: str | None
    route: str | None
    answered_by: str | None
    model: str | None
    parameters: dict[str, str]
    retrieval: dict[str, str]
    prompt_sentences: int | None
    prompt_varies: bool | None
    tools: list[str] | None
    calls: int
    first_call: dict[str, str]
    last_call_at: str
    before: str | None
    changed: list[str]
    figures: dict[str, Any]
    figures_before: dict[str, Any]


@router.get("/configurations")
def list_configurations(
    request: Request, query: Annotated[CallQuery, Query()], found: Reader
) -> list[ConfigurationOut]:
    """Configurations that calls ran under, by their first call in the window; the last 7 days unless told otherwise."""
    ingest(request).counter.wait()
    filters = chosen(query, found)
    end = filters.within.end if query.to else found.ctx.now
    start = filters.within.start if query.from_ else end - timedelta(days=7)
    limited = CallFilter(TimeRange(start, end), filters.equals, pairs=filters.pairs)
    held = services(request)
    seen = reads.observed(held.columns, held.database, found.ctx.workspace, limited)
    return [shown(one) for one in seen]


def shown(one: Observed) -> ConfigurationOut:
    """A configuration as JSON."""
    return ConfigurationOut(
        id=one.id,
        system=one.system or None,
        route=one.route or None,
        answered_by=one.model,
        **reads.described(one.parts),
        calls=one.calls,
        first_call={"id": one.first_call, "trace_id": one.first_trace, "at": iso(one.first_at)},
        last_call_at=iso(one.last_at),
        before=one.before,
        changed=list(one.changed),
        figures={name: plain(value) for name, value in one.figures.items()},
        figures_before={name: plain(value) for name, value in one.figures_before.items()},
    )
