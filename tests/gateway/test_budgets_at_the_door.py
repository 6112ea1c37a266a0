"""Budgets and limits around real requests: refused in time and in the client's words, settled with what was used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest
from msgspec import structs
from running_gateway import KEY, Worker, rates
from vendor import Vendor

from holdfast.gateway.model import Lift, Lifted, Scope
from holdfast.gateway.states import State
from holdfast.kernel.time import utc_now
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


def test_what_is_set_aside_is_for_the_request_as_it_goes_up(own: Worker, vendor: Vendor) -> None:
    chain = [{"upstream": "one", "model": "m"}]
    apply(
        own,
        vendor,
        budgets=[{"scope": "workspace", "amount": "1"}],
        releases={
            "plain": {"chain": chain},
            "long": {"chain": chain, "parameters": {"max_tokens": 20_000}},
            "many": {"chain": chain, "parameters": {"n": 100}},
        },
        routes={
            "short": {"release": "plain", "max_output_tokens": 10},
            "default": {"release": "plain", "max_output_tokens": 20_000},
            "long": {"release": "long"},
            "many": {"release": "many"},
        },
    )

    def status(route: str, most: int | None) -> int:
        return ask(own, most=most, **{"x-holdfast-route": route}).status_code

    assert status("short", None) == 200
    assert status("short", 20_000) == 402
    assert (status("default", None), status("default", 10)) == (402, 200)
    assert status("long", 10) == 402
    assert (status("many", 200), status("many", 10)) == (402, 200)


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


def test_tries_that_may_have_been_billed_are_in_the_record_as_in_the_account(
    own: Worker, vendor: Vendor
) -> None:
    upstreams = {
        name: {"dialect": "openai", "base_url": vendor.url + "/v1", "timeouts": {"first_byte": 0.3}}
        for name in ("one", "two")
    }
    chain = [{"upstream": "one", "model": "slow"}, {"upstream": "two", "model": "slow"}]
    document: dict[str, Any] = {
        "upstreams": upstreams,
        "releases": {"v": {"chain": chain}},
        "routes": {"r": {"release": "v", "models": ["r"], "retries": 1}},
        "budgets": [{"scope": "workspace", "amount": "0.003"}],
    }
    own.apply(document, {"one": {"slow": PRICE}, "two": {"slow": PRICE}})
    vendor.tell("slow", "stall")
    assert ask(own, "r").status_code == 504
    [record] = own.recorded(1)
    [attempt] = record.attempts
    assert attempt.cost is not None
    assert record.cost is not None
    assert record.estimated
    told = ask(own, "r")
    assert told.status_code == 402
    assert Decimal(told.headers["x-holdfast-limit-spent"]) == attempt.cost + record.cost


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


def test_break_glass_lets_a_tenant_pass_and_its_calls_say_so(own: Worker, vendor: Vendor) -> None:
    budget = [{"scope": "tenant", "amount": "0.0000001"}]
    tenant = {"x-holdfast-tenant": "acme"}
    apply(own, vendor, budgets=budget)
    assert ask(own, **tenant).status_code == 402
    lift = Lift(
        id="lift_1",
        workspace="ws_1",
        what=Lifted.BUDGET,
        scope=Scope.TENANT,
        value="acme",
        until=utc_now() + timedelta(hours=1),
        person="Ann",
        reason="the fair",
        made_at=utc_now(),
        made_by="mem_1",
    )
    own.lifts = (lift,)
    apply(own, vendor, budgets=budget)
    passed = ask(own, **tenant)
    assert (passed.status_code, passed.headers["x-holdfast-limit-lifted"]) == (200, "tenant=acme")
    assert own.recorded(2)[-1].lifted == ("tenant=acme",)
    assert ask(own, **{"x-holdfast-tenant": "other"}).status_code == 402
    own.lifts = (structs.replace(lift, until=utc_now()),)
    apply(own, vendor, budgets=budget)
    assert ask(own, **tenant).status_code == 402


def test_a_crossed_soft_budget_is_told_though_the_process_is_killed_at_once(
    own: Worker, vendor: Vendor
) -> None:
    apply(own, vendor, budgets=[{"scope": "tenant", "amount": "0.0000001", "hard": False}])
    assert ask(own, **{"x-holdfast-tenant": "acme"}).status_code == 200
    own.kill()
    state = own.folder / "gateway" / "state-0"
    state.unlink(missing_ok=True)
    own.start()
    until(state.exists, 10, "the state of the process")
    told = msgspec.msgpack.decode(state.read_bytes(), type=State)
    assert [(one.event, one.value) for one in told.events] == [("crossed", "acme")]
    assert [(one.value, one.spent > one.amount) for one in told.budgets] == [("acme", True)]


def test_what_is_passed_through_counts_and_needs_a_soft_budget(own: Worker, vendor: Vendor) -> None:
    """Nothing bounds the cost of a picture or a recording, so a hard budget refuses it before anybody is asked."""
    key = {"authorization": f"Bearer {KEY}", "x-holdfast-model": "m"}

    def passed(path: str, **said: Any) -> httpx2.Response:
        return httpx2.post(own.url + path, json=said, headers=key, verify=NO_TLS, timeout=20)

    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "5"}])
    asked = vendor.meter["asked"]
    for path in ("/v1/images/generations", "/v1/audio/speech", "/v1/completions"):
        told = passed(path, model="m", prompt="a cat")
        assert (told.status_code, "passed through whole" in told.text) == (402, True)
        assert told.headers["x-holdfast-limit-kind"] == "unbounded"
    assert vendor.meter["asked"] == asked
    assert passed("/v1/moderations", input="words").status_code == 200, (
        "what generates nothing is free to pass"
    )
    apply(own, vendor, budgets=[{"scope": "workspace", "amount": "0.0001", "hard": False}])
    assert passed("/v1/completions", model="m", prompt="a cat").status_code == 200
    record = own.records()[-1]
    assert record.operation == "text_completion"
    assert record.cost is not None
    assert record.cost > Decimal("0.0004"), "five tokens of output at 100 dollars a million"
    until(lambda: standing(own) == [(record.cost, 0)], 10, "the budget as it was settled")
    vendor.tell("m", "400", "well")
    assert passed("/v1/images/generations", model="m", prompt="a cat").status_code == 400
    assert passed("/v1/completions", model="m", prompt="a cat").status_code == 200
    both = record.cost + (own.records()[-1].cost or 0)
    until(lambda: standing(own) == [(both, 0)], 10, "the budget without what was refused")


def standing(worker: Worker) -> list[tuple[Decimal, Decimal]]:
    """Spent and reserved of each budget, as the process last told."""
    state = worker.folder / "gateway" / "state-0"
    if not state.exists():
        return []
    told = msgspec.msgpack.decode(state.read_bytes(), type=State)
    return [(one.spent, one.reserved) for one in told.budgets]


def test_limits_hold_for_what_is_passed_through(own: Worker, vendor: Vendor) -> None:
    apply(own, vendor, limits=[{"scope": "user", "requests_per_minute": 2}])
    key = {"authorization": f"Bearer {KEY}", "x-holdfast-model": "m", "x-holdfast-user": "ada"}
    said = {"model": "m", "prompt": "a cat"}
    answers = [
        httpx2.post(own.url + "/v1/images/generations", json=said, headers=key, verify=NO_TLS)
        for _ in range(3)
    ]
    assert [one.status_code for one in answers] == [200, 200, 429]
