"""The JSON door of the gateway: the configuration, its versions, what gateways say of themselves."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from holdfast.gateway import actions
from holdfast.gateway.model import Dialect, Dimensions, Version
from holdfast.gateway.reads import applied as reads
from holdfast.gateway.reads import explained
from holdfast.gateway.reads.states import States
from holdfast.gateway.rules.differences import Change
from holdfast.gateway.rules.written import Fault
from holdfast.gateway.states import LiveRequest, State, UpstreamState
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.secrets.reads import sealing_key
from holdfast.pricing.reads import Pricer

router = APIRouter(prefix="/api/v1/gateway", tags=["gateway"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
YAML = "application/yaml"
Document = Annotated[
    Any, Body(description="The whole configuration, as JSON or YAML; see the reference of the gateway.")
]
Name = Annotated[str, Field(max_length=100)]
Number = Annotated[int, Field(ge=0, le=1 << 53)]
EITHER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            YAML: {"schema": {"type": "string"}},
        },
    }
}


class FaultOut(BaseModel):
    """What is wrong, or worth knowing, and where."""

    where: str
    reason: str

    @classmethod
    def of(cls, one: Fault) -> FaultOut:
        """As it was found."""
        return cls(where=one.where, reason=one.what)


class ChangeOut(BaseModel):
    """One part that differs. `what`: added, removed or changed; `fields`: which of its fields."""

    where: str
    what: str
    fields: list[str]

    @classmethod
    def of(cls, one: Change) -> ChangeOut:
        """As it was found."""
        return cls(where=one.where, what=one.what, fields=list(one.fields))


class VersionOut(BaseModel):
    """A version, without what it says. `version` 0, with no instant, is that there is none yet."""

    version: int
    applied_at: str | None
    applied_by: str | None
    note: str

    @classmethod
    def of(cls, one: Version) -> VersionOut:
        """As it is kept."""
        return cls(
            version=one.version, applied_at=iso(one.applied_at), applied_by=one.applied_by, note=one.note
        )


class ConfigurationOut(VersionOut):
    """A version with what it says. `release_ids`: the id of each release's content."""

    configuration: dict[str, Any]
    release_ids: dict[str, str]

    @classmethod
    def of_version(cls, one: Version | None) -> ConfigurationOut:
        """As it is kept, or what there is before the first."""
        if one is None:
            return cls(version=0, applied_at=None, applied_by=None, note="", configuration={}, release_ids={})
        head = VersionOut.of(one).model_dump()
        return cls(**head, configuration=dict(one.document), release_ids=dict(one.release_ids))


class AppliedOut(BaseModel):
    """The version now in force, and how it differs from the one before; no changes: it said the same."""

    version: int
    changes: list[ChangeOut]
    warnings: list[FaultOut]
    release_ids: dict[str, str]


class CheckOut(BaseModel):
    """What applying would do. With any of `errors` nothing. `version` is the one in force."""

    version: int
    errors: list[FaultOut]
    warnings: list[FaultOut]
    changes: list[ChangeOut]


class SecretIn(BaseModel):
    """A credential of an upstream. It is not shown again."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[SecretStr, Field(max_length=8000)]


class SecretOut(BaseModel):
    """A credential's name, and what an upstream's `credential` says to use it."""

    name: str
    reference: str


class AskIn(BaseModel):
    """A request to be explained: what it would name, and the id of the key it would come with."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=300)]
    dialect: Dialect = Dialect.OPENAI
    key: Annotated[str, Field(max_length=100)] = ""
    route: Annotated[str, Field(max_length=300)] = ""
    system: Annotated[str, Field(max_length=300)] = ""
    environment: Annotated[str, Field(max_length=300)] = ""
    agent: Annotated[str, Field(max_length=300)] = ""
    tenant: Annotated[str, Field(max_length=300)] = ""
    user: Annotated[str, Field(max_length=300)] = ""
    session: Annotated[str, Field(max_length=300)] = ""
    feature: Annotated[str, Field(max_length=300)] = ""
    run: Annotated[str, Field(max_length=300)] = ""


class StopOut(BaseModel):
    """One upstream of the chain, in the order in which they are tried."""

    upstream: str
    provider: str
    model: str
    dialect: str
    region: str
    translated: bool
    priced: bool


class ExplainedOut(BaseModel):
    """What would become of a request. `refused` says why it would not be served."""

    version: int
    steps: list[str]
    dimensions: dict[str, str]
    release: str
    release_id: str
    chain: list[StopOut]
    budgets: list[str]
    refused: str

    @classmethod
    def of(cls, told: explained.Explained) -> ExplainedOut:
        """As it was worked out."""
        return cls(
            version=told.version,
            steps=list(told.steps),
            dimensions={name: getattr(told.dimensions, name) for name in Dimensions.__struct_fields__},
            release=told.release,
            release_id=told.release_id,
            chain=[StopOut(**asdict(one)) for one in told.chain],
            budgets=list(told.budgets),
            refused=told.refused,
        )


class UpstreamOut(BaseModel):
    """How an upstream and model are doing in one gateway."""

    upstream: str
    model: str
    breaker: str
    reason: str
    since: str | None
    limit: int | None
    in_flight: int
    waiting: int
    requests: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None

    @classmethod
    def of(cls, one: UpstreamState) -> UpstreamOut:
        """As the gateway said."""
        return cls(
            upstream=one.upstream,
            model=one.model,
            breaker=one.breaker,
            reason=one.reason,
            since=_iso(one.since),
            limit=one.limit,
            in_flight=one.in_flight,
            waiting=one.waiting,
            requests=one.requests,
            failures=one.failures,
            p50_ms=one.p50_ms,
            p95_ms=one.p95_ms,
        )


class LiveOut(BaseModel):
    """A request that a gateway is serving now."""

    call_id: str
    started_at: str
    route: str
    release: str
    upstream: str
    model: str
    key: str
    system: str
    streaming: bool

    @classmethod
    def of(cls, one: LiveRequest) -> LiveOut:
        """As the gateway said."""
        return cls(
            call_id=one.call_id,
            started_at=iso(one.started_at),
            route=one.route,
            release=one.release,
            upstream=one.upstream,
            model=one.model,
            key=one.key,
            system=one.system,
            streaming=one.streaming,
        )


class GatewayOut(BaseModel):
    """A gateway process, as it said last; of its upstreams and requests, those of this workspace."""

    id: str
    epoch: int
    version: str
    started_at: str
    at: str
    spool_records: int
    spool_bytes: int
    spool_since: str | None
    upstreams: list[UpstreamOut]
    live: list[LiveOut]

    @classmethod
    def of(cls, one: State, workspace: str) -> GatewayOut:
        """What concerns a workspace."""
        return cls(
            id=one.id,
            epoch=one.epoch,
            version=one.version,
            started_at=iso(one.started_at),
            at=iso(one.at),
            spool_records=one.spool_records,
            spool_bytes=one.spool_bytes,
            spool_since=_iso(one.spool_since),
            upstreams=[UpstreamOut.of(item) for item in one.upstreams if item.workspace == workspace],
            live=[LiveOut.of(item) for item in one.live if item.workspace == workspace],
        )


@router.get("")
def get_configuration(request: Request, response: Response, by: Reader) -> ConfigurationOut:
    """The configuration in force, with its version, which is the ETag too."""
    with services(request).database.reading() as tx:
        found = ConfigurationOut.of_version(reads.current(by.ctx, tx))
    response.headers["etag"] = f'"{found.version}"'
    return found


@router.put("", responses=problems(401, 403, 404, 409, 422, 503), openapi_extra=EITHER)
def put_configuration(
    request: Request,
    response: Response,
    by: Admin,
    document: Document,
    expected_version: Number | None = None,
    note: Annotated[str, Query(max_length=actions.MAX_NOTE)] = "",
    if_match: Annotated[str | None, Header(max_length=100)] = None,
) -> AppliedOut:
    """Puts a configuration in force, whole, or refuses it with every fault.

    With `If-Match` (an ETag) or `expected_version`, only in place of that version, else 409.
    """
    found = services(request)
    expected = _expected(if_match, expected_version)
    judged = actions.judge(found.settings, document)
    with found.database.transaction() as tx:
        made = actions.apply(by.ctx, tx, judged, expected_version=expected, note=note)
    response.headers["etag"] = f'"{made.version.version}"'
    return AppliedOut(
        version=made.version.version,
        changes=[ChangeOut.of(one) for one in made.changes],
        warnings=[FaultOut.of(one) for one in made.warnings],
        release_ids=dict(made.version.release_ids),
    )


@router.post("/check", openapi_extra=EITHER)
def check_configuration(request: Request, by: Admin, document: Document) -> CheckOut:
    """What putting this in force would change, and what stands against it; nothing is done."""
    found = services(request)
    judged = actions.judge(found.settings, document)
    with found.database.reading() as tx:
        told = actions.check(by.ctx, tx, judged)
    return CheckOut(
        version=told.version,
        errors=[FaultOut.of(one) for one in told.faults],
        warnings=[FaultOut.of(one) for one in told.warnings],
        changes=[ChangeOut.of(one) for one in told.changes],
    )


@router.post("/explain")
def explain_request(request: Request, by: Reader, body: AskIn) -> ExplainedOut:
    """What a request would resolve to, step by step, by the configuration in force; nothing is sent."""
    said = Dimensions(**{name: getattr(body, name) for name in Dimensions.__struct_fields__})
    pricer: Pricer = request.app.state.gateway_pricer
    with services(request).database.reading() as tx:
        told = explained.explain(
            by.ctx, tx, pricer, model=body.model, dialect=body.dialect, key=body.key, said=said
        )
    return ExplainedOut.of(told)


@router.get("/secrets")
def list_secrets(request: Request, by: Admin) -> list[SecretOut]:
    """Credentials of upstreams, by name; never their values."""
    with services(request).database.reading() as tx:
        return [SecretOut(name=name, reference=text) for text, name in actions.own_secrets(by.ctx, tx)]


@router.put("/secrets/{secret}", responses=problems(401, 403, 404, 422, 503))
def put_secret(request: Request, by: Admin, secret: Name, body: SecretIn) -> SecretOut:
    """Keeps a credential encrypted, in place of the one with this name; an upstream names it by its reference."""
    found = services(request)
    master = sealing_key(found.settings)
    with found.database.transaction() as tx:
        reference = actions.keep_secret(by.ctx, tx, master, secret, body.value.get_secret_value())
    return SecretOut(name=secret, reference=reference)


@router.delete("/secrets/{secret}", status_code=204, responses=problems(401, 403, 404, 409, 422, 503))
def delete_secret(request: Request, by: Admin, secret: Name) -> None:
    """Forgets a credential; 409 while an upstream in force names it."""
    with services(request).database.transaction() as tx:
        actions.remove_secret(by.ctx, tx, secret)


@router.get("/versions")
def list_versions(
    request: Request,
    by: Reader,
    before: Number | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> list[VersionOut]:
    """The versions, the latest first; those below `before`."""
    with services(request).database.reading() as tx:
        return [VersionOut.of(one) for one in reads.versions(by.ctx, tx, before, limit)]


@router.get("/versions/{version}")
def get_version(request: Request, by: Reader, version: Number) -> ConfigurationOut:
    """One version with what it says; to go back to it, put its `configuration` in force."""
    with services(request).database.reading() as tx:
        return ConfigurationOut.of_version(reads.version(by.ctx, tx, version))


@router.get("/state")
def get_state(request: Request, by: Reader) -> list[GatewayOut]:
    """The gateways that reported to this core in the last minute, and what they do for this workspace."""
    states: States = request.app.state.gateway_states
    return [GatewayOut.of(one, by.ctx.workspace) for one in states.all()]


def _expected(if_match: str | None, given: int | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return given
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid("If-Match holds the ETag of a configuration", where="if-match")
    if given is not None and given != int(text):
        raise Invalid("If-Match and expected_version differ", where="if-match")
    return int(text)


def _iso(at: datetime | None) -> str | None:
    return iso(at) if at is not None else None
