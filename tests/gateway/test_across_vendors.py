"""A fallback that crosses vendors: the client's dialect in, the other vendor's upstream behind, read by official SDKs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from running_gateway import KEY, Worker, rates
from vendor import Vendor

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module", autouse=True)
def configured(worker: Worker, vendor: Vendor) -> None:
    vendor.tell("away", "503")
    price = rates(input_uncached="3", output="15")
    worker.apply(
        {
            "upstreams": {
                "gpt": {"dialect": "openai", "base_url": vendor.url + "/v1"},
                "claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1"},
            },
            "releases": {
                "to-claude": {
                    "chain": [{"upstream": "gpt", "model": "away"}, {"upstream": "claude", "model": "opus"}]
                },
                "to-gpt": {
                    "chain": [{"upstream": "claude", "model": "away"}, {"upstream": "gpt", "model": "large"}]
                },
            },
            "routes": {
                "a": {"release": "to-claude", "models": ["a"], "max_output_tokens": 99},
                "b": {"release": "to-gpt", "models": ["b"]},
            },
        },
        {"claude": {"opus": price}, "gpt": {"large": price}},
    )


@pytest.fixture
def gpt(worker: Worker) -> openai.OpenAI:
    return openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0)


@pytest.fixture
def claude(worker: Worker) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0)


def test_an_openai_client_is_answered_by_anthropic(
    gpt: openai.OpenAI, worker: Worker, vendor: Vendor
) -> None:
    said: Any = [{"role": "system", "content": "Be kind."}, *MESSAGES]
    answer = gpt.chat.completions.create(model="a", messages=said)
    assert answer.choices[0].message.content == "Hello there, friend."
    assert answer.choices[0].finish_reason == "stop"
    sent = vendor.seen[-1]
    assert sent["path"] == "/v1/messages"
    assert sent["headers"]["anthropic-version"]
    assert (sent["body"]["model"], sent["body"]["max_tokens"]) == ("opus", 99)
    record = worker.records()[-1]
    assert (record.upstream, record.error, len(record.attempts)) == ("claude", None, 1)
    assert answer.usage is not None
    used = 3 * answer.usage.prompt_tokens + 15 * answer.usage.completion_tokens
    assert record.cost == Decimal(used) / 1_000_000


def test_a_stream_crosses_too(gpt: openai.OpenAI, worker: Worker) -> None:
    chunks = list(
        gpt.chat.completions.create(
            model="a", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there, friend."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    record = worker.records()[-1]
    assert (record.upstream, record.error, record.usage[5] if record.usage else None) == ("claude", None, 5)


def test_an_anthropic_client_is_answered_by_openai(
    claude: anthropic.Anthropic, worker: Worker, vendor: Vendor
) -> None:
    answer = claude.messages.create(model="b", max_tokens=50, messages=MESSAGES, system="Be kind.")
    assert answer.content[0].text == "Hello there, friend."  # type: ignore[union-attr]
    assert answer.stop_reason == "end_turn"
    assert vendor.seen[-1]["path"] == "/v1/chat/completions"
    assert vendor.seen[-1]["body"]["messages"][0]["role"] in ("system", "developer")
    tools: Any = [{"name": "weather", "input_schema": {"type": "object"}}]
    with claude.messages.stream(model="b", max_tokens=50, messages=MESSAGES, tools=tools) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert final.content[-1].input == {"city": "Riga"}  # type: ignore[union-attr]
    record = worker.records()[-1]
    assert (record.upstream, record.usage[5] if record.usage else None) == ("gpt", 5)


@pytest.mark.parametrize("how", ["close mid", "reset mid"])
def test_a_broken_stream_ends_in_the_clients_dialect(how: str, gpt: openai.OpenAI, vendor: Vendor) -> None:
    vendor.tell("opus", how)
    try:
        with pytest.raises(openai.APIError):
            for _ in gpt.chat.completions.create(model="a", messages=MESSAGES, stream=True):
                pass
    finally:
        vendor.tell("opus", "well")


def test_what_cannot_be_said_there_is_refused_by_name(gpt: openai.OpenAI, vendor: Vendor) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        gpt.chat.completions.create(model="a", messages=MESSAGES, seed=7)
    assert caught.value.status_code == 503, "the vendor that was asked says what it said"
    assert vendor.seen[-1]["path"] == "/v1/chat/completions", "the other one was not asked"


def test_without_any_upstream_of_its_own_the_reason_is_told(
    worker: Worker, vendor: Vendor, gpt: openai.OpenAI
) -> None:
    upstreams = {"claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1", "models": ["opus"]}}
    worker.apply({"upstreams": upstreams})
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.chat.completions.create(model="opus", messages=MESSAGES, seed=7, max_tokens=5)
    assert caught.value.param == "seed"
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.responses.create(model="opus", input="hi")
    assert "speaks anthropic" in str(caught.value)
    called = gpt.chat.completions.create(model="opus", messages=MESSAGES, max_tokens=5)
    assert json.loads(called.model_dump_json())["object"] == "chat.completion"
