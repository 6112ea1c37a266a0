"""The JSON door and the command line: who may, what is answered, and what never is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from tests.gateway.control.desk import SECRET, document
from tests.platform.access.house import House

from holdfast.commands import gateway as commands
from holdfast.gateway.reads.states import KEPT, MOST, States
from holdfast.gateway.states import LiveRequest, State, UpstreamState
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.platform.access.model import Role, Scope
from running_core import CoreProcess
from stand import FakeClock

PATH = "/api/v1/gateway"


def test_a_configuration_from_its_making_to_its_change(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        empty = admin.get(PATH)
        assert (empty.json()["version"], empty.json()["configuration"], empty.headers["etag"]) == (
            0,
            {},
            '"0"',
        )
        made = admin.put(PATH, json=document(), headers={"if-match": '"0"'}, params={"note": "first"})
        assert made.status_code == 200, made.text
        assert (made.json()["version"], made.headers["etag"]) == (1, '"1"')
        assert set(made.json()["release_ids"]) == {"one", "two"}
        found = admin.get(PATH)
        assert found.headers["etag"] == '"1"'
        assert found.json()["note"] == "first"
        assert found.json()["configuration"]["budgets"] == [{"scope": "workspace", "amount": "100"}]
        text = yaml.safe_dump(document(limits=[]))
        for sent in ({"if-match": '"0"'}, {"if-match": 'W/"7"'}):
            late = admin.put(PATH, content=text, headers=sent)
            assert late.status_code == 409, late.text
        assert admin.put(PATH, content=text, params={"expected_version": 3}).status_code == 409
        second = admin.put(
            PATH,
            content=text,
            headers={"if-match": found.headers["etag"], "content-type": "application/yaml"},
        )
        assert second.json()["changes"] == [{"where": "limits (key)", "what": "removed", "fields": []}]
        assert [one["version"] for one in admin.get(f"{PATH}/versions").json()] == [2, 1]
        assert [one["version"] for one in admin.get(f"{PATH}/versions?limit=1&before=2").json()] == [1]
        old = admin.get(f"{PATH}/versions/1").json()
        assert old["configuration"] == found.json()["configuration"]
        back = admin.put(PATH, json=old["configuration"], headers={"if-match": "*"})
        assert back.json()["version"] == 3
        assert admin.get(f"{PATH}/versions/9").status_code == 404


def test_faults_come_all_at_once_and_nothing_is_changed(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        made = document(budgets=[{"scope": "key", "amount": 0}], routes={"chat": {"release": "gone"}})
        refused = admin.put(PATH, json=made)
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        places = ["routes.chat.release", "budgets[0].amount"]
        assert [one["where"] for one in refused.json()["errors"]] == places
        checked = admin.post(f"{PATH}/check", json=made)
        assert checked.status_code == 200
        assert [one["where"] for one in checked.json()["errors"]] == places
        fine = admin.post(f"{PATH}/check", json=document()).json()
        assert (fine["errors"], fine["version"], len(fine["changes"])) == ([], 0, 8)
        assert admin.get(PATH).json()["version"] == 0
        for content in (b"", b"a: [", b"\xff\xfe", b"- 1"):
            assert admin.put(PATH, content=content).status_code == 422, content
        assert admin.put(PATH, json=document(), headers={"if-match": "old"}).status_code == 422
        both = admin.put(PATH, json=document(), headers={"if-match": '"0"'}, params={"expected_version": 1})
        assert both.status_code == 422
        assert admin.put(PATH, json=document(), params={"note": "x" * 1001}).status_code == 422
        assert admin.get(PATH).json()["version"] == 0


def test_who_may_read_and_who_may_change(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        assert admin.put(PATH, json=document()).status_code == 200
    reads = [PATH, f"{PATH}/versions", f"{PATH}/versions/1", f"{PATH}/state"]
    for key, read, change in (
        (house.key("acme", Scope.READ), 200, 403),
        (house.key("acme", Scope.OPERATE, Scope.INGEST, Scope.GATEWAY, Scope.CONTENT), 403, 403),
        ("hf_" + "a" * 39, 401, 401),
    ):
        with house.client(key) as client:
            assert {client.get(path).status_code for path in reads} == {read}
            assert client.put(PATH, json=document(limits=[])).status_code == change
            assert client.post(f"{PATH}/check", json=document()).status_code == change
            assert client.get(f"{PATH}/secrets").status_code == change
            assert client.put(f"{PATH}/secrets/a", json={"value": "x"}).status_code == change
    house.member("one@x.test", ("acme", Role.ADMIN, "hr", ""))  # of one system alone
    with house.signed_in("one@x.test") as browser:
        assert browser.get(PATH).status_code == 403
        assert browser.put(PATH, json=document(limits=[])).status_code == 403
    with house.client(house.key("birch", Scope.ADMIN)) as other:
        assert other.get(PATH).json()["version"] == 0
        assert other.get(f"{PATH}/versions/1").status_code == 404
        assert other.get(f"{PATH}?workspace=acme").status_code == 404


def test_a_credential_is_never_shown_again(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        kept = admin.put(f"{PATH}/secrets/vendor", json={"value": SECRET})
        assert kept.status_code == 200, kept.text
        reference = kept.json()["reference"]
        assert reference.startswith("secret:sec_")
        made = document()
        made["upstreams"]["main"]["credential"] = reference
        answers = [
            kept,
            admin.get(f"{PATH}/secrets"),
            admin.put(PATH, json=made),
            admin.get(PATH),
            admin.put(f"{PATH}/secrets/vendor", json={"value": SECRET + "2", "more": 1}),
            admin.put(f"{PATH}/secrets/vendor", json={"value": [SECRET]}),
            admin.put(f"{PATH}/secrets/vendor", json={"value": SECRET + "\n"}),
            admin.delete(f"{PATH}/secrets/vendor"),
        ]
        assert [one.status_code for one in answers] == [200, 200, 200, 200, 422, 422, 422, 409]
        as_text = document()
        as_text["upstreams"]["main"]["credential"] = SECRET
        answers += [admin.put(PATH, json=as_text), admin.post(f"{PATH}/check", json=as_text)]
        again = admin.put(f"{PATH}/secrets/vendor", json={"value": SECRET + "2"})
        assert again.json()["reference"] == reference
        assert admin.put(PATH, json=document()).status_code == 200
        assert admin.delete(f"{PATH}/secrets/vendor").status_code == 204
        assert admin.get(f"{PATH}/secrets").json() == []
        assert SECRET not in "\n".join(one.text for one in answers)
    workspace = house.workspace("acme").id
    assert SECRET not in repr(house.audit(workspace))


def test_states_show_each_workspace_its_own(house: House, states: States, clock: FakeClock) -> None:
    mine, theirs = house.workspace("acme").id, house.workspace("birch").id
    now = clock()
    states.put(
        State(
            id="gw_1", epoch=4, version="0.1.0", started_at=now, at=now, spool_records=2,
            upstreams=(
                UpstreamState(workspace=mine, upstream="main", breaker="open", p95_ms=12.5),
                UpstreamState(workspace=theirs, upstream="hidden"),
            ),
            live=(LiveRequest(workspace=theirs, call_id="c_hidden", started_at=now),),
        )
    )  # fmt: skip
    with house.client(house.key("acme", Scope.READ)) as reader:
        answer = reader.get(f"{PATH}/state")
        (found,) = answer.json()
        assert (found["id"], found["epoch"], found["spool_records"], found["spool_since"]) == (
            "gw_1",
            4,
            2,
            None,
        )
        assert [(one["upstream"], one["breaker"], one["p50_ms"]) for one in found["upstreams"]] == [
            ("main", "open", None)
        ]
        assert found["live"] == [] and "hidden" not in answer.text
        clock.move(seconds=KEPT.total_seconds() + 1)
        assert reader.get(f"{PATH}/state").json() == []


def test_states_are_bounded_and_the_latest_holds() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    states = States(FakeClock(now))
    for number in range(MOST + 10):
        states.put(State(id=f"gw_{number:05}", epoch=1, version="", started_at=now, at=now))
    assert len(states.all()) == MOST
    assert states.all()[0].id == "gw_00010"
    states.put(State(id="gw_00500", epoch=9, version="", started_at=now, at=now + timedelta(seconds=1)))
    assert {one.id: one.epoch for one in states.all()}["gw_00500"] == 9


@pytest.fixture(params=["alone", "beside a core"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CoreProcess]:
    """A data folder with a workspace, on which a core runs or does not."""
    core = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1")
    core.workspace("acme")
    if request.param != "alone":
        core.start()
    yield core
    core.stop()


def test_the_command_line_applies_and_shows(place: CoreProcess, tmp_path: Path) -> None:
    settings = place.settings.model_copy(update={"outbound_allow": "127.0.0.1"})
    file = tmp_path / "gateway.yaml"
    made = document()
    made["upstreams"]["main"]["credential"] = "env:OPENAI_API_KEY"
    file.write_text(yaml.safe_dump(made))
    dry = commands.apply(settings, file, "", "", None, dry_run=True)
    assert "would change" in dry and "added    upstreams.main" in dry
    assert "no configuration" in commands.show(settings, "acme", None)
    done = commands.apply(settings, file, "acme", "why not", 0, dry_run=False)
    assert done.startswith("version 1 is in force in workspace acme\n")
    shown = commands.show(settings, "", None)
    assert "version 1" in shown and ": why not" in shown and "# release one: rel_" in shown
    file.write_text(shown)
    assert "nothing differs" in commands.apply(settings, file, "", "", None, dry_run=False)
    assert commands.show(settings, "", 1) == shown
    with pytest.raises(NotFound):
        commands.show(settings, "", 2)
    file.write_text(yaml.safe_dump(document()))
    with pytest.raises(HoldfastError, match="version 1 is in force"):
        commands.apply(settings, file, "", "", 7, dry_run=False)
    file.write_text(
        yaml.safe_dump(document(budgets=[{"scope": "key", "amount": 0}], limits=[{"scope": "key"}]))
    )
    for dry_run in (True, False):
        with pytest.raises(Invalid) as refused:
            commands.apply(settings, file, "", "", None, dry_run=dry_run)
        assert [line.split(":")[0] for line in refused.value.detail.splitlines()[1:]] == [
            "  budgets[0].amount",
            "  limits[0]",
        ]
    file.write_text("a: [")
    with pytest.raises(HoldfastError, match="line 1"):
        commands.apply(settings, file, "", "", None, dry_run=False)
    file.write_text("{}")
    with pytest.raises(Invalid, match="cannot be read"):
        commands.apply(settings, tmp_path / "gone.yaml", "", "", None, dry_run=False)
    with pytest.raises(HoldfastError, match="no such workspace"):
        commands.apply(settings, file, "birch", "", None, dry_run=False)


def test_a_refusal_is_told_and_ends_with_status_1(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        f"upstreams: {{main: {{dialect: openai, base_url: https://x.test/v1, credential: {SECRET}}}}}"
    )
    run = [sys.executable, "-m", "holdfast"]
    data = ["--data", str(tmp_path / "data")]
    subprocess.run([*run, "key", "create", "--workspace", "acme", "--scopes", "gateway", *data], check=True)
    done = subprocess.run([*run, "gateway", "apply", str(file), *data], capture_output=True, text=True)
    assert done.returncode == 1
    assert "upstreams.main.credential" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_dry_run_says_what_would_happen_and_why(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        nothing = admin.post(f"{PATH}/explain", json={"model": "m"})
        assert nothing.status_code == 200, nothing.text
        assert nothing.json()["refused"] == "no upstream has the model m"
        upstreams = {
            "gpt": {
                "dialect": "openai",
                "base_url": "https://api.openai.com/v1",
                "models": ["gpt-4o-mini", "odd"],
            },
            "claude": {"dialect": "anthropic", "base_url": "https://api.anthropic.com/v1", "region": "eu"},
        }
        releases = {
            "v1": {
                "chain": [
                    {"upstream": "gpt", "model": "odd"},
                    {"upstream": "claude", "model": "claude-haiku-4-5"},
                ],
                "guardrails": ["mask"],
            }
        }
        written = {
            "upstreams": upstreams,
            "guardrails": {"mask": {"kind": "pii", "action": "redact"}},
            "releases": releases,
            "routes": {"support": {"release": "v1", "models": ["support"], "system": "desk"}},
            "budgets": [{"scope": "tenant", "amount": "5", "period": "day"}],
        }
        made = admin.put(PATH, json=written)
        assert made.status_code == 200, made.text
        told = admin.post(f"{PATH}/explain", json={"model": "support", "tenant": "acme"}).json()
        assert told["release_id"] == made.json()["release_ids"]["v1"]
        assert told["dimensions"]["system"] == "desk"
        assert [(one["upstream"], one["translated"], one["priced"]) for one in told["chain"]] == [
            ("gpt", False, False),
            ("claude", True, True),
        ]
        assert any("the model name support stands for it" in step for step in told["steps"])
        assert told["steps"][-1] == "guardrail mask: pii on input and output, redact"
        assert len(told["budgets"]) == 1
        assert told["budgets"][0].startswith("hard budget over tenant acme")
        other = admin.post(f"{PATH}/explain", json={"model": "support", "route": "nowhere"}).json()
        assert other["refused"] == "there is no route nowhere"
        assert admin.post(f"{PATH}/explain", json={"model": "m", "more": 1}).status_code == 422
