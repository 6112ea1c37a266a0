"""The JSON door to pricing the past anew."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry import actions
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import repricing as reads
from holdfast.telemetry.reads.repricing import Repricing

router = APIRouter(
    prefix="/api/v1/repricings", tags=["price book"], responses=problems(401, 403, 404, 409, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]


class NewRepricing(BaseModel):
    """Which calls: those that began at or after `from` and before `to`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: datetime = Field(alias="from")
    to: datetime


class RepricingOut(BaseModel):
    """A job and how far it is. `difference` is by how much amounts changed, decimal texts by currency."""

    id: str
    from_: str = Field(serialization_alias="from")
    to: str
    requested_at: str
    finished_at: str | None
    calls: int
    seen: int
    changed: int
    difference: dict[str, str]


def shown(job: Repricing) -> RepricingOut:
    """A job as JSON."""
    return RepricingOut(
        id=job.id,
        from_=iso(job.from_at),
        to=iso(job.to_at),
        requested_at=iso(job.requested_at),
        finished_at=iso(job.finished_at) if job.finished_at else None,
        calls=job.total,
        seen=job.seen,
        changed=job.changed,
        difference=json.loads(job.difference),
    )


@router.get("")
def list_repricings(request: Request, by: Reader, workspace: str = "") -> list[RepricingOut]:
    """The jobs, the latest first, with their progress."""
    with services(request).database.reading() as tx:
        return [shown(job) for job in reads.jobs(tx, by.ctx.workspace)]


@router.post("", status_code=202)
def begin_repricing(request: Request, by: Admin, asked: NewRepricing, workspace: str = "") -> RepricingOut:
    """Prices the calls of a window anew, each as of its own time, by the price book and list prices of today."""
    for name, instant in (("from", asked.from_), ("to", asked.to)):
        if instant.tzinfo is None:
            raise Invalid("this instant has no time zone; add Z for UTC", where=name)
    held = services(request)
    total = reads.total(held.columns, by.ctx.workspace, TimeRange(asked.from_, asked.to))
    with held.database.transaction() as tx:
        return shown(actions.begin_repricing(by.ctx, tx, asked.from_, asked.to, total))
