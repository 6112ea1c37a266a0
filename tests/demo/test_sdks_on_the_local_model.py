"""Both official SDKs against a real model behind a real gateway: whole, streamed, asynchronous, tools, structured output.

A small model writes nonsense, so what it writes is not judged; what holds it together is. The same server speaks OpenAI's
dialect and Anthropic's, so Anthropic's SDK is served twice: said in the other dialect (`local`), and as it is (`native`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel

from gateway.running_gateway import KEY, Worker
from stand import ran

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(1200)]
MESSAGES: Any = [{"role": "user", "content": "Write a long story about the sea."}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather in a city", "parameters": PARAMETERS},
}
TOOL: Any = {"name": "weather", "description": "The weather in a city", "input_schema": PARAMETERS}
QUESTION: Any = {"role": "user", "content": "What is the weather in Riga?"}
BEGUN: Any = [QUESTION, {"role": "assistant", "content": "<tool_call>\n"}]
"""The reply is begun for the model, which else writes prose (see demo/README.md)."""
SHOWN: Any = [
    message
    for city in ("Paris", "Rome", "Berlin", "Oslo", "Lima")
    for message in (
        {"role": "user", "content": f"What is the weather in {city}?"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": city, "name": "weather", "input": {"city": city}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": city, "content": "sunny"}],
        },
    )
]
"""Worked examples, where a reply that is begun cannot be said in the other dialect."""


class Ticket(BaseModel):
    category: Literal["leave", "payroll"]
    urgent: bool


@pytest.fixture(scope="module")
def client(door: Worker) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=door.url + "/v1", api_key=KEY, max_retries=0, timeout=300) as made:
        yield made


@pytest.fixture(scope="module")
def claude(door: Worker) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=door.url, api_key=KEY, max_retries=0, timeout=300) as made:
        yield made


class Recorded:
    """What the gateway recorded since the test began."""

    def __init__(self, door: Worker) -> None:
        self._door, self._before = door, len(door.records())

    def usage(self, calls: int = 1) -> list[tuple[int, int | None]]:
        """Input and output tokens of each call."""
        found = self._door.recorded(self._before + calls)[self._before :]
        assert len(found) == calls
        assert not [one.error for one in found if one.error]
        assert not [one for one in found if one.estimated], "the server said what it used"
        usages = [one.usage for one in found if one.usage is not None]
        return [(sum(count or 0 for count in one[:3]), one[5]) for one in usages]


@pytest.fixture
def recorded(door: Worker) -> Recorded:
    return Recorded(door)


def test_openai_whole(client: openai.OpenAI, recorded: Recorded, model_url: str) -> None:
    ask: Any = {"messages": MESSAGES, "max_tokens": 12}
    answer = client.chat.completions.create(model="local", **ask)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage is not None
    assert recorded.usage() == [(answer.usage.prompt_tokens, answer.usage.completion_tokens)]
    with openai.OpenAI(base_url=model_url, api_key="none") as there:
        direct = there.chat.completions.create(model="local", **ask)
    assert direct.usage is not None
    assert direct.usage.prompt_tokens == answer.usage.prompt_tokens
    assert set(answer.model_dump(exclude_unset=True)) == set(direct.model_dump(exclude_unset=True))


@pytest.mark.parametrize("told", [True, False], ids=["usage asked for", "usage not asked for"])
def test_openai_streamed(client: openai.OpenAI, recorded: Recorded, told: bool) -> None:
    more: Any = {"stream_options": {"include_usage": True}} if told else {}
    stream = client.chat.completions.create(
        model="local", messages=MESSAGES, max_tokens=12, stream=True, **more
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in ("length", "stop")
    said = [(one.usage.prompt_tokens, one.usage.completion_tokens) for one in chunks if one.usage]
    [kept] = recorded.usage()
    assert said == ([kept] if told else [])
    assert 0 < (kept[1] or 0) <= 12


def test_openai_asynchronous(door: Worker, recorded: Recorded) -> None:
    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=door.url + "/v1", api_key=KEY, timeout=300) as one:
            whole = one.chat.completions.create(model="local", messages=MESSAGES, max_tokens=6)

            async def streamed() -> str:
                chunks = await one.chat.completions.create(
                    model="local", messages=MESSAGES, max_tokens=6, stream=True
                )
                return "".join(
                    [chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices]
                )

            return list(await asyncio.gather(whole, streamed()))

    answer, text = ran(ask())
    assert answer.choices[0].message.content
    assert text
    assert len(recorded.usage(2)) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_openai_tools(client: openai.OpenAI, recorded: Recorded, stream: bool) -> None:
    ask: Any = {"model": "local", "messages": BEGUN, "tools": [FUNCTION], "tool_choice": "required"}
    ask |= {"max_tokens": 80, "temperature": 0}
    if stream:
        with client.chat.completions.stream(**ask) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(**ask).choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    assert len(recorded.usage()) == 1
    answered: Any = [
        QUESTION,
        {"role": "assistant", "tool_calls": [call.model_dump(include={"id", "type", "function"})]},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    again = client.chat.completions.create(model="local", messages=answered, max_tokens=8)
    assert again.choices[0].message.content is not None


def test_openai_structured_output(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(
        model="local", messages=MESSAGES, response_format=Ticket, max_tokens=60
    )
    assert isinstance(parsed.choices[0].message.parsed, Ticket)
    with client.chat.completions.stream(
        model="local", messages=MESSAGES, response_format=Ticket, max_tokens=60
    ) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Ticket)


def test_openai_responses(client: openai.OpenAI, recorded: Recorded) -> None:
    answer = client.responses.create(model="local", input="Write a long story.", max_output_tokens=8)
    assert answer.output_text
    events = list(
        client.responses.create(model="local", input="Write a story.", max_output_tokens=8, stream=True)
    )
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].type == "response.completed"
    final = events[-1].response
    assert text == final.output_text != ""
    said = [one.usage for one in (answer, final) if one.usage is not None]
    assert recorded.usage(2) == [(one.input_tokens, one.output_tokens) for one in said]


def test_openai_embeddings_and_models(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="local", input=["sea", "land"])
    assert [len(one.embedding) for one in found.data] == [576, 576]
    assert {"local", "native"} <= {model.id for model in client.models.list()}


@pytest.mark.parametrize("model", ["local", "native"])
def test_anthropic_whole_and_streamed(claude: anthropic.Anthropic, recorded: Recorded, model: str) -> None:
    ask: Any = {"model": model, "max_tokens": 10, "system": "Be brief.", "messages": MESSAGES}
    answer = claude.messages.create(**ask)
    assert answer.type == "message"
    assert answer.content[0].type == "text"
    assert answer.content[0].text
    assert answer.stop_reason in ("max_tokens", "end_turn")
    with claude.messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert final.content[0].type == "text"
    assert text == final.content[0].text != ""
    assert final.stop_reason in ("max_tokens", "end_turn")
    asked = [one.usage for one in (answer, final)]
    told = [(one.input_tokens + (one.cache_read_input_tokens or 0), one.output_tokens) for one in asked]
    assert recorded.usage(2) == told
    assert told[0][0] == told[1][0], "the same prompt has as many tokens, cached or not"


@pytest.mark.parametrize("model", ["local", "native"])
def test_anthropic_asynchronous(door: Worker, recorded: Recorded, model: str) -> None:
    async def ask() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=door.url, api_key=KEY, timeout=300) as one,
            one.messages.stream(model=model, max_tokens=6, messages=MESSAGES) as stream,
        ):
            return "".join([word async for word in stream.text_stream])

    assert ran(ask())
    assert len(recorded.usage()) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", ["local", "native"])
def test_anthropic_tools(claude: anthropic.Anthropic, model: str, stream: bool) -> None:
    ask: Any = {"model": model, "max_tokens": 80, "messages": [*SHOWN, QUESTION], "tools": [TOOL]}
    ask |= {"tool_choice": {"type": "any"}, "extra_body": {"temperature": 0}}
    if stream:
        with claude.messages.stream(**ask) as events:
            answer: Any = events.get_final_message()
    else:
        answer = claude.messages.create(**ask)
    assert answer.stop_reason == "tool_use"
    call = next(block for block in answer.content if block.type == "tool_use")
    assert call.name == "weather"
    assert isinstance(call.input["city"], str)
    answered: Any = [
        QUESTION,
        {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    again = claude.messages.create(model=model, max_tokens=8, messages=answered, tools=[TOOL])
    assert again.type == "message"


def test_anthropic_structured_output_said_in_the_other_dialect(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.parse(model="local", max_tokens=60, messages=MESSAGES, output_format=Ticket)
    assert isinstance(answer.parsed_output, Ticket)


def test_anthropic_counts_tokens(claude: anthropic.Anthropic, model_url: str) -> None:
    there = anthropic.Anthropic(base_url=model_url.removesuffix("/v1"), api_key="none")
    told = claude.messages.count_tokens(model="native", messages=MESSAGES)
    assert told.input_tokens == there.messages.count_tokens(model="native", messages=MESSAGES).input_tokens
