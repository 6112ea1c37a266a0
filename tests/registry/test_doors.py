"""The registry over HTTP, against a real core: versions are added, manifests are paged, and what is bad is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from running_core import CoreProcess, Workspace

VERSIONS = "/api/v1/registry/versions"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("registry") / "data", min_free_bytes=1)
    yield made.start()
    made.stop()


@pytest.fixture(scope="module")
def door(core: CoreProcess) -> Workspace:
    return core.workspace(scopes="read,operate")


def ask(one: Workspace, method: str, path: str, **more: Any) -> httpx2.Response:
    return one.core.client.request(method, path, headers={"authorization": f"Bearer {one.key}"}, **more)


def written(text: str, name: str = "support/triage", **more: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "system", "content": text}]}
    return {"kind": "prompt", "name": name, "document": body, **more}


def test_versions_are_added_with_who_and_why_and_the_same_again_adds_none(door: Workspace) -> None:
    first = ask(door, "POST", VERSIONS, json=written("Be kind.", rationale="first", ticket="OPS-1"))
    assert first.status_code == 201, first.text
    assert (first.json()["number"], first.json()["ticket"]) == (1, "OPS-1") and first.json()["author"]
    assert ask(door, "POST", VERSIONS, json=written("Be kind.")).json() == first.json()
    assert ask(door, "POST", VERSIONS, json=written("Be brief.")).json()["number"] == 2
    back = ask(door, "POST", VERSIONS, json=written("Be kind.", rationale="back")).json()
    assert (back["number"], back["hash"]) == (3, first.json()["hash"]), "going back is a version too"
    listed = door.get("registry/versions", kind="prompt", name="support/triage")
    assert [(one["number"], one["rationale"]) for one in listed] == [(3, "back"), (2, ""), (1, "first")]
    whole = door.get("registry/version", kind="prompt", name="support/triage", number=2)
    assert whole["body"]["messages"][0]["content"] == "Be brief."
    assert [one["number"] for one in door.get("registry/names", kind="prompt")] == [3]


@pytest.mark.parametrize(
    ("sent", "status", "where"),
    [
        (written("x", name="../etc"), 422, "name"),
        (written("x", ticket="two\nlines"), 422, "ticket"),
        (written("x") | {"kind": "poem"}, 422, "kind"),
        (written("x") | {"author": "somebody else"}, 422, "author"),
        (written("x") | {"document": {"n": 2**53}}, 422, "body"),
    ],
)
def test_what_is_bad_is_refused_with_its_place_and_adds_nothing(
    door: Workspace, sent: dict[str, Any], status: int, where: str
) -> None:
    before = door.get("registry/names", kind="prompt")
    answer = ask(door, "POST", VERSIONS, json=sent)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json" and where in answer.text
    assert door.get("registry/names", kind="prompt") == before


def test_who_may_only_read_adds_nothing(core: CoreProcess) -> None:
    reader = core.workspace(scopes="read")
    assert ask(reader, "POST", VERSIONS, json=written("x")).status_code == 403
    assert reader.get("registry/versions", kind="prompt", name="support/triage") == [], "nor sees another's"


def test_the_documents_of_a_manifest_come_page_by_page_each_once(door: Workspace) -> None:
    documents = [{"id": f"d{number:02}", "hash": f"h{number}"} for number in range(25)]
    made = ask(door, "POST", "/api/v1/registry/manifests", json={"name": "kb", "documents": documents})
    assert made.status_code == 201, made.text
    path = f"registry/manifests/{made.json()['id']}/documents"
    seen, cursor = [], ""
    while cursor is not None:
        page = door.get(path, limit=10, cursor=cursor)
        assert len(page["documents"]) <= 10
        seen += [one["id"] for one in page["documents"]]
        cursor = page["next_cursor"]
    assert seen == [one["id"] for one in documents]
    bad = ask(door, "GET", f"/api/v1/{path}", params={"cursor": "made-up"})
    assert bad.status_code == 422 and "cursor" in bad.text
