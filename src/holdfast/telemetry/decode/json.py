"""OTLP/JSON to nouns: field names in lowerCamelCase, ids in hex, 64-bit numbers as text or number."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.decode.protobuf import KINDS, STATUSES
from holdfast.telemetry.model import Attributes, Rejected, Span, SpanEvent

DEEPEST = 64
"""Values nested deeper than this are refused."""


class Unreadable(ValueError):
    """A record that does not have the shape it should."""


MISSHAPEN = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError)
"""What reading a record of the wrong shape can raise; Unreadable is among them."""


def document(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Raises Invalid."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the body is not JSON in UTF-8: {error}", where="body") from error
    if not isinstance(parsed, dict):
        raise Invalid("the body is JSON, but not an object", where="body")
    return parsed


def traces(body: bytes) -> tuple[list[Span], list[Rejected]]:
    """The spans of an ExportTraceServiceRequest in JSON, and those that could not be read. Raises Invalid."""
    found: list[Span] = []
    rejected: list[Rejected] = []
    for resource_spans in objects(document(body), "resourceSpans"):
        resource = resource_attributes(resource_spans)
        for scope_spans in objects(resource_spans, "scopeSpans"):
            scope = scope_spans.get("scope") or {}
            for wire in objects(scope_spans, "spans"):
                try:
                    found.append(_span(wire, text(scope, "name"), text(scope, "version"), resource))
                except MISSHAPEN as error:
                    where = f"span {wire.get('spanId', '?')!s:.40} of trace {wire.get('traceId', '?')!s:.40}"
                    rejected.append(Rejected(where, f"it does not have the shape of an OTLP span: {error}"))
    return found, rejected


def objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects under a name; absent is empty. Raises Invalid where it is something else."""
    items = parent.get(name)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Invalid(f"{name} is not a list of objects", where=name)
    return items


def resource_attributes(parent: dict[str, Any]) -> Attributes:
    """The attributes of `parent`'s resource. Raises Invalid: all that it holds hangs on them."""
    try:
        return attributes((parent.get("resource") or {}).get("attributes"))
    except MISSHAPEN as error:
        raise Invalid(f"a resource does not have the shape it should: {error}", where="resource") from error


def text(parent: dict[str, Any], name: str) -> str:
    """A text field; absent is empty."""
    found = parent.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Unreadable(f"{name} is not text")
    return found


def whole(parent: dict[str, Any], name: str) -> int:
    """An integer that may be written as text; absent is 0."""
    return integer(parent.get(name), name)


def integer(found: Any, name: str) -> int:
    """A JSON integer, or one written as text; null is 0."""
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise Unreadable(f"{name} is not an integer")
    return int(found)


def number(found: Any, name: str) -> float | None:
    """A JSON number, or one written as text (`"NaN"`, `"-Infinity"`); null is None."""
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise Unreadable(f"{name} is not a number")
    return float(found)


def array(found: Any, name: str) -> Sequence[Any]:
    """A JSON list; null is empty."""
    if found is None:
        return ()
    if not isinstance(found, list):
        raise Unreadable(f"{name} is not a list")
    return found


def value(wire: Any, depth: int = 0) -> Any:
    """An AnyValue in JSON as a plain Python value. Kinds of value that are not known are passed over."""
    if wire is None:
        return None
    if not isinstance(wire, dict):
        raise Unreadable("a value is not an object")
    if depth > DEEPEST:
        raise Unreadable(f"its values are nested deeper than {DEEPEST}")
    for which, found in wire.items():
        if found is not None and which in _KINDS_OF_VALUE:
            return _value(which, found, depth)
    return None


_KINDS_OF_VALUE = frozenset(
    ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")
)


def _value(which: str, found: Any, depth: int) -> Any:
    match which:
        case "stringValue" if isinstance(found, str):
            return found
        case "boolValue" if isinstance(found, bool):
            return found
        case "intValue":
            return integer(found, which)
        case "doubleValue":
            return number(found, which)
        case "arrayValue":
            return [value(item, depth + 1) for item in array(found.get("values"), which)]
        case "kvlistValue":
            return attributes(found.get("values"), depth + 1)
        case "bytesValue":
            try:
                return base64.b64decode(found, validate=True).hex()
            except binascii.Error as error:
                raise Unreadable("bytesValue is not base64") from error
    raise Unreadable(f"{which} holds something else")


def attributes(pairs: Any, depth: int = 0) -> Attributes:
    """A list of KeyValue as a dict."""
    if pairs is None:
        return {}
    if not isinstance(pairs, list):
        raise Unreadable("attributes are not a list")
    return {text(pair, "key"): value(pair.get("value"), depth) for pair in pairs}


def _enum(wire: Any, names: tuple[str, ...], prefix: str) -> str:
    if isinstance(wire, str):
        name = wire.removeprefix(prefix)
        return next((known for known in names if known.upper() == name), names[0])
    return names[wire] if isinstance(wire, int) and 0 <= wire < len(names) else names[0]


def _span(wire: dict[str, Any], scope_name: str, scope_version: str, resource: Attributes) -> Span:
    status = wire.get("status") or {}
    return Span(
        text(wire, "traceId").lower(),
        text(wire, "spanId").lower(),
        text(wire, "parentSpanId").lower(),
        text(wire, "name"),
        _enum(wire.get("kind"), KINDS, "SPAN_KIND_"),
        whole(wire, "startTimeUnixNano"),
        whole(wire, "endTimeUnixNano"),
        _enum(status.get("code"), STATUSES, "STATUS_CODE_"),
        text(status, "message"),
        scope_name,
        scope_version,
        attributes(wire.get("attributes")),
        resource,
        [
            SpanEvent(text(event, "name"), whole(event, "timeUnixNano"), attributes(event.get("attributes")))
            for event in array(wire.get("events"), "events")
        ],
        [
            {
                "trace_id": text(link, "traceId"),
                "span_id": text(link, "spanId"),
                "attributes": attributes(link.get("attributes")),
            }
            for link in array(wire.get("links"), "links")
        ],
        text(wire, "traceState"),
        whole(wire, "flags"),
    )
