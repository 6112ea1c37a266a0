"""How a request says who it comes from: an API key, or the cookie of a signed-in browser."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Denied, Unauthenticated
from holdfast.platform.access import reads
from holdfast.platform.access.model import Caller, Reach, Scope
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy

EVERYWHERE = Reach((("", ""),))


def services(request: Request) -> Services:
    """What the process was put together from."""
    found: Services = request.app.state.services
    return found


def caller(needed: Scope) -> Callable[[Request], Caller]:
    """A dependency that gives the caller, who holds `needed` in the workspace. Raises Unauthenticated, Denied."""

    def identify(request: Request) -> Caller:
        found = identified(request)
        if not found.may(needed):
            raise Denied(
                f"this needs the permission {needed.value!r}, which you do not have in this workspace"
            )
        return found

    return identify


def identified(request: Request) -> Caller:
    """The caller, by whatever the request carries. Raises Unauthenticated."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    text = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-holdfast-key")
    if not text:
        raise Unauthenticated("sign in, or send an API key: 'authorization: Bearer hf_…'")
    return by_key(services(request), text)


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
