"""A small OTLP/HTTP receiver for tests: keeps what it was sent, decoded."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Seen:
    """One received span with plain attributes and its resource's."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]

    @property
    def operation(self) -> str:
        return str(self.attributes.get("gen_ai.operation.name", ""))


@dataclass
class Sink:
    """Listens on a free loopback port; `refusals` are statuses to answer first, before accepting."""

    refusals: list[int] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    exports: list[ExportMetricsServiceRequest] = field(default_factory=list)
    answer: bytes = b""
    headers: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.headers.append({k.lower(): v for k, v in self.headers.items()})
                status = sink.refusals.pop(0) if sink.refusals else 200
                if status == 200:
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    sink.take(self.path, body)
                self.send_response(status)
                if status == 503:
                    self.send_header("Retry-After", "7")
                body = sink.answer if status == 200 else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        if path.endswith("/v1/traces"):
            self.spans += decode(ExportTraceServiceRequest.FromString(body))
        elif path.endswith("/v1/metrics"):
            request = ExportMetricsServiceRequest.FromString(body)
            self.exports.append(request)
            self.metrics += [
                m.name for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics
            ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def decode(request: ExportTraceServiceRequest) -> list[Seen]:
    """The spans of a request, flat."""
    return [
        Seen(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code == 2,
            plain(span.attributes),
            plain(group.resource.attributes),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def plain(attributes: Any) -> dict[str, Any]:
    return {one.key: value(one.value) for one in attributes}


def value(one: Any) -> Any:
    kind = one.WhichOneof("value")
    if kind == "array_value":
        return [value(x) for x in one.array_value.values]
    return getattr(one, kind) if kind else None
