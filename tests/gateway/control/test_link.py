"""The door for gateway processes, on the sockets of a real core."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from tests.gateway.control.desk import document
from tests.gateway.control.test_budgets_told import standing

from holdfast.commands import CLI
from holdfast.gateway import actions, keys
from holdfast.gateway.model import Signed, Snapshot
from holdfast.gateway.states import State
from holdfast.kernel.context import Context
from holdfast.kernel.time import utc_now
from holdfast.platform.audit import store as audit_store
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database
from otlp_made import body, span
from running_core import CoreProcess

TOKEN = "a-token-of-gateways"
MSGPACK = "application/msgpack"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    data = tmp_path_factory.mktemp("core") / "data"
    made = CoreProcess(data, gateway_token=TOKEN, outbound_allow="127.0.0.1").start()
    yield made
    made.stop()


@pytest.fixture
def near(core: CoreProcess) -> Iterator[httpx2.Client]:
    """A gateway on the same machine."""
    transport = httpx2.HTTPTransport(uds=str(core.data / "core.sock"))
    with httpx2.Client(transport=transport, base_url="http://core", timeout=30) as client:
        yield client


@pytest.fixture
def far(core: CoreProcess) -> Iterator[httpx2.Client]:
    """A gateway that comes over TCP with the token."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{core.port}", headers=headers, timeout=30) as client:
        yield client


def snapshot_of(client: httpx2.Client, answer: httpx2.Response) -> Snapshot:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MSGPACK
    signed = msgspec.msgpack.decode(answer.content, type=Signed)
    public = client.get("/gateway/v1/key").content
    return msgspec.msgpack.decode(keys.verified(public, signed), type=Snapshot)


def apply(core: CoreProcess, slug: str, told: dict[str, Any]) -> str:
    """Applies as another process would; the workspace's id."""
    settings = core.settings.model_copy(update={"outbound_allow": "127.0.0.1"})
    database = Database(settings.sql)
    try:
        judged = actions.judge(settings, told)
        with database.transaction() as tx:
            workspace = tenancy.workspace_by_slug(tx, slug).id
            actions.apply(Context(workspace, CLI, utc_now()), tx, judged)
        return workspace
    finally:
        database.close()


@pytest.mark.parametrize("how", ["near", "far"])
def test_a_gateway_gets_what_was_applied(core: CoreProcess, how: str, request: pytest.FixtureRequest) -> None:
    client: httpx2.Client = request.getfixturevalue(how)
    made = core.workspace(scopes="gateway")
    workspace = apply(core, made.slug, document())
    found = snapshot_of(client, client.get("/gateway/v1/snapshot"))
    assert found.workspaces[workspace].slug == made.slug
    assert found.workspaces[workspace].configuration.routes["chat"].models == ("chat",)
    assert workspace in {one.workspace for one in found.keys.values()}
    began = time.monotonic()
    assert client.get(f"/gateway/v1/snapshot?after={found.epoch}&wait=1").status_code == 204
    assert time.monotonic() - began >= 0.9
    assert client.get(f"/gateway/v1/snapshot?after={found.epoch - 1}").status_code == 200


def test_who_waits_is_woken_within_a_second_of_a_change(core: CoreProcess, near: httpx2.Client) -> None:
    made = core.workspace(scopes="gateway")
    before = snapshot_of(near, near.get("/gateway/v1/snapshot"))
    woken: list[tuple[float, httpx2.Response]] = []

    def wait() -> None:
        answer = near.get(f"/gateway/v1/snapshot?after={before.epoch}")
        woken.append((time.monotonic(), answer))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(1.2)
    assert not woken, "it answered before anything changed"
    workspace = apply(core, made.slug, document())  # by another process than the core
    changed = time.monotonic()
    thread.join(20)
    (at, answer), *_ = woken
    assert at - changed < 1.5  # a second, and what a loaded machine takes to make the snapshot
    after = snapshot_of(near, answer)
    assert after.epoch > before.epoch
    assert after.workspaces[workspace].version == 1


def test_a_changed_byte_is_noticed(near: httpx2.Client) -> None:
    signed = msgspec.msgpack.decode(near.get("/gateway/v1/snapshot").content, type=Signed)
    public = near.get("/gateway/v1/key").content
    assert keys.verified(public, signed) == signed.body
    for place in range(0, len(signed.body), max(1, len(signed.body) // 40)):
        changed = bytearray(signed.body)
        changed[place] ^= 1
        with pytest.raises(keys.Denied):
            keys.verified(public, Signed(bytes(changed), signed.signature))
    for place in range(64):
        forged = bytearray(signed.signature)
        forged[place] ^= 1
        with pytest.raises(keys.Denied):
            keys.verified(public, Signed(signed.body, bytes(forged)))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "snapshot"), ("GET", "key"), ("POST", "state"), ("POST", "records/ws_x"), ("GET", "nothing")],
)
def test_nobody_else_is_answered(core: CoreProcess, method: str, path: str) -> None:
    key = core.workspace(scopes="gateway,admin,ingest").key
    for sent in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {key}"}):
        answer = core.client.request(method, f"/gateway/v1/{path}", headers=sent)
        assert answer.status_code == 401, (sent, answer.text)
        assert TOKEN not in answer.text


def test_without_a_token_nobody_is_let_in_over_tcp(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data").start()
    try:
        for sent in ({}, {"authorization": "Basic x"}, {"authorization": "Bearer x"}):
            answer = core.client.get("/gateway/v1/snapshot", headers=sent)
            assert answer.status_code == 403
            assert "HOLDFAST_GATEWAY_TOKEN" in answer.json()["detail"]
    finally:
        core.stop()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_record_becomes_a_counted_call(core: CoreProcess, near: httpx2.Client, pack: Any) -> None:
    made = core.workspace(scopes="ingest,read")
    workspace = apply(core, made.slug, document())
    sent = {"content-type": "application/x-protobuf"}
    if pack is gzip.compress:
        sent["content-encoding"] = "gzip"
    answer = near.post(
        f"/gateway/v1/records/{workspace}", content=pack(body([span("11" * 16, "22" * 8)])), headers=sent
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert made.count() == (1, 1)


def test_records_that_cannot_be_taken(core: CoreProcess, near: httpx2.Client) -> None:
    workspace = apply(core, core.workspace().slug, document())
    sent = {"content-type": "application/x-protobuf"}
    assert near.post("/gateway/v1/records/ws_nobody", content=b"", headers=sent).status_code == 404
    url = f"/gateway/v1/records/{workspace}"
    assert near.post(url, content=b"\xff\xff", headers=sent).status_code == 400
    assert near.get(url).status_code == 405
    assert near.post(url, content=b"x", headers={"content-type": "text/plain"}).status_code == 415


def test_a_gateway_says_how_it_is(core: CoreProcess, near: httpx2.Client) -> None:
    now = datetime.now(UTC)
    state = State(id="gw_1", epoch=3, version="0.1.0", started_at=now, at=now)
    answer = near.post("/gateway/v1/state", content=msgspec.msgpack.encode(state))
    assert (answer.status_code, answer.content) == (204, b"")
    assert near.post("/gateway/v1/state", content=b"\x00").status_code == 422
    assert near.post("/gateway/v1/state", content=b"x" * (5 << 20)).status_code == 413
    assert near.get("/gateway/v1/state").status_code == 405
    assert near.get("/gateway/v1/snapshot?after=x").status_code == 422


def test_the_core_ends_at_once_while_gateways_wait(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data").start()
    transport = httpx2.HTTPTransport(uds=str(core.data / "core.sock"))
    told: list[object] = []
    with httpx2.Client(transport=transport, base_url="http://core", timeout=30) as client:
        epoch = snapshot_of(client, client.get("/gateway/v1/snapshot")).epoch

        def wait() -> None:
            try:
                told.append(client.get(f"/gateway/v1/snapshot?after={epoch}").status_code)
            except httpx2.TransportError as error:
                told.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(2)
        assert client.get("/gateway/v1/key").status_code == 200, "what was sent before was read before"
        assert not told, "it waits"
        core.stop()
        waiting.join(30)
    assert told == [204], core.log.read_text()[-2000:]


def test_a_crossed_budget_is_kept_before_the_gateway_is_answered_and_once_over_a_restart(
    tmp_path: Path,
) -> None:
    core = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1").start()
    workspace = apply(core, core.workspace("acme", "read").slug, document())
    crossed = standing(workspace)
    now = datetime.now(UTC)
    state = State(id="gw_1", epoch=3, version="0.1.0", started_at=now, at=now, events=(crossed,))
    transport = httpx2.HTTPTransport(uds=str(core.data / "core.sock"))
    with httpx2.Client(transport=transport, base_url="http://core", timeout=30) as near:
        for _ in range(2):
            assert near.post("/gateway/v1/state", content=msgspec.msgpack.encode(state)).status_code == 204
        core.stop()
        core.start()
        assert near.post("/gateway/v1/state", content=msgspec.msgpack.encode(state)).status_code == 204
    core.stop()
    database = Database(core.settings.sql)
    with database.reading() as tx:
        told = [one.action for one in audit_store.entries_from(tx, workspace, 0, 100)]
    database.close()
    assert told.count("gateway.budget_crossed") == 1
