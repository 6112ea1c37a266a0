"""An error in the shape of the client's dialect, as a whole body and as an event in a stream; and an upstream's, read.

The type is the vendor's own word for the HTTP status, so that the official SDKs raise what their users catch. `kind` is
Holdfast's word (`budget_exhausted`, `upstream_unavailable`, …), for programs: it stands where the dialect has a place for
such a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from holdfast.gateway.model import Dialect

_OPENAI: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
    }
)
_ANTHROPIC: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        408: "timeout_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
_GEMINI: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "UNAUTHENTICATED",
        402: "RESOURCE_EXHAUSTED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
        529: "UNAVAILABLE",
    }
)
_STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "insufficient_quota": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "rate_limit_exceeded": 429,
        "overloaded_error": 503,
        "timeout_error": 504,
    }
)
_SERVER = 500
_BROKEN = 502


def error(
    status: int,
    message: str,
    kind: str,
    target: Dialect,
    where: str | None = None,
    *,
    request_id: str | None = None,
) -> bytes:
    """The JSON body of an error. `where` is the field at fault, `request_id` what the client may quote."""
    return msgspec.json.encode(_shaped(status, message, kind, target, where, request_id))


def error_event(message: str, kind: str, target: Dialect, *, status: int = _BROKEN) -> bytes:
    """The same as a server-sent event: what a stream ends with when it breaks, its head having gone out with 200."""
    head = b"event: error\ndata: " if target is Dialect.ANTHROPIC else b"data: "
    return head + error(status, message, kind, target) + b"\n\n"


def error_type(status: int, target: Dialect) -> str:
    """The vendor's word for a status of 400 or above."""
    server = status >= _SERVER
    if target is Dialect.ANTHROPIC:
        return _ANTHROPIC.get(status, "api_error" if server else "invalid_request_error")
    if target is Dialect.GEMINI:
        return _GEMINI.get(status, "INTERNAL" if server else "INVALID_ARGUMENT")
    return _OPENAI.get(status, "server_error" if server else "invalid_request_error")


def status_of(kind: str) -> int:
    """The status that an OpenAI or Anthropic error type stands for; 500 for a word that is not known."""
    return _STATUS.get(kind, _SERVER)


def read(body: bytes | Mapping[str, Any]) -> tuple[str, str]:
    """Message and type of an upstream's error body, in any of the dialects; empty where it states none."""
    if isinstance(body, bytes):
        try:
            decoded = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "", ""
        if isinstance(decoded, list) and decoded:  # Gemini's streams
            decoded = decoded[0]
        if not isinstance(decoded, dict):
            return "", ""
        body = decoded
    fault = body.get("error", body)
    if isinstance(fault, str):
        return fault, ""
    if not isinstance(fault, Mapping):
        return "", ""
    kind = fault.get("type") or fault.get("status") or fault.get("__type")
    message = fault.get("message")
    return (message if isinstance(message, str) else ""), (kind if isinstance(kind, str) else "")


def _shaped(
    status: int, message: str, kind: str, target: Dialect, where: str | None, request_id: str | None
) -> dict[str, Any]:
    named = error_type(status, target)
    if target is Dialect.ANTHROPIC:
        fault: dict[str, Any] = {"type": named, "message": message}
        if kind:
            fault["details"] = {"error_code": kind}
        body: dict[str, Any] = {"type": "error", "error": fault}
        if request_id is not None:
            body["request_id"] = request_id
        return body
    if target is Dialect.GEMINI:
        return {"error": {"code": status, "message": message, "status": named}}
    if target is Dialect.BEDROCK:
        return {"message": message}
    return {"error": {"message": message, "type": named, "param": where, "code": kind or None}}
