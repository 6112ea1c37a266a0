"""A call's record as OpenTelemetry spans: one for the call, one below it for each try that failed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from holdfast import __version__
from holdfast.gateway.proxy import contents
from holdfast.gateway.proxy.records import Attempt, Record

SCOPE = "holdfast.gateway"
_TOKENS = (
    ("gen_ai.usage.cache_read.input_tokens", 1),
    ("gen_ai.usage.cache_write.input_tokens", 2),
    ("holdfast.usage.cache_write_5m_input_tokens", 3),
    ("holdfast.usage.cache_write_1h_input_tokens", 4),
    ("gen_ai.usage.output_tokens", 5),
    ("gen_ai.usage.reasoning.output_tokens", 6),
    ("gen_ai.usage.audio.input_tokens", 7),
    ("gen_ai.usage.image.input_tokens", 8),
    ("gen_ai.usage.audio.cache_read.input_tokens", 9),
    ("gen_ai.usage.audio.output_tokens", 10),
    ("gen_ai.usage.image.output_tokens", 11),
)
"""Attribute and place in `pricing.model.Usage`; the input's total is the sum of places 0 to 2."""


def request(records: Iterable[Record]) -> bytes:
    """Records of one workspace as one OTLP request, in protobuf."""
    whole = ExportTraceServiceRequest()
    group = whole.resource_spans.add()
    _put(group.resource.attributes, "telemetry.sdk.name", "holdfast")
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = SCOPE, __version__
    for record in records:
        scoped.spans.append(_call(record))
        scoped.spans.extend(_attempt(record, one) for one in record.attempts)
    made: bytes = whole.SerializeToString()
    return made


def _begun(record: Record, of: Record | Attempt, model: str, parent: bytes) -> Span:
    """What a call's span and that of a try of it say alike."""
    span = Span(
        trace_id=record.trace_id,
        span_id=of.span_id,
        parent_span_id=parent,
        name=f"{record.operation} {model}".strip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=of.started_ns,
        end_time_unix_nano=max(of.ended_ns, of.started_ns),
    )
    put = span.attributes
    _put(put, "gen_ai.operation.name", record.operation)
    _put(put, "gen_ai.request.model", model)
    _put(put, "gen_ai.provider.name", of.provider)
    _put(put, "server.address", of.address)
    _put(put, "holdfast.upstream", of.upstream)
    for name in record.dimensions.__struct_fields__:
        _put(put, f"holdfast.{name}", getattr(record.dimensions, name))
    return span


def _call(record: Record) -> Span:
    span = _begun(record, record, record.request_model, record.parent_id)
    put = span.attributes
    _put(put, "gen_ai.request.stream", record.stream)
    _put(put, "cloud.region", record.region)
    _put(put, "gen_ai.response.model", record.response_model)
    _put(put, "gen_ai.response.id", record.response_id)
    _put(put, "gen_ai.response.finish_reasons", list(record.finish_reasons))
    _put(put, "gen_ai.response.service_tier", record.service_tier)
    if record.first_ns is not None:
        _put(put, "gen_ai.response.time_to_first_chunk", (record.first_ns - record.started_ns) / 1e9)
    _usage(record, put)
    _put(put, "holdfast.release", record.release)
    _put(put, "holdfast.key", record.key)
    if record.cache_hit:
        _put(put, "holdfast.response_cache.hit", True)
        _put(put, "holdfast.cost_avoided", _text(record.cost_avoided))
    _put(put, "holdfast.shadow_of", record.shadow_of.hex())
    _put(put, "http.request.resend_count", len(record.attempts) or None)
    if record.error is not None:
        _put(put, "error.type", record.error)
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, record.error
    if record.status is not None and record.status >= 400:
        _put(put, "http.response.status_code", record.status)
    for name, value in contents.attributes(record).items():
        _put(put, name, value)
    for name, value in record.variables.items():
        _put(
            put,
            f"gen_ai.prompt.variable.{name}",
            value if isinstance(value, str) else contents.json_text(value),
        )
    return span


def _usage(record: Record, put: Any) -> None:
    usage = record.usage
    if usage is not None:
        inputs = [count for count in usage[:3] if count is not None]
        if inputs:
            _put(put, "gen_ai.usage.input_tokens", sum(inputs))
        for name, place in _TOKENS:
            _put(put, name, usage[place])
    if record.estimated:
        _put(put, "holdfast.usage.estimated", True)
    if record.currency == "USD":
        _put(put, "gen_ai.usage.cost", _text(record.cost))


def _text(amount: object) -> str | None:
    return None if amount is None else format(amount, "f")


def _attempt(record: Record, one: Attempt) -> Span:
    span = _begun(record, one, one.model, record.span_id)
    put = span.attributes
    _put(put, "error.type", one.error)
    _put(put, "http.response.status_code", one.status)
    _put(put, "gen_ai.usage.cost", _text(one.cost))
    span.status.code, span.status.message = Status.STATUS_CODE_ERROR, one.error
    return span


def _put(attributes: Any, name: str, value: Any) -> None:
    """Adds an attribute; what is unknown or empty is left out."""
    if value is None or value == "" or value == []:
        return
    attributes.append(KeyValue(key=name, value=_any(value)))


def _any(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[_any(one) for one in value]))
    return AnyValue(string_value=str(value))
