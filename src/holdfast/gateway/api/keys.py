"""The JSON door of the gateway's client keys. They are made and revoked at /api/v1/keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.gateway.actions import keys as actions
from holdfast.gateway.api.configuration import Admin
from holdfast.gateway.model import KeyUse
from holdfast.gateway.reads import keys as reads
from holdfast.gateway.reads.keys import KeyNow
from holdfast.gateway.reads.states import States
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import problems, services

router = APIRouter(
    prefix="/api/v1/gateway/keys", tags=["gateway"], responses=problems(401, 403, 404, 422, 503)
)
Name = Annotated[str, Field(max_length=300)]
Names = Annotated[list[Name], Field(max_length=200)]


class UseIn(BaseModel):
    """What a key stands for. Empty: nothing in particular; of `routes` and `models`: all are allowed."""

    model_config = ConfigDict(extra="forbid")
    system: Name = ""
    environment: Name = ""
    route: Name = ""
    routes: Names = []
    models: Names = []
    agent: Name = ""
    tenant: Name = ""


class KeyOut(UseIn):
    """A key that opens the gateway, never its text. `used_at`: as far as the gateways that run now know."""

    id: str
    name: str
    prefix: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None

    @classmethod
    def of(cls, one: KeyNow) -> KeyOut:
        """As it is kept."""
        key, use = one.key, one.use
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            created_at=iso(key.created_at),
            expires_at=iso(key.expires_at) if key.expires_at else None,
            revoked_at=iso(key.revoked_at) if key.revoked_at else None,
            used_at=iso(one.used_at) if one.used_at else None,
            system=use.system,
            environment=use.environment,
            route=use.route,
            routes=list(use.routes),
            models=list(use.models),
            agent=use.agent,
            tenant=use.tenant,
        )


@router.get("")
def list_gateway_keys(request: Request, by: Admin) -> list[KeyOut]:
    """Keys that open the gateway, with what each stands for."""
    states: States = request.app.state.gateway_states
    with services(request).database.reading() as tx:
        return [KeyOut.of(one) for one in reads.listed(by.ctx, tx, states.all())]


@router.put("/{key}", responses=problems(401, 403, 404, 409, 422, 503))
def put_gateway_key(request: Request, by: Admin, key: str, body: UseIn) -> KeyOut:
    """What a key stands for from now on: the configuration's next version."""
    states: States = request.app.state.gateway_states
    use = KeyUse(
        system=body.system,
        environment=body.environment,
        route=body.route,
        routes=tuple(body.routes),
        models=tuple(body.models),
        agent=body.agent,
        tenant=body.tenant,
    )
    with services(request).database.transaction() as tx:
        actions.put_use(by.ctx, tx, key, use)
        found = reads.listed(by.ctx, tx, states.all())
    return KeyOut.of(next(one for one in found if one.key.id == key))
