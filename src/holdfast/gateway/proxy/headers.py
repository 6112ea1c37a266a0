"""Headers in and out: who asks, for what, in which trace; what goes upstream, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from holdfast.gateway.model import Auth, Dialect, Dimensions
from holdfast.gateway.translation import VERSION
from holdfast.kernel.errors import Invalid

RawHeaders = Iterable[tuple[bytes, bytes]]

_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_NOT_UP = _HOP | {
    "host",
    "content-length",
    "accept-encoding",
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "traceparent",
    "expect",
}
_NOT_DOWN = frozenset(
    name.encode() for name in _HOP | {"content-length", "set-cookie", "date", "server", "alt-svc"}
)
OURS = "x-holdfast-"
LONGEST = 300
NOTHING_SAID = Dimensions()
_FIELDS = tuple(name for name in Dimensions.__struct_fields__)
_IN_METADATA = {
    "system": ("holdfast_system",),
    "environment": ("holdfast_environment",),
    "route": ("holdfast_route",),
    "agent": ("holdfast_agent", "agent"),
    "tenant": ("holdfast_tenant", "tenant", "tenant_id"),
    "user": ("holdfast_user",),
    "session": ("holdfast_session", "session", "session_id", "conversation_id"),
    "feature": ("holdfast_feature", "feature"),
    "run": ("holdfast_run", "run", "run_id"),
}


def read(raw: RawHeaders) -> dict[str, str]:
    """Headers by lower-case name; of two of one name both, with a comma between."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def key_text(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The client's key, wherever its SDK puts it; empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in ("x-api-key", "x-goog-api-key", "api-key", "x-holdfast-key"):
        if headers.get(name):
            return headers[name]
    return query.get("key", "")


def dimensions(
    headers: Mapping[str, str], metadata: Mapping[str, Any], own: Mapping[str, Any], user: str
) -> Dimensions:
    """What a request says of itself: headers first, then its `holdfast` field, then its `metadata`. Raises Invalid."""
    if not (metadata or own or user or OURS in "\n".join(headers)):
        return NOTHING_SAID
    values: dict[str, str] = {}
    for name in _FIELDS:
        value: Any = headers.get(OURS + name) or own.get(name)
        if not value:
            value = next((metadata[one] for one in _IN_METADATA[name] if metadata.get(one)), "")
        if not value and name == "user":
            value = user
        if not isinstance(value, str):
            value = str(value) if isinstance(value, int | float) else ""
        if len(value) > LONGEST:
            raise Invalid(f"{name} has at most {LONGEST} characters", where=OURS + name)
        values[name] = value
    return Dimensions(**values)


class Trace(NamedTuple):
    """Where a call stands: trace id (16 bytes), the span above it (8 bytes, or none), whether it is sampled."""

    trace_id: bytes
    parent_id: bytes
    flags: str


def trace(headers: Mapping[str, str], otherwise: bytes) -> Trace:
    """The W3C trace context that a request joins; a trace of its own (`otherwise`, 16 bytes) where it names none."""
    said = headers.get("traceparent")
    parts = said.strip().split("-") if said else ()
    if len(parts) >= 4 and len(parts[0]) == 2 and parts[0] != "ff":
        try:
            trace_id, parent = bytes.fromhex(parts[1]), bytes.fromhex(parts[2])
        except ValueError:
            return Trace(otherwise, b"", "01")
        if len(trace_id) == 16 and len(parent) == 8 and any(trace_id) and any(parent):
            return Trace(trace_id, parent, parts[3][:2])
    return Trace(otherwise, b"", "01")


def upwards(
    headers: Mapping[str, str], auth: Auth, credential: str, joined: Trace, span: bytes
) -> dict[str, str]:
    """What goes upstream: the client's own headers but for its key, cookies, connection, and what is the gateway's."""
    made = {
        name: value for name, value in headers.items() if name not in _NOT_UP and not name.startswith(OURS)
    }
    made["accept-encoding"] = "identity"
    made["traceparent"] = f"00-{joined.trace_id.hex()}-{span.hex()}-{joined.flags}"
    if credential:
        if auth is Auth.BEARER:
            made["authorization"] = f"Bearer {credential}"
        elif auth not in (Auth.NONE, Auth.SIGV4):
            made[auth.value] = credential
    return made


def downwards(raw: RawHeaders) -> list[tuple[bytes, bytes]]:
    """What comes back to the client of an upstream's headers."""
    return [(lower, value) for name, value in raw if (lower := name.lower()) not in _NOT_DOWN]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an upstream asks to wait; None where it names none, or names a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None


def foreign(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without those that only the client's own dialect knows."""
    return {name: value for name, value in headers.items() if not name.startswith(("anthropic-", "openai-"))}


def needs_version(dialect: Dialect) -> dict[str, str]:
    """Headers that a dialect's upstream wants from everybody, for requests that were said in another one."""
    return {"anthropic-version": VERSION} if dialect is Dialect.ANTHROPIC else {}
