"""Gateway and core killed at random under load: no call that a client was answered is lost, none is counted twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_gateway import GatewayProcess
from vendor import Vendor

from holdfast.commands import gateway as commands
from running_core import NO_TLS, CoreProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CLIENTS = 6


class Clients:
    """They ask as fast as they can, and note the calls of which they were told the whole answer."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.answered: set[str] = set()
        self.enough = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=[n], daemon=True) for n in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, number: int) -> None:
        chance = random.Random(number)
        body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        while not self.enough.is_set():
            streamed = chance.random() < 0.5
            try:
                got = httpx2.post(
                    self.url + "/v1/chat/completions", json={**body, "stream": streamed}, verify=NO_TLS,
                    headers={"authorization": f"Bearer {self.key}"}, timeout=10,
                )  # fmt: skip
            except httpx2.TransportError:
                self.enough.wait(0.05)
                continue
            if got.status_code == 200 and (not streamed or got.content.endswith(b"data: [DONE]\n\n")):
                self.answered.add(got.headers["x-holdfast-call-id"])


@pytest.fixture
def core(tmp_path: Path) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1").start()
    yield made
    made.kill()


def stored(core: CoreProcess, key: str) -> list[str]:
    """The span of every counted call."""
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        params = {"limit": 500, **cursor}
        answer = core.client.get(
            "/api/v1/calls", params=params, headers={"authorization": f"Bearer {key}"}
        ).json()
        found += [call["span_id"] for call in answer["calls"]]
        if answer["next_cursor"] is None:
            return found
        cursor = {"cursor": answer["next_cursor"]}


def test_no_answered_call_is_lost_and_none_is_doubled(
    core: CoreProcess, vendor: Vendor, tmp_path: Path
) -> None:
    workspace = core.workspace("main", scopes="gateway,read")
    file = tmp_path / "gateway.yaml"
    file.write_text(f"upstreams: {{one: {{dialect: openai, base_url: '{vendor.url}/v1'}}}}")
    commands.apply(core.settings, file, "main", "", None, dry_run=False)
    gateway = GatewayProcess(core.data)
    gateway.start()
    clients = Clients(f"http://127.0.0.1:{gateway.port}", workspace.key)
    chance = random.Random(7)
    try:
        clients.start()
        for turn in ("worker", "core", "gateway", "worker", "core", "worker"):
            told = len(clients.answered) + chance.randrange(60, 150)
            until(lambda told=told: len(clients.answered) >= told, 60, "answers")  # type: ignore[misc]
            if turn == "worker":
                gateway.kill_a_worker()
            elif turn == "gateway":
                gateway.kill()
                gateway.start()
            else:
                core.kill()
                away = len(clients.answered) + 30
                until(lambda away=away: len(clients.answered) >= away, 60, "answers without a core")  # type: ignore[misc]
                core.start()
        clients.stop()
        assert gateway.process is not None
        gateway.process.terminate()
        gateway.process.wait(60)
        assert gateway.waiting() == 0, (tmp_path / "gateway.log").read_text()[-3000:]
        workspace.count()
        calls = stored(core, workspace.key)
        assert len(calls) == len(set(calls)), "none is counted twice"
        lost = clients.answered - set(calls)
        assert not lost, f"{len(lost)} of {len(clients.answered)} are lost; {len(calls)} are stored"
        assert len(calls) <= vendor.meter["asked"]
    finally:
        clients.stop()
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()
