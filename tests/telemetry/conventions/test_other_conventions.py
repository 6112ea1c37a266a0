"""OpenInference, OpenLLMetry, Vercel, OpenLIT and the Anthropic SDK, each by realistic spans."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import ErrorClass, Kind
from telemetry.conventions.spans import buckets, event, span

OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "anthropic",
    "llm.model_name": "claude-sonnet-4-5-20250929",
    "llm.invocation_parameters": '{"model": "claude-sonnet-4-5", "max_tokens": 10, "stream": true}',
    "llm.token_count.prompt": 1000,
    "llm.token_count.completion": 50,
    "llm.token_count.total": 1050,
    "llm.token_count.prompt_details.cache_read": 600,
    "llm.token_count.prompt_details.cache_write": 300,
    "llm.finish_reason": "end_turn",
    "output.mime_type": "application/json",
    "output.value": (
        '{"id":"msg_1","service_tier":"priority","usage":{"cache_creation":'
        '{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100}}}'
    ),
}


def test_openinference() -> None:
    facts = read_facts(
        span(
            OPENINFERENCE,
            kind="INTERNAL",
            events=[event("First Token Stream Event", {}, at=1_250_000_000)],
        )
    )
    assert (facts.kind, facts.convention, facts.operation) == (Kind.INFERENCE, "openinference", "chat")
    assert (facts.request_model, facts.response_model) == ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929")
    assert buckets(facts.usage) == (100, 600, 300, 50, None)
    assert facts.usage is not None
    assert (facts.usage.input_cache_write_5m, facts.usage.input_cache_write_1h) == (200, 100)
    assert (facts.response_id, facts.service_tier) == ("msg_1", "priority")
    assert facts.provenance["response_id"] == "output.value"
    assert facts.parameters == {"max_tokens": 10}
    assert (facts.streaming, facts.ttft_ms) == (True, 250.0)
    assert facts.finish_reasons == ("stop",)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("EMBEDDING", Kind.EMBEDDINGS),
        ("RERANKER", Kind.RERANK),
        ("RETRIEVER", Kind.RETRIEVAL),
        ("TOOL", Kind.TOOL),
        ("AGENT", Kind.AGENT),
        ("CHAIN", Kind.WORKFLOW),
        ("GUARDRAIL", Kind.OTHER),
        ("EVALUATOR", Kind.OTHER),
        ("unheard of", Kind.OTHER),
    ],
)
def test_openinference_kinds(written: str, kind: Kind) -> None:
    facts = read_facts(span(OPENINFERENCE | {"openinference.span.kind": written}))
    assert facts.kind is kind
    assert (facts.usage is not None) == kind.is_call


def test_malformed_invocation_parameters_are_named() -> None:
    facts = read_facts(span(OPENINFERENCE | {"llm.invocation_parameters": "{oops"}))
    assert facts.parameters == {}
    assert facts.quality == ("parameters.malformed_json",)
    assert facts.request_model == "claude-sonnet-4-5-20250929"


TRACELOOP_OLD = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 10,
    "llm.usage.total_tokens": 110,
    "gen_ai.usage.cache_read_input_tokens": 40,
    "llm.is_streaming": False,
    "llm.response.finish_reason": "tool_calls",
    "llm.top_k": 5,
    "traceloop.workflow.name": "refund",
    "traceloop.association.properties.user_id": "u1",
    "traceloop.association.properties.session_id": "s1",
}


def test_old_traceloop() -> None:
    facts = read_facts(span(TRACELOOP_OLD, scope_name="opentelemetry.instrumentation.openai.v1"))
    assert (facts.kind, facts.convention, facts.provider) == (Kind.INFERENCE, "openllmetry", "openai")
    assert buckets(facts.usage) == (60, 40, None, 10, None)
    assert (facts.streaming, facts.finish_reasons) == (False, ("tool_calls",))
    assert (facts.route, facts.user, facts.session) == ("refund", "u1", "s1")
    assert facts.parameters == {"top_k": 5}


@pytest.mark.parametrize(
    ("written", "kind"),
    [("workflow", Kind.WORKFLOW), ("agent", Kind.AGENT), ("tool", Kind.TOOL), ("task", Kind.OTHER)],
)
def test_traceloop_decorators(written: str, kind: Kind) -> None:
    facts = read_facts(
        span(
            {
                "traceloop.span.kind": written,
                "traceloop.entity.name": "lookup",
                "traceloop.entity.input": "[1]",
            }
        )
    )
    assert (facts.kind, facts.convention) == (kind, "openllmetry")
    assert facts.agent == ("lookup" if kind is Kind.AGENT else None)
    assert facts.tool_name == ("lookup" if kind is Kind.TOOL else None)


VERCEL = {
    "operation.name": "ai.streamText.doStream checkout",
    "ai.operationId": "ai.streamText.doStream",
    "ai.telemetry.functionId": "checkout",
    "ai.telemetry.metadata.userId": "u1",
    "ai.telemetry.metadata.sessionId": "s1",
    "ai.model.id": "claude-sonnet-4-5",
    "ai.model.provider": "anthropic.messages",
    "gen_ai.system": "anthropic.messages",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "ai.response.id": "msg_1",
    "ai.response.finishReason": "tool-calls",
    "ai.response.msToFirstChunk": 120.5,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "ai.usage.inputTokens": 100,
    "ai.usage.outputTokens": 50,
    "ai.usage.cachedInputTokens": 600,
}


def test_vercel_inner_span() -> None:
    facts = read_facts(span(VERCEL, scope_name="ai", kind="INTERNAL"))
    assert (facts.kind, facts.convention, facts.provider) == (Kind.INFERENCE, "vercel", "anthropic")
    assert (facts.operation, facts.response_id) == ("chat", "msg_1")
    assert (facts.streaming, facts.ttft_ms) == (True, 120.5)
    assert facts.finish_reasons == ("tool_calls",)
    assert (facts.route, facts.user, facts.session) == ("checkout", "u1", "s1")
    assert buckets(facts.usage) == (100, 600, None, 50, None)


def test_vercel_counts_as_the_provider_does_unless_it_splits_the_input_itself() -> None:
    openai = {"ai.model.provider": "openai.chat", "gen_ai.system": "openai.chat"}
    whole = {"gen_ai.usage.input_tokens": 1000, "ai.usage.inputTokens": 1000}
    assert buckets(read_facts(span(VERCEL | openai | whole)).usage) == (400, 600, None, 50, None)
    split = {
        "ai.usage.inputTokenDetails.noCacheTokens": 100,
        "ai.usage.inputTokenDetails.cacheReadTokens": 600,
        "ai.usage.inputTokenDetails.cacheWriteTokens": 300,
    }
    facts = read_facts(span(VERCEL | whole | split))
    assert buckets(facts.usage) == (100, 600, 300, 50, None)
    assert facts.quality == ()


OPENAI_BEFORE_5 = '{"openai":{"reasoningTokens":20,"cachedPromptTokens":600}}'
ANTHROPIC_BEFORE_5 = '{"anthropic":{"cacheCreationInputTokens":300,"cacheReadInputTokens":600}}'
ANTHROPIC_5 = (
    '{"anthropic":{"usage":{"input_tokens":100,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,'
    '"output_tokens":50},"cacheCreationInputTokens":300,"stopSequence":null}}'
)
BEDROCK = '{"bedrock":{"usage":{"cacheReadInputTokens":600,"cacheWriteInputTokens":300}}}'


@pytest.mark.parametrize(
    ("provider", "whole", "metadata", "expected"),
    [
        ("openai.chat", 1000, OPENAI_BEFORE_5, (400, 600, None, 50, 20)),
        ("anthropic.messages", 100, ANTHROPIC_BEFORE_5, (100, 600, 300, 50, None)),
        ("anthropic.messages", 100, ANTHROPIC_5, (100, 600, 300, 50, None)),
        ("amazon-bedrock", 100, BEDROCK, (100, 600, 300, 50, None)),
        ("openai.chat", 1000, '{"openai":{}}', (1000, None, None, 50, None)),
        ("openai.chat", 1000, '{"openai":{"cachedPromptTokens":null}}', (1000, None, None, 50, None)),
        ("openai.chat", 1000, '[{"cachedPromptTokens":600}]', (1000, None, None, 50, None)),
    ],
)
def test_vercel_states_the_cache_in_the_provider_s_metadata(
    provider: str, whole: int, metadata: str, expected: tuple[int | None, ...]
) -> None:
    attributes: dict[str, Any] = {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": provider,
        "ai.usage.promptTokens": whole,
        "ai.usage.completionTokens": 50,
        "ai.response.providerMetadata": metadata,
    }
    facts = read_facts(span(attributes, scope_name="ai", kind="INTERNAL"))
    assert buckets(facts.usage) == expected
    assert facts.quality == ()
    if expected[1] is not None:
        assert facts.provenance["usage.input_cache_read"] == "ai.response.providerMetadata"


@pytest.mark.parametrize(
    ("metadata", "code"),
    [("{oops", "attribute.unreadable"), ('{"openai":{"cachedPromptTokens":-1}}', "usage.not_a_count")],
)
def test_metadata_that_cannot_be_read_is_named(metadata: str, code: str) -> None:
    openai = {"ai.model.provider": "openai.chat", "ai.usage.cachedInputTokens": None}
    facts = read_facts(span(VERCEL | openai | {"ai.response.providerMetadata": metadata}))
    assert facts.quality == (code,)
    assert buckets(facts.usage) == (100, None, None, 50, None)


def test_vercel_writes_embedded_texts_as_json_strings() -> None:
    for name, written in (("ai.value", '"say \\"hi\\""'), ("ai.values", ['"say \\"hi\\""'])):
        facts = read_facts(span(VERCEL | {"ai.operationId": "ai.embed.doEmbed", name: written}))
        assert facts.content is not None
        assert facts.content.input_messages == [
            {"role": "user", "parts": [{"type": "text", "content": 'say "hi"'}]}
        ]


def test_vercel_says_when_the_provider_failed() -> None:
    failed = event("exception", {"exception.type": "AI_APICallError", "exception.message": "it broke"})
    facts = read_facts(span(VERCEL, status="error", events=[failed]))
    assert (facts.error_class, facts.error_type) == (ErrorClass.MODEL, "AI_APICallError")


def test_vercel_7_writes_otel_names_and_a_time_of_its_own() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.client.operation.duration": 0.4,
        "gen_ai.client.operation.time_to_first_chunk": 0.12,
        "gen_ai.response.finish_reasons": ["tool-calls"],
    }
    facts = read_facts(span(attributes, scope_name="gen_ai"))
    assert (facts.kind, facts.convention, facts.finish_reasons) == (
        Kind.INFERENCE,
        "otel_genai",
        ("tool_calls",),
    )
    assert (facts.ttft_ms, facts.streaming) == (120.0, True)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("ai.generateText.doGenerate", Kind.INFERENCE),
        ("ai.generateObject.doGenerate", Kind.INFERENCE),
        ("ai.embedMany.doEmbed", Kind.EMBEDDINGS),
        ("ai.toolCall", Kind.TOOL),
        ("ai.generateText", Kind.WORKFLOW),
        ("ai.streamObject", Kind.WORKFLOW),
        ("ai.embed", Kind.WORKFLOW),
    ],
)
def test_only_the_inner_spans_of_vercel_are_calls(operation: str, kind: Kind) -> None:
    facts = read_facts(span(VERCEL | {"ai.operationId": operation}, scope_name="ai", kind="INTERNAL"))
    assert facts.kind is kind
    assert (facts.usage is None) == (not kind.is_call)


OPENLIT = {
    "telemetry.sdk.name": "openlit",
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.id": "msg_1",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 600,
    "gen_ai.usage.cache_creation.input_tokens": 300,
    "gen_ai.client.token.usage": 150,
    "gen_ai.usage.cost": 0.0023,
    "gen_ai.server.time_to_first_token": 0.02,
    "gen_ai.environment": "prod",
}


@pytest.mark.parametrize("total", [150, 1050, None])
def test_openlit_input_leaves_the_cache_out_for_anthropic(total: Any) -> None:
    attributes = OPENLIT | {"gen_ai.client.token.usage": total}
    facts = read_facts(span(attributes, scope_name="openlit.instrumentation.anthropic"))
    assert (facts.kind, facts.convention, facts.environment) == (Kind.INFERENCE, "openlit", "prod")
    assert buckets(facts.usage) == (100, 600, 300, 50, None)
    assert facts.ttft_ms == 20.0
    assert facts.quality == ()


def test_openlit_input_includes_the_cache_for_openai() -> None:
    facts = read_facts(
        span(
            OPENLIT | {"gen_ai.usage.input_tokens": 1000, "gen_ai.client.token.usage": 1050},
            scope_name="openlit.instrumentation.openai",
        )
    )
    assert buckets(facts.usage) == (100, 600, 300, 50, None)


def test_what_openlit_writes_without_knowing_is_unknown() -> None:
    known = read_facts(span(OPENLIT | {"gen_ai.request.stream": True}, scope_name="openlit.x"))
    assert (known.ttft_ms, str(known.reported_cost)) == (20.0, "0.0023")
    defaults = {
        "gen_ai.request.stream": False,
        "gen_ai.usage.cost": 0,
        "gen_ai.request.max_tokens": -1,
        "gen_ai.request.top_p": 1.0,
    }
    facts = read_facts(span(OPENLIT | defaults, scope_name="openlit.x"))
    assert (facts.ttft_ms, facts.streaming, facts.reported_cost) == (None, False, None)
    assert facts.parameters == {"top_p": 1.0}
    assert not {"ttft_ms", "ttft_seconds", "reported_cost", "parameters.max_tokens"} & facts.provenance.keys()


def test_openlit_leaves_a_failed_request_nothing_but_its_name() -> None:
    failed = event("exception", {"exception.type": "anthropic.RateLimitError"})
    scope = "openlit.instrumentation.anthropic"
    facts = read_facts(
        span({}, scope_name=scope, name="chat claude-sonnet-4-5", status="error", events=[failed])
    )
    assert (facts.kind, facts.convention, facts.provider) == (Kind.INFERENCE, "openlit", "anthropic")
    assert (facts.request_model, facts.error_class) == ("claude-sonnet-4-5", ErrorClass.RATE_LIMIT)
    for name, status in (("chat claude-sonnet-4-5", "ok"), ("chat", "error"), ("POST /v1/messages", "error")):
        assert read_facts(span({}, scope_name=scope, name=name, status=status)).kind is Kind.OTHER


def test_the_anthropic_sdk_says_the_whole_input_whatever_the_schema_claims() -> None:
    attributes = {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_write.input_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.output_tokens": 50,
        "anthropic.message.stop_reason": "tool_use",
        "http.route": "/v1/messages",
        "http.response.status_code": 200,
    }
    facts = read_facts(span(attributes, scope_name="com.anthropic.sdk.python"))
    assert (facts.kind, facts.convention) == (Kind.INFERENCE, "anthropic_sdk")
    assert buckets(facts.usage) == (100, 600, 300, 50, None)
    assert facts.finish_reasons == ("tool_calls",)
    assert facts.route is None and facts.error_class is None
