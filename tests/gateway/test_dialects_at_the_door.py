"""The official SDKs against the gateway by their base URL alone, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel
from running_gateway import KEY, Worker, rates
from vendor import Vendor

from running_core import NO_TLS

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


class City(BaseModel):
    city: str


@pytest.fixture(scope="module", autouse=True)
def configured(worker: Worker, vendor: Vendor) -> None:
    price = {"m": rates(input_uncached="1", output="2")}
    worker.apply(
        {
            "upstreams": {
                "main": {
                    "dialect": "openai",
                    "base_url": vendor.url + "/v1",
                    "credential": "env:HOME",
                    "models": ["m"],
                },
                "claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1", "models": ["claude"]},
                "google": {"dialect": "gemini", "base_url": vendor.url + "/v1beta", "models": ["gem"]},
            }
        },
        {"main": price, "claude": {"claude": rates(input_uncached="3", output="15")}},
    )


@pytest.fixture
def client(worker: Worker) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(worker: Worker) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0) as made:
        yield made


def test_a_chat_comes_back_and_is_recorded_with_its_cost(
    client: openai.OpenAI, worker: Worker, vendor: Vendor
) -> None:
    before = len(worker.records())
    raw = client.chat.completions.with_raw_response.create(
        model="m", messages=MESSAGES, extra_headers={"x-holdfast-tenant": "acme"}, extra_body={"odd": [1]}
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "Hello there, friend."
    assert answer.model_extra == {"unknown_field": {"kept": True}}
    assert vendor.seen[-1]["body"]["odd"] == [1], "an unknown field passes"
    assert KEY not in json.dumps(vendor.seen[-1]["headers"]), "the client's key stays here"
    assert vendor.seen[-1]["headers"]["authorization"].startswith("Bearer /"), (
        "the upstream's own credential goes"
    )
    [record] = worker.recorded(before + 1)[before:]
    assert answer.usage is not None
    cost = Decimal(answer.usage.prompt_tokens + 2 * answer.usage.completion_tokens) / 1_000_000
    assert record.cost == cost
    assert raw.headers["x-holdfast-cost"] == f"{cost:f} USD"
    assert raw.headers["x-holdfast-call-id"] == record.span_id.hex()
    assert raw.headers["x-holdfast-upstream"] == "main"
    assert raw.headers["x-request-id"] == "req_9"
    assert (record.dimensions.tenant, record.response_id, record.finish_reasons) == (
        "acme",
        "chatcmpl-1",
        ("stop",),
    )
    assert (record.upstream, record.error, record.status) == ("main", None, 200)


def test_a_stream_passes_byte_for_byte_and_its_usage_is_asked_for(worker: Worker, vendor: Vendor) -> None:
    before = len(worker.records())
    sent = {"model": "m", "messages": MESSAGES, "stream": True}
    headers = {"authorization": f"Bearer {KEY}"}
    got = httpx2.post(worker.url + "/v1/chat/completions", json=sent, headers=headers, verify=NO_TLS)
    expected = b"".join(vendor._events("/v1/chat/completions", {**sent}))
    assert got.content == expected, (
        "the piece that tells the usage was asked for by the gateway, so it stays here"
    )
    assert vendor.seen[-1]["body"]["stream_options"] == {"include_usage": True}
    [record] = worker.recorded(before + 1)[before:]
    assert record.usage is not None
    assert record.usage[5] == len(vendor.words)
    assert record.first_ns is not None
    assert record.cost is not None


def test_a_client_that_asks_for_usage_gets_it(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].usage is not None
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there, friend."


def test_tools_and_structured_output(client: openai.OpenAI) -> None:
    called = (
        client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS)
        .choices[0]
        .message.tool_calls
    )
    assert called is not None
    assert called[0].function.name == "weather"  # type: ignore[union-attr]
    with client.chat.completions.stream(model="m", messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_completion().choices[0].message.tool_calls
    assert final is not None
    assert json.loads(final[0].function.arguments) == {"city": "Riga"}
    parsed = client.chat.completions.parse(model="m", messages=MESSAGES, response_format=City)
    assert parsed.choices[0].message.parsed == City(city="Riga")


def test_responses_whole_and_streamed_and_stored(
    client: openai.OpenAI, worker: Worker, vendor: Vendor
) -> None:
    before = len(worker.records())
    answer = client.responses.create(model="m", input="Say hello")
    assert answer.output_text == "Hello there, friend."
    with client.responses.stream(model="m", input="Say hello") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().usage is not None
    assert text == "Hello there, friend."
    records = worker.recorded(before + 2)[before:]
    assert [record.usage[5] for record in records if record.usage] == [5, 5]
    client.responses.delete("resp_1")
    assert (vendor.seen[-1]["method"], vendor.seen[-1]["path"]) == ("DELETE", "/v1/responses/resp_1")
    assert len(worker.records()) == before + 2, "what only moves data is no call"


def test_embeddings_and_models(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="m", input="words", encoding_format="float")
    assert found.data[0].embedding == [0.1, 0.2]
    assert {model.id for model in client.models.list()} == {"m", "claude", "gem"}
    assert client.models.retrieve("m").owned_by == "openai"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


def test_anthropic_whole_streamed_and_counted(
    claude: anthropic.Anthropic, worker: Worker, vendor: Vendor
) -> None:
    before = len(worker.records())
    ask: Any = {"model": "claude", "max_tokens": 50, "messages": MESSAGES}
    answer = claude.messages.create(**ask, extra_headers={"anthropic-beta": "unknown-2099"})
    assert vendor.seen[-1]["headers"]["anthropic-beta"] == "unknown-2099"
    assert KEY not in json.dumps(vendor.seen[-1]["headers"]), (
        "also where the upstream has no credential of its own"
    )
    assert answer.content[0].text == "Hello there, friend."  # type: ignore[union-attr]
    with claude.messages.stream(**ask) as stream:
        assert "".join(stream.text_stream) == "Hello there, friend."
    assert claude.messages.count_tokens(model="claude", messages=MESSAGES).input_tokens > 0
    records = worker.recorded(before + 2)[before:]
    assert [record.operation for record in records] == ["chat", "chat"], "to count is no call"
    assert [record.usage[5] if record.usage else None for record in records] == [5, 5]
    assert all(record.cost is not None for record in records)
    assert {model.id for model in claude.models.list()} == {"m", "claude", "gem"}


def test_gemini_whole_and_streamed(worker: Worker, vendor: Vendor) -> None:
    before = len(worker.records())
    body = {"contents": [{"role": "user", "parts": [{"text": "Say hello"}]}]}
    for method in ("generateContent", "streamGenerateContent?alt=sse"):
        path = f"/v1beta/models/gem:{method}"
        got = httpx2.post(worker.url + path, json=body, headers={"x-goog-api-key": KEY}, verify=NO_TLS)
        assert got.status_code == 200
        assert b"Hello" in got.content
    assert vendor.seen[-1]["query"] == "alt=sse"
    records = worker.recorded(before + 2)[before:]
    assert [record.usage[5] if record.usage else None for record in records] == [5, 5]
    assert {record.response_model for record in records} == {"gem"}


def test_asynchronous_clients(worker: Worker) -> None:
    async def both() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=worker.url + "/v1", api_key=KEY) as one:
            said = (
                (await one.chat.completions.create(model="m", messages=MESSAGES)).choices[0].message.content
            )
        async with (
            anthropic.AsyncAnthropic(base_url=worker.url, api_key=KEY) as two,
            two.messages.stream(model="claude", max_tokens=9, messages=MESSAGES) as stream,
        ):
            text = [word async for word in stream.text_stream]
        return said, "".join(text)

    assert asyncio.run(both()) == ("Hello there, friend.", "Hello there, friend.")


def test_passed_through_and_metered(client: openai.OpenAI, worker: Worker, vendor: Vendor) -> None:
    before = len(worker.records())
    made = client.files.create(file=("a.jsonl", b"{}\n" * 100_000), purpose="batch")
    assert made is not None
    assert vendor.seen[-1]["raw"].count(b"{}") == 100_000
    client.moderations.create(input="words")
    assert vendor.seen[-1]["path"] == "/v1/moderations"
    assert len(worker.records()) == before, "nothing was generated"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/chat/completions", b"{not json", 400, "JSON"),
        ("/v1/chat/completions", b"[]", 400, "JSON"),
        ("/v1/chat/completions", b'{"messages": []}', 400, "model"),
        ("/v1/chat/completions", b'{"model": "m"}', 400, "messages; this route"),
        ("/v1/chat/completions", b'{"model": "m", "messages": 3}', 400, "messages"),
        ("/v1/chat/completions", b'{"model": "m", "messages": [], "max_tokens": -1}', 400, "max_tokens"),
        ("/v1/chat/completions", b'{"model": "nobody", "messages": []}', 404, "nobody"),
        ("/v1/realtime", b"{}", 400, "WebSocket"),
        ("/v1/nothing", b"{}", 404, "/v1/nothing"),
    ],
)
def test_what_cannot_be_served_never_reaches_an_upstream(
    path: str, body: bytes, status: int, words: str, worker: Worker, vendor: Vendor
) -> None:
    asked = vendor.meter["asked"]
    got = httpx2.post(
        worker.url + path, content=body, headers={"authorization": f"Bearer {KEY}"}, verify=NO_TLS
    )
    assert got.status_code == status
    assert words in got.json()["error"]["message"]
    assert vendor.meter["asked"] == asked


def test_a_stranger_is_refused_in_the_dialect(worker: Worker, vendor: Vendor) -> None:
    asked = vendor.meter["asked"]
    with (
        pytest.raises(openai.AuthenticationError),
        openai.OpenAI(base_url=worker.url + "/v1", api_key="wrong") as one,
    ):
        one.chat.completions.create(model="m", messages=MESSAGES)
    with pytest.raises(anthropic.AuthenticationError) as caught:
        anthropic.Anthropic(base_url=worker.url, api_key="wrong").messages.create(
            model="claude", max_tokens=9, messages=MESSAGES
        )
    assert caught.value.body["error"]["type"] == "authentication_error"  # type: ignore[index]
    got = httpx2.post(worker.url + "/v1beta/models/gem:generateContent?key=wrong", json={}, verify=NO_TLS)
    assert got.json()["error"]["status"] == "UNAUTHENTICATED"
    assert vendor.meter["asked"] == asked
