"""A stream that breaks off goes on at the next upstream, and a slow answer is raced by a second one: one call each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from running_gateway import KEY, Worker, rates
from vendor import Vendor

from running_core import NO_TLS, until

PRICE = rates(input_uncached="1", output="100")
SAID: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def own(tmp_path: Path, vendor: Vendor) -> Iterator[Worker]:
    made = Worker(tmp_path)
    upstreams: dict[str, Any] = {
        name: {"dialect": dialect, "base_url": f"{vendor.url}/{name}/v1"}
        for name, dialect in (
            ("one", "openai"),
            ("two", "openai"),
            ("claude", "anthropic"),
            ("opus", "anthropic"),
        )
    }
    releases: dict[str, Any] = {}
    for name, chain in (
        ("chat", ("one", "two")),
        ("messages", ("claude", "opus")),
        ("crossing", ("one", "claude")),
        ("back", ("claude", "two")),
        ("alone", ("one",)),
    ):
        targets = [{"upstream": one, "model": f"{name}-{place}"} for place, one in enumerate(chain)]
        releases[name] = {"chain": targets, "continue_on_fallback": True}
    releases["ends"] = {**releases["chat"], "continue_on_fallback": False}
    routes: dict[str, Any] = {name: {"release": name} for name in releases}
    routes["hedged"] = {"release": "chat", "hedge_seconds": 0.05}
    prices = {
        target["upstream"]: {
            target["model"]: PRICE for release in releases.values() for target in release["chain"]
        }
        for release in releases.values()
        for target in release["chain"]
    }
    budgets = [{"scope": "workspace", "amount": "100"}]
    made.apply({"upstreams": upstreams, "releases": releases, "routes": routes, "budgets": budgets}, prices)
    made.start()
    yield made
    made.kill()
    vendor.behaviours.clear()


def chatted(worker: Worker, route: str) -> tuple[str, list[Any]]:
    head = {"x-holdfast-route": route}
    with openai.OpenAI(
        base_url=worker.url + "/v1", api_key=KEY, max_retries=0, default_headers=head
    ) as client:
        chunks = list(client.chat.completions.create(model="x", messages=SAID, max_tokens=50, stream=True))
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), chunks


@pytest.mark.parametrize("how", ["reset mid", "close mid"])
@pytest.mark.parametrize("route", ["chat", "crossing"])
def test_a_chat_goes_on_at_the_next_upstream(own: Worker, vendor: Vendor, route: str, how: str) -> None:
    vendor.tell(f"{route}-0", how)
    text, chunks = chatted(own, route)
    assert text == "Hello there" + "Hello there, friend."
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert vendor.seen[-1]["body"]["messages"][-1] == {"role": "assistant", "content": "Hello there"}
    assert vendor.seen[-1]["body"]["max_tokens"] == 47
    [record] = own.recorded(1)
    [attempt] = record.attempts
    assert (record.error, record.status, record.upstream) == (
        None,
        200,
        "two" if route == "chat" else "claude",
    )
    assert attempt.upstream == "one" and attempt.usage is not None
    assert record.usage is not None, "both usages are kept"
    assert attempt.cost and record.cost


@pytest.mark.parametrize("route", ["messages", "back"])
def test_messages_go_on_in_their_open_block(own: Worker, vendor: Vendor, route: str) -> None:
    vendor.tell(f"{route}-0", "reset late")
    head = {"x-holdfast-route": route}
    with (
        anthropic.Anthropic(base_url=own.url, api_key=KEY, max_retries=0, default_headers=head) as client,
        client.messages.stream(model="x", messages=SAID, max_tokens=50) as stream,
    ):
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "Hello there" + "Hello there, friend."
    assert [block.type for block in final.content] == ["text"]
    assert final.stop_reason == "end_turn"
    [record] = own.recorded(1)
    assert [attempt.upstream for attempt in record.attempts] == ["claude"]


@pytest.mark.parametrize("route", ["ends", "alone"])
def test_where_none_takes_over_the_stream_ends_in_an_error(own: Worker, vendor: Vendor, route: str) -> None:
    vendor.tell("chat-0" if route == "ends" else "alone-0", "reset mid")
    with pytest.raises(openai.APIError, match="broke off"):
        chatted(own, route)
    [record] = own.recorded(1)
    assert record.error == "connection_broken"


def test_when_the_next_fails_too_the_stream_ends_in_an_error(own: Worker, vendor: Vendor) -> None:
    vendor.tell("chat-0", "reset mid")
    vendor.tell("chat-1", "500")
    with pytest.raises(openai.APIError, match="broke off"):
        chatted(own, "chat")
    [record] = own.recorded(1)
    assert [attempt.error for attempt in record.attempts][:2] == ["connection_broken", "500"]
    assert record.error == "connection_broken"


def ask(worker: Worker, **more: Any) -> httpx2.Response:
    body = {"model": "x", "messages": SAID, "max_tokens": 50, **more}
    headers = {"authorization": f"Bearer {KEY}", "x-holdfast-route": "hedged"}
    return httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=headers, verify=NO_TLS, timeout=20
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_upstream_is_raced(own: Worker, vendor: Vendor, stream: bool) -> None:
    vendor.tell("chat-0", "stall")
    got = ask(own, stream=stream)
    assert (got.status_code, got.headers["x-holdfast-upstream"]) == (200, "two")
    until(lambda: vendor.open == 0, 5, "the slow one is closed at once")
    [record] = own.recorded(1)
    [attempt] = record.attempts
    assert (attempt.upstream, attempt.error) == ("one", "hedged")
    assert attempt.cost is not None and attempt.cost > Decimal("0.005"), (
        "it may be billed: it counts at its bound"
    )


def test_a_quick_one_is_not_raced_and_a_failed_one_neither_helps_nor_harms(
    own: Worker, vendor: Vendor
) -> None:
    asked = vendor.meter["asked"]
    assert ask(own).headers["x-holdfast-upstream"] == "one"
    assert vendor.meter["asked"] == asked + 1
    vendor.tell("chat-0", "slow 500")
    vendor.tell("chat-1", "stall")
    vendor.released.clear()
    try:
        with ThreadPoolExecutor(1) as pool:
            got = pool.submit(ask, own)
            until(
                lambda: vendor.meter["asked"] == asked + 3 and vendor.open == 1, 10, "only the second is left"
            )
            assert not got.done()
            vendor.tell("chat-1", "well")
            vendor.released.set()
            assert got.result(10).status_code == 200
    finally:
        vendor.released.clear()
