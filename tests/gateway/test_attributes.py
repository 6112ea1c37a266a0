"""Attributes written directly are what protobuf reads as the same attributes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from holdfast.gateway.model import Dialect, Dimensions
from holdfast.gateway.proxy import spans
from holdfast.gateway.proxy.attributes import SHORT, attribute
from holdfast.gateway.proxy.records import Attempt, Record

plain = (
    st.text(st.characters(codec="utf-8"), max_size=2 * SHORT)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
)


def said(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [said(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), plain | st.lists(plain))))
def test_protobuf_reads_what_was_written(pairs: list[tuple[str, Any]]) -> None:
    head = Span(name="chat m", span_id=b"12345678").SerializeToString()
    read = Span.FromString(head + b"".join(attribute(name, value) for name, value in pairs))
    assert (read.name, read.span_id) == ("chat m", b"12345678")
    found = [(one.key, said(one.value)) for one in read.attributes]
    assert found == pairs
    assert [type(value) for _, value in found] == [type(value) for _, value in pairs]


def test_text_that_is_no_unicode_does_not_break_a_span() -> None:
    read = Span.FromString(attribute("name", "half a pair: \ud800"))
    assert said(read.attributes[0].value) == "half a pair: ?"


def test_spans_are_read_as_they_were_meant() -> None:
    tried = Attempt(b"23456789", "first", "openai", "http://a", "m" * 300, 20, 30, 500, "500" + "é" * 200)
    whole = Record(
        workspace="w",
        trace_id=b"0123456789abcdef",
        span_id=b"12345678",
        parent_id=b"87654321",
        started_ns=10,
        operation="chat",
        dialect=Dialect.OPENAI,
        dimensions=Dimensions(user="half a pair: \ud800"),
        key="k",
        request_model="model",
        stream=False,
        ended_ns=2**63,
        finish_reasons=("stop", "length"),
        attempts=[tried],
    )
    found = (
        ExportTraceServiceRequest.FromString(spans.request([whole])).resource_spans[0].scope_spans[0].spans
    )
    call, attempt = found
    assert (call.trace_id, call.span_id, call.parent_span_id) == (whole.trace_id, b"12345678", b"87654321")
    assert (call.name, call.kind) == ("chat model", Span.SPAN_KIND_CLIENT)
    assert (call.start_time_unix_nano, call.end_time_unix_nano) == (10, 2**63)
    assert not call.HasField("status")
    told = {one.key: said(one.value) for one in call.attributes}
    assert told["holdfast.user"] == "half a pair: ?"
    assert told["gen_ai.response.finish_reasons"] == ["stop", "length"]
    assert (attempt.trace_id, attempt.span_id, attempt.parent_span_id) == (
        whole.trace_id,
        b"23456789",
        b"12345678",
    )
    assert attempt.name == "chat " + "m" * 300
    assert (attempt.status.code, attempt.status.message) == (Status.STATUS_CODE_ERROR, tried.error)
