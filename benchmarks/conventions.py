"""Microseconds of processor time to read one span into canonical facts, by kind of span.

    make bench NAME=conventions [QUICK=1]

The best of several rounds is printed, so that a busy machine does not count against it.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from holdfast.telemetry.conventions.content import strip_content
from holdfast.telemetry.conventions.reading import Reader
from holdfast.telemetry.model import Span

RESOURCE = {
    "service.name": "shop",
    "service.version": "1.2",
    "deployment.environment.name": "production",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.version": "1.45.2",
    "host.name": "h1",
    "process.pid": 1,
}
SAID = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "x" * 400}]}])
ANSWERED = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "y" * 400}]}])
OTEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "server.address": "api.openai.com",
    "server.port": 443,
    "gen_ai.request.temperature": 0.1,
    "gen_ai.request.max_tokens": 10,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 600,
    "gen_ai.usage.reasoning.output_tokens": 20,
    "gen_ai.input.messages": SAID,
    "gen_ai.output.messages": ANSWERED,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-mini-2024-07-18",
    "llm.invocation_parameters": '{"model": "gpt-4o-mini", "temperature": 0.1}',
    "llm.token_count.prompt": 1000,
    "llm.token_count.completion": 50,
    "llm.token_count.total": 1050,
    "llm.token_count.prompt_details.cache_read": 600,
    "llm.finish_reason": "stop",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "x" * 400,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "y" * 400,
    "input.value": json.dumps({"messages": [{"role": "user", "content": "x" * 400}]}),
    "output.value": json.dumps({"id": "chatcmpl-1", "choices": [{"message": {"content": "y" * 400}}]}),
}
HTTP = {
    "http.request.method": "GET",
    "http.route": "/buy",
    "http.response.status_code": 200,
    "url.path": "/buy",
    "url.scheme": "https",
    "server.address": "shop",
    "server.port": 443,
    "client.address": "192.0.2.1",
    "user_agent.original": "browser",
    "network.protocol.version": "1.1",
    "user.id": "u1",
}
DATABASE = {"db.system.name": "postgresql", "db.operation.name": "SELECT", "db.namespace": "shop"}


def span(attributes: dict[str, Any], kind: str = "CLIENT") -> Span:
    return Span("t", "s", "", "n", kind, 0, 1, "unset", "", "scope", "1", attributes, RESOURCE)


CASES = {
    "OpenTelemetry, with content": span(OTEL),
    "OpenTelemetry": span(strip_content(OTEL)),
    "OpenInference, with content": span(OPENINFERENCE),
    "OpenInference": span(strip_content(OPENINFERENCE)),
    "HTTP server": span(HTTP, "SERVER"),
    "database": span(DATABASE),
    "plain": span({"code.function": "f"}, "INTERNAL"),
}


def main() -> None:
    rounds, reads = (5, 500) if os.environ.get("QUICK") else (15, 2_000)
    reader = Reader()
    for name, one in CASES.items():
        best = float("inf")
        for _ in range(rounds):
            begun = time.process_time()
            for _ in range(reads):
                reader.read(one)
            best = min(best, (time.process_time() - begun) / reads)
        print(f"{name:30} {best * 1e6:6.1f} µs")


if __name__ == "__main__":
    main()
