"""The JSON door of access: who am I, members, grants, API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.time import iso
from holdfast.platform.access import reads
from holdfast.platform.access.actions import keys as key_actions
from holdfast.platform.access.actions import links, members
from holdfast.platform.access.guard import by_key as by_key
from holdfast.platform.access.guard import caller as caller
from holdfast.platform.access.guard import identified as identified
from holdfast.platform.access.guard import page_caller as page_caller
from holdfast.platform.access.guard import problems as problems
from holdfast.platform.access.guard import services as services
from holdfast.platform.access.model import ApiKey, Caller, Grant, Member, Role, Scope

router = APIRouter(prefix="/api/v1", tags=["access"], responses=problems(401, 403, 404, 422, 503))
Text = Annotated[str, Field(max_length=200)]
Id = Annotated[str, Field(max_length=40)]


def anybody(request: Request) -> Caller:
    """Whoever the request comes from, whatever they may do."""
    return identified(request)


Anybody = Annotated[Caller, Depends(anybody)]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN))]
WorkspaceAdmin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]


class Body(BaseModel):
    """What requests send: nothing but what is named."""

    model_config = ConfigDict(extra="forbid")


class Place(BaseModel):
    """Where a permission holds; an empty text means every one."""

    system: str
    environment: str


class Me(BaseModel):
    """Who asks, and what they may do in this workspace."""

    kind: str
    id: str
    name: str
    email: str | None
    workspace: str
    permissions: dict[Scope, list[Place]]


class GrantOut(BaseModel):
    """A role of a member in this workspace, or in one system or environment of it (empty: all)."""

    id: str
    member: str
    role: Role
    system: str
    environment: str
    content: bool
    source: str

    @classmethod
    def of(cls, grant: Grant) -> GrantOut:
        """Without the workspace, which is the caller's."""
        return cls(
            id=grant.id,
            member=grant.member,
            role=grant.role,
            system=grant.system,
            environment=grant.environment,
            content=grant.content,
            source=grant.source,
        )


class MemberOut(BaseModel):
    """A person with a grant in this workspace, and the grants here."""

    id: str
    email: str
    name: str
    created_at: str
    disabled_at: str | None
    grants: list[GrantOut]

    @classmethod
    def of(cls, member: Member, grants: list[Grant]) -> MemberOut:
        """Never the password's hash, nor grants elsewhere."""
        return cls(
            id=member.id,
            email=member.email,
            name=member.name,
            created_at=iso(member.created_at),
            disabled_at=iso(member.disabled_at) if member.disabled_at else None,
            grants=[GrantOut.of(grant) for grant in grants],
        )


class GrantIn(Body):
    """A role at a place. `content` lets read captured content there."""

    role: Role
    system: Text = ""
    environment: Text = ""
    content: bool = False


class InviteIn(GrantIn):
    """Whom to invite, and with which role."""

    email: Annotated[str, Field(max_length=320)]
    name: Text = ""


class InviteOut(BaseModel):
    """The member. `link` signs in once and is shown this once; null for one who has an account already."""

    member: MemberOut
    link: str | None


class LinkOut(BaseModel):
    """A link that signs in once, within 24 hours."""

    link: str


class KeyOut(BaseModel):
    """An API key as it is kept: never the key itself."""

    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyOut:
        """Scopes in their order."""
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            created_at=iso(key.created_at),
            created_by=key.created_by,
            expires_at=iso(key.expires_at) if key.expires_at else None,
            revoked_at=iso(key.revoked_at) if key.revoked_at else None,
        )


class KeyIn(Body):
    """What the key is for, what it may do, and until when (null: until revoked)."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    expires_at: Annotated[datetime | None, Field(description="ISO 8601 with its zone")] = None


class NewKeyOut(BaseModel):
    """The key with its text, which is not to be had again."""

    key: KeyOut
    text: str


@router.get("/me", responses=problems(401, 404, 422))
def me(by: Anybody) -> Me:
    """Who you are, and what you may do in this workspace."""
    places = {
        scope: [Place(system=system, environment=environment) for system, environment in reach.pairs]
        for scope, reach in by.reach.items()
    }
    actor = by.ctx.actor
    return Me(
        kind=actor.kind,
        id=actor.id,
        name=actor.name,
        email=by.email or None,
        workspace=by.workspace.slug,
        permissions=places,
    )


@router.get("/members", responses=problems(401, 403, 404, 422))
def list_members(request: Request, by: WorkspaceAdmin) -> list[MemberOut]:
    """The members of this workspace."""
    with services(request).database.reading() as tx:
        return [MemberOut.of(member, grants) for member, grants in reads.members(tx, by.ctx.workspace)]


@router.post("/members", status_code=201, responses=problems(401, 403, 404, 409, 422))
def invite(request: Request, by: Admin, body: InviteIn) -> InviteOut:
    """Gives somebody a role here; makes the member, with a sign-in link, where there is none yet."""
    found = services(request)
    with found.database.transaction() as tx:
        member, grant, new = members.invite(
            by,
            tx,
            email=body.email,
            name=body.name,
            role=body.role,
            system=body.system,
            environment=body.environment,
            content=body.content,
        )
        link = None
        if new and found.settings.local_sign_in:
            link = links.sign_in_link(by.ctx, tx, found.settings, member.email)
    return InviteOut(member=MemberOut.of(member, [grant]), link=link)


@router.post("/members/{member}/link", status_code=201, responses=problems(401, 403, 404, 422))
def make_link(request: Request, by: WorkspaceAdmin, member: Id) -> LinkOut:
    """A new sign-in link for a member who belongs to this workspace alone; using it voids the password."""
    found = services(request)
    with found.database.transaction() as tx:
        email = members.check_link_for(by, tx, member).email
        return LinkOut(link=links.sign_in_link(by.ctx, tx, found.settings, email))


@router.delete("/members/{member}", status_code=204, responses=problems(401, 403, 404, 409, 422))
def remove_member(request: Request, by: WorkspaceAdmin, member: Id) -> None:
    """Takes all of a member's grants here. One left without any grant is disabled, and signed out at once."""
    with services(request).database.transaction() as tx:
        members.remove_member(by, tx, member)


@router.put("/members/{member}/grants", responses=problems(401, 403, 404, 409, 422))
def put_grant(request: Request, by: Admin, member: Id, body: GrantIn) -> GrantOut:
    """Gives a member a role at a place, or changes the one there."""
    with services(request).database.transaction() as tx:
        return GrantOut.of(
            members.put_grant(
                by,
                tx,
                member,
                role=body.role,
                system=body.system,
                environment=body.environment,
                content=body.content,
            )
        )


@router.delete("/grants/{grant}", status_code=204, responses=problems(401, 403, 404, 409, 422))
def remove_grant(request: Request, by: Admin, grant: Id) -> None:
    """Takes a grant back."""
    with services(request).database.transaction() as tx:
        members.remove_grant(by, tx, grant)


@router.get("/keys", responses=problems(401, 403, 404, 422))
def list_keys(request: Request, by: WorkspaceAdmin) -> list[KeyOut]:
    """The API keys of this workspace, revoked ones too."""
    with services(request).database.reading() as tx:
        return [KeyOut.of(key) for key in reads.keys(tx, by.ctx.workspace)]


@router.post("/keys", status_code=201, responses=problems(401, 403, 404, 422))
def create_key(request: Request, by: WorkspaceAdmin, body: KeyIn) -> NewKeyOut:
    """Makes an API key. Its text is in this answer and nowhere else."""
    with services(request).database.transaction() as tx:
        key, text = key_actions.create_key_for(by, tx, body.name, frozenset(body.scopes), body.expires_at)
    return NewKeyOut(key=KeyOut.of(key), text=text)


@router.delete("/keys/{key}", status_code=204, responses=problems(401, 403, 404, 422))
def revoke_key(request: Request, by: WorkspaceAdmin, key: Id) -> None:
    """Ends an API key at once."""
    with services(request).database.transaction() as tx:
        key_actions.revoke_key(by.ctx, tx, key)
