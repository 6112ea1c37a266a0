"""A call's record as OpenTelemetry spans: one for the call, one below it for each try that failed."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from holdfast import __version__
from holdfast.gateway.guardrails.judging import Verdict
from holdfast.gateway.model import OWN_PRICE, SCOPE, Dimensions
from holdfast.gateway.proxy import contents
from holdfast.gateway.proxy.attributes import attribute, attributes, delimited
from holdfast.gateway.proxy.records import Attempt, Record

Said = list[tuple[str, Any]]

_FIXED = struct.Struct("<BBBQBQ")
"""Span.kind, .start_time_unix_nano and .end_time_unix_nano, with their tags."""
_CLIENT = Span.SPAN_KIND_CLIENT
_FAILED = b"\x18\x02"
"""Status.code, an error."""
_DIMENSIONS = tuple((name, f"holdfast.{name}") for name in Dimensions.__struct_fields__)
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
    scope = InstrumentationScope(name=SCOPE, version=__version__)
    spans = [delimited(b"\x0a", scope.SerializeToString())]  # ScopeSpans.scope
    for record in records:
        spans.append(_call(record))
        spans += [_attempt(record, one) for one in record.attempts]
    resource = delimited(b"\x0a", attribute("telemetry.sdk.name", "holdfast", b"\x0a"))
    group = resource + delimited(b"\x12", b"".join(spans))  # ResourceSpans.resource, .scope_spans
    return delimited(b"\x0a", group)  # ExportTraceServiceRequest.resource_spans


def _span(
    record: Record, of: Record | Attempt, model: str, parent: bytes, said: Said, rest: Iterable[bytes] = ()
) -> bytes:
    """A call's span, or that of a try of it, as one more of ScopeSpans.spans: `said` of it, and `rest` as it is."""
    name = f"{record.operation} {model}".strip()
    whole = [
        delimited(b"\x0a", record.trace_id),
        delimited(b"\x12", of.span_id),
        delimited(b"\x22", parent),
        delimited(b"\x2a", name.encode("utf-8", "replace")),
        _FIXED.pack(0x30, _CLIENT, 0x39, of.started_ns, 0x41, max(of.ended_ns, of.started_ns)),
        _target(record.operation, model, of.provider, of.address, of.upstream, record.dimensions),
        attributes(said),
        *rest,
    ]
    if of.error is not None:
        message = delimited(b"\x12", of.error.encode("utf-8", "replace"))
        whole.append(delimited(b"\x7a", message + _FAILED))
    return delimited(b"\x12", b"".join(whole))


@lru_cache(1024)
def _target(
    operation: str, model: str, provider: str, address: str, upstream: str, dimensions: Dimensions
) -> bytes:
    """What most calls say alike."""
    return attributes(
        (
            ("gen_ai.operation.name", operation),
            ("gen_ai.request.model", model),
            ("gen_ai.provider.name", provider),
            ("server.address", address),
            ("holdfast.upstream", upstream),
            *((said, getattr(dimensions, name)) for name, said in _DIMENSIONS),
        )
    )


def _call(record: Record) -> bytes:
    said: Said = [
        ("gen_ai.request.stream", record.stream),
        ("cloud.region", record.region),
        ("gen_ai.response.model", record.response_model),
        ("gen_ai.response.id", record.response_id),
        ("gen_ai.response.finish_reasons", record.finish_reasons),
        ("gen_ai.response.service_tier", record.service_tier),
        ("holdfast.budget.lifted", record.lifted),
        ("holdfast.release", record.release),
        ("holdfast.key", record.key),
        ("holdfast.shadow_of", record.shadow_of.hex()),
        ("http.request.resend_count", len(record.attempts) or None),
        ("error.type", record.error),
    ]
    if record.asked_model != record.request_model:
        said.append(("holdfast.asked_model", record.asked_model))
    if record.first_ns is not None:
        waited = (record.first_ns - record.started_ns) / 1e9
        said.append(("gen_ai.response.time_to_first_chunk", waited))
    if record.cache_hit:
        said += _saved(record)
    else:
        cost = record.cost if record.currency == "USD" else None
        own = (record.price or "").startswith(OWN_PRICE)
        said += _usage(record.usage, cost, estimated=record.estimated, own=own)
    if record.batch is not None:
        said += [
            ("holdfast.batch.id", record.batch.id),
            ("holdfast.batch.answered", record.batch.answered),
            ("holdfast.batch.failed", record.batch.failed),
        ]
    if record.verdicts:
        judged = [
            f"{one.at} {one.guardrail}={one.verdict}" for one in record.verdicts if one.verdict != "allow"
        ]
        said.append(("holdfast.guardrail.verdicts", judged))
    if record.status is not None and record.status >= 400:
        said.append(("http.response.status_code", record.status))
    said += contents.attributes(record).items()
    for name, value in record.variables.items():
        text = value if isinstance(value, str) else contents.json_text(value)
        said.append((f"gen_ai.prompt.variable.{name}", text))
    events = [_verdict(record, one) for one in record.verdicts]
    return _span(record, record, record.request_model, record.parent_id, said, events)


def _verdict(record: Record, verdict: Verdict) -> bytes:
    """What a guardrail said, as one more of Span.events."""
    at = record.started_ns if verdict.at == "input" else max(record.ended_ns, record.started_ns)
    event = Span.Event(name="holdfast.guardrail", time_unix_nano=at)
    said = [
        ("name", verdict.guardrail),
        ("kind", verdict.kind),
        ("at", verdict.at),
        ("verdict", verdict.verdict),
        ("count", verdict.count),
        ("entities", list(verdict.entities)),
        ("duration_ms", verdict.ms),
        ("policy", verdict.policy),
    ]
    put = [
        attribute(f"holdfast.guardrail.{name}", value, b"\x1a")
        for name, value in said
        if value not in ("", [])
    ]
    return delimited(b"\x5a", event.SerializeToString() + b"".join(put))


def _usage(usage: tuple[int | None, ...] | None, cost: Decimal | None, *, estimated: bool, own: bool) -> Said:
    """`own`: the cost is the gateway's word, by prices that only it knows or counted at a bound, so that it stays."""
    said: Said = [("holdfast.cost" if own else "gen_ai.usage.cost", _text(cost))]
    if usage is not None:
        inputs = [count for count in usage[:3] if count is not None]
        if inputs:
            said.append(("gen_ai.usage.input_tokens", sum(inputs)))
        said += [(name, usage[place]) for name, place in _TOKENS]
    if estimated:
        said.append(("holdfast.usage.estimated", True))
    return said


def _saved(record: Record) -> Said:
    """An answer from the cache used nothing, and cost nothing."""
    return [
        ("gen_ai.usage.input_tokens", 0),
        ("gen_ai.usage.output_tokens", 0),
        ("gen_ai.usage.cost", "0"),
        ("holdfast.response_cache.hit", True),
        ("holdfast.cost_avoided", _text(record.cost_avoided)),
    ]


def _text(amount: object) -> str | None:
    return None if amount is None else format(amount, "f")


def _attempt(record: Record, one: Attempt) -> bytes:
    said = [
        ("error.type", one.error),
        ("http.response.status_code", one.status),
        *_usage(one.usage, one.cost, estimated=one.usage is not None, own=True),
    ]
    return _span(record, one, one.model, record.span_id, said)
