"""The JSON door of break-glass."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.gateway.actions import lifts as actions
from holdfast.gateway.api.configuration import Admin, Reader
from holdfast.gateway.model import Lift, Lifted, Scope
from holdfast.gateway.reads import lifts as reads
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import problems, services

router = APIRouter(
    prefix="/api/v1/gateway/lifts", tags=["gateway"], responses=problems(401, 403, 404, 422, 503)
)


class LiftIn(BaseModel):
    """What gives way, until when, and who answers for it. `value` empty: every one of the scope."""

    model_config = ConfigDict(extra="forbid")
    what: Lifted = Lifted.BUDGET
    scope: Scope
    value: Annotated[str, Field(max_length=actions.MAX_NAME)] = ""
    until: datetime
    reason: Annotated[str, Field(max_length=actions.MAX_TEXT)]
    person: Annotated[str, Field(max_length=actions.MAX_NAME)] = ""
    extra: Decimal | None = None


class LiftOut(BaseModel):
    """A lift. `extra`: what budgets have more of, in their own currency; none: they stand against nothing."""

    id: str
    what: str
    scope: str
    value: str
    until: str
    extra: str | None
    person: str
    reason: str
    made_at: str
    made_by: str
    ended_at: str | None
    ended_by: str
    in_force: bool

    @classmethod
    def of(cls, one: Lift, now: datetime) -> LiftOut:
        """As it is kept."""
        return cls(
            id=one.id,
            what=one.what,
            scope=one.scope,
            value=one.value,
            until=iso(one.until),
            extra=None if one.extra is None else f"{one.extra:f}",
            person=one.person,
            reason=one.reason,
            made_at=iso(one.made_at),
            made_by=one.made_by,
            ended_at=None if one.ended_at is None else iso(one.ended_at),
            ended_by=one.ended_by,
            in_force=one.holds(now),
        )


@router.get("")
def list_lifts(
    request: Request, by: Reader, limit: Annotated[int, Field(ge=1, le=200)] = 50
) -> list[LiftOut]:
    """The latest lifts, whether they hold or have ended."""
    with services(request).database.reading() as tx:
        return [LiftOut.of(one, by.ctx.now) for one in reads.latest(by.ctx, tx, limit)]


@router.post("", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def post_lift(request: Request, by: Admin, body: LiftIn) -> LiftOut:
    """Lets requests pass hard budgets, or limits, over a value of a scope, for 24 hours at most."""
    with services(request).database.transaction() as tx:
        made = actions.lift(
            by.ctx,
            tx,
            what=body.what,
            scope=body.scope,
            value=body.value,
            until=body.until,
            reason=body.reason,
            person=body.person,
            extra=body.extra,
        )
    return LiftOut.of(made, by.ctx.now)


@router.delete("/{lift}")
def delete_lift(request: Request, by: Admin, lift: str) -> LiftOut:
    """Ends a lift before its time; one that has ended stays as it is."""
    with services(request).database.transaction() as tx:
        return LiftOut.of(actions.end_lift(by.ctx, tx, lift), by.ctx.now)
