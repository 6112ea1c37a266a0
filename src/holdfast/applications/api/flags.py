"""The OpenFeature Remote Evaluation Protocol (OFREP): routes as flags, releases as variants."""

from __future__ import annotations

import json
from typing import Annotated, Any

from anyio import from_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from holdfast.applications.api.callers import application
from holdfast.applications.api.tagged import tagged
from holdfast.applications.reads import flags
from holdfast.applications.reads.flags import Failed
from holdfast.platform.access.guard import problems, services
from holdfast.platform.access.model import Caller

router = APIRouter(
    prefix="/ofrep/v1/evaluate/flags", tags=["OpenFeature"], responses=problems(401, 403, 404, 422, 503)
)
Application = Annotated[Caller, Depends(application)]
GONE: dict[str, Any] = {
    "description": "No such flag",
    "content": {"application/json": {}, **problems(404)[404]["content"]},
}
LARGEST = 64 * 1024
"""Bytes of an evaluation context."""


@router.post("", responses={304: {"description": "As you have it"}, 400: {"description": "Bad request"}})
def evaluate_all(request: Request, by: Application) -> Response:
    """Every route that has a release, for whoever the context says, with an ETag."""
    context = _context(request, "")
    if isinstance(context, Failed):
        return JSONResponse({"errorCode": context.code, "errorDetails": context.details}, 400)
    with services(request).database.reading() as tx:
        found = flags.all_evaluated(by.ctx, tx, context)
    return tagged(request, {"flags": [_failure(one) if isinstance(one, Failed) else one for one in found]})


@router.post("/{flag:path}", responses={400: {"description": "Bad request"}, 404: GONE})
def evaluate(request: Request, by: Application, flag: str) -> Response:
    """The release that a route serves to whoever the context says: an object, or with `:release` behind it its id."""
    context = _context(request, flag)
    if isinstance(context, Failed):
        return JSONResponse(_failure(context), 400)
    with services(request).database.reading() as tx:
        found = flags.evaluated(by.ctx, tx, flag, context)
    if isinstance(found, Failed):
        return JSONResponse(_failure(found), 404 if found.code == "FLAG_NOT_FOUND" else 400)
    return JSONResponse(found)


def _context(request: Request, key: str) -> dict[str, Any] | Failed:
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > LARGEST:
        return Failed(key, "PARSE_ERROR", f"send a body of at most {LARGEST} bytes, with its content-length")
    try:
        body = json.loads(from_thread.run(request.body) or b"{}")
    except (ValueError, RecursionError) as error:
        return Failed(key, "PARSE_ERROR", f"the body is not JSON: {str(error)[:200]}")
    context = body.get("context", {}) if isinstance(body, dict) else None
    if not isinstance(context, dict):
        return Failed(key, "INVALID_CONTEXT", "the body is an object with an object `context`")
    return context


def _failure(one: Failed) -> dict[str, str]:
    return {"key": one.key, "errorCode": one.code, "errorDetails": one.details}
