"""OTLP logs and metrics to plain records, from protobuf or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.decode import json, protobuf
from holdfast.telemetry.decode.json import MISSHAPEN, Unreadable
from holdfast.telemetry.model import Attributes, Rejected


@dataclass(slots=True)
class LogRecord:
    """One log record or event. `at_ns` is its own time, else the time it was observed."""

    at_ns: int
    trace_id: str
    span_id: str
    event_name: str
    severity: str
    body: Any
    attributes: Attributes
    resource: Attributes


@dataclass(slots=True)
class MetricPoint:
    """One data point. Histograms have counts and bounds; exponential ones keep scale and offsets in `attributes`."""

    name: str
    unit: str
    type: str  # gauge, sum, histogram, exponential_histogram, summary
    temporality: str  # delta, cumulative or empty
    monotonic: bool
    at_ns: int
    start_ns: int
    attributes: Attributes
    resource: Attributes
    value: float | None = None
    count: int | None = None
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bounds: tuple[float, ...] = ()
    bucket_counts: tuple[int, ...] = ()


TEMPORALITY = ("", "delta", "cumulative")


def logs(body: bytes, *, is_json: bool) -> tuple[list[LogRecord], list[Rejected]]:
    """The records of an ExportLogsServiceRequest. Raises Invalid."""
    if is_json:
        return _json_logs(body)
    found = []
    for resource_logs in protobuf.logs(body).resource_logs:
        resource = protobuf.attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for wire in scope_logs.log_records:
                found.append(
                    LogRecord(
                        wire.time_unix_nano or wire.observed_time_unix_nano,
                        wire.trace_id.hex(),
                        wire.span_id.hex(),
                        wire.event_name,
                        wire.severity_text,
                        protobuf.value(wire.body),
                        protobuf.attributes(wire.attributes),
                        resource,
                    )
                )
    return found, []


def _json_logs(body: bytes) -> tuple[list[LogRecord], list[Rejected]]:
    found: list[LogRecord] = []
    rejected: list[Rejected] = []
    for resource_logs in json.objects(json.document(body), "resourceLogs"):
        resource = json.resource_attributes(resource_logs)
        for scope_logs in json.objects(resource_logs, "scopeLogs"):
            for wire in json.objects(scope_logs, "logRecords"):
                try:
                    found.append(
                        LogRecord(
                            json.whole(wire, "timeUnixNano") or json.whole(wire, "observedTimeUnixNano"),
                            json.text(wire, "traceId").lower(),
                            json.text(wire, "spanId").lower(),
                            json.text(wire, "eventName"),
                            json.text(wire, "severityText"),
                            json.value(wire.get("body")),
                            json.attributes(wire.get("attributes")),
                            resource,
                        )
                    )
                except MISSHAPEN as error:
                    rejected.append(Rejected("a log record", f"it does not have the shape of one: {error}"))
    return found, rejected


def metrics(body: bytes, *, is_json: bool) -> tuple[list[MetricPoint], list[Rejected]]:
    """The data points of an ExportMetricsServiceRequest. Raises Invalid."""
    if is_json:
        return _json_metrics(body)
    found: list[MetricPoint] = []
    for resource_metrics in protobuf.metrics(body).resource_metrics:
        resource = protobuf.attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                which = metric.WhichOneof("data")
                if which is None:
                    continue
                data = getattr(metric, which)
                temporality = TEMPORALITY[getattr(data, "aggregation_temporality", 0) % 3]
                monotonic = bool(getattr(data, "is_monotonic", False))
                for wire in data.data_points:
                    point = MetricPoint(
                        metric.name,
                        metric.unit,
                        which,
                        temporality,
                        monotonic,
                        wire.time_unix_nano,
                        wire.start_time_unix_nano,
                        protobuf.attributes(wire.attributes),
                        resource,
                    )
                    _fill(point, wire, which)
                    found.append(point)
    return found, []


def _fill(point: MetricPoint, wire: Any, which: str) -> None:
    if which in ("gauge", "sum"):
        kind = wire.WhichOneof("value")
        point.value = float(getattr(wire, kind)) if kind else None
        return
    point.count = wire.count
    if which == "summary":
        point.sum = wire.sum
        return
    for name in ("sum", "min", "max"):
        setattr(point, name, getattr(wire, name) if wire.HasField(name) else None)
    if which == "histogram":
        point.bounds, point.bucket_counts = tuple(wire.explicit_bounds), tuple(wire.bucket_counts)
    else:
        point.bucket_counts = tuple(wire.positive.bucket_counts)
        point.attributes |= {
            "otel.scale": wire.scale,
            "otel.offset": wire.positive.offset,
            "otel.zeros": wire.zero_count,
        }


_JSON_KINDS = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponentialHistogram": "exponential_histogram",
    "summary": "summary",
}


def _json_metrics(body: bytes) -> tuple[list[MetricPoint], list[Rejected]]:
    found: list[MetricPoint] = []
    rejected: list[Rejected] = []
    for resource_metrics in json.objects(json.document(body), "resourceMetrics"):
        resource = json.resource_attributes(resource_metrics)
        for scope_metrics in json.objects(resource_metrics, "scopeMetrics"):
            for metric in json.objects(scope_metrics, "metrics"):
                for key in [kind for kind in _JSON_KINDS if metric.get(kind) is not None]:
                    if not isinstance(metric[key], dict):
                        raise Invalid(f"{key} is not an object", where=key)
                    for wire in json.objects(metric[key], "dataPoints"):
                        try:
                            found.append(_json_point(metric, key, wire, resource))
                        except MISSHAPEN as error:
                            where = f"a point of metric {str(metric.get('name'))[:80]}"
                            rejected.append(Rejected(where, f"it does not have the shape of one: {error}"))
    return found, rejected


def _json_point(metric: dict[str, Any], key: str, wire: dict[str, Any], resource: Attributes) -> MetricPoint:
    data = metric[key]
    temporality = data.get("aggregationTemporality", 0)
    if isinstance(temporality, str):
        temporality = 1 if temporality.endswith("DELTA") else 2 if temporality.endswith("CUMULATIVE") else 0
    point = MetricPoint(
        json.text(metric, "name"),
        json.text(metric, "unit"),
        _JSON_KINDS[key],
        TEMPORALITY[json.integer(temporality, "aggregationTemporality") % 3],
        data.get("isMonotonic") is True,
        json.whole(wire, "timeUnixNano"),
        json.whole(wire, "startTimeUnixNano"),
        json.attributes(wire.get("attributes")),
        resource,
    )
    if key in ("gauge", "sum"):
        point.value = json.number(wire.get("asDouble", wire.get("asInt")), "the value")
        return point
    point.count = _unsigned(wire.get("count"), "count")
    for name in ("sum", "min", "max"):
        setattr(point, name, json.number(wire.get(name), name))
    if key == "histogram":
        bounds = json.array(wire.get("explicitBounds"), "explicitBounds")
        point.bounds = tuple(json.number(bound, "a bound") or 0.0 for bound in bounds)
        point.bucket_counts = _counts(wire)
    elif key == "exponentialHistogram":
        positive = wire.get("positive") or {}
        point.bucket_counts = _counts(positive)
        point.attributes |= {
            "otel.scale": json.whole(wire, "scale"),
            "otel.offset": json.whole(positive, "offset"),
            "otel.zeros": json.whole(wire, "zeroCount"),
        }
    return point


def _counts(parent: dict[str, Any]) -> tuple[int, ...]:
    counts = json.array(parent.get("bucketCounts"), "bucketCounts")
    return tuple(_unsigned(count, "a bucket count") for count in counts)


def _unsigned(wire: Any, name: str) -> int:
    found = json.integer(wire, name)
    if not 0 <= found < 2**64:
        raise Unreadable(f"{name} is not an unsigned 64-bit integer")
    return found
