"""How large a request to the doors of feedback may be: looked at before any of it is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import JSONResponse

from holdfast.kernel.errors import TooLarge
from holdfast.web.problems import MEDIA_TYPE, of_error

LIMITS = (
    ("/api/v1/feedback/imports", 64 << 20),
    ("/api/v1/feedback", 8 << 20),
    ("/f/", 64 << 10),
)
"""Bytes of a body by the beginning of the path, the first that fits."""


class Limited:
    """ASGI middleware: refuses bodies that are larger than their door takes, or that do not say how large they are."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        self._app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] in ("POST", "PUT"):
            most = next((most for prefix, most in LIMITS if scope["path"].startswith(prefix)), None)
            if most is not None and (error := _fault(dict(scope["headers"]), most)) is not None:
                problem = of_error(error)
                answer = JSONResponse(problem.body(scope["path"]), problem.status, media_type=MEDIA_TYPE)
                return answer(scope, receive, send)
        return self._app(scope, receive, send)


def _fault(headers: dict[bytes, bytes], most: int) -> TooLarge | None:
    told = headers.get(b"content-length")
    if told is None and b"transfer-encoding" in headers:
        return TooLarge("send the body with its content-length; a chunked one is not read here")
    if told is not None and told.isdigit() and int(told) > most:
        return TooLarge(f"the body has {int(told):,} bytes, and at most {most:,} are read; send it in parts")
    return None
