"""Batches are settled when they finish, however late, once: through kills, several workers, and vendors that say little."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from batch_vendor import BatchVendor
from running_gateway import KEY, Worker, rates

from holdfast.gateway.proxy.records import Record
from running_core import NO_TLS, until

STANDARD = rates(input_uncached="2", output="200", input_cache_read="0.2")
HALF = rates(input_uncached="1", output="100", input_cache_read="0.1")
ONE = Decimal("0.00051")
"""What an answered line of a batch costs: 10 tokens at 1, 5 at 100 a million."""


@pytest.fixture(scope="module")
def vendor() -> Iterator[BatchVendor]:
    made = BatchVendor()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def worker(tmp_path: Path, vendor: BatchVendor) -> Iterator[Worker]:
    vendor.how = ""
    vendor.batches.clear()
    vendor.looked.clear()
    vendor.released.clear()
    made = Worker(tmp_path, {"HOLDFAST_GATEWAY_BATCH_SECONDS": "600"})
    made.apply({})
    made.start()
    apply(made, vendor)
    yield made
    made.kill()


def apply(worker: Worker, vendor: BatchVendor, amount: str = "5", *, batch: bool = True, **more: Any) -> None:
    upstreams = {
        "one": {"dialect": "openai", "base_url": vendor.url + "/v1", "models": ["m"]},
        "claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1", "models": ["opus"]},
    }
    budgets = [{"scope": "workspace", "amount": amount}]
    halves = {"one": {"m": HALF}, "claude": {"opus": HALF}} if batch else {}
    worker.apply(
        {"upstreams": upstreams, "budgets": budgets, **more},
        {"one": {"m": STANDARD}, "claude": {"opus": STANDARD}},
        batch_prices=halves,
    )


def client(worker: Worker) -> openai.OpenAI:
    return openai.OpenAI(base_url=worker.url + "/v1", api_key=KEY, max_retries=0)


def lines(count: int = 3, most: int | None = 10, names: tuple[str, ...] = ()) -> bytes:
    made = []
    for number in range(count):
        body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        if most is not None:
            body["max_tokens"] = most
        name = names[number] if number < len(names) else f"l{number}"
        made.append({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})
    return b"\n".join(json.dumps(line).encode() for line in made)


def make(worker: Worker, content: bytes | None = None, **headers: str) -> str:
    with client(worker) as asked:
        file = asked.files.create(file=("in.jsonl", content or lines()), purpose="batch")
        made = asked.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            extra_headers=headers,
        )
    return made.id


def settled(worker: Worker, count: int = 1) -> list[Record]:
    until(lambda: not list((worker.folder / "gateway" / "batches").glob("*")), 15, "every batch is settled")
    found = [record for record in worker.records() if record.operation == "batch"]
    assert len({record.span_id for record in found}) == len(found) == count
    return found


def left(worker: Worker, amount: Decimal) -> bool:
    """Whether a call that may cost so much fits the budget."""
    most = int((amount - Decimal("0.0007")) / Decimal("0.0002"))
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": most}
    named = {"authorization": f"Bearer {KEY}"}
    told = httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=named, verify=NO_TLS, timeout=10
    )
    return told.status_code == 200


def test_a_batch_holds_its_bound_until_it_is_settled_with_what_it_used(
    worker: Worker, vendor: BatchVendor
) -> None:
    apply(worker, vendor, "0.02")
    id = make(worker, lines(3, names=("a", "bad", "c")), **{"x-holdfast-tenant": "acme"})
    assert not left(worker, Decimal("0.019")), "its bound is set aside"
    vendor.finish(id)
    with client(worker) as asked:
        assert asked.batches.retrieve(id).status == "completed"
    (record,) = settled(worker)
    assert (record.cost, record.service_tier, record.estimated, record.error) == (
        2 * ONE,
        "batch",
        False,
        None,
    )
    assert (record.request_model, record.response_id, record.dimensions.tenant) == ("m", id, "acme")
    assert record.usage is not None
    assert (record.usage[0], record.usage[5]) == (20, 10)
    assert record.batch is not None
    assert (record.batch.id, record.batch.answered, record.batch.failed) == (id, 2, 1)
    assert left(worker, Decimal("0.018")), "the rest of the bound came back"


def test_the_gateway_itself_asks_whether_a_batch_is_finished(tmp_path: Path, vendor: BatchVendor) -> None:
    worker = Worker(tmp_path, {"HOLDFAST_GATEWAY_BATCH_SECONDS": "0.2"})
    worker.apply({})
    worker.start()
    try:
        apply(worker, vendor)
        id = make(worker)
        until(lambda: vendor.looked.get(id, 0) >= 2, 10, "it asks again")
        assert not [one for one in worker.records() if one.operation == "batch"]
        vendor.finish(id)
        assert settled(worker)[0].cost == 3 * ONE
    finally:
        worker.kill()


def test_a_batch_outlives_a_kill(worker: Worker, vendor: BatchVendor) -> None:
    apply(worker, vendor, "0.02")
    id = make(worker)
    worker.kill()
    worker.start()
    assert not left(worker, Decimal("0.019")), "its bound is still set aside"
    vendor.finish(id)
    with client(worker) as asked:
        asked.batches.retrieve(id)
        settled(worker)
        asked.batches.retrieve(id)
    worker.kill()
    worker.start()
    assert [record.cost for record in settled(worker)] == [3 * ONE]
    assert left(worker, Decimal("0.018"))


def test_settled_again_after_a_kill_in_between_it_is_the_same_call_and_costs_once(
    worker: Worker, vendor: BatchVendor
) -> None:
    apply(worker, vendor, "0.02")
    id = make(worker)
    (file,) = (worker.folder / "gateway" / "batches").glob("*")
    open_batch = file.read_bytes()
    vendor.finish(id)
    with client(worker) as asked:
        asked.batches.retrieve(id)
        settled(worker)
        file.write_bytes(open_batch)  # as a kill leaves it that comes before the file is gone
        asked.batches.retrieve(id)
    until(lambda: not file.exists(), 10, "settled again")
    first, second = [record for record in worker.records() if record.operation == "batch"]
    assert (first.trace_id, first.span_id, first.cost) == (second.trace_id, second.span_id, second.cost)
    assert left(worker, Decimal("0.018"))


def test_what_a_kill_left_half_made_counts_at_its_bound(worker: Worker, vendor: BatchVendor) -> None:
    vendor.how = "stall"
    with client(worker) as asked:
        file = asked.files.create(file=("in.jsonl", lines()), purpose="batch")
        with pytest.raises(openai.APITimeoutError):
            asked.with_options(timeout=1.0).batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
    worker.kill()
    vendor.released.set()
    worker.start()
    (record,) = settled(worker)
    assert (record.error, record.estimated, record.usage) == ("gateway_killed", True, None)
    assert record.cost is not None
    assert record.cost > 3 * ONE


def test_a_worker_looks_after_the_batches_of_one_that_is_gone(worker: Worker, vendor: BatchVendor) -> None:
    other = Worker(worker.folder, worker.settings, signer=worker.signer, epoch=worker.epoch, number=1)
    other.start()
    try:
        id = make(worker)
        vendor.finish(id)
        with client(other) as asked:
            asked.batches.retrieve(id)
        settled(worker)
        second = make(worker)
        worker.kill()
        vendor.finish(second, answered=1)
        with client(other) as asked:
            asked.batches.retrieve(second)
        assert [record.cost for record in settled(worker, 2)] == [3 * ONE, ONE]
    finally:
        other.kill()


@pytest.mark.parametrize(
    ("status", "answered", "cost"), [("expired", 2, 2 * ONE), ("cancelled", 0, 0), ("failed", 0, 0)]
)
def test_a_batch_that_did_not_finish_costs_what_was_answered(
    status: str, answered: int, cost: Decimal, worker: Worker, vendor: BatchVendor
) -> None:
    id = make(worker)
    vendor.finish(id, status, answered)
    with client(worker) as asked:
        asked.batches.retrieve(id)
    (record,) = settled(worker)
    assert (record.error, record.cost, record.estimated) == (f"batch_{status}", cost, False)


def test_results_that_do_not_say_what_they_used_count_at_the_bound(
    worker: Worker, vendor: BatchVendor
) -> None:
    id = make(worker)
    vendor.finish(id, says=False)
    with client(worker) as asked:
        asked.batches.retrieve(id)
    (record,) = settled(worker)
    assert (record.error, record.estimated, record.usage) == ("usage_unknown", True, None)
    assert record.cost is not None
    assert record.cost > 3 * ONE


def test_without_a_price_for_batches_the_usual_one_is_an_estimate(
    worker: Worker, vendor: BatchVendor
) -> None:
    apply(worker, vendor, batch=False)
    id = make(worker)
    vendor.finish(id)
    with client(worker) as asked:
        asked.batches.retrieve(id)
    (record,) = settled(worker)
    assert (record.cost, record.estimated) == (2 * 3 * ONE, True)


def test_a_hard_budget_refuses_what_has_no_bound_or_is_too_much(worker: Worker, vendor: BatchVendor) -> None:
    def refused(content: bytes | None, words: str) -> None:
        with client(worker) as asked:
            file = "file-unknown"
            if content is not None:
                file = asked.files.create(file=("in.jsonl", content), purpose="batch").id
            with pytest.raises(openai.APIStatusError, match=words) as told:
                asked.batches.create(
                    input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
                )
        assert told.value.status_code == 402

    refused(None, "not uploaded through this gateway")
    refused(lines(2) + b"\n" + lines(1, most=None), "request 3 of the batch: no maximum output")
    refused(b'{"url": "/v1/chat/completions"}', "request 1 of the batch: is no JSON")
    apply(worker, vendor, "0.001")
    refused(lines(5), "used up")
    assert vendor.made() == [], "the vendor heard of none of them"
    assert not list((worker.folder / "gateway" / "batches").glob("*"))
    soft = [{"scope": "workspace", "amount": "0.001", "hard": False}]
    apply(worker, vendor, budgets=soft)
    vendor.finish(make(worker))
    vendor.how = "400"
    with pytest.raises(openai.BadRequestError):
        make(worker)
    vendor.how = ""
    apply(worker, vendor, "0.02")
    assert left(worker, Decimal("0.019")), "what a vendor refuses is given back"


def test_anthropics_batches(worker: Worker, vendor: BatchVendor) -> None:
    apply(worker, vendor, "0.01")
    params: Any = {"model": "opus", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    with anthropic.Anthropic(base_url=worker.url, api_key=KEY, max_retries=0) as asked:
        names = ("a", "bad", "b")
        made = asked.messages.batches.create(requests=[{"custom_id": one, "params": params} for one in names])
        with pytest.raises(anthropic.APIStatusError) as told:
            asked.messages.batches.create(
                requests=[{"custom_id": "x", "params": {**params, "max_tokens": 9000}}]
            )
        assert told.value.status_code == 402
        vendor.end(made.id)
        asked.messages.batches.retrieve(made.id)
    (record,) = settled(worker)
    assert record.cost == 2 * (ONE + Decimal("0.00001"))
    assert record.usage is not None
    assert record.usage[:2] == (20, 200)
    assert record.batch is not None
    assert (record.batch.answered, record.batch.failed) == (2, 1)
    assert record.dialect == "anthropic"


def test_without_a_budget_nothing_is_asked_of_a_batch_and_it_is_recorded_all_the_same(
    worker: Worker, vendor: BatchVendor
) -> None:
    apply(worker, vendor, budgets=[])
    vendor.files["file-elsewhere"] = lines(1, most=None)
    with client(worker) as asked:
        made = asked.batches.create(
            input_file_id="file-elsewhere", endpoint="/v1/chat/completions", completion_window="24h"
        )
        vendor.finish(made.id)
        asked.batches.retrieve(made.id)
    (record,) = settled(worker)
    assert (record.request_model, record.cost) == ("m", ONE)
