"""The JSON door of suites on a real socket: who may, what is answered, what is refused, and what nobody but admins reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.evals.suites.texts import HOLDOUT, SUPPORT
from tests.platform.access.house import House, make_app, served

from holdfast.evals.api import imports, suites
from holdfast.evals.pages import editing
from holdfast.evals.pages import suites as pages
from holdfast.evals.wiring import TEMPLATES
from holdfast.platform.access import wiring as access
from holdfast.platform.access.model import Role, Scope
from holdfast.platform.frame import Frame
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database
from holdfast.web.assets import Assets
from holdfast.web.render import Renderer

PATH = "/api/v1/evals/suites"
NAMED = {"s/support.yaml": SUPPORT}


@pytest.fixture
def house(database: Database, clock: Any, tmp_path: Path) -> Iterator[House]:
    settings = Settings(data=tmp_path)
    app = make_app(database, settings, clock)
    templates = {"access": access.TEMPLATES, "evals": TEMPLATES}
    app.state.frame = Frame(Renderer(templates, Assets(), clock))
    for door in (suites, imports, pages, editing):
        app.include_router(door.router)
    with served(app) as url:
        yield House(database, settings, clock, url)


def test_a_suite_from_its_making_to_its_change(house: House) -> None:
    with house.client(house.key("acme", Scope.OPERATE, Scope.READ)) as client:
        assert client.get(PATH).json() == []
        (told,) = client.put(PATH, json={"files": NAMED, "dry_run": True}).json()
        assert (told["before"], told["version"], told["difference"]["added"]) == (0, 1, 2)
        assert client.get(PATH).json() == []
        (made,) = client.put(PATH, json={"files": NAMED, "note": "first", "expected": {"support": 0}}).json()
        assert (made["version"], made["hash"]) == (1, told["hash"])
        (head,) = client.get(PATH).json()
        assert (head["name"], head["version"], head["note"], head["cases"]) == ("support", 1, "first", 2)
        found = client.get(f"{PATH}/support").json()
        assert found["bars"] == {
            "least": 0.8,
            "margin": 0.03,
            "alpha": 0.05,
            "repeats": 3,
            "by": ["language"],
        }
        assert [one["id"] for one in found["listed"]] == ["refund-window", "refund-window-de"]
        assert found["listed"][0]["case"]["expect"] == [{"exact": "30"}]
        part = client.get(f"{PATH}/support?limit=1").json()
        assert (len(part["listed"]), part["next_offset"]) == (1, 1)
        assert client.get(f"{PATH}/support?limit=1&offset=1").json()["next_offset"] is None
        changed = {"s/support.yaml": SUPPORT.replace("return shoes", "send back shoes")}
        late = client.put(PATH, json={"files": changed, "expected": {"support": 0}})
        assert late.status_code == 409, late.text
        assert client.put(PATH, json={"files": changed}).json()[0]["version"] == 2
        (field,) = client.get(f"{PATH}/support/diff").json()["difference"]["listed"][0]["fields"]
        assert field["field"] == "input.messages[0].content"
        assert [one["text"] for one in field["pieces"] if one["kind"] == "added"] == ["send back"]
        first = client.get(f"{PATH}/support/diff?from=0&to=1").json()
        assert (first["before"], first["difference"]["added"]) == (None, 2)
        assert [one["version"] for one in client.get(f"{PATH}/support/versions?limit=1").json()] == [2]
        exported = client.get(f"{PATH}/support/export?version=1")
        assert exported.headers["content-type"].startswith("application/yaml")
        again = client.put(PATH, json={"files": {"x.yaml": exported.text}}).json()[0]
        assert (again["version"], again["hash"]) == (3, made["hash"])
        for path in ("gone", "support?version=9", "gone/diff", "gone/export", "gone/versions"):
            assert client.get(f"{PATH}/{path}").status_code == 404, path


def test_faults_come_all_at_once_with_file_line_and_remedy(house: House) -> None:
    bad = "cases:\n- id: a\n  prompt: Hi\n  expect: {exat: x}\n- id: a\n  prompt: Hi\n  expect: {exact: 4}\n"
    with house.client(house.key("acme", Scope.OPERATE, Scope.READ)) as client:
        for dry in (True, False):
            refused = client.put(PATH, json={"files": {**NAMED, "bad.yaml": bad}, "dry_run": dry})
            assert refused.status_code == 422
            assert refused.headers["content-type"] == "application/problem+json"
            told = [(one["where"], one["reason"]) for one in refused.json()["errors"]]
            assert [where for where, _ in told] == [
                "bad.yaml:4:12 cases[0].expect.exat",
                "bad.yaml:5:3 cases[1].id",
                "bad.yaml:7:12 cases[1].expect.exact",
            ]
            assert "did you mean exact?" in told[0][1]
        many = {f"b{one}.yaml": bad for one in range(400)}
        errors = client.put(PATH, json={"files": many}).json()["errors"]
        assert len(errors) == 1001 and errors[-1]["reason"].startswith("and 200 more")
        assert client.get(PATH).json() == []
        assert client.put(PATH, json={"files": {}}).status_code == 422
        half = b'{"files": {"a.yaml": "\\ud800"}}'
        assert client.put(PATH, content=half, headers={"content-type": "application/json"}).status_code == 422


def test_who_may_read_and_who_may_change(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        assert admin.put(PATH, json={"files": NAMED}).status_code == 200
    reads = [PATH, *(f"{PATH}/support{more}" for more in ("", "/versions", "/diff", "/export"))]
    renewed = {"author": "Ben", "review_on": "2027-10-01"}
    brought = {"format": "csv", "file": "a.csv", "text": "prompt,expected\nHi,Ho\n"}
    for key, read, change, rebaseline in (
        (house.key("acme", Scope.READ), 200, 403, 403),
        (house.key("acme", Scope.OPERATE), 403, 200, 403),
        (house.key("acme", Scope.CONTENT, Scope.INGEST, Scope.GATEWAY), 403, 403, 403),
        (house.key("acme", Scope.ADMIN), 200, 200, 200),
        ("hf_" + "a" * 39, 401, 401, 401),
    ):
        with house.client(key) as client:
            assert {client.get(path).status_code for path in reads} == {read}
            assert client.put(PATH, json={"files": NAMED}).status_code == change
            assert client.put(PATH, json={"files": NAMED, "dry_run": True}).status_code == change
            assert client.post("/api/v1/evals/imports", json=brought).status_code == change
            assert client.post(f"{PATH}/support/rebaseline", json=renewed).status_code == rebaseline
    house.member("one@x.test", ("acme", Role.ADMIN, "helpdesk", ""))  # of one system alone
    with house.signed_in("one@x.test") as browser:
        assert {browser.get(path).status_code for path in reads} == {403}
        assert browser.put(PATH, json={"files": NAMED}).status_code == 403
    with house.client(house.key("birch", Scope.ADMIN)) as other:
        assert other.get(PATH).json() == []
        assert other.get(f"{PATH}/support").status_code == 404
        assert other.get(f"{PATH}?workspace=acme").status_code == 404


def test_only_admins_read_holdouts(house: House) -> None:
    texts = [SUPPORT + HOLDOUT, SUPPORT + HOLDOUT.replace("secret", "secret and new")]
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        for text in texts:
            assert admin.put(PATH, json={"files": {"support.yaml": text}}).status_code == 200
        assert "secret" in admin.get(f"{PATH}/support").text
        assert "secret" in admin.get(f"{PATH}/support/export").text
        assert "secret" in admin.get(f"{PATH}/support/diff").text
    house.member("author@x.test", ("acme", Role.OPERATOR))
    house.member("admin@x.test", ("acme", Role.ADMIN))
    own = {"files": {"support.yaml": SUPPORT.replace("shoes", "boots")}}
    with house.client(house.key("acme", Scope.OPERATE, Scope.READ)) as author:
        answers = [
            author.get(f"{PATH}/support{more}")
            for more in ("", "?version=1", "/export", "/versions", "/diff")
        ]
        answers += [
            author.get(f"{PATH}/support/diff?from=0&to=2"),
            author.put(PATH, json={**own, "dry_run": True}),
        ]
        told = author.put(PATH, json=own).json()[0]
        assert (told["version"], told["holdouts_kept"]) == (3, 1)
        denied = author.put(PATH, json={"files": {"support.yaml": texts[0]}})
        assert denied.status_code == 403
        answers.append(denied)
        exported = answers[2].text
        assert [one["id"] for one in yaml.safe_load(exported)["cases"]] == [
            "refund-window",
            "refund-window-de",
        ]
        assert "without 1 holdout cases" in exported
        masked = answers[0].json()["listed"][2]
        assert (masked["id"], masked["hash"], masked["holdout"]) == ("kept-back", None, True)
    with house.signed_in("author@x.test") as browser:
        base = "/w/acme/suites"
        answers += [
            browser.get(f"{base}{more}")
            for more in ("", "/support", "/support/diff?old=1&new=2", "/support/edit")
        ]
        answers.append(browser.get(f"{base}/support?q=answer"))
        assert "No case matches" in answers[-1].text
        form = {
            "text": texts[0],
            "step": "check",
            "version": "3",
            "csrf_token": browser.headers["x-csrf-token"],
        }
        answers.append(browser.post(f"{base}/support/edit", data=form))
        assert answers[-1].status_code == 403
        answers[-1] = browser.get(f"{base}/support/versions")
    for answer in answers:
        assert "secret" not in answer.text and "no author" not in answer.text, answer.url
    with house.signed_in("admin@x.test") as browser:
        assert "secret and new" in browser.get("/w/acme/suites/support").text
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        assert "secret and new" in admin.get(f"{PATH}/support").text, "it stayed"


def test_the_ground_truth_is_answered_for_anew(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        admin.put(PATH, json={"files": NAMED})
        before = admin.get(f"{PATH}/support").json()
        until = (house.clock() + timedelta(days=365)).date().isoformat()
        files = {"support.yaml": SUPPORT.replace('"30"', '"31"')}
        body = {"author": "Dr. Ben", "review_on": until, "files": files, "note": "yearly"}
        done = admin.post(f"{PATH}/support/rebaseline", json=body)
        assert done.status_code == 200, done.text
        after = admin.get(f"{PATH}/support").json()
        assert (after["version"], after["hash"], after["review_on"]) == (2, done.json()["hash"], until)
        assert before["hash"] != after["hash"]
        assert after["listed"][0]["case"]["provenance"]["author"] == "Dr. Ben"
        for wrong in ({"author": ""}, {"review_on": "2020-01-01"}, {"files": {"a.yaml": "x: ["}}):
            assert admin.post(f"{PATH}/support/rebaseline", json={**body, **wrong}).status_code == 422, wrong
        assert admin.post(f"{PATH}/gone/rebaseline", json={**body, "files": None}).status_code == 404
    assert [action for action, _, _ in house.audit(house.workspace("acme").id)][-1] == "suite.rebaselined"


def test_another_tools_data_comes_back_as_a_suite(house: House) -> None:
    with house.client(house.key("acme", Scope.OPERATE)) as client:
        body = {"format": "csv", "file": "faq.csv", "text": "prompt,expected,note\nHi,Ho,x\nWhy,,\n"}
        found = client.post("/api/v1/evals/imports", json=body).json()
        assert found["cases"] == 1 and [one["line"] for one in found["left"]] == [2, 3]
        assert client.put(PATH, json={"files": {"faq.yaml": found["suite"]}}).json()[0]["name"] == "faq"
        nothing = client.post("/api/v1/evals/imports", json={**body, "format": "promptfoo"}).json()
        assert (nothing["suite"], nothing["cases"], len(nothing["left"])) == (None, 0, 1)
        assert client.post("/api/v1/evals/imports", json={**body, "format": "xml"}).status_code == 422


def test_the_editor_keeps_what_was_typed(house: House) -> None:
    house.member("author@x.test", ("acme", Role.OPERATOR))
    house.member("viewer@x.test", ("acme", Role.VIEWER))
    with house.signed_in("author@x.test") as browser:
        token = browser.headers["x-csrf-token"]
        form = {"text": "name: mine\n" + SUPPORT.replace("exact", "exat"), "note": "why", "csrf_token": token}
        refused = browser.post("/w/acme/new-suite", data={**form, "step": "apply"})
        assert refused.status_code == 422
        assert "did you mean exact?" in refused.text and "exat" in refused.text and "why" in refused.text
        form["text"] = "name: mine\r\n" + SUPPORT.replace("\n", "\r\n")
        made = browser.post("/w/acme/new-suite", data={**form, "step": "apply"})
        assert (made.status_code, made.headers["location"]) == (303, "/w/acme/suites/mine")
        again = browser.post("/w/acme/new-suite", data={**form, "step": "apply"})
        assert again.status_code == 409 and "it was changed meanwhile" in again.text
        renamed = {**form, "text": form["text"].replace("mine", "other"), "version": "1", "step": "check"}
        assert browser.post("/w/acme/suites/mine/edit", data=renamed).status_code == 422
        assert browser.post("/w/acme/suites/gone/edit", data=form).status_code == 404
        same = browser.post("/w/acme/suites/mine/edit", data={**form, "version": "1", "step": "check"})
        assert "Nothing differs from version 1" in same.text
        for path in ("mine?version=x", "mine?cursor=-1", "mine/diff?old=9", "gone", "mine?version=7"):
            assert browser.get(f"/w/acme/suites/{path}").status_code in (404, 422), path
    with house.signed_in("viewer@x.test") as browser:
        assert browser.get("/w/acme/suites/mine").status_code == 200
        assert "Edit" not in browser.get("/w/acme/suites/mine").text
        assert browser.get("/w/acme/suites/mine/edit").status_code == 403
        form["csrf_token"] = browser.headers["x-csrf-token"]
        assert browser.post("/w/acme/suites/mine/edit", data=form).status_code == 403
