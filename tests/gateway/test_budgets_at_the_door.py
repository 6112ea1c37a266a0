"""Budgets and limits around real requests: refused in time and in the client's words, settled with what was used."""

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
MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Worker]:
    """A worker whose accounts no other test has used."""
    made = Worker(tmp_path)
    made.apply({})
    made.start()
    yield made
    made.kill()


def apply(worker: Worker, vendor: Vendor, **more: Any) -> None:
    upstreams = {
        "one": {"dialect": "openai", "base_url": vendor.url + "/v1", "models": ["m", "slow", "free"]},
        "claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1", "models": ["opus"]},
    }
    prices = {"one": {"m": PRICE, "slow": PRICE}, "claude": {"opus": PRICE}}
    worker.apply({"upstreams": upstreams, **more}, prices)


def ask(worker: Worker, model: str = "m", most: int | None = 10, **more: Any) -> httpx2.Response:
    headers = {name: more.pop(name) for name in list(more) if name.startswith("x-")}
    body = {"model": model, "messages": MESSAGES, **more}
    if most is not None:
        body["max_tokens"] = most
    named = {"authorization": f"Bearer {KEY}", **headers}
    return httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=named, verify=NO_TLS, timeout=20
    )


def test_a_hard_budget_is_never_exceeded_by_many_at_once(own: Worker, vendor: Vendor) -> None:
    amount = Decimal("0.05")
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": str(amount), "period": "day"}])
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: ask(own), range(300)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 402}
    served = [record for record in own.records() if record.error is None]
    spent = sum((record.cost or Decimal(0) for record in served), Decimal(0))
    assert spent <= amount
    assert len(served) == sum(answer.status_code == 200 for answer in answers)
    assert spent > amount * Decimal("0.9"), "what was set aside came back when the real cost was known"
    refused = next(answer for answer in answers if answer.status_code == 402)
    assert refused.json()["error"]["type"] == "insufficient_quota"
    assert refused.headers["x-holdfast-limit-kind"] == "budget"
    assert refused.headers["x-holdfast-limit-scope"] == "workspace=ws_1"
    assert refused.headers["x-should-retry"] == "false"
    assert Decimal(refused.headers["x-holdfast-limit"]) == amount


def test_official_clients_understand_a_refusal(own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, budgets=[{"scope": "tenant", "amount": "0.0000001"}])
    tenant = {"x-holdfast-tenant": "acme"}
    asked = vendor.meter["asked"]
    with openai.OpenAI(base_url=own.url + "/v1", api_key=KEY) as client:
        with pytest.raises(openai.APIStatusError) as told:
            client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5, extra_headers=tenant)
        assert told.value.status_code == 402
        assert "tenant acme" in str(told.value)
        client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5)
    with (
        anthropic.Anthropic(base_url=own.url, api_key=KEY) as claude,
        pytest.raises(anthropic.APIStatusError) as said,
    ):
        claude.messages.create(model="opus", max_tokens=5, messages=MESSAGES, extra_headers=tenant)
    assert said.value.body["error"]["type"] == "billing_error"  # type: ignore[index]
    assert vendor.meter["asked"] == asked + 1, "what is refused reaches nobody, and is not asked again"


def test_without_a_bound_a_hard_budget_refuses_and_a_soft_one_does_not(own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "5"}])
    told = ask(own, most=None)
    assert (told.status_code, "maximum output" in told.text) == (402, True)
    assert "no price" in ask(own, model="free").text
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "5", "hard": False}])
    assert ask(own, most=None).status_code == 200
    assert ask(own, model="free").status_code == 200


def test_rates_and_concurrency(own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, limits=[{"scope": "user", "requests_per_minute": 3}])
    answers = [ask(own, **{"x-holdfast-user": "ann"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert ask(own, **{"x-holdfast-user": "bob"}).status_code == 200
    vendor.tell("slow", "stall")
    apply(own, vendor, limits=[{"scope": "workspace", "concurrency": 2}])
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(ask, own, "slow")
        until(lambda: vendor.open == 2, 10, "two under way")
        assert ask(own).status_code == 429
        vendor.released.set()
    vendor.released.clear()


def test_an_agent_that_goes_in_circles_is_stopped(own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, limits=[{"scope": "run", "same_tool_calls": 2, "run_steps": 10}])
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
    turns: Any = [
        *MESSAGES,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "-"},
    ]
    run = {"x-holdfast-run": "run-1"}
    answers = [ask(own, messages=turns, **run) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "same tool call" in answers[-1].text
    other = [ask(own, **{"x-holdfast-run": "run-2"}).status_code for _ in range(11)]
    assert other == [200] * 10 + [429]


@pytest.mark.parametrize("how", ["close mid", "reset mid"])
def test_a_cut_stream_is_settled_with_what_was_counted(how: str, own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "5"}])
    vendor.tell("m", how)
    try:
        ask(own, stream=True)
    finally:
        vendor.tell("m", "well")
    [record] = own.recorded(1)
    assert record.estimated
    assert record.usage is not None
    assert 0 < (record.usage[5] or 0) <= 10
    assert record.cost


def test_usage_above_the_bound_closes_the_budget(own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "5"}])
    vendor.tell("m", "usage 5000")
    try:
        assert ask(own, most=10).status_code == 200
    finally:
        vendor.tell("m", "well")
    told = ask(own)
    assert (told.status_code, "closed" in told.text) == (402, True)
    assert told.headers["x-holdfast-limit-kind"] == "closed"


def test_a_killed_process_forgets_neither_spending_nor_what_was_under_way(
    own: Worker, vendor: Vendor
) -> None:
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "0.1"}])
    assert ask(own).status_code == 200
    vendor.tell("slow", "stall")
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(ask, own, "slow", 500)
        until(lambda: vendor.open == 1, 10, "one under way")
        own.kill()
        assert under_way.exception() is not None
    own.start()
    first, orphan = own.recorded(2)
    assert (first.error, orphan.error, orphan.estimated) == (None, "gateway_killed", True)
    assert orphan.cost is not None
    assert orphan.cost > Decimal("0.05"), "500 tokens at most, at 100 USD for a million"
    told = ask(own, most=500)
    assert told.status_code == 402
    assert Decimal(told.headers["x-holdfast-limit-spent"]) == orphan.cost + (first.cost or 0)
