"""The JSON door of graders' credentials."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from holdfast.evals.actions import credentials as actions
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.secrets.reads import sealing_key

router = APIRouter(
    prefix="/api/v1/evals/credentials", tags=["evals"], responses=problems(401, 403, 404, 422, 503)
)
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
Name = Annotated[str, Field(max_length=60)]


class CredentialIn(BaseModel):
    """A credential: sent as a bearer token to this host alone."""

    model_config = ConfigDict(extra="forbid")

    host: Annotated[str, Field(max_length=120, description="As the grader's `url` names it.")]
    value: Annotated[SecretStr, Field(max_length=10_000)]


class CredentialOut(BaseModel):
    """A name that suites use, and the host that it is for."""

    name: str
    host: str


@router.get("")
def listed(request: Request, by: Admin) -> list[CredentialOut]:
    """Credentials of graders, by name; never their values."""
    with services(request).database.reading() as tx:
        return [CredentialOut(name=one.name, host=one.host) for one in actions.listed(by.ctx, tx)]


@router.put("/{secret}")
def put(request: Request, by: Admin, secret: Name, body: CredentialIn) -> CredentialOut:
    """Keeps one encrypted, in place of the one with this name; the grader `http` names it by `credential`."""
    found = services(request)
    master = sealing_key(found.settings)
    with found.database.transaction() as tx:
        made = actions.keep(by.ctx, tx, master, secret, body.host, body.value.get_secret_value())
    return CredentialOut(name=made.name, host=made.host)


@router.delete("/{secret}", status_code=204, response_class=Response)
def delete(request: Request, by: Admin, secret: Name) -> None:
    """Forgets one: graders that name it answer unknown."""
    with services(request).database.transaction() as tx:
        actions.remove(by.ctx, tx, secret)
