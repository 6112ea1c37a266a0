"""OpenTelemetry for the assistant: published packages only, set by the standard OTEL_EXPORTER_OTLP_*
variables.

The SDK instrumentation makes the chat spans. What it cannot know (route, tenant, user, conversation, agent)
travels as OpenTelemetry baggage and is put on every span by one small span processor.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import baggage, context, metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SERVICE = "hr-assistant"
VERSION = "1.4.0"
ENVIRONMENT = "production"
DIMENSIONS = {
    "holdfast.route": "x-holdfast-route",
    "holdfast.tenant": "x-holdfast-tenant",
    "holdfast.feature": "x-holdfast-feature",
    "user.id": "x-holdfast-user",
    "gen_ai.conversation.id": "x-holdfast-session",
    "gen_ai.agent.name": "x-holdfast-agent",
}
"""Attribute of a span, and the header that says the same to the gateway."""


class Dimensions(SpanProcessor):
    """Copies the dimensions from baggage onto each span that starts."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by the SDK in the thread that starts the span."""
        for name in DIMENSIONS:
            value = baggage.get_baggage(name, parent_context)
            if isinstance(value, str):
                span.set_attribute(name, value)


class Telemetry:
    """The three providers; `close` sends what is still waiting."""

    def __init__(self, *, version: str = VERSION, environment: str = ENVIRONMENT) -> None:
        """Installs the providers process-wide and instruments the openai SDK. Message content is captured."""
        # The exporter reports each attempt of its own; what is lost in the end it reports as an error.
        logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.ERROR)
        os.environ.setdefault("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
        resource = Resource.create(
            {"service.name": SERVICE, "service.version": version, "deployment.environment.name": environment}
        )
        self._traces = TracerProvider(resource=resource)
        self._traces.add_span_processor(Dimensions())
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=15_000)
        self._metrics = MeterProvider(resource=resource, metric_readers=[reader])
        self._logs = LoggerProvider(resource=resource)
        self._logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        trace.set_tracer_provider(self._traces)
        metrics.set_meter_provider(self._metrics)
        set_logger_provider(self._logs)
        OpenAIInstrumentor().instrument(
            tracer_provider=self._traces, meter_provider=self._metrics, logger_provider=self._logs
        )

    def flush(self) -> None:
        """Sends the finished spans now."""
        self._traces.force_flush(10_000)

    def close(self, patience: float = 10.0) -> None:
        """Sends what is waiting, for at most `patience` seconds in all; spans that start later are lost."""
        OpenAIInstrumentor().uninstrument()
        closing = [
            threading.Thread(target=provider.shutdown, daemon=True)
            for provider in (self._traces, self._metrics, self._logs)
        ]
        for thread in closing:
            thread.start()
        until = time.monotonic() + patience
        for thread in closing:
            thread.join(max(0.0, until - time.monotonic()))


def say_what_for(headers: MutableMapping[str, str]) -> None:
    """Tells the gateway what a request is for, and of which trace it is a part: what it records and what is recorded here
    is then one call.
    """
    headers["x-holdfast-environment"] = ENVIRONMENT
    for name, header in DIMENSIONS.items():
        value = baggage.get_baggage(name)
        if isinstance(value, str):
            headers[header] = value
    TraceContextTextMapPropagator().inject(headers)


@contextmanager
def dimensions(values: Mapping[str, str]) -> Iterator[None]:
    """Within the block every span carries `values` (names from DIMENSIONS)."""
    current = context.get_current()
    for name, value in values.items():
        current = baggage.set_baggage(name, value, current)
    token = context.attach(current)
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def operation(
    name: str, operation_name: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[trace.Span]:
    """A span by hand with GenAI names; an error inside is recorded on it and raised on."""
    tracer = trace.get_tracer("northwind.hr", VERSION)
    given = {
        "gen_ai.operation.name": operation_name,
        **{key: plain(value) for key, value in attributes.items()},
    }
    with tracer.start_as_current_span(
        name, kind=kind, attributes=given, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR, str(error)[:200]))
            raise


def plain(value: Any) -> Any:
    """A value an attribute can hold: mappings and lists of mappings as compact JSON, the rest as it is."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value
