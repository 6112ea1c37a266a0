"""Telemetry to send: agent traces of five spans with GenAI attributes, as OTLP/HTTP protobuf requests of 100 spans.

The same number and seed always give the same ids, words and shapes; only the start of the clock is the caller's.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS_PER_TRACE = 5
CALLS_PER_TRACE = 2
SPANS_PER_REQUEST = 100
MESSAGE_CHARACTERS = 400
MODELS = ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gpt-4.1-2025-04-14")
WORDS = tuple(
    word
    for line in (
        "the a to of leave days policy employee manager request may for in is with before after approval notice",
        "weeks paid unpaid sick parental travel expense receipt within office remote contract review probation",
        "period team please write form portal answer question document section applies unless otherwise agreed",
    )
    for word in line.split()
)


@dataclass(frozen=True, slots=True)
class Payloads:
    """Encoded requests, and what is in them. `sha256` is over all bodies in order."""

    bodies: tuple[bytes, ...]
    spans: int
    traces: int
    calls: int
    sha256: str

    @property
    def bytes_per_span(self) -> float:
        return sum(map(len, self.bodies)) / self.spans


def build(spans: int, start_ns: int, seed: int = 1, spans_per_request: int = SPANS_PER_REQUEST) -> Payloads:
    """Requests with at least one and at most `spans` spans, whole traces, unique ids, from `start_ns` (Unix) on."""
    randomness = random.Random(seed)
    texts = [_text(randomness) for _ in range(512)]
    requests = max(spans // spans_per_request, 1)
    traces_each = spans_per_request // SPANS_PER_TRACE
    bodies = []
    for number in range(requests):
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        _set(
            resource_spans.resource.attributes,
            {
                "service.name": "hr-assistant",
                "service.version": "2026.11.3",
                "deployment.environment.name": "production",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.version": "1.39.0",
            },
        )
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "opentelemetry.instrumentation.openai_v2"
        scope_spans.scope.version = "2.3b0"
        for index in range(traces_each):
            begun = start_ns + (number * traces_each + index) * 1_000_000
            _trace(scope_spans, randomness, texts, begun)
        bodies.append(request.SerializeToString())
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(body)
    traces = requests * traces_each
    return Payloads(
        tuple(bodies), requests * spans_per_request, traces, traces * CALLS_PER_TRACE, digest.hexdigest()
    )


def _text(randomness: random.Random) -> str:
    words: list[str] = []
    length = 0
    while length < MESSAGE_CHARACTERS:
        word = randomness.choice(WORDS)
        words.append(word)
        length += len(word) + 1
    return " ".join(words)[:MESSAGE_CHARACTERS]


def _set(into: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        pair = into.add()
        pair.key = key
        if isinstance(value, bool):
            pair.value.bool_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        elif isinstance(value, float):
            pair.value.double_value = value
        elif isinstance(value, list):
            for item in value:
                pair.value.array_value.values.add().string_value = item
        else:
            pair.value.string_value = value


def _message(role: str, text: str, finish: str = "") -> str:
    end = f',"finish_reason":"{finish}"' if finish else ""
    return f'[{{"role":"{role}","parts":[{{"type":"text","content":"{text}"}}]{end}}}]'


def _trace(scope_spans: Any, randomness: random.Random, texts: list[str], start_ns: int) -> None:
    """invoke_agent over chat, execute_tool, retrieval and chat; messages on the two calls."""
    trace_id = randomness.randbytes(16)
    root = randomness.randbytes(8)
    model = randomness.choice(MODELS)
    conversation = f"conv-{randomness.randrange(10**9):09d}"
    question = randomness.choice(texts)
    step = 250_000_000
    _span(
        scope_spans,
        (trace_id, root, b""),
        "invoke_agent hr-assistant",
        (1, start_ns, start_ns + 5 * step),
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "openai",
            "gen_ai.agent.name": "hr-assistant",
            "gen_ai.conversation.id": conversation,
            "user.id": f"user-{randomness.randrange(5000)}",
            "holdfast.route": "policy-question",
            "holdfast.tenant": f"tenant-{randomness.randrange(40)}",
        },
    )
    for position, (finish, asked) in enumerate(
        (("tool_calls", question), ("stop", randomness.choice(texts)))
    ):
        begun = start_ns + (1 + 3 * position) * step
        _span(
            scope_spans,
            (trace_id, randomness.randbytes(8), root),
            f"chat {model}",
            (3, begun, begun + step - 1_000_000),
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": model.rsplit("-", 3)[0],
                "gen_ai.response.model": model,
                "gen_ai.response.id": f"chatcmpl-{randomness.randbytes(12).hex()}",
                "gen_ai.response.finish_reasons": [finish],
                "gen_ai.request.temperature": 0.2,
                "gen_ai.request.max_tokens": 800,
                "gen_ai.usage.input_tokens": randomness.randrange(200, 4000),
                "gen_ai.usage.output_tokens": randomness.randrange(20, 800),
                "gen_ai.usage.cache_read.input_tokens": randomness.randrange(0, 200),
                "gen_ai.conversation.id": conversation,
                "server.address": "api.openai.com",
                "gen_ai.input.messages": _message("user", asked),
                "gen_ai.output.messages": _message("assistant", randomness.choice(texts), finish),
            },
        )
    _span(
        scope_spans,
        (trace_id, randomness.randbytes(8), root),
        "execute_tool leave_balance",
        (1, start_ns + 2 * step, start_ns + 3 * step - 1_000_000),
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "leave_balance",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"call_{randomness.randbytes(12).hex()}",
            "gen_ai.tool.call.arguments": f'{{"employee":"e-{randomness.randrange(9000)}","year":2026}}',
            "gen_ai.tool.call.result": f'{{"entitled":30,"taken":{randomness.randrange(30)}}}',
        },
    )
    _span(
        scope_spans,
        (trace_id, randomness.randbytes(8), root),
        "retrieval policies",
        (3, start_ns + 3 * step, start_ns + 4 * step - 1_000_000),
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "policies",
            "gen_ai.retrieval.query.text": question[:80],
            "gen_ai.request.top_k": 4,
        },
    )


def _span(
    scope_spans: Any,
    ids: tuple[bytes, bytes, bytes],
    name: str,
    times: tuple[int, int, int],
    attributes: dict[str, Any],
) -> None:
    span = scope_spans.spans.add()
    span.trace_id, span.span_id, span.parent_span_id = ids
    span.name = name
    span.kind, span.start_time_unix_nano, span.end_time_unix_nano = times
    span.flags = 0x101
    span.status.code = 1
    _set(span.attributes, attributes)
