"""Streams, said in the other dialect: event by event, and what happens when one breaks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.gateway.translation.said import ANTHROPIC, NOW, OPENAI, call, events, text, tool_use, wire
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
from tests.gateway.translation.test_answers import SPENT, USED

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import Untranslatable, stream


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


def test_counts_are_totals_and_a_null_takes_none_away() -> None:
    first, last = ending("end_turn")
    counts = {"output_tokens": 20, "input_tokens": None, "cache_read_input_tokens": None}
    raw = wire({"type": "message_start", "message": START}, {**first, "usage": counts}, first, last)
    said = chunks(to_openai(raw))
    assert said[-1]["usage"] == SPENT
    assert [one["choices"][0]["finish_reason"] for one in said[:-1]] == [None, "stop"], (
        "the reason is said once"
    )


def test_a_stream_that_never_says_why_it_stopped_is_not_complete() -> None:
    said = stream(ANTHROPIC, OPENAI, created=NOW, include_usage=True)
    for one in (OF_ANTHROPIC[0], {"type": "message_stop"}):
        said.feed(one["type"], json.dumps(one).encode())
    assert not said.finished and b"upstream_cut" in said.end()


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
