"""Whatever the bytes are, a decoder gives a result or raises Invalid, and soon."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.decode import events, protobuf
from holdfast.telemetry.decode import json as json_decoding
from holdfast.telemetry.rules.admission import Limits, admit
from otlp_made import body, json_body, json_span, pairs, span

NOW = 1_795_000_000 * 10**9
LIMITS = Limits(NOW, 3660 * 86_400 * 10**9, 3600 * 10**9, 1 << 20)
FAST = settings(
    max_examples=150,
    deadline=5000,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)


def metrics_message() -> ExportMetricsServiceRequest:
    made = ExportMetricsServiceRequest()
    metrics = made.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="g").gauge.data_points.add(time_unix_nano=NOW, as_double=1.5, attributes=pairs({"a": 1}))
    metrics.add(name="s").sum.data_points.add(time_unix_nano=NOW, as_int=7)
    metrics.add(name="h").histogram.data_points.add(
        time_unix_nano=NOW, count=3, sum=2.0, bucket_counts=[1, 2], explicit_bounds=[0.5]
    )
    metrics.add(name="e").exponential_histogram.data_points.add(time_unix_nano=NOW, count=3, scale=2)
    metrics.add(name="q").summary.data_points.add(time_unix_nano=NOW, count=3, sum=2.0)
    return made


def logs_message() -> ExportLogsServiceRequest:
    made = ExportLogsServiceRequest()
    records = made.resource_logs.add().scope_logs.add().log_records
    record = records.add(
        time_unix_nano=NOW, event_name="gen_ai.evaluation.result", attributes=pairs({"x": [1, {"y": "z"}]})
    )
    record.body.string_value = "text"
    return made


WIRE = {
    "traces": body(
        [span("ab" * 16, "cd" * 8, attributes={"a": [1, {"b": "c"}], "d": 1.5, "e": b"f"}), span()]
    ),
    "metrics": bytes(metrics_message().SerializeToString()),
    "logs": bytes(logs_message().SerializeToString()),
}
DECODERS: dict[str, Any] = {
    "traces": protobuf.traces,
    "metrics": lambda raw: events.metrics(raw, is_json=False),
    "logs": lambda raw: events.logs(raw, is_json=False),
}
JSON_DECODERS: dict[str, Any] = {
    "traces": json_decoding.traces,
    "metrics": lambda raw: events.metrics(raw, is_json=True),
    "logs": lambda raw: events.logs(raw, is_json=True),
}


def decoded(decode: Any, raw: bytes) -> None:
    """Decodes; of what comes out everything can be judged, named and encoded."""
    try:
        found, rejected = decode(raw)
    except Invalid:
        return
    for one in rejected:
        assert one.where and one.reason
        (one.where + one.reason).encode()
    if decode in (protobuf.traces, json_decoding.traces):
        admission = admit(found, LIMITS)
        assert len(admission.spans) + len(admission.rejected) <= len(found)
        for one in admission.spans:
            msgspec.json.encode((one.attributes, one.resource, one.links))


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with some of them changed, cut out, doubled, or cut off."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        match draw(st.integers(0, 3)):
            case 0:
                raw[at : at + 1] = draw(st.binary(min_size=1, max_size=3))
            case 1:
                del raw[at : at + draw(st.integers(1, 20))]
            case 2:
                raw[at:at] = raw[at : at + draw(st.integers(1, 60))]
            case _:
                del raw[at:]
    return bytes(raw)


@pytest.mark.parametrize("signal", WIRE)
@FAST
@given(data=st.data())
def test_mutated_protobuf(signal: str, data: st.DataObject) -> None:
    decoded(DECODERS[signal], data.draw(mutated(WIRE[signal])))


@pytest.mark.parametrize("signal", WIRE)
@FAST
@given(raw=st.binary(max_size=300))
@example(raw=b"\x0a\x02\x12\x00" * 50)
@example(raw=b"\x0b" * 100)
@example(raw=b"\x80" * 100)
def test_random_bytes(signal: str, raw: bytes) -> None:
    decoded(DECODERS[signal], raw)
    decoded(JSON_DECODERS[signal], raw)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1", "NaN", "-1"])
)
NAMES = (
    "resourceSpans scopeSpans spans resource scope attributes key value stringValue intValue doubleValue boolValue"
    " arrayValue kvlistValue bytesValue values traceId spanId parentSpanId name kind status code message events links"
    " startTimeUnixNano endTimeUnixNano timeUnixNano flags resourceLogs scopeLogs logRecords body eventName"
    " resourceMetrics scopeMetrics metrics gauge sum histogram exponentialHistogram summary dataPoints asDouble asInt"
    " count min max bucketCounts explicitBounds positive scale aggregationTemporality isMonotonic"
)
names = st.sampled_from(NAMES.split())
shapes = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


def replaced(document: Any, path: list[int], new: Any) -> Any:
    """The document with what is at the end of a path of choices replaced."""
    if not path or not isinstance(document, dict | list) or not document:
        return new
    if isinstance(document, list):
        at = path[0] % len(document)
        return [replaced(one, path[1:], new) if n == at else one for n, one in enumerate(document)]
    chosen = list(document)[path[0] % len(document)]
    return {key: replaced(one, path[1:], new) if key == chosen else one for key, one in document.items()}


POINT = {"timeUnixNano": str(NOW), "count": "3", "sum": 1, "bucketCounts": ["1", 2], "explicitBounds": [0.5]}
JSON_WIRE: dict[str, Any] = {
    "traces": json.loads(
        json_body(
            json_span(
                events=[
                    {
                        "name": "e",
                        "timeUnixNano": "5",
                        "attributes": [{"key": "k", "value": {"doubleValue": 1}}],
                    }
                ],
                links=[{"traceId": "ab" * 16, "spanId": "cd" * 8, "attributes": []}],
                status={"code": 2, "message": "no"},
            )
        )
    ),
    "metrics": {
        "resourceMetrics": [
            {
                "resource": {"attributes": [{"key": "a", "value": {"stringValue": "b"}}]},
                "scopeMetrics": [
                    {
                        "metrics": [
                            {"name": "g", "gauge": {"dataPoints": [{"timeUnixNano": NOW, "asInt": "5"}]}},
                            {"name": "h", "histogram": {"dataPoints": [POINT], "aggregationTemporality": 2}},
                            {
                                "name": "x",
                                "exponentialHistogram": {
                                    "dataPoints": [{**POINT, "positive": {"bucketCounts": [1]}}]
                                },
                            },
                        ]
                    }
                ],
            }
        ]
    },
    "logs": {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {"logRecords": [{"timeUnixNano": NOW, "body": {"stringValue": "b"}, "attributes": []}]}
                ]
            }
        ]
    },
}


@pytest.mark.parametrize("signal", JSON_WIRE)
@FAST
@given(path=st.lists(st.integers(0, 12), max_size=12), new=shapes)
@example(path=[0, 0, 0, 0], new=None)
@example(path=[0, 0, 0], new="text")
@example(path=[0, 0, 1, 0, 0, 0, 1, 1], new=7)
def test_json_with_a_part_replaced(signal: str, path: list[int], new: Any) -> None:
    raw = json.dumps(replaced(JSON_WIRE[signal], path, new)).encode()
    decoded(JSON_DECODERS[signal], raw)


@pytest.mark.parametrize("signal", JSON_WIRE)
@FAST
@given(data=st.data())
def test_mutated_json(signal: str, data: st.DataObject) -> None:
    decoded(JSON_DECODERS[signal], data.draw(mutated(json.dumps(JSON_WIRE[signal]).encode())))


@pytest.mark.timeout(100)
def test_bodies_made_to_take_long() -> None:
    for raw in (
        b"\x08\x00" * 2_500_000 + b"\x0a\x02\x0a\x05",  # many fields that nobody knows, then broken framing
        b"\x0a\x00" * 2_500_000,  # many empty groups
        b"\x0a" + b"\x80" * 1_000_000,
    ):
        decoded(protobuf.traces, raw)
    decoded(json_decoding.traces, b'{"resourceSpans":[' + b"{}," * 200_000 + b"{}]}")
    decoded(json_decoding.traces, b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    decoded(json_decoding.traces, json_body(json_span(startTimeUnixNano="9" * 1_000_000)))
