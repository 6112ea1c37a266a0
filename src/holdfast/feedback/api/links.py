"""The JSON door of links: keys that sign them, and links for single calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.feedback.actions import links
from holdfast.feedback.model import LinkKey
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(prefix="/api/v1/feedback", tags=["feedback"], responses=problems(401, 403, 404, 422, 503))
Sender = Annotated[Caller, Depends(caller(Scope.INGEST, everywhere=True))]
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
Id = Annotated[str, Field(max_length=40)]


class LinkKeyIn(BaseModel):
    """A key for links. `origins`: sites that may show the widget in a frame, such as https://shop.example."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=100)]
    origins: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=20)] = Field(
        default_factory=list
    )


class LinkKeyOut(BaseModel):
    """A key. What it signs with is derived and never shown."""

    id: str
    name: str
    origins: list[str]
    created_at: str
    created_by: str
    revoked_at: str | None

    @classmethod
    def of(cls, one: LinkKey) -> LinkKeyOut:
        """As it is kept."""
        return cls(
            id=one.id,
            name=one.name,
            origins=list(one.origins),
            created_at=iso(one.created_at),
            created_by=one.created_by,
            revoked_at=iso(one.revoked_at) if one.revoked_at else None,
        )


class LinkIn(BaseModel):
    """What a link is about: one call, or one trace. `link_key`: which key signs it; else the newest."""

    model_config = ConfigDict(extra="forbid")

    call_id: Annotated[str | None, Field(max_length=200)] = None
    trace_id: Annotated[str | None, Field(max_length=64)] = None
    days: Annotated[float, Field(gt=0, le=365)] = 30.0
    link_key: Annotated[str, Field(max_length=40)] = ""


class LinkOut(BaseModel):
    """A link: the page's address, that of the frame, and the token for `data-holdfast-feedback`."""

    url: str
    frame_url: str
    token: str
    expires_at: str


@router.post("/link-keys", status_code=201)
def add_link_key(request: Request, by: Admin, body: LinkKeyIn) -> LinkKeyOut:
    """Makes a key."""
    with services(request).database.transaction() as tx:
        return LinkKeyOut.of(links.add_key(by.ctx, tx, body.name, tuple(body.origins)))


@router.get("/link-keys")
def list_link_keys(request: Request, by: Reader) -> list[LinkKeyOut]:
    """Keys, the newest first, revoked ones too."""
    with services(request).database.reading() as tx:
        return [LinkKeyOut.of(one) for one in links.keys(by.ctx, tx)]


@router.post("/link-keys/{link_key}/revoke", status_code=204)
def revoke_link_key(request: Request, by: Admin, link_key: Id) -> None:
    """Ends a key, and every link that it signed, at once."""
    with services(request).database.transaction() as tx:
        links.revoke_key(by.ctx, tx, link_key)


@router.post("/links", status_code=201)
def make_link(request: Request, by: Sender, body: LinkIn) -> LinkOut:
    """Signs a link for one call. Nothing is kept: the link itself says all."""
    found = services(request)
    life = timedelta(days=body.days)
    with found.database.reading() as tx:
        token, expires_at = links.sign(
            by.ctx,
            tx,
            found.settings,
            call_id=body.call_id or None,
            trace_id=(body.trace_id or "").lower() or None,
            life=life,
            key=body.link_key,
        )
    base = f"{found.settings.base_url}/f/{token}"
    return LinkOut(url=base, frame_url=f"{base}/widget", token=token, expires_at=iso(expires_at))
