"""Prompts, flags and deployments over a real core: the same share as the gateway, entity tags, labels, announcements."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.gateway.control.desk import document

from holdfast.client import Missing, Prompts
from holdfast.gateway import actions as gateway
from holdfast.gateway.model import Dimensions, Route, Traffic, Variant
from holdfast.gateway.reads import applied
from holdfast.gateway.rules.splitting import chosen, sticky_key
from holdfast.kernel.context import Actor, Context
from holdfast.kernel.time import utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.registry import actions as registry
from holdfast.registry.model import Kind
from holdfast.storage.sql import Database
from running_core import CoreProcess, Workspace

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv/openfeature/bin/python"
PROMPT = {
    "messages": [{"role": "system", "content": "Help {{name}}."}],
    "variables": {"name": {"type": "string"}},
}


class Place:
    """A workspace with a route `chat` whose release has a prompt."""

    def __init__(self, core: CoreProcess) -> None:
        self.core = core
        self.door: Workspace = core.workspace(scopes="read,operate,admin")
        self.database = Database(core.settings.sql)
        with self.database.reading() as tx:
            self.id = tenancy.workspace_by_slug(tx, self.door.slug).id
        written = document()
        self.old = self.release("Help {{name}}.")
        written["releases"] = {
            "one": {"chain": [{"upstream": "main", "model": "gpt-4o-mini"}], "prompt": PROMPT}
        }
        written["routes"] = {"chat": {"release": "one"}}
        judged = gateway.judge(Settings(data=core.data, outbound_allow="127.0.0.1"), written)
        with self.database.transaction() as tx:
            gateway.apply(self.ctx, tx, judged)
        with self.database.reading() as tx:
            version = applied.current(self.ctx, tx)
        assert version is not None
        self.old = version.release_ids["one"]

    @property
    def ctx(self) -> Context:
        return Context(self.id, Actor("cli", "tester", "Tester"), utc_now())

    def release(self, text: str) -> str:
        body = {**PROMPT, "messages": [{"role": "system", "content": text}]}
        with self.database.transaction() as tx:
            made = registry.register(
                self.ctx,
                tx,
                body={},
                components={
                    Kind.PROMPT: body,
                    Kind.MODEL: {"chain": [{"upstream": "main", "model": "gpt-4o-mini"}], "parameters": {}},
                },
            )
        return made.id

    def split(self, new: str, share: int) -> Traffic:
        variants = (Variant(release=self.old, weight=100 - share), Variant(release=new, weight=share))
        made = Traffic(variants=variants, stable=self.old)
        with self.database.transaction() as tx:
            gateway.put_traffic(self.ctx, tx, "chat", made, "chg_test")
        return made

    def version(self, text: str, name: str = "chat") -> int:
        body = {**PROMPT, "messages": [{"role": "system", "content": text}]}
        with self.database.transaction() as tx:
            return registry.add_version(self.ctx, tx, kind=Kind.PROMPT, name=name, body=body).number

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.door.key}", **more.pop("headers", {})}
        return self.core.client.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(
        tmp_path_factory.mktemp("applications") / "data", outbound_allow="127.0.0.1", min_free_bytes=1
    )
    yield made.start()
    made.stop()


@pytest.fixture
def place(core: CoreProcess) -> Iterator[Place]:
    made = Place(core)
    yield made
    made.database.close()


def expected(traffic: Traffic, session: str) -> str:
    found = chosen(traffic.variants, sticky_key("chat", Route(), Dimensions(session=session), ""))
    assert found is not None
    return found.release


def test_the_prompt_is_that_of_the_release_that_the_gateway_would_choose(place: Place) -> None:
    assert place.ask("GET", "/api/v1/prompts/chat").json()["release"] == place.old
    new = place.release("Help {{name}} briefly.")
    traffic = place.split(new, 40)
    got = {}
    for number in range(40):
        found = place.ask("GET", "/api/v1/prompts/chat", params={"key": f"s{number}"}).json()
        got[f"s{number}"] = found["release"]
        said = "Help {{name}} briefly." if found["release"] == new else "Help {{name}}."
        assert found["messages"][0]["content"] == said
    assert got == {one: expected(traffic, one) for one in got} and set(got.values()) == {place.old, new}
    named = place.ask("GET", "/api/v1/prompts/chat", params={"session": "s1", "key": "another"}).json()
    assert named["release"] == got["s1"], "a dimension that is said goes before the key"
    whole = place.ask("GET", "/api/v1/prompts/chat").json()
    assert (whole["release"], whole["stable"], whole["split"]) == (place.old, True, True)
    begun = next(one for one, release in got.items() if release == place.old)
    kept = place.ask("GET", "/api/v1/prompts/chat", params={"key": begun, "began": new}).json()
    assert kept["release"] == new, "a conversation keeps the release that it began on"


def test_an_entity_tag_spares_what_did_not_change(place: Place) -> None:
    first = place.ask("GET", "/api/v1/prompts/chat")
    assert first.headers["cache-control"] == "private, max-age=5"
    tag = first.headers["etag"]
    again = place.ask("GET", "/api/v1/prompts/chat", headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    place.split(place.release("Another."), 100)
    moved = place.ask("GET", "/api/v1/prompts/chat", headers={"if-none-match": tag})
    assert moved.status_code == 200 and moved.headers["etag"] != tag


def test_labels_move_but_production_only_by_a_change(place: Place) -> None:
    place.version("Help {{name}}.")
    second = place.version("Help {{name}} with care.")
    assert place.ask("GET", "/api/v1/prompts/chat").json()["version"] == 1, (
        "what the route serves is version 1"
    )
    latest = place.ask("GET", "/api/v1/prompts/chat", params={"label": "latest"}).json()
    assert (latest["version"], latest["release"], latest["messages"][0]["content"]) == (
        second,
        None,
        "Help {{name}} with care.",
    )
    assert place.ask("PUT", "/api/v1/prompts/chat/labels/staging", json={"number": 2}).status_code == 200
    staged = place.ask("GET", "/api/v1/prompts/chat", params={"label": "staging"}).json()
    assert (staged["version"], staged["labels"]) == (2, ["staging"])
    for label in ("production", "latest"):
        refused = place.ask("PUT", f"/api/v1/prompts/chat/labels/{label}", json={"number": 2})
        assert refused.status_code == 409
        assert label != "production" or "open a change" in refused.text
    assert place.ask("PUT", "/api/v1/prompts/chat/labels/staging", json={"number": 9}).status_code == 404
    assert place.ask("DELETE", "/api/v1/prompts/chat/labels/staging").status_code == 204
    assert place.ask("GET", "/api/v1/prompts/chat", params={"label": "staging"}).status_code == 404
    assert place.ask("GET", "/api/v1/prompts/chat", params={"version": 2}).json()["version"] == 2


def test_flags_are_evaluated_as_openfeature_says(place: Place) -> None:
    flag = "/ofrep/v1/evaluate/flags/chat"
    found = place.ask("POST", flag, json={"context": {"targetingKey": "s1"}}).json()
    assert (found["key"], found["variant"], found["reason"]) == ("chat", place.old, "STATIC")
    assert found["value"]["messages"] == PROMPT["messages"]
    new = place.release("Briefly.")
    traffic = place.split(new, 50)
    for number in range(20):
        context = {"context": {"targetingKey": f"s{number}"}}
        found = place.ask("POST", f"{flag}:release", json=context).json()
        assert (found["value"], found["reason"]) == (expected(traffic, f"s{number}"), "SPLIT")
    missing = place.ask("POST", flag, json={})
    assert (missing.status_code, missing.json()["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    for sent, code in ((b"{", "PARSE_ERROR"), (b'{"context": 3}', "INVALID_CONTEXT")):
        bad = place.ask("POST", flag, content=sent)
        assert (bad.status_code, bad.json()["errorCode"], bad.json()["key"]) == (400, code, "chat")
    gone = place.ask("POST", "/ofrep/v1/evaluate/flags/none", json={})
    assert (gone.status_code, gone.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    body = {"context": {"targetingKey": "s1"}}
    bulk = place.ask("POST", "/ofrep/v1/evaluate/flags", json=body)
    assert [one["variant"] for one in bulk.json()["flags"]] == [expected(traffic, "s1")]
    tagged = {"if-none-match": bulk.headers["etag"]}
    assert place.ask("POST", "/ofrep/v1/evaluate/flags", json=body, headers=tagged).status_code == 304
    bare = place.core.client.post(flag, json=body, headers={"x-api-key": place.door.key})
    assert bare.status_code == 200
    assert place.core.client.post(flag, json=body, headers={"x-api-key": "hf_no"}).status_code == 401


def test_the_official_openfeature_provider_gets_what_the_gateway_chooses(place: Place) -> None:
    if not PYTHON.exists():
        pytest.skip("its environment is not there: make .venv/.stamps/clients")
    traffic = place.split(place.release("Briefly."), 50)
    people = [f"s{number}" for number in range(12)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {
        "CLIENT_URL": f"http://127.0.0.1:{place.core.port}",
        "CLIENT_KEY": place.door.key,
        "PYTHONPATH": "",
    }
    command = [PYTHON, Path(__file__).with_name("openfeature_official.py"), json.dumps([*people, ""])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=True)
    told = json.loads(done.stdout)
    *found, nobody = told["found"]
    for person, (value, variant, reason, name, code) in zip(people, found, strict=True):
        chose = expected(traffic, person)
        assert (value["release"], variant, name, code) == (chose, chose, chose, None)
        assert reason.endswith("SPLIT")
    assert nobody[3:] == ["none", "TARGETING_KEY_MISSING"], "its own default, and why"
    assert told["gone"] == [{"mine": True}, "FLAG_NOT_FOUND"]


def test_a_deployment_is_announced_once(place: Place) -> None:
    body = {"id": "ci-1", "system": "shop", "commit": "abc", "at": "2026-01-05T10:00:00Z", "author": "Ann"}
    first = place.ask("POST", "/api/v1/deployments", json=body)
    again = place.ask("POST", "/api/v1/deployments", json=body)
    assert (first.status_code, again.status_code) == (201, 200) and first.json() == again.json()
    assert place.ask("POST", "/api/v1/deployments", json={**body, "commit": "def"}).status_code == 409
    assert place.ask("POST", "/api/v1/deployments", json={"system": "shop"}).status_code == 422
    later = {**body, "id": "ci-2", "at": "2999-01-01T00:00:00Z"}
    assert place.ask("POST", "/api/v1/deployments", json=later).status_code == 422
    listed = place.ask("GET", "/api/v1/deployments", params={"system": "shop"}).json()
    assert [one["id"] for one in listed] == ["ci-1"]
    assert place.ask("GET", "/api/v1/deployments", params={"system": "till"}).json() == []


def test_the_client_goes_on_when_holdfast_is_away_also_over_a_restart(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1", min_free_bytes=1).start()
    try:
        place = Place(core)
        now = [1000.0]
        url = f"http://127.0.0.1:{core.port}"

        def client() -> Prompts:
            return Prompts(
                url, place.door.key, folder=tmp_path / "kept", clock=lambda: now[0], run=lambda do: do()
            )

        one = client()
        first = one.get("chat", key="s1")
        assert (first.release, first.age, first.error) == (place.old, 0.0, "")
        new = place.release("Help {{name}} briefly.")
        place.split(new, 100)
        assert one.get("chat", key="s1").release == place.old, "fresh: nobody is asked"
        now[0] += 6
        one.get("chat", key="s1")
        moved = one.get("chat", key="s1")
        assert (moved.release, moved.age) == (new, 0.0)
        core.stop()
        now[0] += 60
        one.get("chat", key="s1")
        away = one.get("chat", key="s1")
        assert (away.release, away.age) == (new, 60.0) and "does not answer" in away.error
        restarted = client().get("chat", key="s1")
        assert restarted.release == place.old, "after a restart: the one that was wholly decided on"
        assert restarted.age == 66.0 and restarted.render({"name": "Ada"})[0]["content"] == "Help Ada."
        with pytest.raises(Missing):
            client().get("other")
        place.database.close()
    finally:
        core.stop()
