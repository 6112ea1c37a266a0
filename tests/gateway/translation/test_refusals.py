"""What cannot be said is refused, and the refusal names the field and why. Nothing is dropped."""

from __future__ import annotations

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
    system,
    text,
    tool_use,
    user,
)

from holdfast.gateway.translation import Untranslatable, fields, request
from holdfast.kernel.errors import Invalid

NOW = {"type": "function", "function": {"name": "now"}}
PICTURE = {"url": "https://x.test/a.png"}
PLAIN = {"type": "text", "media_type": "text/plain", "data": "a"}


def after(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A chat whose last turn is the user's: `messages` stand at 0 and on."""
    return chat(*messages, user("Go on"), **more)


def part(**one: Any) -> dict[str, Any]:
    return chat(user([text("Look"), one]))


def block(**one: Any) -> dict[str, Any]:
    return ask(user([text("Look"), one]))


def picture(**more: Any) -> dict[str, Any]:
    return part(type="image_url", image_url={**PICTURE, **more})


def schema(**more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", **more}}


FROM_OPENAI: dict[str, list[dict[str, Any]]] = {
    "max_tokens": [
        chat(max_completion_tokens=None),
        chat(max_tokens=65),
        chat(max_completion_tokens=None, max_tokens=0),
        chat(max_completion_tokens=None, max_tokens=True),
        chat(max_completion_tokens=None, max_tokens="9"),
    ],
    "messages": [{**chat(), "messages": None}, chat(system("Be brief")), chat(assistant(""))],
    "messages[0]": [chat(None)],  # type: ignore[arg-type]
    "messages[0].role": [
        after({"role": "function", "name": "now", "content": "12"}),
        after({"content": "Hi"}),
    ],
    "messages[0].name": [
        chat({**user("Hi"), "name": "Ada"}),
        chat({**system("Hi"), "name": "Ada"}, user("Hi")),
        after({**assistant("Hi"), "name": "Ada"}),
    ],
    "messages[0].content": [chat(user(None)), chat(user(7)), chat(system(None), user("Hi"))],
    "messages[0].mood": [chat({**user("Hi"), "mood": "good"}), after(assistant("Hi", mood="good"))],
    "messages[1].content[0].type": [
        chat(user("Hi"), {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url"}]}),
    ],
    "messages[0].content[0].type": [
        after(assistant([{"type": "image_url", "image_url": PICTURE}])),
        chat(system([{"type": "image_url", "image_url": PICTURE}]), user("Hi")),
    ],
    "messages[0].audio": [after(assistant(None, audio={"id": "a"}))],
    "messages[0].function_call": [after(assistant(None, function_call={"name": "now", "arguments": "{}"}))],
    "messages[0].annotations": [after(assistant("Hi", annotations=[{"type": "url_citation"}]))],
    "messages[0].tool_calls[0].type": [
        after(
            assistant(None, tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "x", "input": ""}}])
        )
    ],
    "messages[0].tool_calls[0].function.name": [
        after(assistant(None, tool_calls=[call("c", None, "{}")]))  # type: ignore[arg-type]
    ],
    "messages[0].tool_calls[0].function.arguments": [
        after(assistant(None, tool_calls=[call("c", "now", given)]))
        for given in ("{", "[]", "1", '"a"', "1e999")
    ],
    "messages[0].tool_call_id": [after({"role": "tool", "content": "12"})],
    "messages[1]": [
        chat(user("Hi"), assistant("Hello")),
        chat(user("Hi"), system("In French"), user("Hi")),
    ],
    "messages[2]": [
        chat(user("Hi"), assistant("Hello"), system("In French"), user("Hi")),
        chat(user("Hi"), assistant("Hello"), system("In French")),
    ],
    "messages[0].content[1].input_audio": [
        part(type="input_audio", input_audio={"data": "", "format": "wav"})
    ],
    "messages[0].content[1].type": [
        part(type="video_url", video_url=PICTURE),
        part(type="refusal", refusal="No"),
    ],
    "messages[0].content[1].mood": [part(**text("Hi"), mood="good")],
    "messages[0].content[1].text": [part(type="text", text=None), part(type="text", text=["Hi"])],
    "messages[0].content[1].image_url": [
        part(type="image_url"),
        part(type="image_url", image_url="https://x"),
    ],
    "messages[0].content[1].image_url.detail": [picture(detail="high"), picture(detail="low")],
    "messages[0].content[1].image_url.url": [
        picture(url=None),
        picture(url="data:image/svg+xml;base64,QQ=="),
        picture(url="data:image/png,AA"),
        picture(url="data:;base64,AA"),
    ],
    "messages[0].content[1].file.file_id": [part(type="file", file={"file_id": "file-1"})],
    "messages[0].content[1].file.file_data": [
        part(type="file", file={"filename": "a"}),
        part(type="file", file={"file_data": "QQ=="}),
        part(type="file", file={"file_data": "data:text/plain;base64,_"}),
        part(type="file", file={"file_data": "data:text/plain;base64,/w=="}),
        part(type="file", file={"file_data": "data:text/csv;base64,QQ=="}),
    ],
    "temperature": [
        chat(temperature=1.1),
        chat(temperature=-0.1),
        chat(temperature="0"),
        chat(temperature=True),
    ],
    "top_p": [chat(top_p=1.5)],
    "stop": [chat(stop="\n"), chat(stop=7)],
    "stop[1]": [chat(stop=["END", " "]), chat(stop=["END", 7])],
    "stream": [chat(stream=1)],
    "stream_options.mood": [chat(stream=True, stream_options={"mood": True})],
    "tools": [chat(tools={"a": 1})],
    "tools[1].type": [chat(tools=[NOW, {"type": "custom", "custom": {"name": "x"}}])],
    "tools[0].function": [chat(tools=[{"type": "function"}])],
    "tools[0].function.mood": [chat(tools=[{"type": "function", "function": {"name": "x", "mood": 1}}])],
    "tools[0].function.parameters.type": [
        chat(tools=[{"type": "function", "function": {"name": "x", "parameters": {"type": "array"}}}])
    ],
    "tool_choice": [chat(tools=[NOW], tool_choice="any"), chat(tools=[NOW], tool_choice=1)],
    "tool_choice.type": [
        chat(tools=[NOW], tool_choice={"type": "custom", "custom": {"name": "x"}}),
        chat(
            tools=[NOW], tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}
        ),
    ],
    "reasoning_effort": [chat(reasoning_effort="minimal"), chat(reasoning_effort="utmost")],
    "response_format.type": [chat(response_format={"type": "json_object"}), chat(response_format={})],
    "response_format.json_schema.schema": [chat(response_format=schema())],
    "response_format.json_schema.mood": [chat(response_format=schema(schema={}, mood=1))],
    "response_format.json_schema.description": [
        chat(response_format=schema(schema={"description": "A"}, description="B"))
    ],
    "service_tier": [chat(service_tier=tier) for tier in ("flex", "scale", "priority", "fast")],
    "user": [chat(user=7)],
    "safety_identifier": [chat(safety_identifier=7)],
    "audio": [chat(audio={"voice": "a", "format": "wav"})],
    "frequency_penalty": [chat(frequency_penalty=0.1)],
    "presence_penalty": [chat(presence_penalty=-1)],
    "function_call": [chat(function_call="auto")],
    "functions": [chat(functions=[{"name": "now"}])],
    "logit_bias": [chat(logit_bias={"1": 1})],
    "logprobs": [chat(logprobs=True)],
    "top_logprobs": [chat(top_logprobs=1)],
    "modalities": [chat(modalities=["text", "audio"])],
    "moderation": [chat(moderation={"model": "m"})],
    "n": [chat(n=2)],
    "prediction": [chat(prediction={"type": "content", "content": "a"})],
    "seed": [chat(seed=0)],
    "store": [chat(store=True)],
    "verbosity": [chat(verbosity="low"), chat(verbosity="high")],
    "web_search_options": [chat(web_search_options={})],
    "mood": [chat(mood="good"), chat(mood=False)],
}

FROM_ANTHROPIC: dict[str, list[dict[str, Any]]] = {
    "max_tokens": [ask(max_tokens=0), ask(max_tokens="9")],
    "messages": [{**ask(), "messages": None}, {**ask(), "messages": []}],
    "messages[1]": [ask(user("Hi"), assistant("The answer is ("))],
    "messages[0].role": [ask({"role": "tool", "content": "12"})],
    "messages[0].name": [ask({**user("Hi"), "name": "Ada"})],
    "messages[0].content": [ask(user(None)), ask(system(None), user("Hi"))],
    "messages[0].content[1]": [
        block(type="tool_result", tool_use_id="c", content="12"),
        ask(assistant([tool_use("c", "now", {}), text("Let me see")]), user("Go on")),
    ],
    "messages[0].content[0].type": [
        ask(assistant([{"type": kind}]), user("Go on"))
        for kind in ("image", "document", "server_tool_use", "web_search_tool_result", "compaction")
    ],
    "messages[0].content[0].id": [ask(assistant([tool_use(None, "now", {})]), user("Hi"))],  # type: ignore[arg-type]
    "messages[0].content[0].input": [ask(assistant([tool_use("c", "now", [])]), user("Hi"))],  # type: ignore[arg-type]
    "messages[0].content[0].caller": [
        ask(
            assistant([{**tool_use("c", "now", {}), "caller": {"type": "code_execution_20260120"}}]),
            user("Hi"),
        )
    ],
    "messages[0].content[0].toolset_name": [
        ask(assistant([{**tool_use("c", "click", {}), "toolset_name": "browser"}]), user("Hi")),
        ask(user([{"type": "tool_result", "tool_use_id": "c", "toolset_name": "browser"}])),
    ],
    "messages[0].content[0].content[0].type": [
        ask(user([{"type": "tool_result", "tool_use_id": "c", "content": [{"type": kind}]}]))
        for kind in ("image", "document", "search_result", "tool_reference")
    ],
    "messages[0].content[0].tool_use_id": [ask(user([{"type": "tool_result", "content": "12"}]))],
    "messages[0].content[1].type": [
        block(type=kind) for kind in ("search_result", "container_upload", "thinking", "video")
    ],
    "messages[0].content[1].citations": [
        block(**text("Hi"), citations=[{"type": "page_location"}]),
        block(type="document", source=PLAIN, citations={"enabled": True}),
    ],
    "messages[0].content[1].context": [block(type="document", source=PLAIN, context="From 2019")],
    "messages[0].content[1].mood": [
        block(type="document", source=PLAIN, mood="good"),
        block(type="image", source={"type": "url", "url": "https://x"}, mood="good"),
    ],
    "messages[0].content[1].source.type": [
        block(type="image", source={"type": "file", "file_id": "file_1"}),
        block(type="image", source={"type": "ftp"}),
        block(type="document", source={"type": "file", "file_id": "file_1"}),
        block(type="document", source={"type": "url", "url": "https://x.test/a.pdf"}),
        block(type="document", source={"type": "content", "content": "Hi"}),
    ],
    "messages[0].content[1].source.data": [block(type="document", source={**PLAIN, "data": None})],
    "messages[0].content[1].transformations": [
        block(
            type="image",
            source={"type": "base64", "media_type": "image/png", "data": PNG},
            transformations={"oversized_image": "error"},
        )
    ],
    "system": [ask(system=7)],
    "system[0].type": [ask(system=[{"type": "image"}])],
    "temperature": [ask(temperature=1.1)],
    "top_p": [ask(top_p=2)],
    "stop_sequences": [ask(stop_sequences=list("abcde"))],
    "stop_sequences[0]": [ask(stop_sequences=[7])],
    "stream": [ask(stream="yes")],
    "tools[0].type": [ask(tools=[{"type": "web_search_20260318", "name": "web_search"}])],
    "tools[0].input_schema": [ask(tools=[{"name": "now"}])],
    "tools[0].allowed_callers": [
        ask(
            tools=[
                {"name": "x", "input_schema": {}, "allowed_callers": ["direct", "code_execution_20260120"]}
            ]
        )
    ],
    "tools[0].defer_loading": [ask(tools=[{"name": "x", "input_schema": {}, "defer_loading": True}])],
    "tools[0].input_examples": [ask(tools=[{"name": "x", "input_schema": {}, "input_examples": [{}]}])],
    "tools[0].mood": [ask(tools=[{"name": "x", "input_schema": {}, "mood": 1}])],
    "tool_choice": [ask(tool_choice="auto")],
    "tool_choice.type": [ask(tool_choice={"type": "required"})],
    "tool_choice.mood": [ask(tool_choice={"type": "auto", "mood": 1})],
    "thinking.budget_tokens": [ask(thinking={"type": "enabled", "budget_tokens": 1024})],
    "thinking.type": [ask(thinking={"type": "between_tools"})],
    "thinking.mood": [ask(thinking={"type": "adaptive", "mood": 1})],
    "output_config.effort": [
        ask(output_config={"effort": "utmost"}),
        ask(output_config={"effort": "low"}, thinking={"type": "disabled"}),
    ],
    "output_config.format.type": [ask(output_config={"format": {"type": "grammar"}})],
    "output_config.format.schema": [ask(output_config={"format": {"type": "json_schema"}})],
    "output_config.task_budget": [ask(output_config={"task_budget": {"type": "tokens", "total": 1}})],
    "metadata.team": [ask(metadata={"team": "a"})],
    "metadata.user_id": [ask(metadata={"user_id": 7})],
    "service_tier": [ask(service_tier="batch")],
    "container": [ask(container={"id": "c"})],
    "diagnostics": [ask(diagnostics={"previous_message_id": None})],
    "inference_geo": [ask(inference_geo="eu")],
    "speed": [ask(speed="fast")],
    "top_k": [ask(top_k=5)],
    "user_profile_id": [ask(user_profile_id="p")],
    "workspace_id": [ask(workspace_id="w")],
    "mcp_servers": [ask(mcp_servers=[])],
    "context_management": [ask(context_management={})],
}


@pytest.mark.parametrize(
    ("where", "body"), [(where, body) for where, bodies in FROM_OPENAI.items() for body in bodies]
)
def test_it_cannot_be_said_to_anthropic(where: str, body: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable) as refusal:
        request(body, OPENAI, ANTHROPIC)
    assert refusal.value.where == where
    assert refusal.value.detail.startswith(f"{where} cannot be translated: ")
    assert isinstance(refusal.value, Invalid)


@pytest.mark.parametrize(
    ("where", "body"), [(where, body) for where, bodies in FROM_ANTHROPIC.items() for body in bodies]
)
def test_it_cannot_be_said_to_openai(where: str, body: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable) as refusal:
        request(body, ANTHROPIC, OPENAI)
    assert refusal.value.where == where
    assert refusal.value.detail.startswith(f"{where} cannot be translated: ")


def test_every_field_that_is_refused_by_name_has_its_case_here() -> None:
    assert fields.OPENAI.refused.keys() <= FROM_OPENAI.keys()
    assert fields.ANTHROPIC.refused.keys() <= FROM_ANTHROPIC.keys()
