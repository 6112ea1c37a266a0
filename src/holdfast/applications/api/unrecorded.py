"""The JSON door to configurations seen in traffic, held against what is registered."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.applications.actions import unrecorded as actions
from holdfast.applications.governing import Finding
from holdfast.applications.model import Flagged
from holdfast.applications.reads import unrecorded as reads
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry.reads import configurations

router = APIRouter(
    prefix="/api/v1/unrecorded", tags=["configurations"], responses=problems(401, 403, 404, 409, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Words = Annotated[str, Field(max_length=4000)]


class RegisterIn(BaseModel):
    """How to register what a configuration was sent; the prompt's name is that of its route where none is given."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=120)] = ""
    rationale: Words = ""
    ticket: Annotated[str, Field(max_length=200)] = ""


class RaiseIn(BaseModel):
    """What to tell those who are told."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[str, Field(max_length=actions.MAX_NOTE)] = ""


class RegisteredOut(BaseModel):
    """The release that says it from now on."""

    release: str


class FlaggedOut(BaseModel):
    """When it was found, and by whom it was raised; null where nobody did."""

    found_at: str
    raised_at: str | None
    raised_by: str | None
    note: str | None

    @classmethod
    def of(cls, one: Flagged) -> FlaggedOut:
        """As it is kept."""
        return cls(
            found_at=iso(one.found_at),
            raised_at=iso(one.raised_at) if one.raised_at else None,
            raised_by=one.raised_by_name or None,
            note=one.note or None,
        )


class FindingOut(BaseModel):
    """A configuration and how it stands to the registry. `unknown`: nothing differs, but the parts under `unseen` could not
    be seen. `release` says it, or is the nearest; `differs` from that. `deployment`: the announced one that could have
    brought it; null: who did is unknown. `flagged` is null until people were told.
    """

    configuration: str
    match: Literal["recorded", "unrecorded", "unknown"]
    system: str | None
    route: str | None
    model: str | None
    answered_by: str | None
    release: str | None
    differs: list[str]
    unseen: list[str]
    prompt: str | None
    prompt_version: int | None
    changed: list[str]
    calls: int
    first_call: dict[str, str]
    last_call_at: str
    deployment: str | None
    flagged: FlaggedOut | None


@router.get("")
def listed(
    request: Request,
    by: Reader,
    system: Annotated[str | None, Query(max_length=200)] = None,
    match: Annotated[Literal["recorded", "unrecorded", "unknown"] | None, Query()] = None,
) -> list[FindingOut]:
    """Every configuration that calls of the last seven days ran under, the latest first; no sample data."""
    held = services(request)
    found = reads.findings(by.ctx, held.columns, held.database, system)
    return [out(one) for one in found if match is None or one.compared.match == match]


@router.post("/{configuration}/register", status_code=201)
def register(request: Request, by: Operator, configuration: str, body: RegisterIn) -> RegisteredOut:
    """Registers what its first call was sent; takes the permission to read content."""
    held = services(request)
    one = reads.finding(by.ctx, held.columns, held.database, configuration)
    sent = reads.sent(by, held.columns, one)
    with held.database.transaction() as tx:
        made = actions.register(by.ctx, tx, one, sent, **body.model_dump())
    return RegisteredOut(release=made.id)


@router.post("/{configuration}/raise")
def raise_it(request: Request, by: Operator, configuration: str, body: RaiseIn) -> FlaggedOut:
    """Tells those who are told of this workspace, so that somebody answers for it."""
    held = services(request)
    one = reads.finding(by.ctx, held.columns, held.database, configuration)
    with held.database.transaction() as tx:
        return FlaggedOut.of(actions.raise_it(by.ctx, tx, one, body.note))


def out(one: Finding) -> FindingOut:
    """As JSON."""
    seen = one.seen
    return FindingOut(
        configuration=seen.id,
        match=one.compared.match.value,
        system=seen.system or None,
        route=seen.route or None,
        model=configurations.described(seen.parts)["model"],
        answered_by=seen.model,
        release=one.compared.release,
        differs=list(one.compared.differs),
        unseen=list(one.compared.unseen),
        prompt=one.version.name if one.version else None,
        prompt_version=one.version.number if one.version else None,
        changed=list(seen.changed),
        calls=seen.calls,
        first_call={"id": seen.first_call, "trace_id": seen.first_trace, "at": iso(seen.first_at)},
        last_call_at=iso(seen.last_at),
        deployment=one.deployment.id if one.deployment else None,
        flagged=FlaggedOut.of(one.flagged) if one.flagged else None,
    )
