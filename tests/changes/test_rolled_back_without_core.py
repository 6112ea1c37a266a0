"""`holdfast rollback` reaches gateways by itself, and gateways that hear nothing go back by themselves."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.changes.test_rolled_out import GUARDS, USAGE, begun, post, reached, shown
from tests.evals.runs.desk import Desk, desk
from tests.gateway.running_gateway import GatewayProcess
from tests.gateway.vendor import Vendor

from running_core import until
from stand import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TOKEN = "a-token-of-gateways"
HALF = {
    "suites": [],
    "reviewers": 0,
    "stages": [50, 100],
    "dwell_minutes": 0,
    "samples": 10_000,
    "soak_hours": 0,
    "shadow": None,
    "guards": GUARDS,
    "stale_seconds": 60,
}
"""It stays at a half, since so many calls do not come."""


@dataclass
class Two:
    """A core, its gateway, and a second one that finds it over TCP."""

    desk: Desk
    far: GatewayProcess

    @property
    def gateways(self) -> list[GatewayProcess]:
        return [self.desk.gateway, self.far]

    def configure(self, **more: Any) -> None:
        """Puts in force a configuration that differs from any before where `more` says so."""
        prices = {name: USAGE for name in ("m", "bad", "worse", "forgotten", "slow")}
        upstream = {
            "dialect": "openai", "base_url": self.desk.vendor.url + "/v1", "prices": prices, **more
        }  # fmt: skip
        self.desk.configure(routes={"r": {"release": "v1", "retries": 0}}, upstreams={"one": upstream})

    def ask(self, gateway: GatewayProcess, user: str) -> str:
        """The release that answered; empty where none did."""
        try:
            answer = httpx2.post(
                f"http://127.0.0.1:{gateway.port}/v1/chat/completions",
                json={"model": "m", "messages": [{"role": "user", "content": "Hi"}], "user": user},
                headers={**self.desk.headers, "x-holdfast-route": "r"},
                timeout=20,
            )
        except httpx2.TransportError:
            return ""
        return answer.headers.get("x-holdfast-release", "") if answer.status_code == 200 else ""

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Through both, until it ends."""
        numbers, stop = itertools.count(), threading.Event()

        def run(gateway: GatewayProcess) -> None:
            while not stop.wait(0.02):
                self.ask(gateway, f"user-{next(numbers)}")

        threads = [threading.Thread(target=run, args=[one], daemon=True) for one in self.gateways]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def asked_for(self, model: str) -> int:
        return sum(one["body"].get("model") == model for one in self.desk.vendor.seen)

    def candidate_on_both(self, model: str) -> str:
        """A change at a half of the traffic on both gateways; its id."""
        id = begun(self.desk, model)
        candidate = reached(self.desk, id, "ramping")["change"]["candidate"]
        for gateway in self.gateways:
            until(lambda g=gateway: self.met(g, candidate), 30, "the candidate on a gateway")
        return id

    def met(self, gateway: GatewayProcess, release: str) -> bool:
        return any(self.ask(gateway, f"u{number}") == release for number in range(8))

    def command(self, subject: str, reason: str = "it is bad") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "holdfast", "rollback", subject, "--reason", reason]
        return subprocess.run(
            [*command, "--data", str(self.desk.core.data)], capture_output=True, text=True, timeout=120
        )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("cut")
    with desk(folder, Vendor(), gateway_token=TOKEN) as made:
        policy = {"systems": {"*": {name: HALF for name in ("minor", "moderate", "major")}}}
        answer = made.core.client.put(
            "/api/v1/change-rules/policy", json={"policy": policy}, headers=made.headers
        )
        assert answer.status_code == 200, answer.text
        (folder / "far").mkdir()
        far = GatewayProcess(
            folder / "far" / "data",
            core_url=f"http://127.0.0.1:{made.core.port}",
            gateway_token=TOKEN,
            gateway_admin=f"127.0.0.1:{free_port()}",
        )
        far.start()
        both = Two(made, far)
        both.configure()
        try:
            yield both
        finally:
            far.kill()


def test_it_needs_no_core_and_reaches_every_gateway(two: Two) -> None:
    at = two.desk
    id = two.candidate_on_both("bad")
    baseline = shown(at, id)["change"]["baseline"]
    with two.traffic():
        at.core.kill()
        done = two.command("r")
        seen, whole = two.asked_for("bad"), len(at.vendor.seen)
        until(lambda: len(at.vendor.seen) > whole + 60, 30, "more traffic")
        assert two.asked_for("bad") == seen, "not one more request on the bad release"
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": serves it") == 2 and f"{baseline} (100%)" in done.stdout
    at.core.start()
    after = reached(at, id, "rolled_back", seconds=240)
    halted = next(one for one in after["evidence"] if one["after"] == "halted")
    assert (halted["actor_name"], halted["reason"]) == ("Command line", "it is bad")
    again = two.command(id)
    assert again.returncode == 0 and again.stdout.startswith(f"{id} (to bad): rolled back")


def test_a_gateway_that_does_not_answer_is_unknown(two: Two) -> None:
    id = two.candidate_on_both("worse")
    two.far.kill()
    try:
        done = two.command(id)
    finally:
        two.far.start()
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count(": serves it") == 1
    assert "unknown: it does not answer (ConnectError); last heard of at" in done.stdout
    until(lambda: not two.met(two.far, shown(two.desk, id)["change"]["candidate"]), 30, "its next snapshot")
    reached(two.desk, id, "rolled_back", seconds=400)


def test_what_is_not_the_cores_or_older_is_refused(two: Two) -> None:
    data = two.desk.core.data / "gateway"
    held = (data / "snapshot.bin").read_bytes()
    epoch = two.desk.gateway.epoch()
    with httpx2.Client(
        transport=httpx2.HTTPTransport(uds=str(data / "admin.sock")), base_url="http://gateway", timeout=20
    ) as door:
        forged = door.put("/snapshot", content=held[:-1] + bytes([held[-1] ^ 1]))
        assert forged.status_code == 422 and "not what the core signed" in forged.json()["detail"]
        assert door.put("/snapshot", content=b"").status_code == 422
        assert door.put("/elsewhere", content=held).status_code == 404
        post(two.desk, "/api/v1/change-rules/freezes", reason="moves no epoch")
        two.configure(concurrency=77)
        until(lambda: two.desk.gateway.epoch() > epoch, 30, "a later epoch")
        older = door.put("/snapshot", content=held)
        assert older.status_code == 409 and "older" in older.json()["detail"]
        assert door.get("/epoch").json()["epoch"] == two.desk.gateway.epoch()
    assert (data / "admin.sock").stat().st_mode & 0o077 == 0
    for one in two.desk.core.client.get("/api/v1/change-rules/freezes", headers=two.desk.headers).json():
        two.desk.core.client.delete(f"/api/v1/change-rules/freezes/{one['id']}", headers=two.desk.headers)
    with socket.create_connection(two.far.settings["HOLDFAST_GATEWAY_ADMIN"].rsplit(":", 1)) as half:
        half.sendall(b"PUT /snapshot HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\n\r\n")
        assert b" 413 " in half.recv(4000)


def test_gateways_that_hear_nothing_go_back_by_themselves(two: Two) -> None:
    at = two.desk
    id = two.candidate_on_both("forgotten")
    candidate, baseline = (shown(at, id)["change"][name] for name in ("candidate", "baseline"))
    at.core.kill()
    try:
        assert two.met(two.far, candidate), "it goes on as it was, for a while"
        for gateway in two.gateways:
            heard = gateway.data / "gateway" / "heard"
            os.utime(heard, (time.time() - 61,) * 2)
            until(lambda g=gateway: not two.met(g, candidate), 30, "the release before")
            assert two.ask(gateway, "somebody") == baseline
    finally:
        at.core.start()
    for gateway in two.gateways:
        until(
            lambda g=gateway: two.met(g, candidate),
            60,
            "the candidate once more, since nobody rolled it back",
        )
    post(at, "/api/v1/rollbacks", route="r", reason="over")
    reached(at, id, "rolled_back", seconds=240)
