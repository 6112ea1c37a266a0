"""Calls by OTLP into a real core, mapped: what covers them, who sees what, and a map whose core is killed."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.evals.coverage.production import CALLS, apply, ask_all, call, ran, sent

from holdfast.evals.store.coverage import maps
from holdfast.storage.sql import Database
from running_core import PAUSE, CoreProcess, Workspace, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PATH = "/api/v1/evals/suites/shop/coverage"
SCOPES = "ingest,read,operate,admin,content"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("coverage") / "data", min_free_bytes=1).start()
    yield made
    made.stop()


def get(workspace: Workspace, key: str = "") -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key or workspace.key}"}
    answer = workspace.core.client.get(PATH, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def begin(workspace: Workspace) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {workspace.key}"}
    answer = workspace.core.client.post(PATH, json={}, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def mapped(workspace: Workspace) -> dict[str, Any]:
    """A map, when it is over."""
    made = begin(workspace)
    until(lambda: get(workspace)["active"] is None, 120, "the end of the map")
    found = get(workspace)
    assert found["failed"] == ""
    assert found["last"]["id"] == made["id"]
    return found


@pytest.fixture(scope="module")
def shop(core: CoreProcess) -> Workspace:
    workspace = core.workspace("acme", SCOPES)
    apply(workspace)
    calls = ask_all(workspace)
    assert workspace.count()[0] == calls + 24
    return workspace


@pytest.fixture(scope="module")
def found(shop: Workspace) -> dict[str, Any]:
    return mapped(shop)


def test_what_is_asked_is_grouped_and_held_against_the_cases(found: dict[str, Any]) -> None:
    told = found["found"]
    calls = sum(CALLS.values())
    assert (told["traffic"], told["drawn"], told["read"]) == (calls, calls, calls), (
        "one system, no evaluation"
    )
    assert told["cases"] == 5
    by_case = {case: one for one in told["groups"] for case in one["cases"]}
    assert by_case["refund-one"]["number"] == by_case["refund-two"]["number"]
    assert "refund" in by_case["refund-one"]["keywords"]
    assert "parcel" in by_case["parcel-one"]["keywords"]
    assert "poem" in told["apart"]
    (uncovered,) = (one for one in told["groups"] if not one["covered"])
    assert "warranty" in uncovered["keywords"]
    assert uncovered["calls"] == pytest.approx(CALLS["warranty"], abs=2)
    share = told["uncovered"]
    assert share["value"] == pytest.approx(CALLS["warranty"] / calls, abs=0.05)
    assert share["low"] < share["value"] < share["high"]
    assert found["headline"] is None


def test_the_score_is_that_of_what_is_asked(shop: Workspace, found: dict[str, Any]) -> None:
    run = ran(shop, {"refund-one": 0, "refund-two": 0, "parcel-one": 1, "password-kept": 1, "poem": 1})
    told = get(shop)["headline"]
    known = [one for one in get(shop)["found"]["groups"] if one["score"] is not None]
    assert told["run"] == run
    assert told["plain"] == pytest.approx(3 / 5)
    whole = sum(one["share"] for one in known)
    assert told["value"] == pytest.approx(sum(one["share"] * one["score"] for one in known) / whole)
    assert told["value"] < 0.6, "refunds are asked most, and answered badly"
    assert told["unknown"] == pytest.approx(1 - whole)
    assert told["unknown"] > 0.2, "nothing is known of what no case covers"


def test_words_and_holdouts_are_for_those_who_may(shop: Workspace, found: dict[str, Any]) -> None:
    reader = shop.core.workspace("acme", "read")
    told = get(reader)["found"]
    assert {one["keywords"] is None for one in told["groups"]} == {True}
    assert "password-kept" not in str(told)
    assert sum(one["hidden_cases"] for one in told["groups"]) == 1
    assert "password-kept" in str(found["found"])


def test_nothing_that_was_said_is_kept(shop: Workspace, found: dict[str, Any]) -> None:
    with Database(shop.core.settings.sql).reading() as tx:
        (kept,) = tx.execute(sa.select(maps.c.found).where(maps.c.id == found["last"]["id"])).scalars()
    assert "track my parcel" not in kept
    assert "parcel" in kept, "the words that tell a group apart are"


def test_a_workspace_without_calls_is_unknown_and_not_covered(core: CoreProcess) -> None:
    workspace = core.workspace("quiet", SCOPES)
    apply(workspace)
    told = mapped(workspace)["found"]
    assert (told["traffic"], told["read"], told["groups"]) == (0, 0, [])
    assert told["uncovered"] == {"value": None, "low": None, "high": None}
    assert told["unseen"] is None


def test_a_killed_map_begins_again_and_is_kept_once(tmp_path: Path) -> None:
    rng = random.Random(5)
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    try:
        workspace = core.workspace("acme", SCOPES)
        apply(workspace)
        extra = [call(f"what does item {number} in colour {number % 7} cost today?") for number in range(800)]
        assert workspace.post(sent(extra)).status_code == 200
        assert workspace.count()[0] == 800
        made = begin(workspace)
        until(lambda: (get(workspace)["active"] or {}).get("state") != "queued", 60, "its beginning")
        PAUSE.wait(rng.uniform(0, 0.5))
        core.stop(signal.SIGKILL)
        core.start()
        until(lambda: get(workspace)["last"] is not None, 120, "its end")
        told = get(workspace)
        assert told["last"]["id"] == made["id"]
        assert (told["active"], told["failed"]) == (None, "")
        assert told["found"]["read"] == 800
        with Database(core.settings.sql).reading() as tx:
            (count,) = tx.execute(sa.select(sa.func.count()).select_from(maps)).scalars()
        assert count == 1
    finally:
        core.stop()
