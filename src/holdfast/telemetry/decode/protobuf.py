"""OTLP/protobuf to nouns. One message that upb refuses is taken apart, so that only its poisoned records are lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.model import Attributes, Rejected, Span, SpanEvent

MOST_FIELDS = 2_000_000
"""Fields of one message that the slow way through a broken request looks at."""

MOST_GROUPS = 50_000
"""Resources and scopes of one request."""

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("unset", "ok", "error")


def value(any_value: Any) -> Any:
    """An AnyValue as a plain Python value."""
    which = any_value.WhichOneof("value")
    if which == "int_value":
        return any_value.int_value
    if which is None:
        return None
    if which == "array_value":
        return [item.string_value or value(item) for item in any_value.array_value.values]
    if which == "kvlist_value":
        return {item.key: value(item.value) for item in any_value.kvlist_value.values}
    if which == "bytes_value":
        return any_value.bytes_value.hex()
    return getattr(any_value, which)


def attributes(pairs: Any) -> Attributes:
    """A list of KeyValue as a dict; of two with one key the later holds. Most values are text: that is asked first."""
    return {pair.key: (held := pair.value).string_value or value(held) for pair in pairs}


def span(wire: Any, scope_name: str, scope_version: str, resource: Attributes) -> Span:
    """One wire span. Nothing is judged here; see `rules.admission`."""
    kind, status = wire.kind, wire.status
    events, links = wire.events, wire.links
    return Span(
        wire.trace_id.hex(),
        wire.span_id.hex(),
        wire.parent_span_id.hex(),
        wire.name,
        KINDS[kind] if 0 <= kind < 6 else "UNSPECIFIED",
        wire.start_time_unix_nano,
        wire.end_time_unix_nano,
        STATUSES[status.code] if 0 <= status.code < 3 else "unset",
        status.message,
        scope_name,
        scope_version,
        attributes(wire.attributes),
        resource,
        [SpanEvent(event.name, event.time_unix_nano, attributes(event.attributes)) for event in events]
        if events
        else [],
        [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": attributes(link.attributes),
            }
            for link in links
        ]
        if links
        else [],
        wire.trace_state,
        wire.flags,
    )


def traces(body: bytes) -> tuple[list[Span], list[Rejected]]:
    """The spans of an ExportTraceServiceRequest, and those that could not be read.

    Raises Invalid where the bytes are not such a message at all.
    """
    try:
        return spans_of(ExportTraceServiceRequest.FromString(body)), []
    except DecodeError:
        return _salvage(body)


def spans_of(request: Any) -> list[Span]:
    """The spans of a parsed request."""
    found: list[Span] = []
    groups = sum(
        len(resource_spans.scope_spans) or 1 for resource_spans in request.resource_spans[: MOST_GROUPS + 1]
    )
    if groups > MOST_GROUPS:
        raise Invalid(f"more than {MOST_GROUPS} resources and scopes in one request", where="resourceSpans")
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            name, version = scope_spans.scope.name, scope_spans.scope.version
            found.extend(span(wire, name, version, resource) for wire in scope_spans.spans)
    return found


def logs(body: bytes) -> Any:
    """The parsed ExportLogsServiceRequest. Raises Invalid."""
    return _parse(ExportLogsServiceRequest, body)


def metrics(body: bytes) -> Any:
    """The parsed ExportMetricsServiceRequest. Raises Invalid."""
    return _parse(ExportMetricsServiceRequest, body)


def _parse(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError as error:
        raise Invalid(
            f"the body is not an OTLP {message.DESCRIPTOR.name} in protobuf: {error}", where="body"
        ) from error


def _salvage(body: bytes) -> tuple[list[Span], list[Rejected]]:
    found: list[Span] = []
    rejected: list[Rejected] = []
    for resource_spans in _fields(body, 1):
        resource_bytes = b"".join(_fields(resource_spans, 1))
        try:
            resource = attributes(Resource.FromString(resource_bytes).attributes)
        except DecodeError:
            count = sum(len(list(_fields(scope_spans, 2))) for scope_spans in _fields(resource_spans, 2))
            rejected += [
                Rejected("resource", "its resource attributes are not valid protobuf text (UTF-8)")
            ] * count
            continue
        for scope_spans in _fields(resource_spans, 2):
            name, version = _scope(b"".join(_fields(scope_spans, 1)))
            for span_bytes in _fields(scope_spans, 2):
                try:
                    found.append(span(WireSpan.FromString(span_bytes), name, version, resource))
                except DecodeError:
                    reason = "a text field of it is not valid UTF-8, or its bytes are not a span"
                    rejected.append(Rejected(_named(span_bytes), reason))
    return found, rejected


def _scope(scope_bytes: bytes) -> tuple[str, str]:
    try:
        scope = InstrumentationScope.FromString(scope_bytes)
    except DecodeError:
        return "", ""
    return scope.name, scope.version


def _named(span_bytes: bytes) -> str:
    try:
        trace_id, span_id = b"".join(_fields(span_bytes, 1)).hex(), b"".join(_fields(span_bytes, 2)).hex()
    except Invalid:
        return "a span without readable ids"
    return f"span {span_id[:40] or '?'} of trace {trace_id[:40] or '?'}"


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """The length-delimited fields with one number, read off the wire format. Raises Invalid on broken framing."""
    position, end, seen = 0, len(message), 0
    while position < end:
        seen += 1
        if seen > MOST_FIELDS:
            raise Invalid("the body is not OTLP in protobuf: it has too many fields", where="body")
        tag, position = _varint(message, position)
        wire_type = tag & 7
        if wire_type == 0:
            _, position = _varint(message, position)
            continue
        if wire_type == 2:
            size, position = _varint(message, position)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise Invalid("the body is not OTLP in protobuf: broken framing", where="body")
        if position + size > end:
            raise Invalid("the body is not OTLP in protobuf, or was cut off", where="body")
        if wire_type == 2 and tag >> 3 == wanted:
            yield message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while position < len(message) and shift < 70:
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
    raise Invalid("the body is not OTLP in protobuf, or was cut off", where="body")
