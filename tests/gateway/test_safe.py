"""Credentials appear nowhere; upstreams inside private networks are not reached unless the operator says so."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_gateway import KEY, Worker, rates
from vendor import Vendor

from running_core import NO_TLS, until

CANARY = "sk-canary-5f1c9e0d77aa"
TURNED = "sk-canary-after-rotation"
QUICK = {"connect": 1, "first_byte": 0.5, "between_bytes": 0.5, "total": 5}


def post(worker: Worker, model: str, key: str = KEY, **more: Any) -> httpx2.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.post(
        worker.url + "/v1/chat/completions", json=body, headers=headers, verify=NO_TLS, timeout=20
    )


@pytest.fixture
def guarded(tmp_path: Path, vendor: Vendor) -> Iterator[Worker]:
    secret = tmp_path / "secret"
    secret.write_text(CANARY + "\n")
    made = Worker(tmp_path / "data", {"HOLDFAST_LOG_LEVEL": "debug"})
    upstream = {
        "dialect": "openai",
        "base_url": vendor.url + "/v1",
        "credential": f"file:{secret}",
        "timeouts": QUICK,
    }
    missing = {**upstream, "credential": "file:/nowhere/at/all", "models": ["none"]}
    made.apply({"upstreams": {"one": {**upstream, "models": ["m", "bad"]}, "two": missing}})
    made.start()
    yield made
    made.kill()


def test_a_credential_is_in_no_output_record_or_error(
    guarded: Worker, vendor: Vendor, tmp_path: Path
) -> None:
    said = []
    for how in ("well", "401", "500", "stall", "reset", "half", "close mid", "429"):
        vendor.tell("bad", how)
        for stream in (False, True):
            got = post(guarded, "bad", stream=stream)
            said.append(got.content + str(got.headers).encode())
    said.append(post(guarded, "none").content)
    said.append(post(guarded, "m", key="wrong").content)
    said.append(guarded.get("/readyz").content)
    assert vendor.seen[-1]["headers"]["authorization"] == f"Bearer {CANARY}", "it is really used"
    until(lambda: (guarded.folder / "gateway" / "state-0").exists(), 10, "the state")
    assert guarded.process is not None
    guarded.process.send_signal(signal.SIGABRT)
    guarded.process.wait(10)
    said += [path.read_bytes() for path in guarded.folder.rglob("*") if path.is_file()]
    assert len(guarded.records()) > 10
    for secret in (CANARY, KEY):
        assert not [text for text in said if secret.encode() in text]


def test_a_credential_is_rotated_without_a_restart(guarded: Worker, vendor: Vendor, tmp_path: Path) -> None:
    assert post(guarded, "m").status_code == 200
    (tmp_path / "secret").write_text(TURNED)
    document = {
        "dialect": "openai",
        "base_url": vendor.url + "/v1",
        "credential": f"file:{tmp_path / 'secret'}",
    }
    guarded.apply({"upstreams": {"one": document}})
    assert post(guarded, "m").status_code == 200
    assert vendor.seen[-1]["headers"]["authorization"] == f"Bearer {TURNED}"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
def test_private_addresses_are_not_reached(host: str, tmp_path: Path, vendor: Vendor) -> None:
    worker = Worker(tmp_path, {"HOLDFAST_OUTBOUND_ALLOW": ""})
    url = f"http://{host}:{vendor.port}/v1"
    worker.apply({"upstreams": {"one": {"dialect": "openai", "base_url": url, "timeouts": QUICK}}})
    worker.start()
    try:
        asked = vendor.meter["asked"]
        got = post(worker, "m")
        assert got.status_code == 503
        assert "private network" in got.json()["error"]["message"]
        assert vendor.meter["asked"] == asked
        [record] = worker.recorded(1)
        assert (record.usage, record.estimated) == (None, False), "nothing was sent, so nothing was used"
    finally:
        worker.kill()


def test_what_could_not_be_sent_takes_nothing_from_a_budget(tmp_path: Path, vendor: Vendor) -> None:
    worker = Worker(tmp_path, {"HOLDFAST_OUTBOUND_ALLOW": ""})
    url = f"http://127.0.0.1:{vendor.port}/v1"
    upstream = {"dialect": "openai", "base_url": url, "timeouts": QUICK}
    budget = {"scope": "workspace", "amount": "1.5", "period": "month"}
    worker.apply(
        {"upstreams": {"one": upstream}, "budgets": [budget]},
        {"one": {"m": rates(output="1000", input_uncached="0")}},
    )
    worker.start()
    try:
        for _ in range(3):
            got = post(worker, "m", max_tokens=1000)
            assert got.status_code == 503, got.text
            assert "private network" in got.text, (
                "and not that the budget is used up: each could take 1 of its 1.5"
            )
    finally:
        worker.kill()


def test_a_redirect_is_told_and_not_followed(worker: Worker, vendor: Vendor) -> None:
    worker.apply({"upstreams": {"one": {"dialect": "openai", "base_url": vendor.url + "/v1"}}})
    vendor.tell("moved", "307")
    asked = vendor.meter["asked"]
    assert post(worker, "moved").status_code == 307
    assert vendor.meter["asked"] == asked + 1
