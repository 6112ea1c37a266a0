"""The JSON door to pricing the past anew, and to counting it anew."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.errors import Invalid
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry import actions
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import past as reads
from holdfast.telemetry.reads.past import PastJob, PastKind

router = APIRouter(prefix="/api/v1", responses=problems(401, 403, 404, 409, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]


class NewPastJob(BaseModel):
    """Which calls: those that began at or after `from` and before `to`, of one system or all."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: datetime = Field(alias="from")
    to: datetime
    system: str = Field(default="", max_length=512)


class PastJobOut(BaseModel):
    """A job and how far it is. Amounts are decimal texts by currency, of all calls that were looked at.

    `before` and `after` are null where they were not noted. `seen` of `calls` or `traces` are done.
    """

    id: str
    from_: str = Field(alias="from", serialization_alias="from")
    to: str
    system: str | None
    requested_at: str
    requested_by: str | None
    finished_at: str | None
    calls: int
    seen: int
    changed: int
    before: dict[str, str] | None
    after: dict[str, str] | None
    difference: dict[str, str]


class RecountOut(PastJobOut):
    """A job that counts calls anew: `seen` of `traces` are done, and `calls` are those that were looked at.

    Of these, `changed` were written again, `gone` turned out to be none, and `left` were left as they are, because spans
    of theirs have expired or a legal hold covers them. `new` were not counted before.
    """

    traces: int
    unchanged: int
    new: int
    gone: int
    left: int


def _begin(request: Request, by: Caller, kind: PastKind, asked: NewPastJob) -> PastJob:
    for name, instant in (("from", asked.from_), ("to", asked.to)):
        if instant.tzinfo is None:
            raise Invalid("this instant has no time zone; add Z for UTC", where=name)
    held = services(request)
    within = TimeRange(asked.from_, asked.to)
    total = reads.total(held.columns, by.ctx.workspace, kind, within, asked.system)
    with held.database.transaction() as tx:
        return actions.begin_past(by.ctx, tx, kind, (asked.from_, asked.to), asked.system, total)


@router.get("/repricings", tags=["price book"])
def list_repricings(request: Request, by: Reader, workspace: str = "") -> list[PastJobOut]:
    """The jobs that price calls anew, the latest first, with their progress."""
    with services(request).database.reading() as tx:
        found = reads.jobs(tx, by.ctx.workspace, PastKind.PRICE)
    return [PastJobOut(**reads.shown(job)) for job in found]


@router.post("/repricings", status_code=202, tags=["price book"])
def begin_repricing(request: Request, by: Admin, asked: NewPastJob, workspace: str = "") -> PastJobOut:
    """Prices the calls of a window anew, each as of its own time, by the price book and list prices of today."""
    return PastJobOut(**reads.shown(_begin(request, by, PastKind.PRICE, asked)))


@router.get("/recounts", tags=["calls"])
def list_recounts(request: Request, by: Reader, workspace: str = "") -> list[RecountOut]:
    """The jobs that count calls anew, the latest first, with their progress."""
    with services(request).database.reading() as tx:
        found = reads.jobs(tx, by.ctx.workspace, PastKind.COUNT)
    return [RecountOut(**reads.shown(job)) for job in found]


@router.post("/recounts", status_code=202, tags=["calls"])
def begin_recount(request: Request, by: Admin, asked: NewPastJob, workspace: str = "") -> RecountOut:
    """Counts the calls of a window anew from their stored spans, by the conventions and rules of today."""
    return RecountOut(**reads.shown(_begin(request, by, PastKind.COUNT, asked)))
