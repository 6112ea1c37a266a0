"""Who waits for a snapshot, on both control stores: woken by a change that another process made, and let go in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import msgspec
import pytest
from tests.gateway.control.desk import Desk, document
from tests.platform.access.house import served

from holdfast.gateway import keys
from holdfast.gateway.link import Link
from holdfast.gateway.model import Signed, Snapshot
from holdfast.gateway.reads.states import States
from holdfast.kernel.errors import Unavailable
from holdfast.platform.settings import Settings
from holdfast.pricing.reads import Pricer
from holdfast.storage.sql import Database

TOKEN = "a-token-of-gateways"


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return Pricer()


@dataclass
class Door:
    """A link on a socket, and a gateway's client for it."""

    link: Link
    client: httpx2.Client
    desk: Desk

    def snapshot(self, query: str = "") -> Snapshot:
        answer = self.client.get(f"/gateway/v1/snapshot{query}")
        assert answer.status_code == 200, answer.text
        signed = msgspec.msgpack.decode(answer.content, type=Signed)
        key = keys.load(self.desk.settings.data)
        return msgspec.msgpack.decode(keys.verified(keys.public_bytes(key), signed), type=Snapshot)


def served_link(desk: Desk, pricer: Pricer) -> Iterator[Door]:
    async def deliver(*_: Any) -> None:
        raise AssertionError("no records here")

    link = Link(desk.services, States(desk.clock), deliver, pricer)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with served(link) as url, httpx2.Client(base_url=url, headers=headers, timeout=40) as client:  # type: ignore[arg-type]
        yield Door(link, client, desk)


@pytest.fixture
def door(desk: Desk, pricer: Pricer) -> Iterator[Door]:
    desk.settings = desk.settings.model_copy(
        update={"gateway_token": Settings(gateway_token=TOKEN).gateway_token}
    )
    yield from served_link(desk, pricer)


def in_background(ask: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(ask()))
    thread.start()
    return thread, found


def test_many_are_woken_by_a_change_of_another_process(door: Door) -> None:
    ctx = door.desk.ctx()
    before = door.snapshot().epoch
    waiting = [in_background(lambda: door.snapshot(f"?after={before}")) for _ in range(5)]
    waiting[0][0].join(1.0)
    assert not any(found for _, found in waiting)
    another = Database(door.desk.database.engine.url.render_as_string(hide_password=False))
    began = time.monotonic()
    replace(door.desk, database=another).apply(ctx, document())
    for thread, _ in waiting:
        thread.join(20)
    assert time.monotonic() - began < 5  # a second on an idle machine
    another.close()
    for _, (found,) in waiting:
        assert found.epoch > before
        assert found.workspaces[ctx.workspace].version == 1
    assert len({found.made_at for _, (found,) in waiting}) == 1


def test_nobody_waits_where_the_process_is_about_to_end(door: Door) -> None:
    epoch = door.snapshot().epoch
    ending = threading.Event()
    door.link.closing = ending.is_set
    thread, found = in_background(lambda: door.client.get(f"/gateway/v1/snapshot?after={epoch}").status_code)
    thread.join(0.8)
    assert not found
    ending.set()
    thread.join(5)
    assert found == [204]


def test_an_epoch_that_is_ahead_gets_the_snapshot_too(door: Door) -> None:
    """A control store that was restored from a backup counts on from earlier."""
    assert door.snapshot("?after=999999").epoch == door.desk.epoch()


def test_a_gateway_that_leaves_is_waited_for_no_longer(desk: Desk, pricer: Pricer) -> None:
    sent: list[dict[str, Any]] = []

    async def ask() -> float:
        async def deliver(*_: Any) -> None: ...

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        link = Link(desk.services, States(desk.clock), deliver, pricer)
        query = f"after={desk.epoch()}".encode()
        scope = {"path": "/gateway/v1/snapshot", "method": "GET", "headers": [], "query_string": query}
        began = time.monotonic()
        await link({**scope, "holdfast.local": True}, receive, send)
        return time.monotonic() - began

    assert asyncio.run(ask()) < 5


def test_a_store_that_is_away_is_said_so(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> int:
        raise Unavailable("the control store does not answer; try again", retry_after=5)

    monkeypatch.setattr("holdfast.gateway.reads.snapshot.epoch", away)
    answer = door.client.get("/gateway/v1/snapshot")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("kind", ["env", "file"])
def test_the_token_may_be_a_reference(
    desk: Desk, pricer: Pricer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN_OF_GATEWAYS", TOKEN)
    file = desk.settings.data / "token"
    file.write_text(TOKEN + "\n")
    reference = {"env": "env:A_TOKEN_OF_GATEWAYS", "file": f"file:{file}"}[kind]
    desk.settings = desk.settings.model_copy(
        update={"gateway_token": Settings(gateway_token=reference).gateway_token}
    )
    for door in served_link(desk, pricer):
        assert door.snapshot().epoch == desk.epoch()
        literal = door.client.get("/gateway/v1/key", headers={"authorization": f"Bearer {reference}"})
        assert literal.status_code == 401


def test_a_key_that_others_may_read_is_not_used(door: Door) -> None:
    door.snapshot()
    path = door.desk.settings.data / "keys" / "gateway.key"
    assert path.stat().st_mode & 0o777 == 0o600
    first = door.client.get("/gateway/v1/key").content
    assert len(first) == 32
    path.chmod(0o640)
    answer = door.client.get("/gateway/v1/key")
    assert answer.status_code == 503 and "chmod 600" in answer.text
    path.chmod(0o600)
    path.write_text("nothing")
    assert door.client.get("/gateway/v1/key").status_code == 503


def test_of_two_that_make_the_key_at_once_both_use_one(desk: Desk) -> None:
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(keys.public_bytes(keys.load(desk.settings.data))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made) == 8 and len(set(made)) == 1
