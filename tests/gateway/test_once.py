"""What the core asks once: paid for once, whoever leaves, asks again, or is killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from running_gateway import Worker, rates
from vendor import Vendor

from holdfast.gateway.keys import made_pass
from holdfast.gateway.model import Pass
from holdfast.kernel.time import utc_now
from running_core import NO_TLS, until


@pytest.fixture
def own(tmp_path: Path, vendor: Vendor) -> Iterator[Worker]:
    made = Worker(tmp_path)
    made.apply(
        {
            "upstreams": {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}},
            "releases": {
                "v1": {"chain": [{"upstream": "one", "model": "m"}]},
                "v2": {"chain": [{"upstream": "one", "model": "late"}]},
            },
            "routes": {"r": {"release": "v1", "cache_seconds": 300, "retries": 0}},
        },
        {"one": {"m": rates(input_uncached="1", output="2"), "late": rates(input_uncached="1", output="2")}},
    )
    made.start()
    yield made
    made.kill()


def ask(worker: Worker, once: str, release: str = "", timeout: float = 20) -> httpx2.Response:
    ends = utc_now() + timedelta(minutes=5)
    told = made_pass(worker.signer, Pass("ws_1", "evals", ends, release, once))
    headers = {"authorization": f"Bearer {told}", "x-holdfast-route": "r"}
    body: Any = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
    return httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=headers, verify=NO_TLS, timeout=timeout
    )


def test_the_same_name_has_the_same_answer_and_another_asks_anew(own: Worker, vendor: Vendor) -> None:
    asked = vendor.meter["asked"]
    first, again, other = ask(own, "trial-1"), ask(own, "trial-1"), ask(own, "trial-2")
    assert vendor.meter["asked"] == asked + 2, "another name is no hit of the route's cache"
    assert first.content == again.content == other.content
    assert again.headers["x-holdfast-replayed"] == "true"
    assert "x-holdfast-replayed" not in first.headers
    assert again.headers["x-holdfast-call-id"] == first.headers["x-holdfast-call-id"]
    assert again.headers["x-holdfast-cost"] == first.headers["x-holdfast-cost"]
    assert len(own.recorded(2)) == 2


def test_a_release_by_name(own: Worker, vendor: Vendor) -> None:
    assert ask(own, "a", release="v2").status_code == 200
    assert vendor.seen[-1]["body"]["model"] == "late"
    told = ask(own, "b", release="v3")
    assert (told.status_code, "no release v3" in told.text) == (404, True)


def test_many_at_once_are_one(own: Worker, vendor: Vendor) -> None:
    asked = vendor.meter["asked"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(own, "same"), range(16)))
    assert {one.status_code for one in answers} == {200}
    assert vendor.meter["asked"] == asked + 1


def test_it_goes_on_when_its_client_leaves(own: Worker, vendor: Vendor) -> None:
    vendor.tell("late", "slow 200")
    asked = vendor.meter["asked"]
    with pytest.raises(httpx2.ReadTimeout):
        ask(own, "left", release="v2", timeout=0.1)
    [record] = own.recorded(1)
    assert record.error is None
    told = ask(own, "left", release="v2")
    assert (told.status_code, told.headers["x-holdfast-replayed"]) == (200, "true")
    assert vendor.meter["asked"] == asked + 1


def test_two_workers_and_one_that_was_killed(own: Worker, vendor: Vendor) -> None:
    asked = vendor.meter["asked"]
    first = ask(own, "shared")
    own.kill()
    own.start()
    assert ask(own, "shared").content == first.content
    second = Worker(own.folder, signer=own.signer, epoch=own.epoch, number=1)
    second.start()
    try:
        assert ask(second, "shared").headers["x-holdfast-replayed"] == "true"
        vendor.tell("late", "slow 200", "slow 200")
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda worker: ask(worker, "both", release="v2"), (own, second)))
        assert told[0].content == told[1].content
    finally:
        second.kill()
    assert vendor.meter["asked"] == asked + 2


def test_what_failed_is_asked_anew(own: Worker, vendor: Vendor) -> None:
    vendor.tell("late", "400", "well")
    assert ask(own, "failed", release="v2").status_code == 400
    assert ask(own, "failed", release="v2").status_code == 200


def test_a_gateway_that_ends_finishes_what_it_asks(own: Worker, vendor: Vendor) -> None:
    vendor.tell("late", "slow 200")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, own, "drained", "v2")
        until(lambda: vendor.open > 0, 5, "the request at the vendor")
        assert own.stop() == 0
        assert asking.result().status_code == 200
    own.start()
    assert ask(own, "drained", release="v2").headers["x-holdfast-replayed"] == "true"


def test_only_the_core_may_give_names(own: Worker, vendor: Vendor) -> None:
    """A name is in the signed pass, not in a header that anybody can send."""
    forged = made_pass(
        Ed25519PrivateKey.generate(), Pass("ws_1", "evals", utc_now() + timedelta(minutes=5), "", "x")
    )
    headers = {"authorization": f"Bearer {forged}", "x-holdfast-route": "r"}
    told = httpx2.post(own.url + "/v1/chat/completions", json={}, headers=headers, verify=NO_TLS)
    assert told.status_code == 401
