"""Who stands at the door: an API key, or the cookie of a signed-in browser. Used by every room's doors.

A member sees a workspace only with a grant there; without one it is "not found", as is one that never was.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Form, HTTPException, Request, Response
from pydantic import BaseModel

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Denied, Invalid, NotFound, Unauthenticated
from holdfast.platform.access import reads, rules
from holdfast.platform.access.actions import trail
from holdfast.platform.access.model import Caller, NewSession, Reach, Scope, SignedIn
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import Workspace
from holdfast.storage.sql import Transaction

Found = TypeVar("Found", Caller, SignedIn)
EVERYWHERE = Reach((("", ""),))
COOKIE = "holdfast_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
SIGN_IN_PATH = "/sign-in"
NO_WORKSPACE = "there is no such workspace"
LOCAL = "holdfast.local"
"""Set in the ASGI scope of requests that came through the data folder's own socket: the machine's owner."""


class ProblemBody(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of an operation: these statuses are answered with problem details."""
    words = {
        401: "Not signed in",
        403: "Not allowed",
        404: "Not found",
        409: "Conflict",
        422: "Invalid",
        429: "Limit used up; see Retry-After",
        503: "Unavailable; see Retry-After",
    }
    shape = {"application/problem+json": {"schema": ProblemBody.model_json_schema()}}
    return {status: {"description": words[status], "content": shape} for status in statuses}


def services(request: Request) -> Services:
    """What the process was put together from."""
    found: Services = request.app.state.services
    return found


def caller(needed: Scope, *, everywhere: bool = False) -> Callable[[Request], Caller]:
    """A dependency that gives the caller, who holds `needed` in the workspace (`everywhere`: in all of it).

    Raises Unauthenticated, Denied, NotFound. Without `everywhere` the caller may hold it for one system only:
    then the handler looks at `caller.reach[needed]`.
    """

    def identify(request: Request) -> Caller:
        return _holds(identified(request), needed, everywhere)

    return identify


def page_caller(needed: Scope, *, everywhere: bool = False) -> Callable[[Request], Caller]:
    """The same for pages: whoever is not signed in is sent to /sign-in?next=…"""

    def identify(request: Request) -> Caller:
        return _holds(_or_sign_in(request, identified), needed, everywhere)

    return identify


def form_caller(needed: Scope, *, everywhere: bool = False) -> Callable[..., Caller]:
    """The same for forms that a page posts: the token comes in the field `csrf` (or `csrf_token`), or the header."""

    def identify(
        request: Request, csrf: Annotated[str, Form()] = "", csrf_token: Annotated[str, Form()] = ""
    ) -> Caller:
        found = _or_sign_in(request, lambda asked: identified(asked, csrf or csrf_token))
        return _holds(found, needed, everywhere)

    return identify


def member_page(request: Request) -> SignedIn:
    """A dependency for pages outside any workspace: who is signed in, else off to /sign-in."""
    return _or_sign_in(request, signed_in)


def member_form(
    request: Request, csrf: Annotated[str, Form()] = "", csrf_token: Annotated[str, Form()] = ""
) -> SignedIn:
    """The same for forms."""
    return _or_sign_in(request, lambda asked: signed_in(asked, csrf or csrf_token))


def identified(request: Request, csrf: str = "") -> Caller:
    """The caller, by whatever the request carries. Raises Unauthenticated, NotFound, and Denied for a forged request.

    The workspace of a key is its own; a member names it in the path or as `workspace=` (its short name).
    """
    text = key_text(request)
    if text is None and (owner := local_caller(request)) is not None:
        return owner
    slug = request.path_params.get("workspace") or request.query_params.get("workspace") or ""
    if text is not None:
        found = by_key(services(request), text)
        if slug and slug != found.workspace.slug:
            raise NotFound(NO_WORKSPACE)
        return found
    who = signed_in(request, csrf)
    with services(request).database.reading() as tx:
        workspace = _workspace_of(tx, who, slug)
    ctx = Context(workspace.id, trail.actor(who.member), services(request).clock())
    here = [grant for grant in who.grants if grant.workspace == workspace.id]
    return Caller(ctx, workspace, rules.reach(here), who.session.csrf, who.member.email)


def local_caller(request: Request) -> Caller | None:
    """The command line, which holds every permission: for what came through the data folder's own socket alone.

    The server sets the mark on that socket's connections itself; nothing that a client sends can. The header
    x-holdfast-workspace names the workspace. None for all other requests. Raises NotFound.
    """
    if request.scope.get(LOCAL) is not True:
        return None
    with services(request).database.reading() as tx:
        workspace = tenancy.workspace_by_slug(tx, request.headers.get("x-holdfast-workspace", ""))
    ctx = Context(workspace.id, Actor("cli", "cli", "Command line"), services(request).clock())
    return Caller(ctx, workspace, {scope: EVERYWHERE for scope in Scope})


def key_text(request: Request) -> str | None:
    """The API key that the request carries; None where it carries none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("x-holdfast-key")


def signed_in(request: Request, csrf: str = "") -> SignedIn:
    """The member behind the session cookie. Raises Unauthenticated, and Denied where an unsafe request lacks its token."""
    found = services(request)
    token = request.cookies.get(cookie_name(request))
    if not token:
        raise Unauthenticated("sign in, or send an API key: 'authorization: Bearer hf_…'")
    with found.database.reading() as tx:
        who = reads.signed_in(tx, token, found.clock())
    if who is None:
        raise Unauthenticated("your session has ended; sign in again")
    if request.method not in SAFE_METHODS:
        check_origin(request)
        given = csrf or request.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(given.encode(), who.session.csrf.encode()):
            raise Denied("this form is too old or not ours; reload the page and try again")
    return who


def reachable_workspaces(request: Request) -> list[Workspace]:
    """Every workspace that the request's sender has a role in, by short name; a key has its own. Raises Unauthenticated."""
    text = key_text(request)
    if text is not None:
        return [by_key(services(request), text).workspace]
    who = signed_in(request)
    with services(request).database.reading() as tx:
        ids = {grant.workspace for grant in who.grants}
        return sorted((tenancy.workspace_by_id(tx, one) for one in ids), key=lambda one: one.slug)


def check_origin(request: Request) -> None:
    """Refuses what another site's page sends. Raises Denied."""
    rules.check_origin(request.headers, request.url.scheme, services(request).settings.public_url)


def by_key(found: Services, text: str) -> Caller:
    """The caller behind an API key. Raises Unauthenticated."""
    now = found.clock()
    with found.database.reading() as tx:
        key = reads.key_by_text(tx, text)
        if key is None:
            raise Unauthenticated("this API key is not valid: it may be mistyped, revoked or expired")
        reads.check(key, next(iter(key.scopes)), now)
        workspace = tenancy.workspace_by_id(tx, key.workspace)
    held = set(key.scopes)
    if Scope.ADMIN in held:
        held |= set(Scope) - {Scope.CONTENT}
    return Caller(
        Context(workspace.id, Actor("key", key.id, key.name), now),
        workspace,
        {scope: EVERYWHERE for scope in held},
    )


def secure(request: Request) -> bool:
    """Whether cookies go over HTTPS only: served so, reached so, or told so."""
    settings = services(request).settings
    return (
        settings.cookie_secure == "always"
        or request.url.scheme == "https"
        or settings.public_url.lower().startswith("https:")
    )


def cookie_name(request: Request) -> str:
    """With the prefix that keeps other hosts and plain HTTP from setting it, where that can be had."""
    return f"__Host-{COOKIE}" if secure(request) else COOKIE


def give_cookie(request: Request, response: Response, made: NewSession) -> None:
    """Puts a new session's cookie into an answer."""
    life = int((made.session.expires_at - made.session.created_at).total_seconds())
    response.set_cookie(
        cookie_name(request),
        made.token,
        max_age=life,
        path="/",
        secure=secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Takes the session's cookie away."""
    response.delete_cookie(
        cookie_name(request), path="/", secure=secure(request), httponly=True, samesite="lax"
    )


def address(request: Request) -> str:
    """The address that the request came from, as the server sees it."""
    return request.client.host if request.client else ""


def network(request: Request) -> str:
    """What counts as one sender: its address, or the network of it."""
    return rules.network_of(address(request))


def _holds(found: Caller, needed: Scope, everywhere: bool) -> Caller:
    if not found.may(needed) or (everywhere and not found.reach[needed].everywhere):
        raise Denied(f"this needs the permission {needed.value!r}, which you do not have in this workspace")
    return found


def _workspace_of(tx: Transaction, who: SignedIn, slug: str) -> Workspace:
    reachable = {grant.workspace for grant in who.grants}
    if slug:
        workspace = tenancy.workspace_by_slug(tx, slug)
        if workspace.id not in reachable:
            raise NotFound(NO_WORKSPACE)
        return workspace
    if not reachable:
        raise NotFound(NO_WORKSPACE)
    if len(reachable) > 1:
        raise Invalid("you belong to several workspaces; say which: ?workspace=…", where="workspace")
    return tenancy.workspace_by_id(tx, next(iter(reachable)))


def _or_sign_in(request: Request, identify: Callable[[Request], Found]) -> Found:
    try:
        return identify(request)
    except Unauthenticated as error:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        to = f"{SIGN_IN_PATH}?next={quote(here if request.method in SAFE_METHODS else '/', safe='')}"
        if request.headers.get("hx-request") == "true":
            raise HTTPException(401, error.detail, {"hx-redirect": to}) from error
        raise HTTPException(303, error.detail, {"location": to}) from error
