"""Streams, said in the other dialect, gathered by the SDKs to what a whole answer says, and read over a socket."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import msgspec
import openai
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from tests.gateway.translation.desk import Desk
from tests.gateway.translation.said import ANTHROPIC, NOW, OPENAI, ask, call, chat, text, tool_use, wire
from tests.gateway.translation.streamed import (
    OF_ANTHROPIC,
    OF_OPENAI,
    START,
    begin,
    chunk,
    chunks,
    ending,
    more,
    named,
    opening,
    piece,
    stop,
    to_anthropic,
    to_openai,
)
from tests.gateway.translation.test_answers import BERN, SPENT, City, completion, message

from holdfast.gateway.translation import answer

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
INPUTS = st.dictionaries(NAMES, st.integers() | WORDS | st.lists(st.booleans(), max_size=2), max_size=3)


def cut(words: str, places: list[int]) -> list[str]:
    """The words in pieces, some of them empty."""
    marks = sorted(place % (len(words) + 1) for place in places)
    return [words[a:b] for a, b in zip([0, *marks], [*marks, len(words)], strict=True)]


CUTS = st.lists(st.integers(0, 50), max_size=4)
SAID = st.tuples(
    st.lists(st.tuples(WORDS, CUTS), max_size=2), st.lists(st.tuples(NAMES, INPUTS, CUTS), max_size=3)
)
STOPS = st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal"])
FINISHES = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


@settings(deadline=None)
@given(SAID, STOPS)
def test_chunks_gathered_are_the_answer_at_one_go(said: Any, reason: str) -> None:
    blocks: list[dict[str, Any]] = []
    streamed: list[dict[str, Any]] = [{"type": "message_start", "message": START}]
    for words, places in said[0]:
        streamed.append(begin(len(blocks), text("")))
        streamed += [more(len(blocks), "text_delta", text=one) for one in cut(words, places)]
        streamed.append(stop(len(blocks)))
        blocks.append(text(words))
    for name, value, places in said[1]:
        streamed.append(begin(len(blocks), tool_use(f"t{len(blocks)}", name, {})))
        if value:
            pieces = cut(msgspec.json.encode(value).decode(), places)
            streamed += [more(len(blocks), "input_json_delta", partial_json=one) for one in pieces]
        streamed.append(stop(len(blocks)))
        blocks.append(tool_use(f"t{len(blocks)}", name, value))
    whole = answer(message(*blocks, stop=reason), ANTHROPIC, OPENAI, created=NOW)
    state = ChatCompletionStreamState()
    for one in chunks(to_openai(wire(*streamed, *ending(reason)))):
        state.handle_chunk(ChatCompletionChunk.model_validate(one))
    gathered = state.current_completion_snapshot.to_dict()
    choice: Any = gathered["choices"][0]  # type: ignore[index]
    expected = whole["choices"][0]
    assert choice["finish_reason"] == expected["finish_reason"]
    assert (choice["message"].get("content") or "") == (expected["message"]["content"] or "")
    calls = [
        (one["id"], one["function"]["name"], one["function"]["arguments"])
        for one in choice["message"].get("tool_calls") or ()
    ]
    assert calls == [
        (one["id"], one["function"]["name"], one["function"]["arguments"])
        for one in expected["message"].get("tool_calls", ())
    ]
    assert (gathered["id"], gathered["model"], gathered["usage"]) == (
        whole["id"],
        whole["model"],
        whole["usage"],
    )


@settings(deadline=None)
@given(SAID, FINISHES)
def test_events_gathered_are_the_answer_at_one_go(said: Any, finish: str) -> None:
    words = [one for one, _ in said[0]]
    streamed = [chunk({"role": "assistant", "content": ""})]
    streamed += [chunk({"content": one}) for whole, places in said[0] for one in cut(whole, places)]
    calls = []
    for number, (name, value, places) in enumerate(said[1]):
        arguments = json.dumps(value)
        calls.append(call(f"c{number}", name, arguments))
        streamed.append(opening(number, f"c{number}", name))
        streamed += [piece(number, one) for one in cut(arguments, places)]
    given_calls = {"tool_calls": calls} if calls else {}
    whole = answer(completion("".join(words), finish, **given_calls), OPENAI, ANTHROPIC, created=NOW)
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for one in named(to_anthropic(wire(*streamed, chunk({}, finish), chunk(usage=SPENT)))):
        snapshot = accumulate_event(event=one, current_snapshot=snapshot, json_bufs=buffers)  # type: ignore[arg-type]
    gathered = snapshot.to_dict()
    assert gathered["content"] == whole["content"]
    for name in ("id", "model", "role", "stop_reason", "usage"):
        assert gathered[name] == whole[name]


# ------------------------------------------------------------------------------- read by the official clients


def test_the_client_of_openai_reads_the_stream(desk: Desk) -> None:
    client = desk.streams(to_openai(wire(*OF_ANTHROPIC))).openai
    asked = chat(stream_options={"include_usage": True})
    with client.chat.completions.stream(**asked) as read:
        pieces = [event.delta for event in read if event.type == "content.delta"]
        final = read.get_final_completion()
    assert pieces == ["", "I ", "look"]
    assert final.choices[0].finish_reason == "tool_calls" and final.choices[0].message.tool_calls is not None
    assert [one.function.arguments for one in final.choices[0].message.tool_calls] == [
        '{"city": "Zürich"}',
        "{}",
    ]
    assert final.usage is not None and final.usage.to_dict() == SPENT
    chunks_read = list(client.chat.completions.create(**asked, stream=True))
    assert chunks_read[-1].usage is not None and chunks_read[0].choices[0].delta.role == "assistant"


def test_the_client_of_openai_parses_the_stream_to_a_schema(desk: Desk) -> None:
    words = [more(0, "text_delta", text=one) for one in cut(BERN, [3, 9, 20])]
    raw = wire({"type": "message_start", "message": START}, begin(0, text("")), *words, stop(0), *ending())
    client = desk.streams(to_openai(raw)).openai
    with client.chat.completions.stream(**chat(response_format=City)) as read:
        final = read.get_final_completion()
    assert final.choices[0].message.parsed == City(name="Bern", people=137000)


def test_the_client_of_openai_is_told_of_the_break(desk: Desk) -> None:
    client = desk.streams(to_openai(wire(*OF_ANTHROPIC[:12]))).openai
    read = iter(client.chat.completions.create(**chat(), stream=True))
    assert [next(read).choices[0].delta.content for _ in range(3)] == ["", "I ", "look"]
    with pytest.raises(openai.APIError, match="ended before the answer was complete"):
        next(read)


def test_the_client_of_anthropic_reads_the_stream(desk: Desk) -> None:
    client = desk.streams(to_anthropic(wire(*OF_OPENAI))).anthropic
    with client.messages.stream(**ask()) as read:
        pieces = list(read.text_stream)
        final = read.get_final_message()
    assert pieces == ["I ", "look"]
    used = [block for block in final.content if block.type == "tool_use"]
    assert [(one.name, one.input) for one in used] == [("weather", {"city": "Zürich"}), ("now", {})]
    assert final.stop_reason == "tool_use"
    assert (final.usage.input_tokens, final.usage.cache_read_input_tokens, final.usage.output_tokens) == (
        100,
        600,
        50,
    )
    kinds = [one.type for one in client.messages.create(**ask(), stream=True)]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"


def test_the_client_of_anthropic_parses_the_stream_to_a_schema(desk: Desk) -> None:
    words = [chunk({"content": one}) for one in cut(BERN, [3, 9, 20])]
    client = desk.streams(to_anthropic(wire(*words, chunk({}, "stop"), chunk(usage=SPENT)))).anthropic
    with client.messages.stream(**ask(), output_format=City) as read:
        assert read.get_final_message().parsed_output == City(name="Bern", people=137000)


def test_the_client_of_anthropic_is_told_of_the_break(desk: Desk) -> None:
    client = desk.streams(to_anthropic(wire(*OF_OPENAI[:5], done=False))).anthropic
    read = iter(client.messages.create(**ask(), stream=True))
    kinds = [next(read).type for _ in range(4)]
    assert kinds == ["message_start", "content_block_start", "content_block_delta", "content_block_delta"]
    with pytest.raises(anthropic.APIStatusError, match="ended before the answer was complete"):
        next(read)
