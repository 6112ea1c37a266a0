"""Requests, said in the other dialect: tables of what is the same on both sides, and what is said one way only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.gateway.translation.said import (
    ANTHROPIC,
    OPENAI,
    PNG,
    ask,
    assistant,
    call,
    chat,
    check,
    system,
    text,
    tool_use,
    user,
)

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import Untranslatable, request

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
TOOL = {"name": "weather", "description": "Weather of a city", "parameters": SCHEMA}
OTHER = {"name": "now", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": TOOL}, {"type": "function", "function": {**OTHER, "strict": True}}]
CUSTOM: list[dict[str, Any]] = [
    {"name": "weather", "description": "Weather of a city", "input_schema": SCHEMA},
    {"name": "now", "input_schema": OTHER["parameters"], "strict": True},
]
ASKED = user("Weather?")
CALLED = assistant(None, tool_calls=[call("c1", "weather", '{"city":"Bern"}'), call("c2", "now", "{}")])
USED = assistant([tool_use("c1", "weather", {"city": "Bern"}), tool_use("c2", "now", {})])
FORMAT = {"name": "answer", "schema": SCHEMA, "strict": True}


def result(id: str, content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


BOTH_WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": (chat(), ask()),
    "turns": (
        chat(user("Hi"), assistant("Hello"), user("Bye")),
        ask(user("Hi"), assistant("Hello"), user("Bye")),
    ),
    "two turns of the user": (chat(user("Hi"), user("You?")), ask(user("Hi"), user("You?"))),
    "system": (chat(system("Be brief"), user("Hi")), ask(system="Be brief")),
    "system in parts": (
        chat(system([text("Be brief"), text("Be kind")]), user("Hi")),
        ask(system=[text("Be brief"), text("Be kind")]),
    ),
    "system later, before an answer": (
        chat(user("Hi"), system([text("Now in French"), text("!")]), assistant("Salut"), user("Et toi?")),
        ask(user("Hi"), system([text("Now in French"), text("!")]), assistant("Salut"), user("Et toi?")),
    ),
    "system at the end": (
        chat(user("Hi"), system([text("In French"), text("!")])),
        ask(user("Hi"), system([text("In French"), text("!")])),
    ),
    "parts and an image": (
        chat(user([text("What is it?"), IMAGE])),
        ask(user([text("What is it?"), BLOCK])),
    ),
    "an image elsewhere": (
        chat(user([{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}])),
        ask(user([{"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}])),
    ),
    "a PDF": (
        chat(
            user(
                [{"type": "file", "file": {"filename": "a", "file_data": "data:application/pdf;base64,QQ=="}}]
            )
        ),
        ask(
            user(
                [
                    {
                        "type": "document",
                        "title": "a",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
                    }
                ]
            )
        ),
    ),
    "plain text": (
        chat(user([{"type": "file", "file": {"filename": "a", "file_data": "data:text/plain;base64,w6Q="}}])),
        ask(
            user(
                [
                    {
                        "type": "document",
                        "title": "a",
                        "source": {"type": "text", "media_type": "text/plain", "data": "ä"},
                    }
                ]
            )
        ),
    ),
    "tools": (chat(tools=TOOLS), ask(tools=CUSTOM)),
    "tools as wished": (
        chat(tools=TOOLS, tool_choice="auto"),
        ask(tools=CUSTOM, tool_choice={"type": "auto"}),
    ),
    "no tools now": (chat(tools=TOOLS, tool_choice="none"), ask(tools=CUSTOM, tool_choice={"type": "none"})),
    "some tool": (chat(tools=TOOLS, tool_choice="required"), ask(tools=CUSTOM, tool_choice={"type": "any"})),
    "this tool": (
        chat(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "now"}}),
        ask(tools=CUSTOM, tool_choice={"type": "tool", "name": "now"}),
    ),
    "one tool at a time": (
        chat(tools=TOOLS, tool_choice="required", parallel_tool_calls=False),
        ask(tools=CUSTOM, tool_choice={"type": "any", "disable_parallel_tool_use": True}),
    ),
    "calls and results": (
        chat(
            ASKED,
            CALLED,
            {"role": "tool", "tool_call_id": "c1", "content": "Sunny"},
            {"role": "tool", "tool_call_id": "c2", "content": [text("12"), text("h")]},
            user("So?"),
        ),
        ask(
            ASKED,
            USED,
            user([result("c1", "Sunny"), result("c2", [text("12"), text("h")])]),
            user("So?"),
        ),
    ),
    "words and a call": (
        chat(
            ASKED,
            assistant("I look", tool_calls=[call("c2", "now", "{}")]),
            {"role": "tool", "tool_call_id": "c2", "content": "12 h"},
        ),
        ask(
            ASKED,
            assistant([text("I look"), tool_use("c2", "now", {})]),
            user([result("c2", "12 h")]),
        ),
    ),
    "temperature": (chat(temperature=0.5, top_p=0.25), ask(temperature=0.5, top_p=0.25)),
    "temperature 0": (chat(temperature=0), ask(temperature=0)),
    "stops": (chat(stop=["END", "."]), ask(stop_sequences=["END", "."])),
    "a stream": (chat(stream=True, stream_options={"include_usage": True}), ask(stream=True)),
    "no stream": (chat(stream=False), ask(stream=False)),
    "a person": (chat(user="u-1"), ask(metadata={"user_id": "u-1"})),
    "plain service": (chat(service_tier="default"), ask(service_tier="standard_only")),
    "no reasoning": (chat(reasoning_effort="none"), ask(thinking={"type": "disabled"})),
    **{
        f"{level} reasoning": (
            chat(reasoning_effort=level),
            ask(thinking={"type": "adaptive"}, output_config={"effort": level}),
        )
        for level in ("low", "medium", "high", "xhigh", "max")
    },
    "a schema": (
        chat(response_format={"type": "json_schema", "json_schema": FORMAT}),
        ask(output_config={"format": {"type": "json_schema", "schema": SCHEMA}}),
    ),
}


@pytest.mark.parametrize("case", BOTH_WAYS)
def test_both_dialects_have_a_word_for_it(case: str) -> None:
    openai, anthropic = BOTH_WAYS[case]
    check(openai, OPENAI)
    check(anthropic, ANTHROPIC)
    assert request(openai, OPENAI, ANTHROPIC) == anthropic
    assert request(anthropic, ANTHROPIC, OPENAI) == openai


TO_ANTHROPIC: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the older limit": (chat(max_completion_tokens=None, max_tokens=9), ask(max_tokens=9)),
    "both limits, the same": (chat(max_tokens=64), ask()),
    "a developer, and one more": (
        chat({"role": "developer", "content": "Be brief"}, system("Be kind"), user("Hi")),
        ask(system=[text("Be brief"), text("Be kind")]),
    ),
    "empty instructions": (chat(system(""), user("Hi")), ask()),
    "later instructions, one after the other": (
        chat(user("Hi"), system("In French"), system("Be kind")),
        ask(user("Hi"), system([text("In French"), text("Be kind")])),
    ),
    "one part": (chat(user([text("Hi")])), ask(user([text("Hi")]))),
    "an empty part": (chat(user([text(""), text("Hi")])), ask(user([text("Hi")]))),
    "a refusal of before": (
        chat(ASKED, assistant(None, refusal="I will not"), user("Why?")),
        ask(ASKED, assistant("I will not"), user("Why?")),
    ),
    "a refusal of before, as a part": (
        chat(ASKED, assistant([{"type": "refusal", "refusal": "No"}, text("!")]), user("Why?")),
        ask(ASKED, assistant([text("No"), text("!")]), user("Why?")),
    ),
    "an answer as the SDK hands it back": (
        chat(
            ASKED,
            assistant("Hi", refusal=None, annotations=[], audio=None, function_call=None, tool_calls=None),
            ASKED,
        ),
        ask(ASKED, assistant("Hi"), ASKED),
    ),
    "reasoning of before": (
        chat(ASKED, assistant("Hi", reasoning_content="Hm"), ASKED),
        ask(ASKED, assistant("Hi"), ASKED),
    ),
    "an answer that said nothing": (chat(ASKED, assistant(""), ASKED), ask(ASKED, ASKED)),
    "no arguments": (
        chat(
            ASKED,
            assistant("", tool_calls=[call("c1", "now", "")]),
            {"role": "tool", "tool_call_id": "c1", "content": "12"},
        ),
        ask(ASKED, assistant([tool_use("c1", "now", {})]), user([result("c1", "12")])),
    ),
    "a tool without parameters": (
        chat(tools=[{"type": "function", "function": {"name": "now", "strict": None}}]),
        ask(tools=[{"name": "now", "input_schema": {"type": "object"}}]),
    ),
    "one tool at a time, else as usual": (
        chat(tools=TOOLS, parallel_tool_calls=False),
        ask(tools=CUSTOM, tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    ),
    "one tool at a time, of none": (
        chat(tools=TOOLS, tool_choice="none", parallel_tool_calls=False),
        ask(tools=CUSTOM, tool_choice={"type": "none"}),
    ),
    "one tool at a time, without tools": (chat(parallel_tool_calls=False), ask()),
    "parallel as usual": (chat(tools=TOOLS, parallel_tool_calls=True), ask(tools=CUSTOM)),
    "one stop": (chat(stop="END"), ask(stop_sequences=["END"])),
    "who it is, newer word first": (
        chat(safety_identifier="s-1", user="u-1"),
        ask(metadata={"user_id": "s-1"}),
    ),
    "detail as usual": (
        chat(user([{"type": "image_url", "image_url": {**IMAGE["image_url"], "detail": "auto"}}])),
        ask(user([BLOCK])),
    ),
    "a schema with a description": (
        chat(
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "description": "A city", "schema": SCHEMA},
            }
        ),
        ask(output_config={"format": {"type": "json_schema", "schema": {**SCHEMA, "description": "A city"}}}),
    ),
    "a schema and a level": (
        chat(
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
            reasoning_effort="low",
        ),
        ask(
            thinking={"type": "adaptive"},
            output_config={"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        ),
    ),
    "text as usual": (chat(response_format={"type": "text"}), ask()),
    "what happens anyway": (
        chat(
            n=1,
            logprobs=False,
            top_logprobs=0,
            frequency_penalty=0,
            presence_penalty=0.0,
            logit_bias={},
            modalities=["text"],
            store=False,
            verbosity="medium",
            service_tier="auto",
            temperature=1,
            top_p=1.0,
            seed=None,
            stop=None,
            tools=None,
            functions=[],
        ),
        ask(),
    ),
    "what is left out": (
        chat(
            user([{**text("Hi"), "prompt_cache_breakpoint": {"mode": "explicit"}}]),
            metadata={"a": "b"},
            prompt_cache_key="k",
            prompt_cache_options={"mode": "explicit"},
            prompt_cache_retention="24h",
            stream=True,
            stream_options={"include_usage": False, "include_obfuscation": False},
        ),
        ask(user([text("Hi")]), stream=True),
    ),
}


@pytest.mark.parametrize("case", TO_ANTHROPIC)
def test_it_is_said_to_anthropic(case: str) -> None:
    given, expected = TO_ANTHROPIC[case]
    said = request(given, OPENAI, ANTHROPIC)
    check(said, ANTHROPIC)
    assert said == expected


def test_an_id_that_the_vendor_would_not_take_is_another_in_call_and_result() -> None:
    given = chat(
        ASKED,
        assistant(
            None, tool_calls=[call("functions.now:0", "now", "{}"), call("functions.now:1", "now", "{}")]
        ),
        {"role": "tool", "tool_call_id": "functions.now:0", "content": "12"},
        {"role": "tool", "tool_call_id": "functions.now:1", "content": "13"},
    )
    said = request(given, OPENAI, ANTHROPIC)
    used = [block["id"] for block in said["messages"][1]["content"]]
    assert used == [block["tool_use_id"] for block in said["messages"][2]["content"]]
    assert len(set(used)) == 2 and all(re.fullmatch("[A-Za-z0-9_-]{1,40}", id) for id in used)
    assert request(given, OPENAI, ANTHROPIC) == said, "the same in the next request of the conversation"


MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TO_OPENAI: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one block": (ask(user([text("Hi")])), chat(user("Hi"))),
    "one block of instructions": (ask(system=[text("Be brief")]), chat(system("Be brief"), user("Hi"))),
    "marks of the cache": (
        ask(
            user([{**text("Hi"), **MARK}, {**BLOCK, **MARK}]),
            system=[{**text("Be brief"), **MARK}],
            tools=[{**CUSTOM[0], **MARK, "eager_input_streaming": True}],
            **MARK,
        ),
        chat(system("Be brief"), user([text("Hi"), IMAGE]), tools=TOOLS[:1]),
    ),
    "thinking of before": (
        ask(
            ASKED,
            assistant(
                [
                    {"type": "thinking", "thinking": "Hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "x"},
                    text("Hello"),
                ]
            ),
            ASKED,
        ),
        chat(ASKED, assistant("Hello"), ASKED),
    ),
    "nothing but thinking": (
        ask(ASKED, assistant([{"type": "redacted_thinking", "data": "x"}]), ASKED),
        chat(ASKED, ASKED),
    ),
    "an answer in pieces": (
        ask(ASKED, assistant([text("He"), text("llo")]), ASKED),
        chat(ASKED, assistant([text("He"), text("llo")]), ASKED),
    ),
    "a result, and words after it": (
        ask(ASKED, USED, user([result("c1", "Sunny"), {**result("c2", None), **MARK}, text("So?")])),
        chat(
            ASKED,
            CALLED,
            {"role": "tool", "tool_call_id": "c1", "content": "Sunny"},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            user("So?"),
        ),
    ),
    "a failed call": (
        ask(ASKED, USED, user([{**result("c1", "no such city"), "is_error": True}])),
        chat(
            ASKED,
            CALLED,
            {"role": "tool", "tool_call_id": "c1", "content": [text("Error:"), text("no such city")]},
        ),
    ),
    "a call by the model, said so": (
        ask(
            ASKED,
            assistant([{**tool_use("c2", "now", {}), "caller": {"type": "direct"}}]),
            user([result("c2", "12")]),
        ),
        chat(
            ASKED,
            assistant(None, tool_calls=[call("c2", "now", "{}")]),
            {"role": "tool", "tool_call_id": "c2", "content": "12"},
        ),
    ),
    "a document without a name": (
        ask(
            user(
                [
                    {
                        "type": "document",
                        "citations": {"enabled": False},
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
                    }
                ]
            )
        ),
        chat(
            user(
                [
                    {
                        "type": "file",
                        "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,QQ=="},
                    }
                ]
            )
        ),
    ),
    "a custom tool, said so": (
        ask(tools=[{**CUSTOM[0], "type": "custom", "allowed_callers": ["direct"], "defer_loading": False}]),
        chat(tools=TOOLS[:1]),
    ),
    "temperature as usual": (ask(temperature=1), chat(temperature=1)),
    "thinking as it sees fit": (
        ask(thinking={"type": "adaptive", "display": "summarized"}),
        chat(reasoning_effort="high"),
    ),
    "an effort alone": (ask(output_config={"effort": "low"}), chat(reasoning_effort="low")),
    "what happens anyway": (
        ask(
            service_tier="auto",
            speed="standard",
            container=None,
            inference_geo=None,
            stop_sequences=[],
            metadata={},
            output_config={},
            system=[],
        ),
        chat(),
    ),
}


@pytest.mark.parametrize("case", TO_OPENAI)
def test_it_is_said_to_openai(case: str) -> None:
    given, expected = TO_OPENAI[case]
    said = request(given, ANTHROPIC, OPENAI)
    check(said, OPENAI)
    assert said == expected


def test_the_body_that_was_given_stays_as_it_was() -> None:
    for openai, anthropic in BOTH_WAYS.values():
        before = repr((openai, anthropic))
        there, back = request(openai, OPENAI, ANTHROPIC), request(anthropic, ANTHROPIC, OPENAI)
        for said in (there, back):
            said["messages"].clear()
            said.get("tools", []).clear()
        assert repr((openai, anthropic)) == before


@pytest.mark.parametrize(
    ("source", "target"),
    [(OPENAI, OPENAI), (OPENAI, Dialect.GEMINI), (Dialect.BEDROCK, ANTHROPIC), (Dialect.GEMINI, OPENAI)],
)
def test_other_pairs_are_refused(source: Dialect, target: Dialect) -> None:
    with pytest.raises(Untranslatable, match=f"from {source} to {target}"):
        request(chat(), source, target)
