"""Spans recorded from shipped instrumentations, kept outside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import Facts, Kind, Observation
from holdfast.telemetry.rules.merge import resolve
from telemetry.conventions.spans import buckets, span

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "genai-spans"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the reference spans are not at hand")


def recorded(name: str) -> list[tuple[dict[str, Any], Facts]]:
    spans = json.loads((FOLDER / f"emitted_{name}.json").read_text())["spans"]
    read = [
        span(s["attributes"], name=s["name"], kind=s["kind"], scope_name=s["scope"].partition("@")[0])
        for s in spans
    ]
    return [(raw, read_facts(one)) for raw, one in zip(spans, read, strict=True)]


@pytest.mark.parametrize("name", ["oi", "otel"])
def test_every_recorded_span_is_a_call_with_the_true_buckets(name: str) -> None:
    for raw, facts in recorded(name):
        assert facts.kind.is_call, raw["name"]
        assert facts.quality == ()
        assert facts.request_model is not None and facts.response_model is not None
        if facts.kind is Kind.EMBEDDINGS:
            assert buckets(facts.usage)[0] == 5
        elif facts.provider == "anthropic":
            assert buckets(facts.usage) == (100, 600, 300, 50, None)
        else:
            assert buckets(facts.usage) == (400, 600, None, 50, 20)


@pytest.mark.parametrize("name", ["oi", "otel"])
def test_the_nested_anthropic_pair_is_one_call(name: str) -> None:
    inner, outer = (facts for _, facts in recorded(name) if facts.provider == "anthropic")
    calls = resolve(
        [
            Observation("in", "out", 1_100, 1_900, False, "com.anthropic.sdk.python", 1, inner),
            Observation("out", "", 1_000, 2_000, False, "instrumentation", 1, outer),
        ],
        {},
    )
    assert [call.observations for call in calls] == [("out", "in")]
    assert buckets(calls[0].facts.usage) == (100, 600, 300, 50, None)
    assert calls[0].facts.response_id == "msg_1"
