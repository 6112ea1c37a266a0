"""Client keys and what they stand for; passes of the core; requests that people try out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.gateway.control.desk import Desk, document
from tests.gateway.running_gateway import GatewayProcess
from tests.gateway.vendor import Vendor
from tests.platform.access.house import House, make_app, served

from holdfast.gateway import keys, wiring
from holdfast.gateway.actions import keys as actions
from holdfast.gateway.model import KeyUse, Pass
from holdfast.gateway.reads import applied
from holdfast.gateway.reads.states import States
from holdfast.gateway.states import KeyUsed, State
from holdfast.kernel.errors import Invalid, NotFound, Unauthenticated
from holdfast.platform.access.guard import EVERYWHERE
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.pricing.reads import Pricer
from holdfast.storage.sql import Database
from running_core import CoreProcess, until
from stand import free_port

PATH = "/api/v1/gateway/keys"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_pass_is_the_cores_own_and_ends() -> None:
    signer, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    told = Pass("ws_1", "key_1", NOW + timedelta(minutes=5))
    text = keys.made_pass(signer, told)
    public = keys.public_bytes(signer)
    assert keys.opened_pass(public, text, NOW) == told
    raw = base64.urlsafe_b64decode(text.removeprefix(keys.PASS))
    changed = keys.PASS + base64.urlsafe_b64encode(raw.replace(b"ws_1", b"ws_2")).decode()
    snapshot = keys.sign(signer, b"x")  # what else it signs is no pass
    forged = keys.PASS + base64.urlsafe_b64encode(snapshot.signature + snapshot.body).decode()
    for public_, text_, at in (
        (public, changed, NOW),
        (public, forged, NOW),
        (public, "hfp_", NOW),
        (public, "hfp_é", NOW),
        (keys.public_bytes(other), text, NOW),
        (b"", text, NOW),
        (public, text, told.expires_at),
    ):
        with pytest.raises(Unauthenticated):
            keys.opened_pass(public_, text_, at)


def caller(desk: Desk, slug: str = "acme") -> Caller:
    ctx = desk.ctx(slug)
    with desk.database.reading() as tx:
        workspace = tenancy.workspace_by_id(tx, ctx.workspace)
    return Caller(ctx, workspace, {scope: EVERYWHERE for scope in Scope})


def uses(desk: Desk, by: Caller) -> dict[str, KeyUse]:
    with desk.database.reading() as tx:
        found = applied.current(by.ctx, tx)
    return dict(found.configuration.keys) if found else {}


def test_what_a_key_stands_for_is_the_configurations_next_version(desk: Desk) -> None:
    by = caller(desk)
    desk.apply(by.ctx, document())
    with desk.database.transaction() as tx:
        made, text = actions.make_key(by, tx, "the shop", KeyUse(system="shop", routes=("chat",)))
    assert text.startswith("hf_")
    assert uses(desk, by) == {made.id: KeyUse(system="shop", routes=("chat",))}
    assert desk.version(by.ctx) == 2
    with desk.database.transaction() as tx:
        actions.put_use(by.ctx, tx, made.id, KeyUse(tenant="acme"))
        actions.put_use(by.ctx, tx, made.id, KeyUse(tenant="acme"))
    assert (uses(desk, by), desk.version(by.ctx)) == ({made.id: KeyUse(tenant="acme")}, 3)
    with pytest.raises(Invalid), desk.database.transaction() as tx:
        actions.make_key(by, tx, "wrong", KeyUse(routes=("nowhere",)))
    reader, _ = desk.key(by.ctx, Scope.READ)
    for other, key in ((by, reader), (caller(desk, "birch"), made.id)):
        with pytest.raises(NotFound), desk.database.transaction() as tx:
            actions.put_use(other.ctx, tx, key, KeyUse(system="x"))
        with pytest.raises(NotFound), desk.database.transaction() as tx:
            actions.revoke_key(other.ctx, tx, key)
    with desk.database.transaction() as tx:
        actions.revoke_key(by.ctx, tx, made.id)
    assert uses(desk, by) == {}


@pytest.fixture
def house(database: Database, clock: Any, tmp_path: Path, states: States) -> Iterator[House]:
    settings = Settings(data=tmp_path, outbound_allow="127.0.0.1", gateway_port=free_port())
    app = make_app(database, settings, clock)
    wiring.install(app, app.state.frame, app.state.services)
    app.state.gateway_states = states
    app.state.gateway_pricer = Pricer()
    with served(app) as url:
        yield House(database, settings, clock, url)


def test_keys_over_http_say_what_they_stand_for_and_never_their_text(
    house: House, states: States, clock: Any
) -> None:
    workspace = house.workspace("acme").id
    text = house.key("acme", Scope.GATEWAY)
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        admin.put("/api/v1/gateway", json=document())
        first = next(one for one in admin.get(PATH).json() if text.startswith(one["prefix"]))
        assert (first["system"], first["used_at"]) == ("", None)
        used = (KeyUsed(workspace, first["id"], clock()), KeyUsed("ws_other", first["id"], clock()))
        states.put(State(id="gw", epoch=1, version="", started_at=clock(), at=clock(), keys=used))
        answer = admin.put(f"{PATH}/{first['id']}", json={"system": "shop", "models": ["chat"]})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["system"], answer.json()["models"]) == ("shop", ["chat"])
        assert answer.json()["used_at"] is not None
        assert text not in admin.get(PATH).text + answer.text
        assert admin.put(f"{PATH}/{first['id']}", json={"routes": ["nowhere"]}).status_code == 422
        assert admin.put(f"{PATH}/key_none", json={}).status_code == 404
    for key in (house.key("acme", Scope.READ), house.key("acme", Scope.OPERATE)):
        with house.client(key) as client:
            assert client.get(PATH).status_code == 403
    with house.client(house.key("birch", Scope.ADMIN)) as other:
        assert first["id"] not in other.get(PATH).text
        assert other.put(f"{PATH}/{first['id']}", json={}).status_code == 404


def test_what_cannot_be_tried(house: House) -> None:
    asked = {"model": "chat", "message": "hello"}
    with house.client(house.key("acme", Scope.READ)) as reader:
        assert reader.post("/api/v1/gateway/try", json=asked).status_code == 403
    with house.client(house.key("acme", Scope.OPERATE)) as operator:
        answer = operator.post("/api/v1/gateway/try", json=asked)
        assert (answer.status_code, "no gateway answers at" in answer.text) == (503, True)
        for changed in (
            {"message": " "},
            {"model": ""},
            {"max_tokens": 0},
            {"dialect": "gemini"},
            {"key": "key_x"},
        ):
            assert operator.post("/api/v1/gateway/try", json={**asked, **changed}).status_code == 422, changed


def test_a_request_is_tried_under_a_keys_rules_and_recorded(tmp_path: Path) -> None:
    vendor, port = Vendor(), free_port()
    vendor.start()
    core = CoreProcess(
        tmp_path / "data", outbound_allow="127.0.0.1", gateway_url=f"http://127.0.0.1:{port}"
    ).start()
    gateway = GatewayProcess(core.data, port)
    try:
        desk = core.workspace("acme", "read,admin,operate,gateway")
        headers = {"authorization": f"Bearer {desk.key}"}
        upstream = {"dialect": "openai", "base_url": vendor.url + "/v1", "models": ["gpt-4o-mini", "other"]}
        spare = {"dialect": "anthropic", "base_url": vendor.url + "/v1", "models": ["claude-haiku-4-5"]}
        mine = core.client.get(PATH, headers=headers).json()[0]["id"]
        written = {
            "upstreams": {"main": upstream, "spare": spare},
            "releases": {
                "v1": {
                    "chain": [
                        {"upstream": "main", "model": "gpt-4o-mini"},
                        {"upstream": "spare", "model": "claude-haiku-4-5"},
                    ]
                }
            },
            "routes": {"support": {"release": "v1", "models": ["support"], "system": "desk"}},
            "keys": {mine: {"routes": ["support"]}},
        }
        made = core.client.put("/api/v1/gateway", json=written, headers=headers)
        assert made.status_code == 200, made.text
        gateway.start()
        vendor.tell("gpt-4o-mini", "500")

        def tried(**asked: Any) -> dict[str, Any]:
            body = {"model": "support", "message": "hello", **asked}
            answer = core.client.post("/api/v1/gateway/try", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        until(lambda: tried()["status"] == 200, 20, "the first answer")
        found = tried(key=mine, tenant="acmé")
        assert (found["status"], found["upstream"], found["error"]) == (200, "spare", "")
        assert found["answer"] == "Hello there, friend."
        assert found["attempts"] == ["main gpt-4o-mini: 500"]
        assert any("route support" in step for step in found["explained"]["steps"])
        assert found["explained"]["dimensions"]["feature"] == "try-it"
        refused = tried(key=mine, model="other")
        assert (refused["status"], refused["answer"]) == (403, "")
        assert "may not use the route" in refused["error"]
        assert tried(model="other")["status"] == 200

        def recorded() -> bool:
            calls = desk.get("calls", feature="try-it", tenant="acmé", attempt="false")["calls"]
            return [one["trace_id"] for one in calls] == [found["trace_id"]]

        until(recorded, 30, "the call of the trial")
    finally:
        gateway.kill()
        core.stop()
        vendor.stop()
