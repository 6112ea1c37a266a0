"""What records of each product become: ids, times, tokens, money, who and where."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from holdfast.telemetry.imports.holdfast import Holdfast
from holdfast.telemetry.imports.reader import Ignored, Told, Unmapped
from holdfast.telemetry.model import ErrorClass, Kind, Span
from telemetry.imports.made import buckets, facts, one, read

SECOND = 10**9
AT = "2026-03-01T10:00:00Z"
AT_NS = 1_772_359_200 * SECOND


def observation(**more: Any) -> dict[str, Any]:
    """A generation as Langfuse's API gives it."""
    return {
        "id": "00f067aa0ba902b7",
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "type": "GENERATION",
        "startTime": AT,
        "endTime": "2026-03-01T10:00:02.5Z",
        "completionStartTime": "2026-03-01T10:00:00.75Z",
        "model": "gpt-4o-mini",
        "modelParameters": {"temperature": "0.5", "max_tokens": 300},
        "input": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello?"}],
        "output": {"role": "assistant", "content": "Hello."},
        "usageDetails": {"input": 100, "output": 20, "input_cached_tokens": 30, "total": 150},
        "costDetails": {"total": 0.0123},
        "level": "DEFAULT",
        "environment": "production",
        **more,
    }


def test_langfuse_keeps_the_ids_of_opentelemetry() -> None:
    span = one("langfuse", observation(parentObservationId="a3ce929d0e0e4736"))
    assert (span.trace_id, span.span_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert span.parent_span_id == "a3ce929d0e0e4736"
    assert (span.start_ns, span.end_ns) == (AT_NS, AT_NS + 2_500_000_000)
    assert span.scope_name == "holdfast.import.langfuse"


def test_langfuse_ids_of_older_sdks_are_derived_and_stay_the_same() -> None:
    old = observation(
        id="9f1c0a52-6b1e-4d0e-9a55-0c0f5a3b7a11", traceId="5E2B8E3A-0A3D-4E4A-8B52-6C47A9B3C111"
    )
    child = one("langfuse", observation(parentObservationId=old["id"]))
    made = one("langfuse", old)
    assert made.trace_id == "5e2b8e3a0a3d4e4a8b526c47a9b3c111"
    assert made.span_id == one("langfuse", old).span_id == child.parent_span_id
    named = one("langfuse", observation(id="my-call", traceId="order 17"))
    assert len(named.trace_id) == 32 and len(named.span_id) == 16


def test_a_generation_of_langfuse_is_a_call() -> None:
    said = facts(one("langfuse", observation(userId="ada", sessionId="s1", traceName="ask", release="1.2")))
    assert said.kind is Kind.INFERENCE
    assert (said.request_model, said.user, said.session, said.route) == ("gpt-4o-mini", "ada", "s1", "ask")
    assert (said.release, said.environment, said.system) == ("1.2", "production", "hr")
    assert said.parameters == {"temperature": 0.5, "max_tokens": 300}
    assert said.ttft_ms == 750.0
    assert said.reported_cost == Decimal("0.0123")
    assert said.content is not None and said.content.input_messages is not None
    assert [message["role"] for message in said.content.input_messages] == ["system", "user"]


@pytest.mark.parametrize(
    ("usage", "buckets"),
    [
        ({"input": 100, "output": 20, "total": 120}, (100, None, None, 20, None)),
        ({"input": 100, "output": 20, "input_cached_tokens": 30, "total": 150}, (100, 30, None, 20, None)),
        ({"input": 100, "output": 20, "input_cached_tokens": 30}, (100, 30, None, 20, None)),
        ({"input": 100, "output": 20, "input_cached_tokens": 30, "total": 120}, (70, 30, None, 20, None)),
        (
            {
                "input": 100,
                "output": 50,
                "cache_read_input_tokens": 600,
                "cache_creation_input_tokens": 300,
                "total": 1050,
            },
            (100, 600, 300, 50, None),
        ),
        ({"input": 10, "output": 20, "output_reasoning_tokens": 5, "total": 35}, (10, None, None, 25, 5)),
        ({"input": 10, "output": 20, "output_reasoning_tokens": 5, "total": 30}, (10, None, None, 20, 5)),
        ({"promptTokens": 7, "completionTokens": 3, "totalTokens": 10}, (7, None, None, 3, None)),
        ({"input": "7", "output": "3"}, (7, None, None, 3, None)),
    ],
)
def test_langfuse_usage_beside_or_inside(usage: dict[str, Any], buckets: tuple[int | None, ...]) -> None:
    found = facts(one("langfuse", observation(usageDetails=usage))).usage
    assert found is not None
    assert buckets == (
        found.input_uncached,
        found.input_cache_read,
        found.input_cache_write,
        found.output,
        found.output_reasoning,
    )


def test_langfuse_rows_of_the_blob_storage_and_of_csv_say_the_same() -> None:
    row = {
        "id": "00f067aa0ba902b7",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "type": "GENERATION",
        "start_time": "2026-03-01 10:00:00.000000",
        "end_time": "2026-03-01 10:00:02.500000",
        "completion_start_time": "2026-03-01 10:00:00.750000",
        "provided_model_name": "gpt-4o-mini",
        "model_parameters": '{"temperature":"0.5","max_tokens":300}',
        "environment": "production",
        "input": '[{"role":"system","content":"Be short."},{"role":"user","content":"Hello?"}]',
        "output": '{"role":"assistant","content":"Hello."}',
        "level": "DEFAULT",
        "metadata": {},
        "usage_details": '{"input":100,"output":20,"input_cached_tokens":30,"total":150}',
        "cost_details": '{"total":0.0123}',
        "parent_observation_id": "",
        "prompt_version": "",
        "latency": "2.5",
        "tags": "[]",
        "user_id": "",
    }
    ours, theirs = facts(one("langfuse", row)), facts(one("langfuse", observation()))
    for name in (
        "usage",
        "parameters",
        "request_model",
        "reported_cost",
        "ttft_ms",
        "environment",
        "content",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name


def test_observations_get_user_and_session_of_their_trace() -> None:
    trace = {
        "id": "t1",
        "timestamp": AT,
        "userId": "ada",
        "sessionId": "s1",
        "name": "ask",
        "environment": "x",
    }
    bare = {name: value for name, value in observation(traceId="t1").items() if name != "environment"}
    items, _ = read("langfuse", trace, bare)
    assert isinstance(items[0], Ignored) and isinstance(items[1], Span)
    said = facts(items[1])
    assert (said.user, said.session, said.route, said.environment) == ("ada", "s1", "ask", "x")
    inside, _ = read("langfuse", {**trace, "scores": [], "observations": [bare]})
    assert [type(one) for one in inside] == [Span, Ignored]
    assert isinstance(inside[0], Span) and facts(inside[0]).user == "ada"


def test_what_langfuse_calls_other_things_is_no_call() -> None:
    kinds = {
        "SPAN": Kind.OTHER,
        "EVENT": Kind.OTHER,
        "TOOL": Kind.TOOL,
        "AGENT": Kind.AGENT,
        "RETRIEVER": Kind.RETRIEVAL,
    }
    for name, kind in kinds.items():
        assert facts(one("langfuse", observation(type=name, name="look-up"))).kind is kind
    assert facts(one("langfuse", observation(type="EMBEDDING"))).kind is Kind.EMBEDDINGS
    failed = one("langfuse", observation(level="ERROR", statusMessage="429 rate limit exceeded"))
    assert facts(failed).error_class is ErrorClass.RATE_LIMIT
    items, _ = read(
        "langfuse", {"id": "s", "value": 1, "dataType": "NUMERIC", "traceId": "t", "name": "quality"}
    )
    assert items == [Ignored("scores")]


def test_fields_without_a_place_are_counted() -> None:
    _, reading = read(
        "langfuse", observation(shoeSize=43), observation(usageDetails={"input": 1, "images": 3})
    )
    assert reading.tally.fields == {"shoe_size": 1, "usageDetails.images": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"startTime": None}, "startTime"),
        ({"startTime": "soon"}, "startTime"),
        ({"type": "POEM"}, "POEM"),
        ({"id": ""}, "no id"),
        ({"usageDetails": "{oh"}, "usageDetails"),
        ({"usageDetails": {"input": -4}}, "-4"),
        ({"startTime": "0001-01-01T00:00:00Z"}, "out of range"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_in_words(change: dict[str, Any], reason: str) -> None:
    [item], _ = read("langfuse", observation(**change))
    assert isinstance(item, Unmapped) and reason in item.reason


def spend(**more: Any) -> dict[str, Any]:
    """A row of LiteLLM's spend log."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 600, "cache_creation_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    return {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "spend": 0.002355,
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "startTime": "2026-03-01 10:00:00.000000+00:00",
        "endTime": "2026-03-01 10:00:03+00:00",
        "completionStartTime": "2026-03-01 10:00:01+00:00",
        "model": "anthropic/claude-sonnet-4-5",
        "custom_llm_provider": "anthropic",
        "end_user": "ada",
        "metadata": {"usage_object": usage, "user_api_key_team_alias": "people"},
        "cache_hit": "False",
        "request_tags": "[]",
        "session_id": "s1",
        "status": "success",
        **more,
    }


def test_a_row_of_litellm_is_a_call() -> None:
    span = one("litellm", spend())
    said = facts(span)
    assert (said.provider, said.request_model, said.user, said.tenant, said.session) == (
        "anthropic",
        "claude-sonnet-4-5",
        "ada",
        "people",
        "s1",
    )
    assert said.usage is not None
    assert said.usage[:6] == (100, 600, 300, None, None, 50) and said.usage.output_reasoning == 20
    assert (said.ttft_ms, said.reported_cost) == (1000.0, Decimal("0.002355"))
    assert one("litellm", spend(model="x")).span_id == span.span_id
    assert one("litellm", {**spend(), "request_id": None, "id": "chatcmpl-1"}).span_id == span.span_id


def test_an_answer_from_litellms_cache_was_billed_by_nobody() -> None:
    items, reading = read("litellm", spend(cache_hit="True", spend=0.0))
    assert isinstance(items[0], Span)
    said = facts(items[0])
    assert said.usage is not None and (said.usage.input_total, said.usage.output) == (0, 0)
    assert items[0].attributes["litellm.cached.input_tokens"] == 1000
    assert list(reading.tally.remarks.values()) == [1]


def test_a_failure_of_litellm_is_classed_and_has_no_tokens() -> None:
    told = {"error_code": "429", "error_class": "RateLimitError", "error_message": "slow down"}
    span = one(
        "litellm",
        spend(status="failure", error_information=told, prompt_tokens=0, completion_tokens=0, spend=0),
    )
    said = facts(span)
    assert (said.error_class, said.error_type, said.usage) == (ErrorClass.RATE_LIMIT, "RateLimitError", None)
    assert span.status_message == "slow down" and said.reported_cost is None


def completion(**more: Any) -> dict[str, Any]:
    """A stored chat completion of OpenAI."""
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": AT_NS // SECOND,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
        "service_tier": "default",
        "metadata": {"team": "hr"},
        **more,
    }


def test_openai_completions_and_batch_output() -> None:
    said = facts(one("openai", completion()))
    assert said.usage is not None and said.usage[:3] == (6, 4, None) and said.usage.output == 3
    assert said.finish_reasons == ("stop",)
    line = {
        "id": "batch_req_1",
        "custom_id": "a",
        "error": None,
        "response": {"status_code": 200, "body": completion()},
    }
    batch = one("openai", line)
    assert (facts(batch).service_tier, batch.start_ns) == ("batch", AT_NS)
    assert batch.span_id == one("openai", completion()).span_id
    failed = {
        "id": "batch_req_2",
        "custom_id": "b",
        "response": {"status_code": 429, "body": {"error": {"code": "rate_limit_exceeded"}}},
    }
    [refused], _ = read("openai", failed)
    assert isinstance(refused, Unmapped) and "--at" in refused.reason
    assert facts(one("openai", failed, told=Told(at_ns=AT_NS))).error_class is ErrorClass.RATE_LIMIT


def test_openai_responses() -> None:
    row = {
        "id": "resp_1",
        "object": "response",
        "created_at": AT_NS // SECOND,
        "model": "gpt-4o-mini",
        "status": "completed",
        "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
        ],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 3,
            "total_tokens": 13,
            "input_tokens_details": {"cached_tokens": 2},
        },
        "temperature": 1.0,
        "instructions": "Be short.",
    }
    said = facts(one("openai", row))
    assert said.usage is not None and said.usage.input_uncached == 8
    assert said.content is not None and said.content.system_instructions
    assert said.content.output_messages is not None


def test_anthropic_batch_results() -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello."}],
        "usage": {
            "input_tokens": 100,
            "cache_read_input_tokens": 600,
            "cache_creation_input_tokens": 300,
            "output_tokens": 50,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "service_tier": "batch",
        },
    }
    told = Told(at_ns=AT_NS)
    said = facts(
        one("anthropic", {"custom_id": "a", "result": {"type": "succeeded", "message": message}}, told=told)
    )
    assert said.usage is not None and said.usage[:6] == (100, 600, 300, 100, 200, 50)
    assert (said.service_tier, said.finish_reasons) == ("batch", ("stop",))
    [item], _ = read("anthropic", {"custom_id": "b", "result": {"type": "expired"}})
    assert isinstance(item, Ignored)
    errored = {
        "type": "errored",
        "error": {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
    }
    assert one("anthropic", {"custom_id": "c", "result": errored}, told=told).status == "error"


def test_buckets_are_the_vendors_counting_and_no_calls() -> None:
    usage = {
        "object": "bucket",
        "start_time": 1_772_323_200,
        "end_time": 1_772_409_600,
        "results": [
            {
                "object": "organization.usage.completions.result",
                "input_tokens": 1000,
                "output_tokens": 500,
                "input_cached_tokens": 800,
                "num_model_requests": 5,
                "model": "gpt-4o",
                "batch": False,
                "project_id": None,
            }
        ],
    }
    cost = {
        "object": "bucket",
        "start_time": 1_772_323_200,
        "end_time": 1_772_409_600,
        "results": [
            {
                "object": "organization.costs.result",
                "line_item": "gpt-4o, input",
                "amount": {"value": Decimal("0.10"), "currency": "usd"},
            }
        ],
    }
    items, _ = read("openai", usage, cost)
    counted, billed = buckets(items)
    assert counted.dimensions == {"model": "gpt-4o", "batch": "false"}
    assert counted.measures["input_tokens"] == 1000 and counted.amount is None
    assert counted.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert (billed.amount, billed.currency, billed.kind) == (Decimal("0.10"), "USD", "cost")
    csv = {
        "start_time": "1772323200",
        "end_time": "1772409600",
        "model": "gpt-4o",
        "input_tokens": "1000",
        "project_id": "",
    }
    [row] = buckets(read("openai", csv)[0])
    assert (row.dimensions, row.measures) == ({"model": "gpt-4o"}, {"input_tokens": Decimal(1000)})


def test_anthropic_reports_and_amounts_in_hundredths() -> None:
    usage = {
        "starting_at": "2026-03-01T00:00:00Z",
        "ending_at": "2026-03-02T00:00:00Z",
        "results": [
            {
                "uncached_input_tokens": 1500,
                "cache_creation": {"ephemeral_1h_input_tokens": 1000},
                "output_tokens": 500,
                "server_tool_use": {"web_search_requests": 10},
                "model": "claude-sonnet-4-5",
                "workspace_id": None,
            }
        ],
    }
    cost = {
        "starting_at": "2026-03-01T00:00:00Z",
        "ending_at": "2026-03-02T00:00:00Z",
        "results": [{"amount": "123.78912", "currency": "USD", "description": "Claude Sonnet 4.5 input"}],
    }
    counted, billed = buckets(read("anthropic", usage, cost)[0])
    assert counted.measures["cache_creation.ephemeral_1h_input_tokens"] == 1000
    assert counted.dimensions == {"model": "claude-sonnet-4-5"}
    assert billed.amount == Decimal("1.2378912")


def test_what_a_retrieval_found_comes_back_though_its_documents_were_not_exported() -> None:
    row = {
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "span_kind": "CLIENT",
        "started_at": "2026-11-22T10:00:00Z",
        "duration_ns": 5,
        "attributes": {"gen_ai.operation.name": "retrieval"},
        "content": None,
        "told": {"retrieved": {"documents": 0, "top_score": -0.5, "newest_ns": 1_772_323_200 * 10**9}},
    }
    [made] = Holdfast(Told()).read(row)
    assert isinstance(made, Span)
    found = facts(made)
    assert (found.kind, found.documents, found.top_score) == (Kind.RETRIEVAL, 0, -0.5)
    assert found.newest_ns == 1_772_323_200 * SECOND
    row["attributes"] = {"gen_ai.operation.name": "retrieval", "holdfast.retrieval.document_count": 3}
    [told] = Holdfast(Told()).read(row)
    assert isinstance(told, Span) and facts(told).documents == 3, "what the span itself says holds"
