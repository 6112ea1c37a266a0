"""An instrumented application: asks as each line of its input says, and answers with the spans it made, as OTLP in hex.

    python application.py MODULE CLASS     the instrumentation that it uses

A process for each instrumentation, because not every one leaves the SDK as it was when it is taken off.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import suppress
from typing import Any

import anthropic
import openai
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]


def hooks(*, joins: bool) -> dict[str, Any]:
    """Sends the trace along with each request, where wanted."""
    return {"event_hooks": {"request": [lambda request: inject(request.headers)] if joins else []}}


def ask_openai(told: dict[str, Any]) -> None:
    http = openai.DefaultHttpxClient(**hooks(joins=told["joins"]))
    url = told["url"] + "/v1"
    client = openai.OpenAI(
        base_url=url, api_key=told["key"], http_client=http, max_retries=told.get("retries", 0)
    )
    answer: Any = client.chat.completions.create(
        model=told["model"], messages=MESSAGES, stream=told["stream"]
    )
    if told["stream"]:
        list(answer)


def ask_anthropic(told: dict[str, Any]) -> None:
    http = anthropic.DefaultHttpxClient(**hooks(joins=told["joins"]))
    client = anthropic.Anthropic(
        base_url=told["url"], api_key=told["key"], http_client=http, max_retries=told.get("retries", 0)
    )
    answer: Any = client.messages.create(
        model=told["model"], messages=MESSAGES, max_tokens=50, stream=told["stream"]
    )
    if told["stream"]:
        list(answer)


def main() -> None:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    getattr(importlib.import_module(sys.argv[1]), sys.argv[2])().instrument(tracer_provider=provider)
    ask = ask_anthropic if sys.argv[2].startswith("Anthropic") else ask_openai
    tracer = provider.get_tracer("application")
    for line in sys.stdin:
        told = json.loads(line)
        exporter.clear()
        with (
            tracer.start_as_current_span("turn"),
            suppress(openai.APIError, anthropic.APIError),
        ):  # its span says so
            ask(told)
        print(encode_spans(exporter.get_finished_spans()).SerializeToString().hex(), flush=True)


if __name__ == "__main__":
    main()
