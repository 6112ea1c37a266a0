"""Whole answers, said in the other dialect, and read by the official clients over a socket."""

from __future__ import annotations

import json
from typing import Any

import openai
import pydantic
import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion
from tests.gateway.translation.desk import Desk
from tests.gateway.translation.said import ANTHROPIC, NOW, OPENAI, ask, call, chat, text, tool_use, user

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import Untranslatable, answer, request

USED = {
    "input_tokens": 100,
    "cache_read_input_tokens": 600,
    "cache_creation_input_tokens": 300,
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
}
SPENT = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
    "completion_tokens_details": {"reasoning_tokens": 20},
}


def message(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USED,
        **more,
    }


def completion(content: str | None, finish: str = "stop", more: Any = None, **said: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": NOW,
        "model": "gpt-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None, **said},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": SPENT,
        **(more or {}),
    }


def to_openai(body: dict[str, Any]) -> ChatCompletion:
    """Strictly read: every field of its type."""
    Message.model_validate(body)
    return ChatCompletion.model_validate(answer(body, ANTHROPIC, OPENAI, created=NOW))


def to_anthropic(body: dict[str, Any]) -> Message:
    ChatCompletion.model_validate(body)
    return Message.model_validate(answer(body, OPENAI, ANTHROPIC, created=NOW))


def test_words_and_calls_of_anthropic() -> None:
    said = answer(
        message(
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            text("I "),
            text("look"),
            tool_use("toolu_1", "weather", {"city": "Zürich", "days": [1, 2.5]}),
            tool_use("toolu_2", "now", {}),
            stop="tool_use",
        ),
        ANTHROPIC,
        OPENAI,
        created=NOW,
    )
    assert said == {
        "id": "msg_01",
        "object": "chat.completion",
        "created": NOW,
        "model": "claude-x",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "I look",
                    "refusal": None,
                    "tool_calls": [
                        call("toolu_1", "weather", '{"city":"Zürich","days":[1,2.5]}'),
                        call("toolu_2", "now", "{}"),
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": SPENT,
    }


def test_words_and_calls_of_openai() -> None:
    calls = [call("call_1", "weather", '{"city": "Z\\u00fcrich"}'), call("call_2", "now", "")]
    said = answer(
        completion("I look", "tool_calls", tool_calls=calls, annotations=[], reasoning_content="Hm"),
        OPENAI,
        ANTHROPIC,
        created=NOW,
    )
    assert said == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-x",
        "content": [
            text("I look"),
            tool_use("call_1", "weather", {"city": "Zürich"}),
            tool_use("call_2", "now", {}),
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": USED,
    }


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
def test_why_anthropic_stopped(stop: str, finish: str) -> None:
    assert to_openai(message(text("Hi"), stop=stop)).choices[0].finish_reason == finish


def test_a_reason_without_a_word_on_the_other_side_stays_as_it_is() -> None:
    assert answer(message(stop="pause_turn"), ANTHROPIC, OPENAI, created=NOW)["choices"][0][
        "finish_reason"
    ] == ("pause_turn")
    said = answer(completion("Hi", "insufficient_system_resource"), OPENAI, ANTHROPIC, created=NOW)
    assert said["stop_reason"] == "insufficient_system_resource"


@pytest.mark.parametrize(
    ("finish", "calls", "stop"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),  # a call that was forced
        ("tool_calls", True, "tool_use"),
        ("length", False, "max_tokens"),
        ("length", True, "max_tokens"),
        ("content_filter", False, "refusal"),
    ],
)
def test_why_openai_stopped(finish: str, calls: bool, stop: str) -> None:
    given = {"tool_calls": [call("c", "now", "{}")]} if calls else {}
    assert to_anthropic(completion("Hi", finish, **given)).stop_reason == stop


def test_refusals() -> None:
    why = {"type": "refusal", "category": "bio", "explanation": "It is a danger"}
    refused = to_openai(message(stop="refusal", stop_details=why)).choices[0].message
    assert (refused.content, refused.refusal) == (None, "It is a danger")
    said = to_anthropic(completion(None, refusal="I will not"))
    assert said.stop_reason == "refusal" and said.stop_details is not None
    assert said.stop_details.explanation == "I will not"
    assert said.content[0].to_dict() == text("I will not")
    filtered = to_anthropic(completion(None, "content_filter"))
    assert filtered.stop_details is not None and filtered.stop_details.explanation is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"input_tokens": 7, "output_tokens": 2},
            {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
        ),
        (
            {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 0},
            {
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "total_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 0},
            },
        ),
        ({"output_tokens": 2}, None),
        ({"input_tokens": "7", "output_tokens": 2}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_anthropic_does_not_state_is_not_stated(given: Any, expected: Any) -> None:
    assert answer(message(usage=given), ANTHROPIC, OPENAI, created=NOW)["usage"] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 2}, {"input_tokens": 7, "output_tokens": 2}),
        (
            {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 7}},
            {"input_tokens": 0, "output_tokens": 2, "cache_read_input_tokens": 7},
        ),
        (
            {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}},
            {"input_tokens": 7, "output_tokens": 2},
        ),
        ({"prompt_tokens": -1, "completion_tokens": True}, {"input_tokens": None, "output_tokens": None}),
        (None, {"input_tokens": None, "output_tokens": None}),
    ],
)
def test_what_openai_does_not_state_is_not_stated(given: Any, expected: Any) -> None:
    assert (
        answer(completion("Hi", more={"usage": given}), OPENAI, ANTHROPIC, created=NOW)["usage"] == expected
    )


@pytest.mark.parametrize(("anthropic", "openai"), [("standard", "default"), ("priority", "priority")])
def test_the_tier_it_was_served_in(anthropic: str, openai: str) -> None:
    there = answer(message(usage={**USED, "service_tier": anthropic}), ANTHROPIC, OPENAI, created=NOW)
    assert there["service_tier"] == openai
    back = answer(completion("Hi", more={"service_tier": openai}), OPENAI, ANTHROPIC, created=NOW)
    assert back["usage"]["service_tier"] == anthropic
    for other in ("batch", "flex"):
        there = answer(message(usage={**USED, "service_tier": other}), ANTHROPIC, OPENAI, created=NOW)
        back = answer(completion("Hi", more={"service_tier": other}), OPENAI, ANTHROPIC, created=NOW)
        assert "service_tier" not in there and "service_tier" not in back["usage"]


def test_a_call_without_an_id_gets_one_that_the_next_request_can_use() -> None:
    calls = [call("", "now", "{}"), call("functions.now:1", "now", "{}")]
    ids = [
        block.id
        for block in to_anthropic(completion(None, tool_calls=calls)).content
        if block.type == "tool_use"
    ]
    assert len(set(ids)) == 2
    assert all(id.startswith("call_") and len(id) <= 40 for id in ids)


@pytest.mark.parametrize(
    ("where", "source", "body"),
    [
        ("content[0].type", ANTHROPIC, message({"type": "server_tool_use"})),
        ("content[0].citations", ANTHROPIC, message({**text("Hi"), "citations": [{}]})),
        ("content", ANTHROPIC, {**message(), "content": "Hi"}),
        ("stop_reason", ANTHROPIC, {**message(), "stop_reason": None}),
        ("choices", OPENAI, {**completion("Hi"), "choices": completion("Hi")["choices"] * 2}),
        ("choices", OPENAI, {**completion("Hi"), "choices": []}),
        ("choices[0].message.audio", OPENAI, completion("Hi", audio={"id": "a"})),
        ("choices[0].message.function_call", OPENAI, completion("Hi", function_call={"name": "now"})),
        ("choices[0].message.annotations", OPENAI, completion("Hi", annotations=[{}])),
        ("choices[0].message.tool_calls[0].type", OPENAI, completion("Hi", tool_calls=[{"type": "custom"}])),
        (
            "choices[0].message.tool_calls[0].function.arguments",
            OPENAI,
            completion("Hi", tool_calls=[call("c", "now", '{"a":')]),
        ),
        ("choices[0].finish_reason", OPENAI, completion("Hi", None)),  # type: ignore[arg-type]
    ],
)
def test_what_the_client_could_not_be_told_is_an_error(
    where: str, source: Dialect, body: dict[str, Any]
) -> None:
    with pytest.raises(Untranslatable) as refusal:
        answer(body, source, OPENAI if source is ANTHROPIC else ANTHROPIC, created=NOW)
    assert refusal.value.where == where


def test_other_pairs_are_refused() -> None:
    with pytest.raises(Untranslatable, match="from gemini to openai"):
        answer({}, Dialect.GEMINI, OPENAI, created=NOW)


# ------------------------------------------------------------------------------- read by the official clients


class City(pydantic.BaseModel):
    name: str
    people: int


BERN = '{"name": "Bern", "people": 137000}'


def said_by_anthropic(*blocks: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(answer(message(*blocks, **more), ANTHROPIC, OPENAI, created=NOW)).encode()


def said_by_openai(content: str | None, finish: str = "stop", **more: Any) -> bytes:
    return json.dumps(answer(completion(content, finish, **more), OPENAI, ANTHROPIC, created=NOW)).encode()


def test_the_client_of_openai_reads_anthropic(desk: Desk) -> None:
    blocks = text("I look"), tool_use("toolu_1", "weather", {"city": "Bern"})
    read = desk.says(said_by_anthropic(*blocks, stop="tool_use")).openai.chat.completions.create(**chat())
    assert read.choices[0].message.content == "I look"
    assert read.choices[0].message.tool_calls is not None
    (one,) = read.choices[0].message.tool_calls
    assert one.type == "function" and json.loads(one.function.arguments) == {"city": "Bern"}
    assert read.usage is not None and read.usage.total_tokens == 1050
    assert (
        read.usage.prompt_tokens_details is not None and read.usage.prompt_tokens_details.cached_tokens == 600
    )


def test_the_client_of_openai_parses_what_anthropic_said_to_a_schema(desk: Desk) -> None:
    client = desk.says(said_by_anthropic(text(BERN))).openai
    read = client.chat.completions.parse(**chat(response_format=City))
    assert read.choices[0].message.parsed == City(name="Bern", people=137000)
    desk.says(said_by_anthropic(stop="refusal"))
    with pytest.raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(**chat(response_format=City))
    desk.says(said_by_anthropic(text('{"name"'), stop="max_tokens"))
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(**chat(response_format=City))


def test_the_client_of_anthropic_reads_openai(desk: Desk) -> None:
    calls = [call("call_1", "weather", '{"city":"Bern"}')]
    desk.says(said_by_openai("I look", "tool_calls", tool_calls=calls))
    read = desk.anthropic.messages.create(**ask())
    assert [block.type for block in read.content] == ["text", "tool_use"]
    assert read.content[1].type == "tool_use" and read.content[1].input == {"city": "Bern"}
    assert read.stop_reason == "tool_use"
    assert (read.usage.input_tokens, read.usage.cache_read_input_tokens) == (100, 600)
    again = read.to_param()
    assert again["role"] == "assistant", "the SDK can hand the answer back"


def test_the_client_of_anthropic_parses_what_openai_said_to_a_schema(desk: Desk) -> None:
    read = desk.says(said_by_openai(BERN)).anthropic.messages.parse(**ask(), output_format=City)
    assert read.parsed_output == City(name="Bern", people=137000)


def test_what_the_clients_ask_for_can_be_said_to_the_other(desk: Desk) -> None:
    """The bodies as the SDKs write them, with their schemas of a class."""
    desk.says(said_by_anthropic(text(BERN))).openai.chat.completions.parse(**chat(response_format=City))
    there = request(json.loads(desk.asked[-1]), OPENAI, ANTHROPIC)
    assert there["output_config"]["format"]["schema"]["properties"]["people"]["type"] == "integer"
    desk.says(said_by_openai(BERN)).anthropic.messages.parse(**ask(user("Hi")), output_format=City)
    back = request(json.loads(desk.asked[-1]), ANTHROPIC, OPENAI)
    assert back["response_format"]["json_schema"]["schema"]["properties"]["people"]["type"] == "integer"
