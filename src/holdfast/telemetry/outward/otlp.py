"""To an OTLP metrics receiver over HTTP, as protobuf: delta points under the names of OpenTelemetry's GenAI conventions."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import httpx2
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
)

from holdfast.kernel.errors import Unavailable
from holdfast.platform import outbound
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.settings import Settings
from holdfast.telemetry.outward.shelf import ExportConfig
from holdfast.telemetry.rules.distribution import BOUNDS, distribution, parts
from holdfast.telemetry.rules.ledger import OVERFLOW, Figures, Series, Sums
from holdfast.telemetry.rules.outward import DIMENSIONS

log = logging.getLogger("holdfast.export")

_USAGE = "gen_ai.client.inference.usage."
INPUT = ("input_uncached", "input_cache_read", "input_cache_write")
TOKENS = {
    f"{_USAGE}input_tokens": INPUT,
    f"{_USAGE}cache_read.input_tokens": ("input_cache_read",),
    f"{_USAGE}cache_write.input_tokens": ("input_cache_write",),
    f"{_USAGE}output_tokens": ("output",),
}
"""Token counters by the conventions' names: there, input tokens hold those of caches as well."""
OPERATIONS = {"embeddings": "embeddings", "rerank": "rerank"}
"""Kinds of calls that are one operation of the conventions; inference may be any of several, and names none."""

Attributes = tuple[tuple[str, str | bool], ...]
Span = tuple[int, int]
"""Start and end of the points, Unix nanoseconds."""


class OtlpTarget:
    """Posts to `config.endpoint`, which ends in /v1/metrics."""

    def __init__(self, config: ExportConfig, settings: Settings) -> None:
        self.config = config
        self._settings = settings

    def send(self, workspace: str, start: datetime, end: datetime, news: Sums) -> int:
        """Posts the points. A receiver's partial refusal is final (OTLP), anything but 200 is tried again."""
        config = self.config
        headers = {
            name: secrets.operator_secret(self._settings, value) for name, value in config.headers.items()
        }
        headers |= {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        made = request(workspace, start, end, news, config.duration)
        body = gzip.compress(made.SerializeToString(), mtime=0)  # type: ignore[no-untyped-call]
        try:
            with outbound.client(self._settings) as client:
                response = client.post(config.endpoint, content=body, headers=headers)
            content = response.content if response.status_code == 200 else b""
            answer = ExportMetricsServiceResponse.FromString(content)  # type: ignore[no-untyped-call]
        except (httpx2.HTTPError, OSError, DecodeError) as error:
            raise Unavailable(f"the receiver gives no usable answer: {type(error).__name__}") from error
        if response.status_code != 200:
            raise Unavailable(f"the receiver answers {response.status_code}")
        return int(answer.partial_success.rejected_data_points)


def request(
    workspace: str, start: datetime, end: datetime, news: Sums, duration: str = "inference"
) -> ExportMetricsServiceRequest:
    """The export request for what is new: a resource for each system and environment, points by series."""
    made = ExportMetricsServiceRequest()
    span = (_nanos(start), _nanos(end))
    places: dict[tuple[str, str], Sums] = {}
    for series, figures in sorted(news.items()):
        places.setdefault((series[0], series[1]), {})[series] = figures
    for (system, environment), held in places.items():
        group = made.resource_metrics.add()
        said: dict[str, str] = {"service.name": "unknown_service", "holdfast.workspace": workspace}
        if system and system != OVERFLOW:
            said["service.name"] = system
        if environment and environment != OVERFLOW:
            said["deployment.environment.name"] = environment
        group.resource.attributes.extend(_attributes(said.items()))
        scope = group.scope_metrics.add()
        scope.scope.name = "holdfast.calls"
        _fill(scope, held, span, duration)
    return made


def _fill(scope: ScopeMetrics, held: Sums, span: Span, duration: str) -> None:
    points = _Points(scope, span)
    for series, figures in held.items():
        own = _series(series)
        points.count("holdfast.calls", "{call}", own, figures.get("calls"))
        points.count("holdfast.call.attempts", "{call}", own, figures.get("attempts"))
        points.count("holdfast.call.unpriced", "{call}", own, figures.get("unpriced"))
        for kind, n in parts(figures, "error").items():
            points.count("holdfast.call.errors", "{call}", (*own, ("error.type", kind)), n)
        for currency, amount in parts(figures, "cost").items():
            points.amount("holdfast.call.cost", currency, (*own, ("holdfast.currency", currency)), amount)
        for name, buckets in TOKENS.items():
            known = [figures[f"tokens:{one}"] for one in buckets if f"tokens:{one}" in figures]
            points.count(name, "{token}", own, sum(known, Decimal(0)) if known else None)
        points.count(f"{_USAGE}reasoning.output_tokens", "{token}", own, figures.get("reasoning"))
        kind = series[DIMENSIONS.index("kind")]
        family = "inference" if kind == "inference" and duration == "inference" else "operation"
        first = f"gen_ai.client.{family}.time_to_first_chunk"
        points.spread(f"gen_ai.client.{family}.duration", own, figures, "latency")
        points.spread(first, own, figures, "ttft")


class _Points:
    """Adds points to the metrics of a scope, each metric once."""

    def __init__(self, scope: ScopeMetrics, span: Span) -> None:
        self._scope = scope
        self._span = span
        self._made: dict[tuple[str, str], Metric] = {}

    def count(self, name: str, unit: str, attributes: Attributes, value: Decimal | None) -> None:
        if value is not None:
            self._number(name, unit, attributes).as_int = int(value)

    def amount(self, name: str, unit: str, attributes: Attributes, value: Decimal) -> None:
        self._number(name, unit, attributes).as_double = float(value)

    def spread(self, name: str, attributes: Attributes, figures: Figures, what: str) -> None:
        found = distribution(figures, what)
        if not found.count:
            return
        metric = self._metric(name, "s")
        metric.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
        point = HistogramDataPoint(
            start_time_unix_nano=self._span[0],
            time_unix_nano=self._span[1],
            count=found.count,
            sum=found.sum,
            bucket_counts=found.counts,
            explicit_bounds=[float(one) for one in BOUNDS],
            attributes=_attributes(attributes),
        )
        metric.histogram.data_points.append(point)

    def _number(self, name: str, unit: str, attributes: Attributes) -> NumberDataPoint:
        metric = self._metric(name, unit)
        metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
        metric.sum.is_monotonic = True
        point = metric.sum.data_points.add()
        point.start_time_unix_nano, point.time_unix_nano = self._span
        point.attributes.extend(_attributes(attributes))
        return point

    def _metric(self, name: str, unit: str) -> Metric:
        if (name, unit) not in self._made:
            self._made[name, unit] = self._scope.metrics.add(name=name, unit=unit)
        return self._made[name, unit]


def _series(series: Series) -> Attributes:
    """What tells the points of a resource apart. Unknown is left out."""
    if OVERFLOW in series:
        return (("otel.metric.overflow", True),)
    said: Mapping[str, str] = dict(zip(DIMENSIONS, series, strict=True))
    made = {
        "gen_ai.provider.name": said["provider"],
        "gen_ai.response.model": said["model"],
        "gen_ai.operation.name": OPERATIONS.get(said["kind"], ""),
        "holdfast.route": said["route"],
        "holdfast.kind": said["kind"],
    }
    return tuple((name, value) for name, value in made.items() if value)


def _attributes(said: Iterable[tuple[str, str | bool]]) -> list[KeyValue]:
    return [
        KeyValue(
            key=name,
            value=AnyValue(bool_value=value) if isinstance(value, bool) else AnyValue(string_value=value),
        )
        for name, value in said
    ]


def _nanos(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000
