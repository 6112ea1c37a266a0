"""Drive an official SDK under one published instrumentation and hand out the spans that it makes.

    python produce.py INSTRUMENTATION PROVIDER_URL [OTLP_ENDPOINT [HEADER=VALUE …]]

Run it in a process of its own: instrumentations patch the SDKs for good. Without an OTLP endpoint the spans
are printed as a JSON array; with one they are exported there over OTLP/HTTP and only their number is printed.
Each request runs under an application span `scenario <name>` that carries `holdfast.route` (the name) and
`session.id`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
os.environ["TRACELOOP_TRACE_CONTENT"] = "true"

INSTRUMENTORS: dict[str, tuple[str, str] | None] = {
    "genai-openai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "genai-anthropic": ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
    "openinference-openai": ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    "openinference-anthropic": ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
    "traceloop-openai": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    "traceloop-anthropic": ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    "sdk-anthropic": None,
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


def openai_scenarios(url: str) -> dict[str, Callable[[], object]]:
    from openai import OpenAI

    client = OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)
    messages: Any = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
    model = "gpt-4o-mini"

    def chat(**more: Any) -> Any:
        return client.chat.completions.create(model=more.pop("model", model), messages=messages, **more)

    return {
        "chat": lambda: chat(temperature=0.1, max_tokens=10, seed=1),
        "tools": lambda: chat(tools=tools),
        "stream": lambda: list(chat(stream=True, stream_options={"include_usage": True})),
        "embeddings": lambda: client.embeddings.create(model="text-embedding-3-small", input="hi"),
        "responses": lambda: client.responses.create(model=model, input="hi", instructions="be brief"),
        "rate-limited": lambda: chat(model="rate-limited"),
        "broken": lambda: chat(model="broken"),
    }


def anthropic_scenarios(url: str) -> dict[str, Callable[[], object]]:
    from anthropic import Anthropic

    client = Anthropic(api_key="none", base_url=url, max_retries=0)
    tools: Any = [{"name": "get_weather", "description": "Weather", "input_schema": PARAMETERS}]

    def message(model: str = "claude-sonnet-4-5", **more: Any) -> Any:
        said: Any = [{"role": "user", "content": "hi"}]
        return client.messages.create(model=model, max_tokens=10, system="be brief", messages=said, **more)

    return {
        "chat": message,
        "tools": lambda: message(tools=tools),
        "stream": lambda: list(message(stream=True)),
        "rate-limited": lambda: message(model="rate-limited"),
        "broken": lambda: message(model="broken"),
    }


def as_json(span: Any) -> dict[str, Any]:
    """One finished SDK span in the shape of holdfast.telemetry.model.Span."""
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else "",
        "name": span.name,
        "kind": span.kind.name,
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name.lower(),
        "status_message": span.status.description or "",
        "scope_name": span.instrumentation_scope.name,
        "scope_version": span.instrumentation_scope.version or "",
        "attributes": dict(span.attributes),
        "resource": dict(span.resource.attributes),
        "events": [
            {"name": event.name, "time_ns": event.timestamp, "attributes": dict(event.attributes or {})}
            for event in span.events
        ],
    }


def drive(instrumentation: str, url: str, tracer: Any) -> None:
    """Each request of the SDK that the instrumentation's name ends with, under a span of the application."""
    scenarios = openai_scenarios(url) if instrumentation.endswith("openai") else anthropic_scenarios(url)
    for name, request in scenarios.items():
        where = {"holdfast.route": name, "session.id": f"session-{name}"}
        with tracer.start_as_current_span(f"scenario {name}", attributes=where):
            try:
                request()
            except Exception as failure:
                if name not in ("rate-limited", "broken"):
                    raise
                print(f"{name}: {type(failure).__name__}", file=sys.stderr)


def main(instrumentation: str, url: str, endpoint: str | None = None, *headers: str) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    resource = Resource.create({"service.name": "sample-app", "deployment.environment.name": "test"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    if endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        sent = dict(header.split("=", 1) for header in headers)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers=sent)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    instrumentor = INSTRUMENTORS[instrumentation]
    if instrumentor is not None:
        getattr(import_module(instrumentor[0]), instrumentor[1])().instrument()
    drive(instrumentation, url, trace.get_tracer("sample.app"))
    provider.shutdown()
    spans = memory.get_finished_spans()
    print(len(spans) if endpoint is not None else json.dumps([as_json(span) for span in spans]))


if __name__ == "__main__":
    main(*sys.argv[1:])
