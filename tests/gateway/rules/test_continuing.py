"""A stream that broke off, and the next one fitted to it, read as one answer, however the bytes are cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Dialect
from holdfast.gateway.rules.continuing import SoFar, continued, fitted, so_far

WORDS = ["Hello", " there", ",", " friend", "."]


def chat(words: list[str], id: str, *, ends: bool = True) -> bytes:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        said = {"id": id, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        return b"data: " + json.dumps(said).encode() + b"\n\n"

    made = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word}) for word in words)]
    return b"".join([*made, *([chunk({}, "stop"), b"data: [DONE]\n\n"] if ends else [])])


def messages(words: list[str], id: str, *, ends: bool = True, kind: str = "text") -> bytes:
    def event(type: str, **more: Any) -> bytes:
        return f"event: {type}\ndata: {json.dumps({'type': type, **more})}\n\n".encode()

    made = [event("message_start", message={"id": id})]
    if kind == "thinking":
        made.append(event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}))
        made.append(event("content_block_stop", index=0))
    at = 1 if kind == "thinking" else 0
    made.append(event("content_block_start", index=at, content_block={"type": "text", "text": ""}))
    made += [
        event("content_block_delta", index=at, delta={"type": "text_delta", "text": word}) for word in words
    ]
    if ends:
        made += [
            event("content_block_stop", index=at),
            event("message_delta", delta={}),
            event("message_stop"),
        ]
    return b"".join(made)


def events(raw: bytes) -> list[Any]:
    lines = [line[6:] for line in raw.split(b"\n") if line.startswith(b"data: ")]
    return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]


@given(st.integers(0, 4), st.lists(st.integers(0, 900), max_size=6))
def test_chat_goes_on_under_one_id_with_one_role(broke: int, cuts: list[int]) -> None:
    shown = chat(WORDS[:broke], "first", ends=False)
    told = so_far(Dialect.OPENAI, shown)
    assert told == SoFar("".join(WORDS[:broke]), "first", None, True)
    found = events(shown + _fed(fitted(Dialect.OPENAI, told), chat(WORDS[broke:], "second"), cuts))
    assert found[-1] == "[DONE]"
    deltas = [one["choices"][0]["delta"] for one in found[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas) == "".join(WORDS)
    assert sum("role" in delta for delta in deltas) == 1
    assert {one["id"] for one in found[:-1]} == {"first"}


@given(st.integers(0, 4), st.lists(st.integers(0, 900), max_size=6), st.sampled_from(["text", "thinking"]))
def test_messages_go_on_in_the_open_block(broke: int, cuts: list[int], kind: str) -> None:
    shown = messages(WORDS[:broke], "first", ends=False)
    told = so_far(Dialect.ANTHROPIC, shown)
    assert told == SoFar("".join(WORDS[:broke]), "first", 0, True)
    rest = _fed(fitted(Dialect.ANTHROPIC, told), messages(WORDS[broke:], "second", kind=kind), cuts)
    found = events(shown + rest)
    kinds = [one["type"] for one in found]
    assert kinds.count("message_start") == kinds.count("message_stop") == 1
    text = "".join(one["delta"]["text"] for one in found if one["type"] == "content_block_delta")
    assert text == "".join(WORDS)
    opened: list[int] = []
    for one in found:
        if one["type"] == "content_block_start":
            assert one["index"] == len(opened), "blocks are numbered one after the other"
            opened.append(one["index"])
        elif "index" in one:
            assert one["index"] == opened[-1]


def _fed(stream: Any, raw: bytes, cuts: list[int]) -> bytes:
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    return b"".join(stream.feed(raw[a:b]) for a, b in itertools.pairwise(places))


def test_a_stream_that_had_not_begun_is_told_whole() -> None:
    told = so_far(Dialect.ANTHROPIC, b"")
    assert told == SoFar()
    assert events(fitted(Dialect.ANTHROPIC, told).feed(messages(WORDS, "second"))) == events(
        messages(WORDS, "second")
    )


@pytest.mark.parametrize(
    ("dialect", "shown"),
    [
        (Dialect.OPENAI, {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}),
        (Dialect.OPENAI, {"error": {"message": "the client has it already"}}),
        (Dialect.OPENAI, {"choices": [{"index": 1, "delta": {"content": "b"}}]}),
        (Dialect.OPENAI, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        (Dialect.OPENAI, {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}),
        (
            Dialect.ANTHROPIC,
            {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}},
        ),
        (Dialect.ANTHROPIC, {"type": "content_block_stop", "index": 0}),
    ],
)
def test_what_is_more_than_text_is_not_continued(dialect: Dialect, shown: dict[str, Any]) -> None:
    assert so_far(dialect, b"data: " + json.dumps(shown).encode() + b"\n\n") is None


def test_a_half_sent_event_is_not_continued() -> None:
    assert so_far(Dialect.OPENAI, chat(WORDS[:2], "x", ends=False)[:-9]) is None


def test_the_next_request_has_what_was_said_and_less_to_say() -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 10, "x": 1}
    raw = json.dumps(asked).encode()
    found = json.loads(continued(raw, SoFar("Hello there "), Dialect.ANTHROPIC))
    assert found["messages"][1:] == [{"role": "assistant", "content": "Hello there"}]
    assert (found["max_tokens"], found["x"]) == (7, 1)
    assert continued(raw, SoFar(), Dialect.OPENAI) == raw
    asked = {"messages": [], "max_completion_tokens": 2}
    found = json.loads(continued(json.dumps(asked).encode(), SoFar("x" * 100), Dialect.OPENAI))
    assert found["max_completion_tokens"] == 1
