"""What content says of a call is known when the content is gone: reading what is kept gives the same facts."""

from __future__ import annotations

import json
from copy import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from holdfast.platform.tenancy.model import CaptureMode
from holdfast.telemetry.conventions.byway import checked
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.conventions.shelf import TABLE
from holdfast.telemetry.model import Facts, Kind, Span, SpanEvent
from holdfast.telemetry.rules.capture import CapturePlan, capture
from telemetry.conventions.spans import span
from telemetry.conventions.test_never_raises import ATTRIBUTES, EVENTS

NOTHING = CapturePlan(CaptureMode.OFF, 0.0, lambda text: text)
ANSWER = {
    "role": "assistant",
    "parts": [{"type": "refusal", "content": "I will not."}],
    "finish_reason": "content_filter",
}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Answer briefly. Be kind."}]),
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
    "gen_ai.output.messages": json.dumps([ANSWER]),
    "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "look"}]),
}
RAW = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "claude-sonnet-4",
    "llm.token_count.prompt": 100,
    "llm.token_count.prompt_details.cache_write": 60,
    "llm.token_count.completion": 5,
    "output.value": json.dumps(
        {
            "id": "msg_1",
            "service_tier": "priority",
            "usage": {"cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 20}},
        }
    ),
}
VERCEL = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.id": "claude-sonnet-4",
    "ai.model.provider": "anthropic.messages",
    "ai.usage.inputTokens": 10,
    "ai.usage.outputTokens": 4,
    "ai.response.text": "Hello",
}
METADATA = "ai.response.providerMetadata"


def kept(one: Span, facts: Facts) -> Span:
    """What is left of a span in the store where nothing of its content is kept."""
    left = capture(one, NOTHING, is_content)
    told = json.loads(json.dumps(facts.told or {}))
    if facts.instructions is not None:
        told["instructions"] = facts.instructions
    if facts.tools is not None:
        told["tools"] = list(facts.tools)
    bare = copy(one)
    bare.attributes, bare.told = left.attributes, checked(told)
    bare.events = [SpanEvent(**event) for event in left.events]
    return bare


def same(one: Span) -> Facts:
    """Holds what is read of a span without its content against what was read of the whole; returns that."""
    whole = read_facts(one)
    again = read_facts(kept(one, whole))
    if whole.kind.is_call:
        for name in Facts.__struct_fields__:
            before, after = getattr(whole, name), getattr(again, name)
            if name == "quality":
                before, after = set(before), set(after)
            if name == "provenance" and not whole.finish_reasons:
                before = {slot: source for slot, source in before.items() if slot != "finish_reasons"}
            if name != "content" and "nan" not in repr(before):
                assert after == before, name
    else:
        assert not again.kind.is_call
        if whole.kind is Kind.RETRIEVAL:
            for name in ("kind", "data_source", "documents", "top_score", "newest_ns", "parameters"):
                assert getattr(again, name) == getattr(whole, name), name
    return whole


@settings(max_examples=400, deadline=None)
@given(attributes=ATTRIBUTES, events=EVENTS)
def test_whatever_a_span_holds(attributes: dict[str, Any], events: list[SpanEvent]) -> None:
    for more in ({}, {"gen_ai.operation.name": "chat"}, {"openinference.span.kind": "LLM"}, VERCEL):
        same(span(more | attributes, events=events, status="ok"))


def test_what_the_messages_say() -> None:
    facts = same(span(CHAT))
    assert (facts.refusal, facts.finish_reasons) == (True, ("content_filter",))
    assert facts.instructions is not None and len(facts.instructions) == 2
    assert facts.tools is not None and facts.tools[0].startswith("look#")
    assert facts.told == {"refused": True, "finish_reasons": ["content_filter"]}
    broken = same(span(CHAT | {"gen_ai.output.messages": '[{"role'}))
    assert broken.quality == ("content.malformed_json",)


def test_what_raw_answers_and_metadata_say() -> None:
    raw = same(span(RAW))
    assert (raw.response_id, raw.service_tier) == ("msg_1", "priority")
    assert raw.usage is not None
    assert (raw.usage.input_cache_write_5m, raw.usage.input_cache_write_1h) == (40, 20)
    stated = {"anthropic": {"cacheReadInputTokens": 90, "usage": {"cache_creation_input_tokens": 7}}}
    vercel = same(span(VERCEL | {METADATA: json.dumps(stated)}))
    assert vercel.usage is not None and vercel.usage.input_cache_read == 90
    faulty = same(span(VERCEL | {METADATA: '{"anthropic": {"cacheReadInputTokens": -1}}'}))
    assert faulty.quality == ("usage.not_a_count",)


def test_what_documents_and_search_tools_say() -> None:
    found = [
        {"id": "a", "score": 0.4, "content": "Words.", "metadata": {"updated_at": "2026-03-01"}},
        {"id": "b"},
    ]
    asked = {"db.system": "chroma", "db.operation": "query", "gen_ai.retrieval.documents": json.dumps(found)}
    facts = same(span(asked))
    assert (facts.kind, facts.documents, facts.top_score) == (Kind.RETRIEVAL, 2, 0.4)
    assert facts.newest_ns == 1_772_323_200 * 10**9
    search = {"type": "file_search", "vector_store_ids": ["vs_b", "vs_a"], "max_num_results": 5}
    offered = same(span(CHAT | {"gen_ai.tool.definitions": json.dumps([search])}))
    assert offered.parameters["retrieval.file_search.vector_store_ids"] == ["vs_a", "vs_b"]
    assert offered.provenance["parameters.retrieval.file_search.max_num_results"] == "content"


def test_no_text_of_the_content_is_kept() -> None:
    for attributes in (CHAT, RAW, VERCEL | {METADATA: '{"google": {"grounding": "secret words"}}'}):
        one = span(attributes)
        told = msgspec.json.encode(kept(one, read_facts(one)).told).decode()
        assert not any(word in told for word in ("Hi", "briefly", "will not", "Hello", "secret"))


def test_only_one_attribute_of_content_says_more_than_its_text() -> None:
    """Where a convention begins to read another, what it says has to be kept (`byway.SAID_TEXTS`, `SAID_COUNTS`)."""
    assert {n for n, alias in TABLE.items() if is_content(n) and alias.group != "content"} == {METADATA}


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"more": 1},
        {"refused": 1},
        {"finish_reasons": "stop"},
        {"finish_reasons": ["x" * 600]},
        {"tools": [7]},
        {"instructions": [-1]},
        {"instructions": [2**64]},
        {"instructions": [True]},
        {"said": {"user": ["ann", "output.value"]}},
        {"said": {"response_id": ["id", "user.id"]}},
        {"said": {"response_id": "id"}},
        {"said": {"usage.input_cache_read": [-1, METADATA]}},
        {"said": {"usage.input_cache_read": [10**13, METADATA]}},
        {"retrieved": [1]},
        {"retrieved": {"text": "words"}},
        {"retrieved": {"documents": -1}},
        {"retrieved": {"documents": True}},
        {"retrieved": {"top_score": 10**400}},
        {"retrieved": {"top_score": float("nan")}},
        {"retrieved": {"newest_ns": 5}},
        {"settings": {"file_search.filters": "ann"}},
        {"settings": {"top_k": 5}},
        {"settings": {"file_search.top_k": {"a": 1}}},
        {"settings": {"file_search.ranker": "x" * 300}},
    ],
)
def test_what_no_export_says_is_refused(told: Any) -> None:
    with pytest.raises(ValueError):
        checked(told)
