"""Who asks at the doors of applications: an API key with the scope read or gateway, or a member who may read."""

from __future__ import annotations

from fastapi import Request

from holdfast.kernel.errors import Denied
from holdfast.platform.access.guard import by_key, identified, key_text, services
from holdfast.platform.access.model import Caller, Scope


def application(request: Request) -> Caller:
    """The caller. OpenFeature clients may carry their key as X-API-Key. Raises Unauthenticated, Denied, NotFound."""
    given = request.headers.get("x-api-key")
    found = by_key(services(request), given) if given and not key_text(request) else identified(request)
    for scope in (Scope.READ, Scope.GATEWAY):
        if found.may(scope) and found.reach[scope].everywhere:
            return found
    raise Denied("this needs the permission 'read' or 'gateway', which you do not have in this workspace")
