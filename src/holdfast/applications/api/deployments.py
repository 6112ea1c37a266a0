"""The JSON door of deployments: pipelines announce what they deployed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from holdfast.applications.actions import deployments as actions
from holdfast.applications.model import Deployment
from holdfast.applications.reads import deployments as reads
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(
    prefix="/api/v1/deployments", tags=["deployments"], responses=problems(401, 403, 404, 409, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Name = Annotated[str, Field(max_length=200)]


class DeploymentIn(BaseModel):
    """What was deployed. One of version, commit, release and configuration is said. Without `at`: now; without `id` it is
    another deployment each time.
    """

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str | None, Field(min_length=1, max_length=120)] = None
    system: Annotated[str, Field(min_length=1, max_length=200)]
    environment: Name = ""
    version: Name = ""
    commit: Name = ""
    release: Annotated[str, Field(max_length=40)] = ""
    configuration: Annotated[str, Field(max_length=16)] = ""
    link: Annotated[str, Field(max_length=1000)] = ""
    note: Annotated[str, Field(max_length=2000)] = ""
    author: Name = ""
    at: AwareDatetime | None = None


class DeploymentOut(BaseModel):
    """A deployment as announced: `at` when it was deployed, `received_at` when it was announced, by a key or a member."""

    id: str
    system: str
    environment: str | None
    version: str | None
    commit: str | None
    release: str | None
    configuration: str | None
    link: str | None
    note: str | None
    author: str | None
    at: str
    received_at: str
    by: str


def out(one: Deployment) -> DeploymentOut:
    """As JSON."""
    return DeploymentOut(
        id=one.id,
        system=one.system,
        environment=one.environment or None,
        version=one.version or None,
        commit=one.commit or None,
        release=one.release or None,
        configuration=one.configuration or None,
        link=one.link or None,
        note=one.note or None,
        author=one.author or None,
        at=iso(one.at),
        received_at=iso(one.received_at),
        by=one.by,
    )


@router.get("")
def listed(
    request: Request,
    by: Reader,
    system: Annotated[str | None, Query(max_length=200)] = None,
    before: Annotated[AwareDatetime | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DeploymentOut]:
    """The latest first; `before`: those deployed before an instant."""
    with services(request).database.reading() as tx:
        found = reads.deployments(by.ctx, tx, system=system, before=before, limit=limit)
        return [out(one) for one in found]


@router.post("", status_code=201, responses={200: {"description": "It was announced before"}})
def announce(request: Request, response: Response, by: Operator, body: DeploymentIn) -> DeploymentOut:
    """Announces a deployment; the same one under the same id again is answered with 200 and kept once."""
    one = Deployment(
        workspace=by.ctx.workspace,
        id=body.id or new_id("dep"),
        received_at=by.ctx.now,
        by=by.ctx.actor.id,
        at=body.at or by.ctx.now,
        **body.model_dump(exclude={"id", "at"}),
    )
    with services(request).database.transaction() as tx:
        made, new = actions.announce(by.ctx, tx, one)
    response.status_code = 201 if new else 200
    return out(made)
