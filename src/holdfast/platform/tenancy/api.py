"""The JSON door of tenancy: workspaces, AI systems, environments, data policies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.errors import Denied
from holdfast.kernel.time import iso
from holdfast.platform.access.actions import members
from holdfast.platform.access.guard import caller, problems, reachable_workspaces, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.tenancy import actions, reads
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy, Environment, RiskTier, System, Workspace

router = APIRouter(prefix="/api/v1", tags=["workspaces"], responses=problems(401, 403, 404, 422, 503))
Text = Annotated[str, Field(max_length=200)]
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN))]
WorkspaceAdmin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]


class Body(BaseModel):
    """What requests send: nothing but what is named."""

    model_config = ConfigDict(extra="forbid")


class WorkspaceOut(BaseModel):
    """A client boundary; `zone` is the time zone of its days."""

    id: str
    slug: str
    name: str
    zone: str
    created_at: str

    @classmethod
    def of(cls, one: Workspace) -> WorkspaceOut:
        """As it is kept."""
        return cls(id=one.id, slug=one.slug, name=one.name, zone=one.zone, created_at=iso(one.created_at))


class WorkspaceIn(Body):
    """A workspace to make. The short name stands in every link and never changes."""

    slug: Annotated[str, Field(max_length=63)]
    name: Text = ""
    zone: Annotated[str, Field(max_length=64)] = "UTC"


class WorkspaceChange(Body):
    """What may change of a workspace."""

    name: Text
    zone: Annotated[str, Field(max_length=64)] = "UTC"


class SystemIn(Body):
    """What must be said of an AI system before anybody answers for it."""

    name: Text
    purpose: Annotated[str, Field(max_length=10_000)]
    owner: Text
    sponsor: Text
    escalation_contact: Text
    risk_tier: RiskTier = RiskTier.UNASSESSED
    regions: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)] = Field(
        default_factory=list
    )


class SystemOut(SystemIn):
    """One AI system in scope. `slug` is what telemetry calls it."""

    id: str
    slug: str
    created_at: str

    @classmethod
    def of(cls, one: System) -> SystemOut:
        """As it is kept."""
        return cls(
            id=one.id,
            slug=one.slug,
            name=one.name,
            purpose=one.purpose,
            owner=one.owner,
            sponsor=one.sponsor,
            escalation_contact=one.escalation_contact,
            risk_tier=one.risk_tier,
            regions=list(one.regions),
            created_at=iso(one.created_at),
        )


class EnvironmentIn(Body):
    """An environment's name for people."""

    name: Text = ""


class EnvironmentOut(BaseModel):
    """Where systems run."""

    id: str
    slug: str
    name: str
    created_at: str

    @classmethod
    def of(cls, one: Environment) -> EnvironmentOut:
        """As it is kept."""
        return cls(id=one.id, slug=one.slug, name=one.name, created_at=iso(one.created_at))


class PolicyIn(Body):
    """What is captured, and how many days each class of data is kept."""

    capture: CaptureMode = CaptureMode.REDACTED
    sample_rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    redact_kinds: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=40)] = Field(
        default_factory=lambda: ["email", "phone", "iban", "card", "key"]
    )
    dlp_webhook: Annotated[str, Field(max_length=2000)] = ""
    content_days: Annotated[int, Field(ge=1, le=36500)] = 30
    span_days: Annotated[int, Field(ge=1, le=36500)] = 400
    call_days: Annotated[int, Field(ge=1, le=36500)] = 800


class PolicyOut(PolicyIn):
    """A data policy. An empty `system` is the workspace's own; `set` is false where it is the default."""

    system: str
    set: bool

    @classmethod
    def of(cls, one: DataPolicy, *, is_set: bool) -> PolicyOut:
        """As it is kept."""
        return cls(
            system=one.system,
            set=is_set,
            capture=one.capture,
            sample_rate=one.sample_rate,
            redact_kinds=list(one.redact_kinds),
            dlp_webhook=one.dlp_webhook,
            content_days=one.content_days,
            span_days=one.span_days,
            call_days=one.call_days,
        )


def _over_system(by: Caller, system: str) -> None:
    if not by.reach[Scope.ADMIN].covers(system, ""):
        raise Denied("this needs the permission 'admin' over all that it concerns")


@router.get("/workspaces", responses=problems(401))
def list_workspaces(request: Request) -> list[WorkspaceOut]:
    """The workspaces that you have a role in; for an API key, its own."""
    return [WorkspaceOut.of(one) for one in reachable_workspaces(request)]


@router.post("/workspaces", status_code=201, responses=problems(401, 403, 404, 409, 422))
def create_workspace(request: Request, by: WorkspaceAdmin, body: WorkspaceIn) -> WorkspaceOut:
    """Makes a workspace. Its admin is the member who makes it; for an API key, the admins of the key's own."""
    with services(request).database.transaction() as tx:
        made = actions.create_workspace(by.ctx, tx, body.slug, body.name, body.zone)
        members.found_workspace(by, tx, made.id)
    return WorkspaceOut.of(made)


@router.patch("/workspaces/{workspace}", responses=problems(401, 403, 404, 422))
def rename_workspace(
    request: Request, by: WorkspaceAdmin, workspace: str, body: WorkspaceChange
) -> WorkspaceOut:
    """Changes the name and the time zone of the workspace with this short name."""
    with services(request).database.transaction() as tx:
        return WorkspaceOut.of(actions.rename_workspace(by.ctx, tx, body.name, body.zone))


@router.get("/systems", responses=problems(401, 403, 404, 422))
def list_systems(request: Request, by: Reader) -> list[SystemOut]:
    """The registered AI systems that you may read."""
    with services(request).database.reading() as tx:
        found = reads.systems(tx, by.ctx.workspace)
    seen = {system for system, _ in by.reach[Scope.READ].pairs}
    return [SystemOut.of(one) for one in found if "" in seen or one.slug in seen]


@router.put("/systems/{system:path}", responses=problems(401, 403, 404, 422))
def put_system(request: Request, by: Admin, system: Text, body: SystemIn) -> SystemOut:
    """Registers an AI system under the name that its telemetry carries, or changes what is said of it."""
    _over_system(by, system)
    with services(request).database.transaction() as tx:
        return SystemOut.of(
            actions.register_system(
                by.ctx,
                tx,
                slug=system,
                name=body.name,
                purpose=body.purpose,
                owner=body.owner,
                sponsor=body.sponsor,
                escalation_contact=body.escalation_contact,
                risk_tier=body.risk_tier,
                regions=tuple(body.regions),
            )
        )


@router.get("/environments", responses=problems(401, 403, 404, 422))
def list_environments(request: Request, by: Reader) -> list[EnvironmentOut]:
    """The registered environments that you may read."""
    with services(request).database.reading() as tx:
        found = reads.environments(tx, by.ctx.workspace)
    seen = {environment for _, environment in by.reach[Scope.READ].pairs}
    return [EnvironmentOut.of(one) for one in found if "" in seen or one.slug in seen]


@router.put("/environments/{environment:path}", responses=problems(401, 403, 404, 422))
def put_environment(
    request: Request, by: WorkspaceAdmin, environment: Text, body: EnvironmentIn
) -> EnvironmentOut:
    """Registers an environment; one that is there stays as it is."""
    with services(request).database.transaction() as tx:
        return EnvironmentOut.of(actions.ensure_environment(by.ctx, tx, environment, body.name))


@router.get("/data-policies", responses=problems(401, 403, 404, 422))
def list_policies(request: Request, by: Admin) -> list[PolicyOut]:
    """The workspace's data policy (with its defaults where none was set), then those of single systems."""
    with services(request).database.reading() as tx:
        found = reads.policies(tx, by.ctx.workspace)
    own = PolicyOut.of(found.get("", DataPolicy(by.ctx.workspace)), is_set="" in found)
    covers = by.reach[Scope.ADMIN].covers
    return [own] + [
        PolicyOut.of(found[slug], is_set=True) for slug in sorted(found) if slug and covers(slug, "")
    ]


@router.put("/data-policies", responses=problems(401, 403, 404, 422))
def put_policy(request: Request, by: Admin, body: PolicyIn, system: Text = "") -> PolicyOut:
    """Sets the data policy of the workspace, or of one system in it (`?system=`)."""
    _over_system(by, system)
    policy = DataPolicy(
        workspace=by.ctx.workspace,
        system=system,
        capture=body.capture,
        sample_rate=body.sample_rate,
        redact_kinds=tuple(body.redact_kinds),
        dlp_webhook=body.dlp_webhook,
        content_days=body.content_days,
        span_days=body.span_days,
        call_days=body.call_days,
    )
    with services(request).database.transaction() as tx:
        actions.set_policy(by.ctx, tx, policy)
    return PolicyOut.of(policy, is_set=True)
