"""Streams as vendors send them, and the same said in the other dialect."""

from __future__ import annotations

import json
from typing import Any

import pydantic
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from tests.gateway.translation.said import ANTHROPIC, NOW, OPENAI, call, events, text, tool_use
from tests.gateway.translation.test_answers import SPENT, USED, message

from holdfast.gateway.translation import stream

EVENT = pydantic.TypeAdapter[Any](RawMessageStreamEvent)


def to_openai(raw: bytes, *, include_usage: bool = True) -> bytes:
    """A whole stream of Anthropic's, said to a client of OpenAI's."""
    said = stream(ANTHROPIC, OPENAI, created=NOW, include_usage=include_usage)
    return b"".join(said.feed(name, data) for name, data in events(raw)) + said.end()


def to_anthropic(raw: bytes) -> bytes:
    said = stream(OPENAI, ANTHROPIC, created=NOW, include_usage=False)
    return b"".join(said.feed(name, data) for name, data in events(raw)) + said.end()


def chunks(raw: bytes) -> list[dict[str, Any]]:
    """OpenAI's chunks, each of the SDK's type, without the [DONE] that must end them."""
    read = list(events(raw))
    assert read[-1] == ("", b"[DONE]") and not any(name for name, _ in read)
    said = [json.loads(data) for _, data in read[:-1]]
    for one in said:
        ChatCompletionChunk.model_validate(one)
    return said


def named(raw: bytes) -> list[dict[str, Any]]:
    """Anthropic's events, each of the SDK's type and under its name."""
    said = []
    for name, data in events(raw):
        said.append(json.loads(data))
        EVENT.validate_python(said[-1])
        assert name == said[-1]["type"]
    return said


START = {**message(), "stop_reason": None, "usage": {**USED, "output_tokens": 1}}


def begin(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def more(index: int, kind: str, **piece: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **piece}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ending(reason: str = "end_turn", **delta: Any) -> list[dict[str, Any]]:
    last = {"stop_reason": reason, "stop_sequence": None, **delta}
    return [
        {"type": "message_delta", "delta": last, "usage": {"output_tokens": 50}},
        {"type": "message_stop"},
    ]


OF_ANTHROPIC: list[dict[str, Any]] = [
    {"type": "message_start", "message": START},
    {"type": "ping"},
    begin(0, {"type": "thinking", "thinking": "", "signature": ""}),
    more(0, "thinking_delta", thinking="Hm"),
    more(0, "signature_delta", signature="s"),
    stop(0),
    begin(1, {"type": "redacted_thinking", "data": "x"}),
    stop(1),
    begin(2, text("")),
    more(2, "text_delta", text="I "),
    more(2, "text_delta", text="look"),
    stop(2),
    begin(3, tool_use("toolu_1", "weather", {})),
    more(3, "input_json_delta", partial_json=""),
    more(3, "input_json_delta", partial_json='{"city": "Z'),
    more(3, "input_json_delta", partial_json='ürich"}'),
    stop(3),
    begin(4, tool_use("toolu_2", "now", {})),
    more(4, "input_json_delta", partial_json=""),
    stop(4),
    {"type": "something_new", "of": "tomorrow"},
    *ending("tool_use"),
]


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": NOW, "model": "gpt-x"}
    return {**head, "choices": choices, **rest}


def piece(index: int, arguments: str, **rest: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments}, **rest}]})


def opening(index: int, id: str, name: str, arguments: str = "") -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": index, **call(id, name, arguments)}]})


OF_OPENAI: list[dict[str, Any]] = [
    {**chunk(), "id": "", "model": "", "prompt_filter_results": []},  # Azure begins so
    chunk({"role": "assistant", "content": "", "refusal": None}),
    chunk({"reasoning_content": "Hm"}),
    chunk({"content": "I "}),
    chunk({"content": "look"}),
    opening(0, "call_1", "weather"),
    piece(0, '{"city": "Z'),
    piece(0, 'ürich"}'),
    opening(1, "call_2", "now", "{}"),
    chunk({}, "tool_calls"),
    chunk(usage=SPENT),
]
