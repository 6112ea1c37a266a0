"""The one place where errors become HTTP: RFC 9457 problem details, or a page where a person is reading.

Anything that Holdfast did not raise on purpose becomes a 500 with a reference. The reference is written to the log
with the traceback; the answer holds nothing else of it, so no secret and no neighbour's data can leak through it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("holdfast.web")


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, in the words of RFC 9457. `extra` holds extension members, `headers` go with the answer."""

    status: int
    kind: str
    title: str
    detail: str
    extra: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, instance: str) -> dict[str, Any]:
        """The JSON object. `instance` is the path that was asked for."""
        return {
            "type": f"urn:holdfast:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            **self.extra,
        }


Page = Callable[[Request, Problem], str]
"""Renders a problem as an HTML page."""


def install(app: Starlette, page: Page | None = None) -> None:
    """Puts the handlers into a FastAPI or Starlette application. `page` draws the HTML; without it all is JSON."""

    def answer(request: Request, problem: Problem) -> Response:
        if page is not None and prefers_html(request.headers.get("accept", "")):
            return HTMLResponse(page(request, problem), problem.status, problem.headers)
        body = problem.body(request.url.path)
        return JSONResponse(body, problem.status, problem.headers, media_type=MEDIA_TYPE)

    def on_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, HoldfastError)
        return answer(request, of_error(error))

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, of_http(error))

    def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, of_validation(error))

    def on_surprise(request: Request, error: Exception) -> Response:
        reference = new_id("err")
        _log.error("%s: %s %s failed", reference, request.method, request.url.path, exc_info=error)
        return answer(request, of_surprise(reference))

    app.add_exception_handler(HoldfastError, on_ours)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(Exception, on_surprise)


def of_error(error: HoldfastError) -> Problem:
    """One of our own errors: its class gives status, kind and title."""
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if error.where is not None:
        extra["where"] = error.where
    if error.errors:
        extra["errors"] = [{"where": where, "reason": reason} for where, reason in error.errors]
    if error.retry_after is not None:
        extra["retry_after"] = error.retry_after
        headers["retry-after"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Problem(error.status, _kebab(type(error).__name__), error.title, error.detail, extra, headers)


def of_http(error: HTTPException) -> Problem:
    """An error of the framework: no such route, method not allowed, a body that is not a form."""
    phrase = HTTPStatus(error.status_code).phrase if error.status_code in set(HTTPStatus) else "Error"
    known = {404: "There is nothing at this address.", 405: "This address does not answer to that method."}
    said = str(error.detail) if error.detail and error.detail != phrase else ""
    detail = said or known.get(error.status_code, f"{phrase}.")
    kind = _kebab(phrase.replace(" ", "")) if phrase.istitle() else phrase.lower().replace(" ", "-")
    return Problem(error.status_code, kind, phrase.capitalize(), detail, headers=dict(error.headers or {}))


def of_validation(error: RequestValidationError) -> Problem:
    """A request that does not fit its form: each fault with its place; the values sent are not repeated."""
    faults = [
        {"where": ".".join(str(part) for part in fault["loc"]), "reason": str(fault["msg"])}
        for fault in error.errors()
    ]
    detail = (
        "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults[:5])
        or "The request is not valid."
    )
    return Problem(422, "invalid", "Invalid", detail, {"errors": faults})


def of_surprise(reference: str) -> Problem:
    """A fault of ours. Says nothing but where to look."""
    detail = f"This is a fault in Holdfast. The log of the server has it under {reference}."
    return Problem(500, "internal", HoldfastError.title, detail, {"reference": reference})


def prefers_html(accept: str) -> bool:
    """Whether a client asks for a page: text/html is named and not ranked below JSON."""
    ranks = {"html": -1.0, "json": -1.0}
    for part in accept.lower().split(","):
        kind, _, parameters = part.strip().partition(";")
        found = re.search(r"q=([01](?:\.\d+)?)", parameters)
        rank = float(found[1]) if found else 1.0
        if kind in ("text/html", "application/xhtml+xml"):
            ranks["html"] = max(ranks["html"], rank)
        elif kind.endswith(("/json", "+json")):
            ranks["json"] = max(ranks["json"], rank)
    return ranks["html"] > 0 and ranks["html"] >= ranks["json"]


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
