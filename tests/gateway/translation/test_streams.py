"""Streams, said in the other dialect: event by event, gathered by the SDKs, and read by their clients over a socket."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import msgspec
import openai
import pydantic
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from tests.gateway.translation.desk import Desk
from tests.gateway.translation.said import (
    ANTHROPIC,
    NOW,
    OPENAI,
    ask,
    call,
    chat,
    events,
    text,
    tool_use,
    wire,
)
from tests.gateway.translation.test_answers import BERN, SPENT, USED, City, completion, message

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import Untranslatable, answer, stream

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


# -------------------------------------------------------------------------------------- how vendors stream

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


OF_ANTHROPIC = [
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


OF_OPENAI = [
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


def test_anthropic_says_it_in_chunks() -> None:
    said = chunks(to_openai(wire(*OF_ANTHROPIC)))
    assert {(one["id"], one["created"], one["model"], one["object"]) for one in said} == {
        ("msg_01", NOW, "claude-x", "chat.completion.chunk")
    }
    assert [one["usage"] for one in said] == [None] * (len(said) - 1) + [SPENT]
    assert said[-1]["choices"] == []
    deltas = [one["choices"][0]["delta"] for one in said[:-1]]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "I "},
        {"content": "look"},
        {"tool_calls": [{"index": 0, **call("toolu_1", "weather", "")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Z'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ürich"}'}}]},
        {"tool_calls": [{"index": 1, **call("toolu_2", "now", "")}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {},
    ]
    assert [one["choices"][0]["finish_reason"] for one in said[:-1]] == [None] * 8 + ["tool_calls"]


def test_no_usage_where_the_client_wants_none() -> None:
    said = chunks(to_openai(wire(*OF_ANTHROPIC), include_usage=False))
    assert not any("usage" in one for one in said) and all(one["choices"] for one in said)


def test_openai_says_it_in_events() -> None:
    said = named(to_anthropic(wire(*OF_OPENAI)))
    assert said == [
        {
            "type": "message_start",
            "message": {
                "id": "chatcmpl-1",
                "type": "message",
                "role": "assistant",
                "model": "gpt-x",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 0, "output_tokens": 0},
            },
        },
        begin(0, text("")),
        more(0, "text_delta", text="I "),
        more(0, "text_delta", text="look"),
        stop(0),
        begin(1, tool_use("call_1", "weather", {})),
        more(1, "input_json_delta", partial_json='{"city": "Z'),
        more(1, "input_json_delta", partial_json='ürich"}'),
        stop(1),
        begin(2, tool_use("call_2", "now", {})),
        more(2, "input_json_delta", partial_json="{}"),
        stop(2),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": USED,
        },
        {"type": "message_stop"},
    ]


@pytest.mark.parametrize("raw", [wire(*OF_OPENAI, done=False), wire(*OF_OPENAI)])
def test_the_end_of_openai_is_said_once(raw: bytes) -> None:
    said = stream(OPENAI, ANTHROPIC, created=NOW, include_usage=False)
    raw = b"".join(said.feed(name, data) for name, data in events(raw)) + said.end() + said.end()
    assert [one["type"] for one in named(raw)].count("message_stop") == 1
    assert said.finished and said.feed("", b'{"choices": []}') == b""


def test_a_word_is_passed_on_at_once() -> None:
    said = stream(ANTHROPIC, OPENAI, created=NOW, include_usage=True)
    for one in OF_ANTHROPIC[:9]:
        said.feed(one["type"], json.dumps(one).encode())
    assert b"look" in said.feed("", json.dumps(OF_ANTHROPIC[10]).encode()) and not said.finished
    back = stream(OPENAI, ANTHROPIC, created=NOW, include_usage=True)
    for one in OF_OPENAI[:4]:
        back.feed("", json.dumps(one).encode())
    assert b"look" in back.feed("", json.dumps(OF_OPENAI[4]).encode()) and not back.finished


def test_refusals() -> None:
    why = {"type": "refusal", "category": None, "explanation": "It is a danger"}
    raw = wire({"type": "message_start", "message": START}, *ending("refusal", stop_details=why))
    said = chunks(to_openai(raw))
    assert said[1]["choices"][0]["delta"] == {"refusal": "It is a danger"}
    assert said[2]["choices"][0]["finish_reason"] == "content_filter"
    back = named(to_anthropic(wire(chunk({"refusal": "I "}), chunk({"refusal": "won't"}), chunk({}, "stop"))
                              .replace(b"data: [DONE]", b"data: " + json.dumps(chunk(usage=SPENT)).encode())))  # fmt: skip
    assert [one["delta"]["text"] for one in back if one["type"] == "content_block_delta"] == ["I ", "won't"]
    assert back[-2]["delta"]["stop_reason"] == "refusal"
    assert back[-2]["delta"]["stop_details"]["explanation"] == "I won't"


def test_servers_that_give_a_call_all_at_once() -> None:
    """All of its arguments at the start (Anthropic's side), each call numbered 0 or not at all (OpenAI's side)."""
    whole = wire(
        {"type": "message_start", "message": START},
        begin(0, tool_use("t", "now", {"a": 1})),
        stop(0),
        *ending(),
    )
    deltas = [one["choices"][0]["delta"] for one in chunks(to_openai(whole))[:-1]]
    assert deltas[2] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}
    calls = [{"index": 0, **call("c1", "now", "{}")}, call("c2", "now", "{}"), call("c3", "now", "{}")]
    given = [chunk({"tool_calls": [one]}) for one in calls]
    said = named(to_anthropic(wire(*given, chunk({}, "stop", usage=SPENT))))
    assert [one["content_block"]["id"] for one in said if "content_block" in one] == ["c1", "c2", "c3"]
    assert said[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_call_without_an_id_gets_one() -> None:
    calls = [{"index": n, "function": {"name": "now", "arguments": "{}"}} for n in (0, 1)]
    said = named(
        to_anthropic(wire(*[chunk({"tool_calls": [one]}) for one in calls], chunk({}, "stop", usage=SPENT)))
    )
    ids = {one["content_block"]["id"] for one in said if "content_block" in one}
    assert len(ids) == 2 and all(id.startswith("call_") for id in ids)


def test_usage_that_is_never_stated_stays_unknown() -> None:
    raw = to_anthropic(wire(chunk({"content": "Hi"}), chunk({}, "stop")))
    last = [json.loads(data) for name, data in events(raw) if name == "message_delta"]
    assert last[0]["usage"] == {"input_tokens": None, "output_tokens": None}
    start = {**START, "usage": {}}
    said = to_openai(wire({"type": "message_start", "message": start}, *ending()))
    assert chunks(said)[-1]["usage"] is None


# ----------------------------------------------------------------------------------------------- when it breaks


@pytest.mark.parametrize("cut", range(1, len(OF_ANTHROPIC) - 1))
def test_a_stream_of_anthropic_that_is_cut_ends_in_an_error(cut: int) -> None:
    raw = to_openai(wire(*OF_ANTHROPIC[:cut]))
    assert b"[DONE]" not in raw
    *_, (name, data) = events(raw)
    fault = json.loads(data)["error"]
    assert (name, fault["type"], fault["code"]) == ("", "server_error", "upstream_cut")


@pytest.mark.parametrize("cut", range(1, len(OF_OPENAI) - 2))
def test_a_stream_of_openai_that_is_cut_ends_in_an_error(cut: int) -> None:
    for done in (False, True):
        *_, (name, data) = events(to_anthropic(wire(*OF_OPENAI[:cut], done=done)))
        said = json.loads(data)
        assert (name, said["type"], said["error"]["type"]) == ("error", "error", "api_error")


def test_an_upstreams_error_is_said_and_nothing_after_it() -> None:
    said = stream(ANTHROPIC, OPENAI, created=NOW, include_usage=True)
    fault = {"type": "error", "error": {"type": "overloaded_error", "message": "Too many"}}
    ((_, data),) = events(said.feed("error", json.dumps(fault).encode()))
    assert json.loads(data)["error"] == {
        "message": "Too many",
        "type": "server_error",
        "param": None,
        "code": "overloaded_error",
    }
    assert said.feed("", json.dumps(OF_ANTHROPIC[0]).encode()) == said.end() == b"" and not said.finished
    back = stream(OPENAI, ANTHROPIC, created=NOW, include_usage=True)
    fault = {"error": {"type": "rate_limit_error", "message": "Too many", "code": None}}
    ((name, data),) = events(back.feed("", json.dumps(fault).encode()))
    assert name == "error" and json.loads(data)["error"]["type"] == "rate_limit_error"
    assert back.feed("", json.dumps(OF_OPENAI[1]).encode()) == back.end() == b"" and not back.finished


@pytest.mark.parametrize(
    ("where", "source", "given"),
    [
        ("content_block.type", ANTHROPIC, [begin(0, {"type": "server_tool_use"})]),
        (
            "content_block.caller",
            ANTHROPIC,
            [begin(0, {**tool_use("t", "x", {}), "caller": {"type": "code"}})],
        ),
        ("delta.type", ANTHROPIC, [more(0, "citations_delta", citation={})]),
        ("delta.text", ANTHROPIC, [more(0, "text_delta")]),
        ("delta", ANTHROPIC, [{"type": "content_block_delta"}]),
        ("choices", OPENAI, [{"choices": [{"index": 1, "delta": {}}]}]),
        ("choices", OPENAI, [{"choices": [{"index": 0}, {"index": 1}]}]),
        ("choices[0].delta.function_call", OPENAI, [chunk({"function_call": {"name": "x"}})]),
        ("choices[0].delta.audio", OPENAI, [chunk({"audio": {"id": "a"}})]),
        ("choices[0].delta.content", OPENAI, [chunk({"content": [text("Hi")]})]),
        (
            "choices[0].delta.tool_calls.type",
            OPENAI,
            [chunk({"tool_calls": [{"index": 0, "type": "custom"}]})],
        ),
        ("choices[0].delta.tool_calls.function.name", OPENAI, [piece(0, "{}", id="c")]),
        (
            "choices[0].delta.tool_calls",
            OPENAI,
            [opening(0, "c1", "now"), opening(1, "c2", "now"), piece(0, "{}")],
        ),
        ("the event", OPENAI, [[]]),
    ],
)
def test_what_the_client_could_not_be_told_is_an_error(where: str, source: Dialect, given: list[Any]) -> None:
    said = stream(source, ANTHROPIC if source is OPENAI else OPENAI, created=NOW, include_usage=False)
    *before, last = (json.dumps(one).encode() for one in given)
    for one in before:
        said.feed("", one)
    with pytest.raises(Untranslatable) as refusal:
        said.feed("", last)
    assert refusal.value.where == where


def test_what_is_no_json_is_an_error_for_the_caller() -> None:
    for source, target in ((OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)):
        with pytest.raises(msgspec.DecodeError):
            stream(source, target, created=NOW, include_usage=False).feed("", b'{"choices": [')
    with pytest.raises(Untranslatable, match="from bedrock to openai"):
        stream(Dialect.BEDROCK, OPENAI, created=NOW, include_usage=False)


# ------------------------------------------------------------------------------------- the same as at one go

WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
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
    (choice,) = gathered["choices"]  # type: ignore[misc]
    (expected,) = whole["choices"]
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
