"""Metrics and logs on a real core, and the official exporters over HTTP and gRPC."""

from __future__ import annotations

import json
import time
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otlp_made import CHAT, body, pairs, span
from running_core import CoreProcess, Workspace

pytestmark = pytest.mark.timeout(1200)
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def export_by_grpc(
    core: CoreProcess, key: str, sent: bytes, *, path: str = EXPORT, timeout: float = 30
) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{core.grpc_port}") as channel:
        call = channel.unary_unary(path)
        return bytes(call(sent, metadata=(("authorization", f"Bearer {key}"),), timeout=timeout))


def refused_by_grpc(core: CoreProcess, key: str, sent: bytes, **more: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        export_by_grpc(core, key, sent, **more)
    return caught.value


@pytest.mark.parametrize("transport", ["http", "http-gzip", "grpc"])
def test_the_official_exporters(core: CoreProcess, workspace: Workspace, transport: str) -> None:
    if transport == "grpc":
        headers = (("authorization", f"Bearer {workspace.key}"),)
        exporter: Any = GrpcSpanExporter(f"http://127.0.0.1:{core.grpc_port}", insecure=True, headers=headers)
    else:
        exporter = OTLPSpanExporter(
            f"http://127.0.0.1:{core.port}/v1/traces",
            headers={"authorization": f"Bearer {workspace.key}"},
            compression=Compression.Gzip if transport == "http-gzip" else Compression.NoCompression,
        )
    provider = TracerProvider(resource=Resource.create({"service.name": "official"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("official")
    for _ in range(3):
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("chat", attributes=CHAT):
            pass
    provider.shutdown()
    assert workspace.count() == (3, 6)
    assert {call["system"] for call in workspace.calls()} == {"official"}


def test_the_official_metric_exporter(core: CoreProcess, workspace: Workspace) -> None:
    exporter = OTLPMetricExporter(
        f"http://127.0.0.1:{core.port}/v1/metrics", headers={"authorization": f"Bearer {workspace.key}"}
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider(metric_readers=[reader])
    histogram = provider.get_meter("m").create_histogram("gen_ai.client.token.usage", unit="{token}")
    histogram.record(5, {"gen_ai.token.type": "input"})
    assert provider.force_flush()
    provider.shutdown()


def test_grpc_codes(core: CoreProcess, workspace: Workspace) -> None:
    good = body([span()])
    assert refused_by_grpc(core, "hf_wrong", good).code() is grpc.StatusCode.UNAUTHENTICATED
    reader = core.workspace(workspace.slug, "read")
    assert refused_by_grpc(core, reader.key, good).code() is grpc.StatusCode.PERMISSION_DENIED
    bad = refused_by_grpc(core, workspace.key, b"\xff\xff")
    assert (bad.code(), "OTLP" in bad.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    huge = refused_by_grpc(core, workspace.key, bytes((16 << 20) + 1))
    assert huge.code() is grpc.StatusCode.INVALID_ARGUMENT
    enormous = refused_by_grpc(core, workspace.key, bytes(20 << 20))
    assert enormous.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    none = refused_by_grpc(core, workspace.key, good, path=EXPORT.replace("Export", "Import"))
    assert none.code() is grpc.StatusCode.UNIMPLEMENTED
    assert export_by_grpc(core, workspace.key, good) == b""
    late = span(start_ns=1)
    answer = ExportTraceServiceResponse.FromString(export_by_grpc(core, workspace.key, body([late, span()])))
    assert answer.partial_success.rejected_spans == 1
    assert late.span_id.hex() in answer.partial_success.error_message
    assert workspace.count() == (2, 2)


def test_grpc_says_when_to_come_back(core: CoreProcess, workspace: Workspace) -> None:
    stalled = [workspace.stalled(16 << 20) for _ in range(2)]
    sent = body([span()])
    refused = refused_by_grpc(core, workspace.key, sent)
    for one in stalled:
        one.close()
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    status = Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds >= 1


def test_grpc_senders_that_give_up_do_no_harm(core: CoreProcess, workspace: Workspace) -> None:
    sent = body([span() for _ in range(400)])
    for timeout in (0.001, 0.01, 0.02, 0.03, 0.05, 0.08):
        for _ in range(4):
            try:
                export_by_grpc(core, workspace.key, sent, timeout=timeout)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: PT017
    assert export_by_grpc(core, workspace.key, sent) == b""
    assert workspace.count() == (400, 400)


def metric_request(at: int) -> ExportMetricsServiceRequest:
    made = ExportMetricsServiceRequest()
    one = made.resource_metrics.add()
    one.resource.attributes.extend(pairs({"service.name": "shop"}))
    metrics = one.scope_metrics.add().metrics
    histogram = metrics.add(name="gen_ai.client.operation.duration", unit="s").histogram
    histogram.aggregation_temporality = 2
    histogram.data_points.add(
        time_unix_nano=at, start_time_unix_nano=at - 5, count=3, sum=2.5, bucket_counts=[1, 2], explicit_bounds=[0.5],
        attributes=pairs({"gen_ai.request.model": "gpt-4o"}),
    )  # fmt: skip
    metrics.add(name="gauge").gauge.data_points.add(time_unix_nano=at, as_double=float("nan"))
    metrics.add(name="gauge").gauge.data_points.add(time_unix_nano=at, as_int=-7, attributes=pairs({"a": 1}))
    metrics.add(name="counter").sum.data_points.add(time_unix_nano=at, as_double=float("inf"))
    metrics.add(name="summary").summary.data_points.add(time_unix_nano=at, count=2**64 - 1, sum=1.0)
    metrics.add(name="exponential").exponential_histogram.data_points.add(
        time_unix_nano=at, count=1, scale=-3
    )
    metrics.add(name="nothing")
    return made


def test_metrics_with_refused_points(workspace: Workspace) -> None:
    now = time.time_ns()
    made = metric_request(now)
    assert workspace.post(made.SerializeToString(), "metrics").content == b""
    metrics = made.resource_metrics[0].scope_metrics[0].metrics
    metrics.add(name="no-time").gauge.data_points.add(as_int=1)
    metrics.add(name="future").gauge.data_points.add(time_unix_nano=2**64 - 1, as_int=1)
    metrics.add(name="start").gauge.data_points.add(
        time_unix_nano=now, start_time_unix_nano=2**64 - 1, as_int=1
    )
    answer = workspace.post(made.SerializeToString(), "metrics")
    said = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert said.rejected_data_points == 3
    assert "no-time" in said.error_message
    assert "start time is out of range" in said.error_message


@pytest.mark.parametrize(
    "point",
    [
        {"count": -1},
        {"count": str(2**64)},
        {"count": 1.5},
        {"bucketCounts": [-1]},
        {"bucketCounts": ["x"]},
        {"bucketCounts": 5},
        {"explicitBounds": [None, "a"]},
        {"sum": "many"},
        {"sum": 10**400},
        {"attributes": 5},
        {"startTimeUnixNano": str(2**63)},
        {"startTimeUnixNano": -1},
        {"timeUnixNano": "soon"},
    ],
)
def test_points_of_the_wrong_shape_are_refused_alone(workspace: Workspace, point: dict[str, Any]) -> None:
    now = str(time.time_ns())
    good = {
        "timeUnixNano": now,
        "count": "3",
        "sum": 2.5,
        "bucketCounts": ["1", "2"],
        "explicitBounds": [0.5],
    }
    data = {"dataPoints": [{**good, **point}, good], "aggregationTemporality": 7}
    sent = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "h", "histogram": data}]}]}]}
    answer = workspace.post(json.dumps(sent).encode(), "metrics", "application/json")
    assert answer.status_code == 200, answer.content
    assert json.loads(answer.content)["partialSuccess"]["rejectedDataPoints"] == "1"


def test_evaluation_results_reach_their_trace_once(workspace: Workspace) -> None:
    seen = span()
    assert workspace.post(body([seen])).status_code == 200
    made = ExportLogsServiceRequest()
    records = made.resource_logs.add().scope_logs.add().log_records
    attributes: dict[str, Any] = {
        "gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.75,
        "gen_ai.evaluation.score.label": "good", "gen_ai.evaluation.explanation": "mail jane@example.com",
    }  # fmt: skip
    records.add(
        time_unix_nano=time.time_ns(), event_name="gen_ai.evaluation.result", trace_id=seen.trace_id,
        span_id=seen.span_id, attributes=pairs(attributes),
    )  # fmt: skip
    for _ in range(3):
        assert workspace.post(made.SerializeToString(), "logs").content == b""
    trace = workspace.get(f"traces/{seen.trace_id.hex()}")
    [shown] = trace["evaluations"]
    assert (shown["name"], shown["score"], shown["label"]) == ("relevance", 0.75, "good")
    assert "jane@example.com" not in json.dumps(trace)


def test_logs_with_refused_and_odd_records(workspace: Workspace) -> None:
    now = time.time_ns()
    made = ExportLogsServiceRequest()
    records = made.resource_logs.add().scope_logs.add().log_records
    records.add(
        time_unix_nano=now,
        event_name="ok",
        trace_id=b"abc",
        span_id=b"x",
        attributes=pairs({"a": float("nan")}),
    )
    records.add(observed_time_unix_nano=now, event_name="observed").body.kvlist_value.values.extend(
        pairs({"a": "b"})
    )
    records.add(event_name="timeless")
    records.add(time_unix_nano=now + 10**18, event_name="ahead")
    records.add(time_unix_nano=now, event_name="large", attributes=pairs({"big": "x" * 5_000_000}))
    records.add(
        time_unix_nano=now,
        event_name="gen_ai.evaluation.result",
        attributes=pairs({"gen_ai.evaluation.score.value": 2**62}),
    )
    answer = workspace.post(made.SerializeToString(), "logs")
    said = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert said.rejected_log_records == 2
    for named in ("timeless", "ahead", "large was kept without big"):
        assert named in said.error_message
    bad = [{"timeUnixNano": "x"}, {"traceId": 5}, {"body": {"arrayValue": 5}}, {"attributes": [5]}]
    good = {"timeUnixNano": str(now), "eventName": "e", "traceId": "not hex"}
    sent = {"resourceLogs": [{"scopeLogs": [{"logRecords": [*({**good, **one} for one in bad), good]}]}]}
    answer = workspace.post(json.dumps(sent).encode(), "logs", "application/json")
    assert json.loads(answer.content)["partialSuccess"]["rejectedLogRecords"] == "4"
