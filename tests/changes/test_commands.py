"""`holdfast apply`, `changes`, `releases` and `knowledge` against a core that really runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.changes.bench import UNGATED
from tests.gateway.control.desk import document
from tests.platform.access.house import House

from holdfast.commands import open_database
from holdfast.kernel.context import Actor, Context
from holdfast.kernel.time import utc_now
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import Role, Scope
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from running_core import CoreProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


class Place:
    """A core, and a key each of two people."""

    def __init__(self, core: CoreProcess, folder: Path) -> None:
        self.core, self.folder = core, folder
        settings = Settings(data=core.data)
        with closing(open_database(settings)) as database:
            house = House(database, settings, utc_now, "")
            self.keys = {}
            for name in ("ann", "ben"):
                member = house.member(f"{name}@nobody.test", ("acme", Role.ADMIN))
                with database.transaction() as tx:
                    workspace = tenancy.workspace_by_slug(tx, "acme").id
                    by = Context(workspace, Actor("member", member, name), utc_now())
                    _, text = keys.create_key(
                        by, tx, name, frozenset({Scope.READ, Scope.OPERATE, Scope.ADMIN})
                    )
                self.keys[name] = text

    def put(self, path: str, body: Any) -> None:
        answer = self.core.client.put(
            path, json=body, headers={"authorization": f"Bearer {self.keys['ann']}"}
        )
        assert answer.status_code == 200, answer.text

    def run(self, who: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        url = ("--url", f"http://127.0.0.1:{self.core.port}", "--key", self.keys[who])
        return subprocess.run(
            [sys.executable, "-m", "holdfast", *arguments, *url],
            capture_output=True,
            text=True,
            timeout=300,
            env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "HOLDFAST_OUTBOUND_ALLOW": "127.0.0.1"},
        )

    def json(self, who: str, *arguments: str, code: int = 0) -> Any:
        done = self.run(who, *arguments, "--json")
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("commands")
    core = CoreProcess(folder / "data", outbound_allow="127.0.0.1")
    core.start()
    try:
        made = Place(core, folder)
        made.put("/api/v1/gateway", document())
        made.put("/api/v1/change-rules/policy", {"policy": UNGATED})
        yield made
    finally:
        core.stop()


def test_files_are_planned_proposed_approved_by_a_second_person_and_go_on(at: Place) -> None:
    files = at.folder / "releases"
    exported = at.run("ann", "releases", "export", str(files))
    assert exported.returncode == 0, exported.stderr
    assert at.run("ann", "apply", str(files)).returncode == 0, "what is exported has no difference"
    chat = files / "chat.yaml"
    chat.write_text(chat.read_text().replace("temperature: 0.2", "temperature: 0.1"))
    plan = at.run("ann", "apply", str(files), "--plan")
    assert (
        plan.returncode == 2 and "temperature: 0.2 → 0.1" in plan.stdout and "class moderate" in plan.stdout
    )
    assert at.json("ann", "changes", "list") == []
    done = at.json("ann", "apply", str(files), "--yes", "--submit")
    [made] = done["changes"]
    assert (made["state"], made["source"]) == ("gated", "file")
    own = at.run("ann", "changes", "approve", made["id"])
    assert own.returncode == 1 and "another person" in own.stderr
    assert at.json("ben", "changes", "approve", made["id"])["decision"] == "approved"
    until(lambda: at.json("ben", "changes", "show", made["id"])["change"]["state"] == "shadow", 60)
    assert at.json("ben", "changes", "hold", made["id"], "--reason", "wait")["state"] == "held"
    assert at.json("ben", "changes", "resume", made["id"], "--reason", "go")["state"] == "shadow"
    assert at.json("ben", "changes", "advance", made["id"], "--reason", "seen enough")["state"] == "ramping"
    late = at.run("ann", "changes", "withdraw", made["id"], "--reason", "no")
    assert late.returncode == 1 and "roll it back" in late.stderr
    chat.write_text("route: chat\nrelease:\n  chain: [{upstream: nobody}]\n")
    broken = at.run("ann", "apply", str(files))
    assert broken.returncode == 1 and "chat.yaml:3" in broken.stderr


def test_knowledge_is_pushed_listed_and_compared(at: Place) -> None:
    folder = at.folder / "kb"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    first = at.json("ann", "knowledge", "push", str(folder), "--name", "kb")
    (folder / "a.txt").write_text("two")
    (folder / "b.txt").write_text("new")
    second = at.json("ann", "knowledge", "push", str(folder), "--name", "kb")
    assert at.json("ann", "knowledge", "push", str(folder), "--name", "kb") == second
    assert {one["id"] for one in at.json("ann", "knowledge", "list")} == {first["id"], second["id"]}
    found = at.json("ann", "knowledge", "diff", first["id"], second["id"])
    assert (found["changed"], found["added"], found["samples"]["added"]) == (1, 1, ["b.txt"])


def test_the_registry_is_read_in_pages_and_what_is_not_there_is_a_problem(at: Place) -> None:
    def get(path: str, **params: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {at.keys['ben']}"}
        return at.core.client.get(f"/api/v1/registry/{path}", params=params, headers=headers)

    seen: list[str] = []
    cursor = ""
    while True:
        page = get("components", limit=1, cursor=cursor).json()
        seen += [one["hash"] for one in page["components"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == len(get("components").json()["components"]) >= 3
    releases = get("releases").json()["releases"]
    found = get("difference", old=releases[-1]["id"], new=releases[0]["id"]).json()
    assert not found["same"] and found["parts"]
    missing = get("releases/rel_none")
    assert missing.status_code == 404 and missing.headers["content-type"] == "application/problem+json"
    assert get("components", cursor="x").status_code == 422
