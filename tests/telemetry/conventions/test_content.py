"""Captured content from every form that it is written in, and its removal from raw attributes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.telemetry.conventions.content import is_content, is_content_event, strip_content
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import Content
from telemetry.conventions.spans import event, span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
USER = {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
SYSTEM = {"role": "system", "parts": [{"type": "text", "content": "be brief"}]}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}
CALL = {"type": "tool_call", "id": "c1", "name": "sum", "arguments": {"a": 1}}


def content(attributes: dict[str, Any], **more: Any) -> Content:
    found = read_facts(span(attributes, **more)).content
    assert found is not None
    return found


def oi(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "openinference.span.kind": kind,
        **{name.replace("__", "."): value for name, value in more.items()},
    }


MESSAGES = json.dumps([SYSTEM, USER])
OPENAI_MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        pytest.param(CHAT | {"gen_ai.input.messages": MESSAGES}, [], id="JSON string"),
        pytest.param(CHAT | {"gen_ai.input.messages": [SYSTEM, USER]}, [], id="native structure"),
        pytest.param(
            CHAT | {"gen_ai.input.messages": [json.dumps(SYSTEM), json.dumps(USER)]},
            [],
            id="list of JSON strings",
        ),
        pytest.param(CHAT | {"gen_ai.prompt": json.dumps(OPENAI_MESSAGES)}, [], id="gen_ai.prompt"),
        pytest.param(
            CHAT
            | {
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.0.content": "be brief",
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.1.content": '[{"type": "text", "text": "hi"}]',
            },
            [],
            id="gen_ai.prompt.{i}",
        ),
        pytest.param(
            CHAT,
            [
                event("gen_ai.system.message", {"content": "be brief"}),
                event("gen_ai.user.message", {"gen_ai.event.content": '{"content": "hi", "role": "user"}'}),
            ],
            id="span events before 1.37",
        ),
        pytest.param(
            CHAT,
            [event("gen_ai.client.inference.operation.details", {"gen_ai.input.messages": MESSAGES})],
            id="the details event of 1.37",
        ),
        pytest.param(
            CHAT,
            [event("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(OPENAI_MESSAGES)})],
            id="old event",
        ),
        pytest.param(
            oi("LLM")
            | {
                "llm.input_messages.1.message.role": "user",
                "llm.input_messages.1.message.contents.0.message_content.type": "text",
                "llm.input_messages.1.message.contents.0.message_content.text": "hi",
                "llm.input_messages.0.message.role": "system",
                "llm.input_messages.0.message.content": "be brief",
                "input.value": "not this",
            },
            [],
            id="OpenInference",
        ),
        pytest.param(
            oi("LLM", input__value=json.dumps({"model": "m", "messages": OPENAI_MESSAGES})),
            [],
            id="input.value",
        ),
        pytest.param(
            {
                "ai.operationId": "ai.generateText.doGenerate",
                "ai.prompt.messages": json.dumps(OPENAI_MESSAGES),
            },
            [],
            id="Vercel",
        ),
    ],
)
def test_what_was_asked(attributes: dict[str, Any], events: list[Any]) -> None:
    assert content(attributes, events=events).input_messages == [SYSTEM, USER]


@pytest.mark.parametrize(
    ("attributes", "events", "parts"),
    [
        pytest.param(
            CHAT | {"gen_ai.output.messages": json.dumps([ANSWER])}, [], ANSWER["parts"], id="today"
        ),
        pytest.param(
            CHAT | {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Hello"},
            [],
            ANSWER["parts"],
            id="gen_ai.completion.{i}",
        ),
        pytest.param(
            CHAT
            | {
                "gen_ai.completion.0.finish_reason": "tool_calls",
                "gen_ai.completion.0.tool_calls.0.id": "c1",
                "gen_ai.completion.0.tool_calls.0.name": "sum",
                "gen_ai.completion.0.tool_calls.0.arguments": '{"a": 1}',
            },
            [],
            [CALL],
            id="gen_ai.completion.{i} with tools",
        ),
        pytest.param(
            CHAT,
            [
                event(
                    "gen_ai.choice",
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": '{"role":"assistant","content":"Hello"}',
                    },
                )
            ],
            ANSWER["parts"],
            id="choice event",
        ),
        pytest.param(
            oi("LLM")
            | {
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "sum",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
            },
            [],
            [CALL],
            id="OpenInference with tools",
        ),
        pytest.param(
            {
                "ai.operationId": "ai.generateText.doGenerate",
                "ai.response.toolCalls": '[{"toolCallId":"c1","toolName":"sum","input":{"a":1}}]',
            },
            [],
            [CALL],
            id="Vercel with tools",
        ),
        pytest.param(
            {"ai.operationId": "ai.streamText.doStream", "ai.response.text": "Hello"},
            [],
            ANSWER["parts"],
            id="Vercel",
        ),
        pytest.param(
            oi("LLM", output__value='{"choices":[{"message":{"role":"assistant","content":"Hello"}}]}'),
            [],
            ANSWER["parts"],
            id="output.value of OpenAI",
        ),
        pytest.param(
            oi(
                "LLM",
                output__value='{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"sum",'
                '"input":{"a":1}}]}',
            ),
            [],
            [CALL],
            id="output.value of Anthropic",
        ),
    ],
)
def test_what_was_answered(attributes: dict[str, Any], events: list[Any], parts: list[Any]) -> None:
    answers = content(attributes, events=events).output_messages
    assert answers is not None
    assert [part for answer in answers for part in answer["parts"]] == parts


def test_tool_answers_and_reasoning() -> None:
    said = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "3"}]},
        {"role": "tool", "tool_call_id": "c2", "content": "4"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}], "refusal": "no"},
    ]
    found = content(CHAT | {"gen_ai.input.messages": json.dumps(said)}).input_messages
    assert found is not None
    assert [part for message in found for part in message["parts"]] == [
        {"type": "tool_call_response", "id": "c1", "response": "3"},
        {"type": "tool_call_response", "id": "c2", "response": "4"},
        {"type": "reasoning", "content": "hm"},
        {"type": "refusal", "content": "no"},
    ]


def test_instructions_and_definitions() -> None:
    found = content(
        CHAT
        | {
            "gen_ai.system_instructions": '[{"type":"text","content":"be brief"}]',
            "gen_ai.tool.definitions": '[{"type":"function","name":"sum"}]',
        }
    )
    assert found.system_instructions == [{"type": "text", "content": "be brief"}]
    assert found.tool_definitions == [{"type": "function", "name": "sum"}]
    flattened = oi("LLM") | {"llm.tools.0.tool.json_schema": '{"type":"function","name":"sum"}'}
    assert content(flattened).tool_definitions == found.tool_definitions
    vercel = {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.prompt.tools": ['{"type":"function","name":"sum"}'],
    }
    assert content(vercel).tool_definitions == found.tool_definitions


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": '{"a": 1}',
            "gen_ai.tool.call.result": "3",
        },
        oi("TOOL", input__value='{"a": 1}', output__value="3"),
        {"traceloop.span.kind": "tool", "traceloop.entity.input": '{"a": 1}', "traceloop.entity.output": "3"},
        {"ai.operationId": "ai.toolCall", "ai.toolCall.args": '{"a": 1}', "ai.toolCall.result": "3"},
    ],
)
def test_tools(attributes: dict[str, Any]) -> None:
    found = content(attributes)
    assert (found.tool_arguments, found.tool_result) == ({"a": 1}, "3")


DOCUMENT = {"id": "d1", "score": 0.5, "content": "text", "metadata": None}


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        (
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.retrieval.query.text": "where",
                "gen_ai.retrieval.documents": '[{"id":"d1","score":0.5,"content":"text"}]',
            },
            [],
        ),
        (
            oi("RETRIEVER", input__value="where")
            | {
                "retrieval.documents.0.document.id": "d1",
                "retrieval.documents.0.document.score": 0.5,
                "retrieval.documents.0.document.content": "text",
            },
            [],
        ),
        (
            oi("RERANKER", reranker__query="where")
            | {
                "reranker.output_documents.0.document.id": "d1",
                "reranker.output_documents.0.document.score": 0.5,
                "reranker.output_documents.0.document.content": "text",
            },
            [],
        ),
        (
            {"db.system": "chroma", "db.operation": "query", "gen_ai.retrieval.query.text": "where"},
            [
                event(
                    "db.query.result",
                    {
                        "db.query.result.id": "d1",
                        "db.query.result.score": 0.5,
                        "db.query.result.document": "text",
                    },
                )
            ],
        ),
    ],
)
def test_documents_with_scores(attributes: dict[str, Any], events: list[Any]) -> None:
    found = content(attributes, events=events)
    assert found.query == "where"
    assert found.documents == [DOCUMENT]


def test_what_was_embedded_is_text_and_never_the_vector() -> None:
    found = content(
        oi("EMBEDDING")
        | {
            "embedding.embeddings.0.embedding.text": "hi",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2],
        }
    )
    assert found.input_messages == [USER]
    assert "0.1" not in repr(found)


@pytest.mark.parametrize(
    "attribute", ["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"]
)
@pytest.mark.parametrize("broken", ["{oops", "[" * 100_000, "plain", '[{"role":'])
def test_malformed_json_is_kept_as_text_and_named(attribute: str, broken: str) -> None:
    facts = read_facts(span(CHAT | {attribute: broken}))
    assert facts.quality == ("content.malformed_json",)
    assert facts.content is not None
    assert (
        broken in json.dumps([facts.content.input_messages, facts.content.output_messages])
        or (facts.content.system_instructions == [{"type": "text", "content": broken}])
        or broken in repr(facts.content)
    )


def test_plain_text_is_not_malformed_where_text_is_allowed() -> None:
    facts = read_facts(span(oi("LLM", input__value="hi", output__value="Hello")))
    assert facts.quality == ()
    assert facts.content is not None
    assert (facts.content.input_messages, facts.content.output_messages) == ([USER], [ANSWER])


def test_nothing_captured_is_none() -> None:
    facts = read_facts(span(CHAT | {"gen_ai.response.finish_reasons": ["stop"]}))
    assert facts.content is None


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.input.messages",
        "gen_ai.prompt",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.12.content",
        "gen_ai.prompt.variable.name",
        "llm.input_messages.0.message.content",
        "llm.tools.0.tool.json_schema",
        "input.value",
        "traceloop.entity.output",
        "ai.prompt.messages",
        "ai.response.text",
        "ai.toolCall.args",
        "ai.response.providerMetadata",
        "retrieval.documents.0.document.content",
        "gen_ai.tool.call.arguments",
        "embedding.embeddings.0.embedding.vector",
        "gen_ai.headers",
    ],
)
def test_content_is_known_by_name(name: str) -> None:
    assert is_content(name)


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.prompt.name",
        "gen_ai.prompt.version",
        "gen_ai.usage.input_tokens",
        "llm.model_name",
        "ai.toolCall.name",
        "ai.response.finishReason",
        "ai.response.id",
        "user.id",
        "retrieval.documents_count",
        "input.mime_type",
        "gen_ai.tool.name",
    ],
)
def test_what_is_no_content_stays(name: str) -> None:
    assert not is_content(name)
    assert strip_content({name: 1, "input.value": "secret"}) == {name: 1}


def test_events_that_carry_content() -> None:
    for name in ("gen_ai.choice", "gen_ai.user.message", "gen_ai.client.inference.operation.details"):
        assert is_content_event(name) and is_content(name)
    assert not is_content_event("exception") and not is_content("exception")


def test_facts_without_content_need_no_content_attributes() -> None:
    """What is counted and priced is the same after the content was taken out of the raw attributes."""
    attributes = CHAT | {"gen_ai.usage.input_tokens": 3, "gen_ai.response.finish_reasons": ["stop"]}
    whole = read_facts(span(attributes | {"gen_ai.input.messages": MESSAGES}))
    bare = read_facts(span(strip_content(attributes | {"gen_ai.input.messages": MESSAGES})))
    whole.content = None
    whole.instructions = None  # what only the content shows
    whole.provenance.pop("content.input_messages", None)
    assert whole == bare
