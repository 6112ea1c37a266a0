"""The generated past: measured shapes, repeatable to the byte, marked on every span, sent patiently."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo.history import measure
from demo.history.generate import BATCH, spans
from demo.history.plan import SHAPES, Shapes
from demo.history.send import NotSent, headers_from, send

from otlp_sink import Seen, Sink, decode

pytestmark = pytest.mark.demo
END = dt.datetime(2026, 11, 20, 15, 30, tzinfo=dt.UTC)
TRACES = Path(__file__).resolve().parents[2].parent / "shared/data"


def generated(**given: Any) -> list[Seen]:
    settings = {"days": 3, "calls_per_day": 120, "end": END} | given
    return [span for request in spans(**settings) for span in decode(request)]


@pytest.fixture(scope="module")
def past() -> list[Seen]:
    return generated()


def test_the_same_seed_gives_the_same_past(past: list[Seen]) -> None:
    assert generated() == past
    assert generated(seed=21) != past


def test_an_overlapping_past_has_the_same_spans_where_it_overlaps(past: list[Seen]) -> None:
    later = {(s.trace_id, s.span_id): s for s in generated(end=END + dt.timedelta(hours=30))}
    cut = int((END + dt.timedelta(hours=30) - dt.timedelta(days=3)).timestamp() * 1e9)
    shared = [s for s in past if s.start >= cut + 120_000_000_000 and (s.trace_id, s.span_id) in later]
    expected = [s for s in past if s.start >= cut + 120_000_000_000]
    assert len(expected) > 100
    assert shared == expected
    assert all(later[s.trace_id, s.span_id] == s for s in shared)


def test_ids_are_unique_and_every_span_is_marked(past: list[Seen]) -> None:
    assert len({(s.trace_id, s.span_id) for s in past}) == len(past) > 1000
    assert all(s.attributes["holdfast.sample"] is True for s in past)


def test_every_trace_is_a_tree_inside_its_agent_and_inside_the_window(past: list[Seen]) -> None:
    ids = {s.span_id: s for s in past}
    for s in past:
        assert s.start < s.end < END.timestamp() * 1e9
        assert s.start >= (END - dt.timedelta(days=3)).timestamp() * 1e9
        if s.parent:
            parent = ids[s.parent]
            assert parent.trace_id == s.trace_id
            assert parent.start <= s.start < s.end <= parent.end
        else:
            assert s.operation == "invoke_agent"


def test_systems_models_and_outcomes(past: list[Seen]) -> None:
    wide = generated(days=14, calls_per_day=200)
    systems = {s.resource["service.name"] for s in past}
    assert systems == {"hr-assistant", "claims-triage", "support-chat"}
    assert {s.resource["deployment.environment.name"] for s in past} == {"production", "staging"}
    models = {s.attributes.get("gen_ai.request.model") for s in past if s.operation in ("chat", "embeddings")}
    assert models == {"gpt-4o-mini", "claude-sonnet-4-5", "text-embedding-3-small"}
    cached = [s for s in past if s.attributes.get("gen_ai.usage.cache_read.input_tokens")]
    assert cached
    assert all(
        s.attributes["gen_ai.usage.cache_read.input_tokens"] <= s.attributes["gen_ai.usage.input_tokens"]
        for s in cached
    )
    errors = {s.attributes.get("error.type") for s in wide if s.operation == "chat"} - {None}
    assert errors >= {"openai.RateLimitError", "anthropic.RateLimitError", "openai.APITimeoutError"}
    reasons = {r for s in wide for r in s.attributes.get("gen_ai.response.finish_reasons", [])}
    assert reasons == {"stop", "tool_calls", "content_filter", "refusal"}


def test_tokens_and_volume_follow_the_shapes() -> None:
    wide = generated(days=7, calls_per_day=400)
    last = [
        s.attributes["gen_ai.usage.input_tokens"]
        for s in wide
        if s.operation == "chat" and s.resource["service.name"] == "hr-assistant" and not s.failed
    ]
    measured = Shapes().figures["azure_conversation"]["input_tokens"][5]
    assert np.median(last) == pytest.approx(measured, rel=0.1)
    roots = [
        s for s in wide if s.operation == "invoke_agent" and s.resource["service.name"] == "hr-assistant"
    ]
    assert len(roots) == pytest.approx(7 * 400, rel=0.15)


def test_requests_have_about_the_agreed_size() -> None:
    sizes = [len(decode(request)) for request in spans(days=3, calls_per_day=600, end=END)]
    assert all(BATCH <= size < BATCH + 6 for size in sizes[:-1])


def test_a_busy_receiver_is_waited_for_as_long_as_it_asks(sink: Sink) -> None:
    sink.refusals[:] = [503, 503]
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    done = send(
        spans(days=1, calls_per_day=20, end=END), sink.url, {"authorization": "Bearer hf_k"}, wait=wait
    )
    assert waited[:2] == [7.0, 7.0]
    assert done.spans == len(sink.spans) > 20
    assert {h["content-encoding"] for h in sink.headers} == {"gzip"}
    assert {h["authorization"] for h in sink.headers} == {"Bearer hf_k"}


def test_a_wrong_key_ends_it_at_once_with_the_reason(sink: Sink) -> None:
    sink.refusals[:] = [401]
    with pytest.raises(NotSent, match="401"):
        send(spans(days=1, calls_per_day=20, end=END), sink.url, {}, wait=lambda _s: False)
    assert len(sink.headers) == 1


def test_a_stop_ends_the_waiting(sink: Sink) -> None:
    sink.refusals[:] = [503]
    with pytest.raises(NotSent, match="stopped"):
        send(spans(days=1, calls_per_day=20, end=END), sink.url, {}, wait=lambda s: s > 0)


def test_the_header_variable_is_read_as_the_specification_says() -> None:
    assert headers_from("authorization=Bearer%20hf_x, x-a=b=c") == {
        "authorization": "Bearer hf_x",
        "x-a": "b=c",
    }
    assert headers_from("") == {}


def test_the_committed_shapes_are_what_the_traces_say() -> None:
    if not (TRACES / "azure-llm-2023").is_dir():
        pytest.skip("the public traces are not here (../shared/data)")
    assert measure.shapes(TRACES) == SHAPES.read_text()


def test_prefix_shares_count_only_an_unbroken_prefix() -> None:
    assert measure.prefix_shares([[1, 2, 3], [1, 2, 4], [9, 2, 3], [1, 2, 3, 5]]) == [0, 2 / 3, 0, 3 / 4]


def test_variation_recovers_what_was_put_in() -> None:
    random = np.random.default_rng(7)
    rates = random.gamma(shape=4.0, scale=1 / 4.0, size=3000) * 100  # variation of the rate: 1 / sqrt(4)
    counts = random.poisson(rates)
    at = np.sort(np.concatenate([minute * 60 + random.random(n) * 60 for minute, n in enumerate(counts)]))
    assert measure.minute_variation(at)[2] == pytest.approx(0.5, rel=0.05)
    steady = np.sort(random.random(300_000) * 3000 * 60)
    assert measure.minute_variation(steady)[2] < 0.04
