"""Turns the planned past into OTLP requests whose spans look like the live assistant's.

Every span carries `holdfast.sample = true`. All ids follow from the seed and the day, so that sending the
same days again, or overlapping ones, adds nothing. There is no message content in the past: nobody ever wrote
it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from demo.assistant.policies import POLICIES
from demo.history.plan import FEATURES, Shapes, Turn, turns

SCOPE = "northwind.sample-history"
BATCH = 2000
INTERNAL, CLIENT = Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT
ERRORS = {"rate_limited": "RateLimitError", "timed_out": "APITimeoutError"}
TOOLS = {"hr-assistant": "leave_balance", "claims-triage": "policy_lookup", "support-chat": "order_status"}


@dataclass(frozen=True)
class Piece:
    """One span of a turn before it is written: offsets in nanoseconds from the turn's beginning."""

    name: str
    kind: int
    begin: int
    end: int
    attributes: dict[str, Any]
    error: str | None = None
    parent: int = 0  # place of the parent among the turn's spans


def spans(
    days: int = 28, calls_per_day: int = 600, seed: int = 20, end: dt.datetime | None = None
) -> Iterator[ExportTraceServiceRequest]:
    """Requests of about 2,000 spans for the `days` days before `end` (default now), oldest first.

    `calls_per_day` is for the largest system (hr-assistant) on an average day; claims-triage has half of that
    and support-chat nine tenths.
    """
    finish = end or dt.datetime.now(dt.UTC)
    start = finish - dt.timedelta(days=days)
    shapes = Shapes()
    batch = _Batch()
    for offset in range(days + 1):
        for turn in turns(start.date() + dt.timedelta(days=offset), calls_per_day, seed, shapes):
            if _nanos(start) <= turn.at < _nanos(finish) - 300_000_000_000:
                batch.add(turn)
                if batch.size >= BATCH:
                    yield batch.request
                    batch = _Batch()
    if batch.size:
        yield batch.request


class _Batch:
    """A request in the making; one resource per system, environment and version."""

    def __init__(self) -> None:
        self.request = ExportTraceServiceRequest()
        self.size = 0
        self._scopes: dict[tuple[str, str, str], ScopeSpans] = {}

    def add(self, turn: Turn) -> None:
        scope = self._scope(turn)
        identity = hashlib.sha256(f"{turn.draw}:{turn.at}:{turn.system.name}".encode()).digest()
        shared = _shared(turn)
        pieces = list(_pieces(turn))
        for number, piece in enumerate(pieces):
            span = scope.spans.add(
                trace_id=identity[:16],
                span_id=_span_id(identity, number),
                parent_span_id=b"" if number == 0 else _span_id(identity, piece.parent),
                name=piece.name,
                kind=piece.kind,
                start_time_unix_nano=turn.at + piece.begin,
                end_time_unix_nano=turn.at + piece.end,
            )
            span.attributes.extend(shared)
            span.attributes.extend(_key_value(key, value) for key, value in piece.attributes.items())
            if piece.error:
                span.attributes.append(_key_value("error.type", piece.error))
                span.status.code = Status.STATUS_CODE_ERROR
        self.size += len(pieces)

    def _scope(self, turn: Turn) -> ScopeSpans:
        key = (turn.system.name, turn.environment, turn.version)
        if key not in self._scopes:
            group = self.request.resource_spans.add()
            names = ("service.name", "deployment.environment.name", "service.version")
            group.resource.attributes.extend(map(_key_value, names, key))
            scope = group.scope_spans.add()
            scope.scope.name = SCOPE
            self._scopes[key] = scope
        return self._scopes[key]


def _pieces(turn: Turn) -> Iterator[Piece]:
    """The spans of a turn: the agent first, then its steps in order."""
    steps = list(_steps(turn))
    failed = ERRORS.get(turn.outcome)
    end = max(step.end for step in steps) + 2_000_000
    agent = {"gen_ai.operation.name": "invoke_agent"}
    yield Piece(f"invoke_agent {turn.agent}", INTERNAL, 0, end, agent, failed)
    yield from steps


def _steps(turn: Turn) -> Iterator[Piece]:
    clock = 1_000_000
    if turn.route in ("policy-question", "answer", "assess-claim"):
        retrieved = _retrieval(turn, clock)
        yield from retrieved
        clock = retrieved[0].end + 1_000_000
    if turn.route in ("leave-request", "assess-claim", "hand-over"):
        choose = _chat(turn, clock, number=0, tokens_out=18 + turn.draw % 20, finish="tool_calls")
        yield choose
        if choose.error:
            return
        name = TOOLS[turn.system.name]
        lasted = 5_000_000 + turn.draw % 90_000_000
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"call_{turn.draw % 10**12:012d}",
        }
        yield Piece(f"execute_tool {name}", INTERNAL, choose.end, choose.end + lasted, attributes)
        clock = choose.end + lasted
    finish = "content_filter" if turn.outcome == "refused" else "stop"
    yield _chat(turn, clock, number=1, tokens_out=turn.tokens_out, finish=finish)


def _retrieval(turn: Turn, clock: int) -> list[Piece]:
    """The retrieval and, inside it, the embedding of the question."""
    source = "northwind-policies" if turn.system.name == "hr-assistant" else f"{turn.system.name}-documents"
    first = turn.draw % len(POLICIES)
    documents = [
        {
            "id": POLICIES[(first + i * 5) % len(POLICIES)].id,
            "score": round(0.78 - 0.11 * i - turn.draw % 97 / 900, 4),
        }
        for i in range(3)
    ]
    embedding = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.response.model": "text-embedding-3-small",
        "gen_ai.usage.input_tokens": 8 + turn.draw % 40,
        "gen_ai.embeddings.dimension.count": 1536,
    }
    retrieval = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": source,
        "gen_ai.retrieval.top_k": 3,
        "gen_ai.retrieval.documents": json.dumps(documents),
    }
    lasted = 40_000_000 + turn.draw % 120_000_000
    return [
        Piece(f"retrieval {source}", CLIENT, clock, clock + lasted + 8_000_000, retrieval),
        Piece(
            "embeddings text-embedding-3-small",
            CLIENT,
            clock + 1_000_000,
            clock + lasted,
            embedding,
            parent=1,
        ),
    ]


def _chat(turn: Turn, clock: int, *, number: int, tokens_out: int, finish: str) -> Piece:
    """One request to the model; the last one of a turn streams in the routes whose reader waits for it."""
    system = turn.system
    streaming = number == 1 and turn.route in ("policy-question", "answer")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": system.provider,
        "gen_ai.request.model": system.model,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.temperature": 0.2,
    }
    error = ERRORS.get(turn.outcome)
    if error:
        lasted = 180_000_000 if turn.outcome == "rate_limited" else 60_000_000_000
        return Piece(
            f"chat {system.model}", CLIENT, clock, clock + lasted, attributes, f"{system.provider}.{error}"
        )
    reason = "refusal" if finish == "content_filter" and system.provider == "anthropic" else finish
    attributes |= {
        "gen_ai.response.model": system.response_model,
        "gen_ai.response.id": f"sample-{turn.draw:032x}-{number}",
        "gen_ai.response.finish_reasons": [reason],
        "gen_ai.usage.input_tokens": turn.tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
    }
    if turn.cached:
        attributes["gen_ai.usage.cache_read.input_tokens"] = turn.cached
    if streaming:
        attributes["gen_ai.request.stream"] = True
        attributes["gen_ai.response.time_to_first_chunk"] = turn.first_token_s
    lasted = int((turn.first_token_s + turn.per_token_s * tokens_out) * 1e9)
    return Piece(f"chat {system.model}", CLIENT, clock, clock + lasted, attributes)


def _shared(turn: Turn) -> list[KeyValue]:
    """What every span of the turn carries."""
    return [
        KeyValue(key="holdfast.sample", value=AnyValue(bool_value=True)),
        _key_value("holdfast.route", turn.route),
        _key_value("holdfast.tenant", turn.tenant),
        _key_value("holdfast.feature", FEATURES[turn.route]),
        _key_value("user.id", turn.user),
        _key_value("gen_ai.conversation.id", turn.conversation),
        _key_value("gen_ai.agent.name", turn.agent),
    ]


def _key_value(key: str, value: Any) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    values = [AnyValue(string_value=one) for one in value]
    return KeyValue(key=key, value=AnyValue(array_value=ArrayValue(values=values)))


def _span_id(identity: bytes, number: int) -> bytes:
    return (int.from_bytes(identity[16:24], "big") ^ (number + 1)).to_bytes(8, "big")


def _nanos(at: dt.datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000
