"""Spans that the published instrumentations make around the official SDKs, against a server that answers for real.

Each instrumentation runs in a process of its own. Whatever it emits, every request must come out as one call.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import ErrorClass, Kind, Observation, Span, SpanEvent
from holdfast.telemetry.rules.merge import Group, resolve
from telemetry.conventions.spans import buckets
from telemetry.emitters.provider import provider

PRODUCER = Path(__file__).parents[1] / "emitters" / "produce.py"
OPENAI = (400, 600, None, 50)
ANTHROPIC = (100, 600, 300, 50)
OPENAI_REQUESTS = ("chat", "tools", "stream", "embeddings", "responses", "rate-limited", "broken")
ANTHROPIC_REQUESTS = ("chat", "tools", "stream", "rate-limited", "broken")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with provider() as url:
        yield url


def emit(instrumentation: str, url: str) -> list[Span]:
    pytest.importorskip("openai")
    done = subprocess.run(
        [sys.executable, str(PRODUCER), instrumentation, url],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [
        Span(**raw | {"events": [SpanEvent(**e) for e in raw["events"]]}) for raw in json.loads(done.stdout)
    ]


def calls_by_request(spans: list[Span]) -> dict[str, list[Group]]:
    """The calls of each scenario's trace."""
    found: dict[str, list[Group]] = {}
    for root in (s for s in spans if s.scope_name == "sample.app"):
        trace = [s for s in spans if s.trace_id == root.trace_id]
        observations = [
            Observation(
                s.span_id,
                s.parent_span_id,
                s.start_ns,
                s.end_ns,
                s.status == "error",
                s.scope_name,
                1,
                read_facts(s),
            )
            for s in trace
        ]
        parents = {s.span_id: s.parent_span_id for s in trace}
        found[root.attributes["holdfast.route"]] = resolve(observations, parents)
    return found


def one_call_each(instrumentation: str, url: str, requests: tuple[str, ...]) -> dict[str, Any]:
    calls = calls_by_request(emit(instrumentation, url))
    assert {name: len(found) for name, found in calls.items()} == dict.fromkeys(requests, 1)
    for name, (call,) in calls.items():
        facts = call.facts
        assert facts.route == name and facts.session == f"session-{name}"
        assert facts.system == "sample-app" and facts.environment == "test"
        assert set(facts.quality) <= {"merge.usage_disagrees"}
        if name in ("rate-limited", "broken"):
            assert call.error
            assert facts.error_class is (
                ErrorClass.RATE_LIMIT if name == "rate-limited" else ErrorClass.MODEL
            )
            assert facts.usage is None and facts.request_model == name
        else:
            assert not call.error and facts.error_class is None
            assert facts.kind is (Kind.EMBEDDINGS if name == "embeddings" else Kind.INFERENCE)
    return {name: found[0] for name, found in calls.items()}


@pytest.mark.parametrize("instrumentation", ["genai-openai", "openinference-openai", "traceloop-openai"])
def test_openai(instrumentation: str, server: str) -> None:
    calls = one_call_each(instrumentation, server, OPENAI_REQUESTS)
    for name in ("chat", "tools", "stream", "responses"):
        facts = calls[name].facts
        assert buckets(facts.usage)[:4] == OPENAI, name
        assert (facts.provider, facts.request_model) == ("openai", "gpt-4o-mini")
        assert facts.response_model == "gpt-4o-mini-2024-07-18"
        assert facts.response_id is not None
        said = facts.content.output_messages[0]["parts"][0]
        assert said.get("name" if name == "tools" else "content") == (
            "get_weather" if name == "tools" else "Hello"
        )
    assert calls["embeddings"].facts.usage.input_uncached == 5
    assert calls["tools"].facts.finish_reasons == ("tool_calls",)
    assert calls["tools"].facts.content.tool_definitions
    assert calls["chat"].facts.parameters["temperature"] == 0.1
    assert calls["stream"].facts.streaming is True


@pytest.mark.parametrize(
    "instrumentation", ["genai-anthropic", "openinference-anthropic", "traceloop-anthropic", "sdk-anthropic"]
)
def test_anthropic(instrumentation: str, server: str) -> None:
    calls = one_call_each(instrumentation, server, ANTHROPIC_REQUESTS)
    for name in ("chat", "tools", "stream"):
        facts = calls[name].facts
        assert buckets(facts.usage)[:4] == ANTHROPIC, name
        assert (facts.provider, facts.request_model) == ("anthropic", "claude-sonnet-4-5")
        assert facts.finish_reasons == (("tool_calls",) if name == "tools" else ("stop",))
        assert facts.parameters["max_tokens"] == 10
        assert len(calls[name].observations) == (1 if instrumentation == "sdk-anthropic" else 2)
    assert calls["stream"].facts.streaming is True
    assert calls["stream"].facts.ttft_ms > 0
