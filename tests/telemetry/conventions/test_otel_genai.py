"""OpenTelemetry GenAI in its three ages, and the choice of kind and convention."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import ErrorClass, Kind
from telemetry.conventions.spans import buckets, event, span

NOW = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.response.id": "msg_1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.cache_read.input_tokens": 600,
    "gen_ai.usage.cache_write.input_tokens": 300,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.reasoning.output_tokens": 20,
}
BEFORE_THE_SPLIT = {
    "gen_ai.usage.cache_write.input_tokens": "gen_ai.usage.cache_creation.input_tokens",
}
BEFORE_1_37 = BEFORE_THE_SPLIT | {
    "gen_ai.provider.name": "gen_ai.system",
    "gen_ai.usage.input_tokens": "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.output_tokens": "gen_ai.usage.completion_tokens",
}


@pytest.mark.parametrize(
    "renamed", [{}, BEFORE_THE_SPLIT, BEFORE_1_37], ids=["now", "1.37-1.41", "before 1.37"]
)
def test_every_age_says_the_same(renamed: dict[str, str]) -> None:
    facts = read_facts(span({renamed.get(name, name): value for name, value in NOW.items()}))
    assert facts.kind is Kind.INFERENCE
    assert facts.convention == "otel_genai"
    assert facts.provider == "anthropic"
    assert facts.request_model == "claude-sonnet-4-5"
    assert facts.response_id == "msg_1"
    assert facts.finish_reasons == ("stop",)
    assert facts.refusal is False
    assert buckets(facts.usage) == (100, 600, 300, 50, 20)
    assert facts.quality == ()
    written = "gen_ai.usage.cache_write.input_tokens"
    assert facts.provenance["usage.input_cache_write"] == renamed.get(written, written)


def test_a_newer_name_goes_before_an_older_one_in_any_order() -> None:
    both = {"gen_ai.system": "openai", "gen_ai.provider.name": "groq"}
    for names in (list(both), list(reversed(both))):
        facts = read_facts(span(NOW | {"gen_ai.provider.name": None} | {name: both[name] for name in names}))
        assert facts.provider == "groq"
        assert facts.provenance["provider"] == "gen_ai.provider.name"


@pytest.mark.parametrize(
    ("attributes", "kind", "expected"),
    [
        ({"gen_ai.operation.name": "chat"}, "CLIENT", Kind.INFERENCE),
        ({"gen_ai.operation.name": "text_completion"}, "INTERNAL", Kind.INFERENCE),
        ({"gen_ai.operation.name": "generate_content"}, "CLIENT", Kind.INFERENCE),
        ({"gen_ai.operation.name": "embeddings"}, "CLIENT", Kind.EMBEDDINGS),
        ({"gen_ai.operation.name": "rerank"}, "CLIENT", Kind.RERANK),
        ({"gen_ai.operation.name": "retrieval"}, "CLIENT", Kind.RETRIEVAL),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x"}, "INTERNAL", Kind.TOOL),
        ({"mcp.method.name": "tools/call", "gen_ai.tool.name": "x"}, "CLIENT", Kind.TOOL),
        ({"mcp.method.name": "tools/list"}, "CLIENT", Kind.OTHER),
        ({"gen_ai.operation.name": "create_agent", "gen_ai.request.model": "m"}, "CLIENT", Kind.AGENT),
        ({"gen_ai.operation.name": "invoke_workflow"}, "INTERNAL", Kind.WORKFLOW),
        ({"gen_ai.operation.name": "fetch_response", "gen_ai.response.id": "r"}, "CLIENT", Kind.OTHER),
        ({"gen_ai.operation.name": "something_new"}, "INTERNAL", Kind.OTHER),
        ({"gen_ai.request.model": "m"}, "CLIENT", Kind.INFERENCE),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}, "INTERNAL", Kind.INFERENCE),
        ({"gen_ai.request.model": "m"}, "INTERNAL", Kind.OTHER),
        ({"db.system": "pinecone", "db.operation": "query"}, "CLIENT", Kind.RETRIEVAL),
        ({"db.system": "pinecone", "db.operation": "upsert"}, "CLIENT", Kind.OTHER),
        ({"db.system": "postgresql", "db.operation": "query"}, "CLIENT", Kind.OTHER),
        ({"http.request.method": "GET"}, "CLIENT", Kind.OTHER),
    ],
)
def test_kind(attributes: dict[str, Any], kind: str, expected: Kind) -> None:
    assert read_facts(span(attributes, kind=kind)).kind is expected


def test_an_agent_span_with_totals_is_no_call() -> None:
    facts = read_facts(span(NOW | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}))
    assert facts.kind is Kind.AGENT
    assert facts.usage is None
    assert facts.agent == "planner"
    assert not any(name.startswith("usage.") for name in facts.provenance)


def test_parameters_tier_cost_and_timing() -> None:
    facts = read_facts(
        span(
            NOW
            | {
                "gen_ai.request.temperature": 0.5,
                "gen_ai.request.max_tokens": 10,
                "gen_ai.request.stop_sequences": ["END"],
                "gen_ai.openai.request.seed": 7,
                "gen_ai.openai.response.service_tier": "flex",
                "gen_ai.openai.request.service_tier": "auto",
                "gen_ai.usage.cost": 0.25,
                "gen_ai.response.time_to_first_chunk": 0.125,
            }
        )
    )
    assert facts.parameters == {"temperature": 0.5, "max_tokens": 10, "stop_sequences": ["END"], "seed": 7}
    assert facts.service_tier == "flex"
    assert facts.reported_cost == Decimal("0.25")
    assert facts.ttft_ms == 125.0
    assert facts.streaming is True
    assert facts.provenance["ttft_ms"] == "gen_ai.response.time_to_first_chunk"


@pytest.mark.parametrize(
    ("stated", "canonical", "refusal"),
    [
        (["stop"], ("stop",), False),
        (["tool_call"], ("tool_calls",), False),
        ("end_turn", ("stop",), False),
        ('["max_tokens"]', ("length",), False),
        (["STOP", "SAFETY"], ("stop", "content_filter"), True),
        (["refusal"], ("refusal",), True),
        (["pause_turn"], ("pause_turn",), False),
        (None, (), None),
        ([], (), None),
    ],
)
def test_finish_reasons(stated: Any, canonical: tuple[str, ...], refusal: bool | None) -> None:
    facts = read_facts(span(NOW | {"gen_ai.response.finish_reasons": stated}))
    assert facts.finish_reasons == canonical
    assert facts.refusal is refusal


def test_a_refusal_part_is_a_refusal() -> None:
    said = '[{"role":"assistant","parts":[{"type":"refusal","content":"no"}],"finish_reason":"stop"}]'
    facts = read_facts(span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": said}))
    assert facts.refusal is True
    assert facts.finish_reasons == ("stop",)
    assert facts.provenance["finish_reasons"] == "content"


@pytest.mark.parametrize(
    ("attributes", "status", "message", "raised", "expected"),
    [
        ({"error.type": "openai.RateLimitError"}, "error", "", None, ErrorClass.RATE_LIMIT),
        ({"error.type": "429"}, "error", "", None, ErrorClass.RATE_LIMIT),
        ({"http.response.status_code": 429}, "unset", "", None, ErrorClass.RATE_LIMIT),
        ({"error.type": "APITimeoutError"}, "error", "", None, ErrorClass.TIMEOUT),
        ({}, "error", "deadline: Request timed out.", None, ErrorClass.TIMEOUT),
        ({"error.type": "content_policy_violation"}, "error", "", None, ErrorClass.CONTENT_FILTER),
        ({"http.response.status_code": 500, "error.type": "api_error"}, "error", "", None, ErrorClass.MODEL),
        ({"error.type": "503"}, "error", "", None, ErrorClass.MODEL),
        ({}, "error", "", "openai.BadRequestError", ErrorClass.MODEL),
        ({}, "error", "", "builtins.KeyError", ErrorClass.APPLICATION),
        ({"error.type": "KeyError"}, "unset", "", None, ErrorClass.APPLICATION),
        ({}, "unset", "", "builtins.KeyError", None),
        ({"http.response.status_code": 200}, "ok", "", None, None),
    ],
)
def test_whose_failure_it_was(
    attributes: dict[str, Any], status: str, message: str, raised: str | None, expected: ErrorClass | None
) -> None:
    events = [event("exception", {"exception.type": raised})] if raised else []
    facts = read_facts(span(NOW | attributes, status=status, status_message=message, events=events))
    assert facts.error_class is expected
    if expected is not None and raised is not None:
        assert facts.error_type == raised


def test_a_failed_tool_is_the_application() -> None:
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "sum",
        "http.response.status_code": 500,
    }
    facts = read_facts(span(tool, status="error"))
    assert facts.tool_name == "sum"
    assert facts.error_class is ErrorClass.APPLICATION


def test_dimensions_of_the_span_go_before_those_of_the_resource() -> None:
    resource = {
        "service.name": "shop",
        "service.version": "1.2",
        "deployment.environment.name": "prod",
        "holdfast.tenant": "acme",
        "holdfast.sample": True,
    }
    mine = {
        "holdfast.system": "assistant",
        "gen_ai.workflow.name": "refund",
        "gen_ai.agent.name": "clerk",
        "tenant.id": "globex",
        "enduser.id": "u1",
        "gen_ai.conversation.id": "c1",
        "session.id": "browser",
        "holdfast.feature": "returns",
    }
    facts = read_facts(span(NOW | mine, resource=resource))
    assert (facts.system, facts.environment, facts.route) == ("assistant", "prod", "refund")
    assert (facts.agent, facts.tenant, facts.user) == ("clerk", "globex", "u1")
    assert (facts.session, facts.release, facts.feature) == ("c1", "1.2", "returns")
    assert facts.sample is True
    assert facts.provenance["tenant"] == "tenant.id"
    assert facts.provenance["release"] == "service.version"


def test_http_route_is_a_route_on_server_spans_alone() -> None:
    route = {"http.route": "/v1/messages"}
    assert read_facts(span(route, kind="SERVER")).route == "/v1/messages"
    assert read_facts(span(route | {"holdfast.route": "ask"}, kind="SERVER")).route == "ask"
    assert read_facts(span(NOW | route, kind="CLIENT")).route is None


def test_a_span_of_no_generative_system_keeps_its_dimensions_and_failure() -> None:
    resource = {"service.name": "shop", "deployment.environment": "test"}
    events = [event("exception", {"exception.type": "ValueError"})]
    facts = read_facts(
        span(
            {"user.id": "u1", "http.route": "/buy"},
            kind="SERVER",
            resource=resource,
            status="error",
            events=events,
        )
    )
    assert facts.kind is Kind.OTHER
    assert facts.convention == "none"
    assert (facts.system, facts.environment, facts.user, facts.route) == ("shop", "test", "u1", "/buy")
    assert facts.error_class is ErrorClass.APPLICATION
    assert facts.error_type == "ValueError"
    assert facts.provenance["system"] == "service.name"


def test_unusable_values_are_named_and_not_used() -> None:
    facts = read_facts(
        span(
            NOW
            | {
                "gen_ai.usage.output_tokens": -5,
                "gen_ai.usage.input_tokens": "many",
                "gen_ai.usage.cost": "free",
                "gen_ai.response.time_to_first_chunk": float("nan"),
                "gen_ai.request.model": ["m"],
            }
        )
    )
    assert facts.usage is not None
    assert (facts.usage.output, facts.usage.input_uncached) == (None, None)
    assert facts.reported_cost is None and facts.ttft_ms is None and facts.request_model is None
    for code in ("usage.not_a_count", "cost.not_an_amount", "time.not_a_duration", "attribute.unreadable"):
        assert code in facts.quality
