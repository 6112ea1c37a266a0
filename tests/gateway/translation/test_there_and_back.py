"""A conversation that both dialects can say means the same when it comes back.

Two requests mean the same when their normal forms are equal: text as a list of its non-empty pieces, system and developer
one role, turns of one speaker that follow each other one turn, arguments of calls as values, and every setting that
asks for what happens anyway left out.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.translation.said import (
    ANTHROPIC,
    OPENAI,
    PNG,
    assistant,
    call,
    check,
    system,
    text,
    tool_use,
    user,
)

from holdfast.gateway.translation import request

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True) | WORDS
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e9, 1e9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
INPUTS = st.dictionaries(NAMES, VALUES, max_size=2)
SCHEMAS = st.builds(
    lambda fields: {"type": "object", "properties": {name: {} for name in fields}}, st.sets(NAMES)
)
LEVELS = st.sampled_from(["none", "low", "medium", "high", "xhigh", "max"])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def plain(content: object) -> object:
    """Text, however it is written, as a list of its pieces."""
    if content is None or isinstance(content, str):
        return [content] if content else []
    assert isinstance(content, list)
    return [one["text"] if one["type"] == "text" else one for one in content if one.get("text") != ""]


# ---------------------------------------------------------------------------------------------- Chat Completions

PARTS = st.builds(text, WORDS) | st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
    ]
)
TEXT = WORDS | st.lists(st.builds(text, WORDS), min_size=1, max_size=3)
CALLS = st.lists(
    st.builds(lambda id, name, value: call(id, name, json.dumps(value)), IDS, NAMES, INPUTS),
    min_size=1,
    max_size=3,
)


@st.composite
def chat_turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    role = st.sampled_from(["system", "developer"])
    turns = [{"role": draw(role), "content": draw(TEXT)} for _ in range(draw(st.integers(0, 2)))]
    for _ in range(draw(st.integers(0, 3))):
        turns += [
            user(draw(WORDS | st.lists(PARTS, min_size=1, max_size=3)))
            for _ in range(draw(st.integers(1, 2)))
        ]
        if draw(st.booleans()):
            turns.append(system(draw(TEXT)))
        if draw(st.booleans()):
            calls = draw(CALLS)
            turns.append(assistant(draw(st.none() | TEXT), tool_calls=calls))
            turns += [{"role": "tool", "tool_call_id": one["id"], "content": draw(TEXT)} for one in calls]
        turns.append(assistant(draw(TEXT)))
    return [*turns, user(draw(WORDS | st.lists(PARTS, min_size=1, max_size=3)))]


CHATS = st.builds(
    lambda turns, more, limit: {"model": "m", "messages": turns, **limit, **more},
    chat_turns(),
    some(
        temperature=st.floats(0, 1),
        top_p=st.floats(0, 1),
        stop=st.lists(NAMES, min_size=1, max_size=4) | NAMES,
        stream=st.booleans(),
        user=WORDS,
        service_tier=st.sampled_from(["auto", "default", None]),
        reasoning_effort=LEVELS,
        n=st.just(1),
        tools=st.lists(
            st.builds(
                lambda function: {"type": "function", "function": function},
                st.fixed_dictionaries(
                    {"name": NAMES, "parameters": SCHEMAS},
                    optional={"description": WORDS, "strict": st.booleans()},
                ),
            ),
            min_size=1,
            max_size=2,
        ),
        parallel_tool_calls=st.booleans(),
        tool_choice=st.sampled_from(
            ["auto", "none", "required", {"type": "function", "function": {"name": "a"}}]
        ),
        response_format=st.builds(
            lambda schema: {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            },
            SCHEMAS,
        ),
    ),
    st.sampled_from([{"max_tokens": 9}, {"max_completion_tokens": 9}]),
)

ANYWAY = {"temperature": 1, "top_p": 1, "n": 1, "service_tier": "auto", "parallel_tool_calls": True}


def chat_meaning(body: dict[str, Any]) -> dict[str, Any]:
    turns: list[dict[str, Any]] = []
    ids: dict[str, int] = {}  # an id means only which call it is
    for one_turn in deepcopy(body["messages"]):
        turn = {**one_turn, "content": plain(one_turn.get("content"))}
        if turn["role"] == "developer":
            turn["role"] = "system"
        for one in turn.get("tool_calls", ()):
            ids.setdefault(one["id"], len(ids))
        if "tool_calls" in turn:
            turn["tool_calls"] = [
                (ids[one["id"]], one["function"]["name"], json.loads(one["function"]["arguments"]))
                for one in turn["tool_calls"]
            ]
        if "tool_call_id" in turn:
            turn["tool_call_id"] = ids[turn["tool_call_id"]]
        if turns and turn["role"] == turns[-1]["role"] in ("system", "user"):
            turns[-1]["content"] += turn["content"]
        else:
            turns.append(turn)
    said = {name: one for name, one in deepcopy(body).items() if one is not None and ANYWAY.get(name) != one}
    said["messages"] = turns
    said["max_completion_tokens"] = said.pop("max_tokens", said.get("max_completion_tokens"))
    if isinstance(said.get("stop"), str):
        said["stop"] = [said["stop"]]
    for tool in said.get("tools", ()):
        if not tool["function"].get("strict"):
            tool["function"].pop("strict", None)
    if said.get("tool_choice") == "none" or not (said.get("tools") or said.get("tool_choice")):
        said.pop("parallel_tool_calls", None)  # of no tools
    if said.get("tool_choice") == "auto":
        del said["tool_choice"]
    said.pop("stream_options", None)
    return said


@settings(deadline=None)
@given(CHATS)
def test_a_chat_comes_back_from_anthropic(body: dict[str, Any]) -> None:
    there = request(body, OPENAI, ANTHROPIC)
    check(there, ANTHROPIC)
    back = request(there, ANTHROPIC, OPENAI)
    check(back, OPENAI)
    assert chat_meaning(back) == chat_meaning(body)


# ------------------------------------------------------------------------------------------------------- Messages

BLOCKS = st.builds(text, WORDS) | st.sampled_from(
    [
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {
            "type": "document",
            "title": "a",
            "source": {"type": "text", "media_type": "text/plain", "data": "Grüezi"},
        },
    ]
)
USES = st.lists(st.builds(tool_use, IDS, NAMES, INPUTS), min_size=1, max_size=3)


@st.composite
def message_turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    turns = []
    speech = WORDS | st.lists(BLOCKS, min_size=1, max_size=3)
    for _ in range(draw(st.integers(0, 3))):
        turns.append(user(draw(speech)))
        if draw(st.booleans()):
            turns.append(system(draw(TEXT)))
        if draw(st.booleans()):
            uses = draw(USES)
            turns.append(assistant([*draw(st.lists(st.builds(text, WORDS), max_size=2)), *uses]))
            results = [
                {"type": "tool_result", "tool_use_id": one["id"], "content": draw(TEXT)} for one in uses
            ]
            turns.append(user([*results, *draw(st.lists(BLOCKS, max_size=2))]))
        turns.append(assistant(draw(TEXT)))
    return [*turns, user(draw(speech))]


MESSAGES = st.builds(
    lambda turns, more: {"model": "m", "max_tokens": 9, "messages": turns, **more},
    message_turns(),
    some(
        system=TEXT,
        temperature=st.floats(0, 1),
        top_p=st.floats(0, 1),
        stop_sequences=st.lists(NAMES, max_size=4),
        stream=st.booleans(),
        metadata=st.builds(lambda id: {"user_id": id}, WORDS),
        service_tier=st.sampled_from(["auto", "standard_only"]),
        tools=st.lists(
            st.fixed_dictionaries(
                {"name": NAMES, "input_schema": SCHEMAS},
                optional={"description": WORDS, "strict": st.booleans(), "type": st.just("custom")},
            ),
            max_size=2,
        ),
        tool_choice=st.builds(
            lambda kind, alone: {**kind, **alone},
            st.sampled_from([{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "a"}]),
            some(disable_parallel_tool_use=st.booleans()),
        )
        | st.just({"type": "none"}),
        thinking=st.sampled_from([{"type": "disabled"}, {"type": "adaptive"}]),
        output_config=st.builds(
            lambda schema: {"format": {"type": "json_schema", "schema": schema}}, SCHEMAS
        ),
    ),
)


def message_meaning(body: dict[str, Any]) -> dict[str, Any]:
    turns: list[dict[str, Any]] = []
    ids: dict[str, int] = {}
    for turn in deepcopy(body["messages"]):
        content = plain(turn["content"])
        assert isinstance(content, list)
        for place, one in enumerate(content):
            if isinstance(one, dict) and one["type"] == "tool_use":
                content[place] = {**one, "id": ids.setdefault(one["id"], len(ids))}
            elif isinstance(one, dict) and one["type"] == "tool_result":
                content[place] = {
                    **one,
                    "tool_use_id": ids[one["tool_use_id"]],
                    "content": plain(one["content"]),
                }
        if turns and turns[-1]["role"] == turn["role"]:
            turns[-1]["content"] += content
        else:
            turns.append({"role": turn["role"], "content": content})
    said = {name: one for name, one in deepcopy(body).items() if one != [] and ANYWAY.get(name) != one}
    said["messages"] = turns
    if "system" in said:
        said["system"] = plain(said["system"])
    for tool in said.get("tools", ()):
        tool.pop("type", None)
        if not tool.get("strict"):
            tool.pop("strict", None)
    choice = said.get("tool_choice")
    if choice and not choice.get("disable_parallel_tool_use"):
        choice.pop("disable_parallel_tool_use", None)
    if said.get("thinking") == {"type": "adaptive"}:
        said["output_config"] = {"effort": "high", **said.get("output_config", {})}
    return said


@settings(deadline=None)
@given(MESSAGES)
def test_messages_come_back_from_openai(body: dict[str, Any]) -> None:
    there = request(body, ANTHROPIC, OPENAI)
    check(there, OPENAI)
    back = request(there, OPENAI, ANTHROPIC)
    check(back, ANTHROPIC)
    assert message_meaning(back) == message_meaning(body)
