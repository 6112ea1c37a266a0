"""Errors in a dialect's own shape, so that its SDK raises what it would raise at the vendor's."""

from __future__ import annotations

import msgspec

from holdfast.gateway.model import Dialect

_OPENAI = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GEMINI = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error(status: int, message: str, kind: str, target: Dialect, where: str | None = None) -> bytes:
    """The body of an error. `kind` is our own word for it (OpenAI's `code`); `where` names the field."""
    if target is Dialect.ANTHROPIC:
        name = _ANTHROPIC.get(status, "invalid_request_error" if status < 500 else "api_error")
        return msgspec.json.encode({"type": "error", "error": {"type": name, "message": message}})
    if target is Dialect.GEMINI:
        name = _GEMINI.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
        return msgspec.json.encode({"error": {"code": status, "message": message, "status": name}})
    name = _OPENAI.get(status, "invalid_request_error" if status < 500 else "server_error")
    return msgspec.json.encode(
        {"error": {"message": message, "type": name, "param": where, "code": kind or None}}
    )


def error_event(message: str, kind: str, target: Dialect) -> bytes:
    """What a stream ends with when it breaks."""
    body = error(502, message, kind, target)
    return (
        b"event: error\ndata: " + body + b"\n\n"
        if target is Dialect.ANTHROPIC
        else b"data: " + body + b"\n\n"
    )
