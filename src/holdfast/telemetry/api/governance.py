"""The JSON door to legal holds and the erasing of persons."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.erasure import erase_person
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.reads import governance as reads
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.store.control import Erasure

router = APIRouter(prefix="/api/v1", tags=["governance"], responses=problems(401, 403, 404, 422, 503))
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]


class HoldIn(BaseModel):
    """What to hold: records of a system and a user (empty: all) that began in a time range."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    system: Annotated[str, Field(max_length=200)] = ""
    user: Annotated[str, Field(max_length=400)] = ""
    from_: Annotated[str, Field(alias="from", description="ISO 8601 with zone.")] = "1970-01-01T00:00:00Z"
    to: Annotated[str, Field(description="ISO 8601 with zone.")] = "2100-01-01T00:00:00Z"


class HoldOut(BaseModel):
    """A legal hold; `released_at` is null while it holds."""

    id: str
    reason: str
    system: str
    user: str
    from_: Annotated[str, Field(serialization_alias="from")]
    to: str
    created_at: str
    released_at: str | None

    @classmethod
    def of(cls, one: Hold) -> HoldOut:
        """As it is kept."""
        return cls(
            id=one.id,
            reason=one.reason,
            system=one.system,
            user=one.user,
            from_=iso(one.from_at),
            to=iso(one.to_at),
            created_at=iso(one.created_at),
            released_at=iso(one.released_at) if one.released_at else None,
        )


class ErasureIn(BaseModel):
    """Whom to erase: the user id or e-mail address that telemetry carries."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(min_length=1, max_length=400)]


class ErasureOut(BaseModel):
    """An erasure. The person is a salted hash: the first 16 characters are the salt."""

    id: str
    subject_hash: str
    requested_at: str
    done_at: str | None
    counts: dict[str, int]

    @classmethod
    def of(cls, one: Erasure) -> ErasureOut:
        """As it is kept."""
        return cls(
            id=one.id,
            subject_hash=one.subject_hash,
            requested_at=iso(one.requested_at),
            done_at=iso(one.done_at) if one.done_at else None,
            counts=one.counts,
        )


@router.get("/holds", responses=problems(401, 403, 404, 422))
def list_holds(request: Request, by: Admin) -> list[HoldOut]:
    """Every legal hold, released ones included, the oldest first."""
    with services(request).database.reading() as tx:
        return [HoldOut.of(one) for one in reads.holds(by.ctx, tx)]


@router.post("/holds", status_code=201, responses=problems(401, 403, 404, 422))
def place_hold(request: Request, by: Admin, body: HoldIn) -> HoldOut:
    """Puts records under a legal hold; neither retention nor erasure touches them until it is released."""
    start, end = parse_instant(body.from_, "from"), parse_instant(body.to, "to")
    with services(request).database.transaction() as tx:
        made = actions.place_hold(by.ctx, tx, body.reason, body.system, body.user, start, end)
    ingest(request).policies.holds.forget()
    return HoldOut.of(made)


@router.post("/holds/{hold}/release", responses=problems(401, 403, 404, 409, 422))
def release_hold(request: Request, by: Admin, hold: str) -> HoldOut:
    """Ends a hold; what no other hold covers expires by the data policy again."""
    with services(request).database.transaction() as tx:
        done = actions.release_hold(by.ctx, tx, hold)
    ingest(request).policies.holds.forget()
    return HoldOut.of(done)


@router.get("/erasures", responses=problems(401, 403, 404, 422))
def list_erasures(request: Request, by: Admin) -> list[ErasureOut]:
    """Every erasure, the latest first."""
    with services(request).database.reading() as tx:
        return [ErasureOut.of(one) for one in reads.erasures(by.ctx, tx)]


@router.post("/erasures", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def erase(request: Request, by: Admin, body: ErasureIn) -> ErasureOut:
    """Erases a person everywhere; counts and costs stay. Refused (409) where a legal hold covers any of it."""
    found = services(request)
    erasers: list[actions.Eraser] = request.app.state.erasers
    done = erase_person(by.ctx, found.database, found.columns, ingest(request), body.subject, erasers)
    return ErasureOut.of(done)
