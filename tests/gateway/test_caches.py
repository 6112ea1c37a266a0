"""The response cache: opt-in, keyed by what matters, asked once together; a marked old answer when all is away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from running_gateway import KEY, Worker, rates
from vendor import Vendor

from running_core import NO_TLS


@pytest.fixture(scope="module", autouse=True)
def configured(worker: Worker, vendor: Vendor) -> None:
    apply(worker, vendor)


def apply(worker: Worker, vendor: Vendor, seconds: int = 300) -> None:
    worker.apply(
        {
            "upstreams": {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}},
            "releases": {"v1": {"chain": [{"upstream": "one", "model": "m"}]}},
            "routes": {"r": {"release": "v1", "cache_seconds": seconds, "retries": 0}},
        },
        {"one": {"m": rates(input_uncached="1", output="2")}},
    )


def ask(worker: Worker, words: str, tenant: str = "", **more: Any) -> httpx2.Response:
    body = {"model": "any", "messages": [{"role": "user", "content": words}], **more}
    headers = {"authorization": f"Bearer {KEY}", "x-holdfast-route": "r", "x-holdfast-tenant": tenant}
    return httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=headers, verify=NO_TLS, timeout=20
    )


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_question_is_answered_again_and_says_what_it_saved(
    stream: bool, worker: Worker, vendor: Vendor
) -> None:
    first = ask(worker, f"same {stream}", stream=stream)
    asked = vendor.meter["asked"]
    again = ask(worker, f"same {stream}", stream=stream, metadata={"run": "other"})
    assert vendor.meter["asked"] == asked
    assert again.content == first.content
    assert again.headers["x-holdfast-cache"] == "hit"
    assert "x-holdfast-cache" not in first.headers
    before, record = worker.records()[-2:]
    assert (record.cache_hit, record.cost, record.usage) == (True, None, None)
    assert record.cost_avoided == before.cost
    assert record.response_id == before.response_id is not None, (
        "by it an application's span finds the record"
    )
    assert before.cost is not None


@pytest.mark.parametrize(
    "other", [{"temperature": 1}, {"words": "else"}, {"tenant": "acme"}, {"stream": True}, {"odd": 1}]
)
def test_what_matters_makes_another_answer(other: dict[str, Any], worker: Worker, vendor: Vendor) -> None:
    ask(worker, "base")
    asked = vendor.meter["asked"]
    ask(worker, **{"words": "base", **other})
    assert vendor.meter["asked"] == asked + 1


def test_tools_and_errors_are_not_kept(worker: Worker, vendor: Vendor) -> None:
    tools = [{"type": "function", "function": {"name": "pay", "parameters": {}}}]
    asked = vendor.meter["asked"]
    for _ in range(2):
        assert ask(worker, "with tools", tools=tools).status_code == 200
    assert vendor.meter["asked"] == asked + 2
    vendor.tell("m", "400", "well")
    assert ask(worker, "error").status_code == 400
    assert ask(worker, "error").status_code == 200


def test_many_that_ask_together_ask_once(worker: Worker, vendor: Vendor) -> None:
    vendor.tell("m", "well")
    asked = vendor.meter["asked"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(worker, "together"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert vendor.meter["asked"] == asked + 1


def test_when_all_is_away_an_old_answer_is_given_and_marked(worker: Worker, vendor: Vendor) -> None:
    ask(worker, "old")
    vendor.tell("m", "503")
    try:
        apply(worker, vendor, seconds=1)
        told = ask(worker, "never asked")
        assert told.status_code == 503
        answers = [ask(worker, "old").headers.get("x-holdfast-cache") for _ in range(3)]
        while answers[-1] == "hit":
            answers.append(ask(worker, "old").headers.get("x-holdfast-cache"))
        assert answers[-1] == "stale"
    finally:
        vendor.tell("m", "well")
