"""OTLP requests made by hand, in protobuf and JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

MILLISECOND = 1_000_000


def any_value(value: Any) -> AnyValue:
    """A Python value as an AnyValue."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            made = AnyValue()
            made.array_value.values.extend(any_value(item) for item in value)
            return made
        case dict():
            made = AnyValue()
            made.kvlist_value.values.extend(pairs(value))
            return made
    return AnyValue(string_value=value)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes on the wire."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
}


def span(
    trace: str = "",
    span_id: str = "",
    parent: str = "",
    *,
    start_ns: int = 0,
    duration_ms: float = 100,
    name: str = "chat gpt-4o-mini",
    attributes: dict[str, Any] | None = None,
) -> Span:
    """A span of a chat that began a minute ago, unless told otherwise; ids are hex."""
    start_ns = start_ns or time.time_ns() - 60 * 10**9
    return Span(
        trace_id=bytes.fromhex(trace or os.urandom(16).hex()),
        span_id=bytes.fromhex(span_id or os.urandom(8).hex()),
        parent_span_id=bytes.fromhex(parent),
        name=name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + int(duration_ms * MILLISECOND),
        attributes=pairs(CHAT if attributes is None else attributes),
    )


def request(
    spans: Sequence[Span], *, resource: dict[str, Any] | None = None, scope: str = "test.scope"
) -> ExportTraceServiceRequest:
    """A request of some spans."""
    made = ExportTraceServiceRequest()
    resource_spans = made.resource_spans.add()
    resource_spans.resource.attributes.extend(
        pairs({"service.name": "shop"} if resource is None else resource)
    )
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.extend(spans)
    return made


def body(spans: Sequence[Span], **more: Any) -> bytes:
    """A request of some spans, in bytes."""
    return bytes(request(spans, **more).SerializeToString())


def json_span(**fields: Any) -> dict[str, Any]:
    """A span in OTLP/JSON; `fields` replace its own, and those that are `...` are left out."""
    start = time.time_ns() - 60 * 10**9
    attributes = [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in CHAT.items()
    ]
    made = {
        "traceId": os.urandom(16).hex(),
        "spanId": os.urandom(8).hex(),
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**8),
        "attributes": attributes,
        **fields,
    }
    return {name: value for name, value in made.items() if value is not ...}


def json_body(*spans: Any, resource: Any = None) -> bytes:
    """A request of some spans in OTLP/JSON."""
    if resource is None:
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]}
    ).encode()
