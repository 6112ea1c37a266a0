"""Rollouts under real traffic: a good release completes by evidence, a bad one goes back by itself."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.evals.runs.desk import Desk, desk
from tests.gateway.vendor import Vendor

from holdfast.commands import open_database
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.audit import reads as audit
from holdfast.platform.tenancy import reads as tenancy
from running_core import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

GUARDS = {
    "errors": {"margin": 0.9, "in_a_row": 8},
    "latency": {"margin": 5.0, "stop": False},  # of two milliseconds, on a machine that does other things
    "cost": {"margin": 5.0},
    "format": {"margin": 0.9},
    "refusals": {"margin": 0.9},
    "flagged": {"margin": 0.5},
    "feedback": {"margin": 0.5, "stop": False},
}
"""So wide that a few calls are enough: what the intervals are worth is shown elsewhere."""
QUICK = {
    "suites": [],
    "reviewers": 0,
    "stages": [20, 50, 100],
    "dwell_minutes": 0,
    "samples": 20,
    "soak_hours": 0,
    "shadow": None,
    "guards": GUARDS,
}
USAGE = {"input_uncached": "1", "output": "2"}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("rollout"), Vendor()) as made:
        prices = {name: USAGE for name in ("m", "good", "bad", "late", "rude", "kind")}
        upstream = {"dialect": "openai", "base_url": made.vendor.url + "/v1", "prices": prices}
        made.configure(routes={"r": {"release": "v1", "retries": 0}}, upstreams={"one": upstream})
        put_policy(made, QUICK)
        yield made


def put_policy(at: Desk, one: dict[str, Any]) -> None:
    """Puts the same policy in force for every class."""
    whole = {"systems": {"*": {name: one for name in ("minor", "moderate", "major")}}}
    answer = at.core.client.put("/api/v1/change-rules/policy", json={"policy": whole}, headers=at.headers)
    assert answer.status_code == 200, answer.text


def ask(at: Desk, user: str) -> str:
    """The release that answered; empty where none did."""
    answer = httpx2.post(
        f"http://127.0.0.1:{at.gateway.port}/v1/chat/completions",
        json={"model": "m", "messages": [{"role": "user", "content": "Hi"}], "user": user},
        headers={**at.headers, "x-holdfast-route": "r"},
        timeout=20,
    )
    return answer.headers.get("x-holdfast-release", "") if answer.status_code == 200 else ""


@contextmanager
def traffic(at: Desk) -> Iterator[None]:
    """Somebody else asks all the time, until it ends."""
    numbers, stop = itertools.count(), threading.Event()

    def run() -> None:
        while not stop.wait(0.02):
            ask(at, f"user-{next(numbers)}")

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def post(at: Desk, path: str, **body: Any) -> Any:
    answer = at.core.client.post(path, json=body or None, headers=at.headers)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def shown(at: Desk, id: str) -> Any:
    return at.core.client.get(f"/api/v1/changes/{id}", headers=at.headers).json()


def begun(at: Desk, model: str) -> str:
    made = post(
        at,
        "/api/v1/changes",
        route="r",
        title=f"to {model}",
        document={"chain": [{"upstream": "one", "model": model}]},
    )
    assert (made["class"], made["state"]) == ("major", "draft")
    post(at, f"/api/v1/changes/{made['id']}/submit")
    return str(made["id"])


def reached(at: Desk, id: str, *states: str, seconds: float = 500) -> Any:
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update(shown(at, id))
        return found["change"]["state"] in states

    try:
        until(there, seconds, f"{states} of the change")
    except AssertionError as error:
        raise AssertionError(f"{error}: {found['change']}, {found['evidence'][-1]}") from None
    return found


def served(at: Desk) -> Any:
    return at.core.client.get("/api/v1/served", params={"route": "r"}, headers=at.headers).json()


def asked_for(at: Desk, model: str) -> int:
    return sum(one["body"].get("model") == model for one in at.vendor.seen)


def test_a_release_that_does_well_is_ramped_stage_by_stage_and_completes(at: Desk) -> None:
    with traffic(at):
        id = begun(at, "good")
        done = reached(at, id, "completed", "failed", "rolled_back")
    change, steps = done["change"], done["evidence"]
    assert change["state"] == "completed", change["reason"]
    ramp = [
        (one["after"], one["stage"])
        for one in steps
        if one["before"] != one["after"] or one["after"] == "ramping"
    ]
    came = [one for index, one in enumerate(ramp) if index == 0 or one != ramp[index - 1]]
    assert came[-5:] == [("ramping", 0), ("ramping", 1), ("ramping", 2), ("soaking", 2), ("completed", 2)]
    for step in steps:
        if step["after"] in ("soaking", "completed") or (step["after"] == "ramping" and step["stage"]):
            if step["event"] == "looked":
                continue
            facts = step["facts"]
            assert facts["outcome"] == "successful", facts
            assert facts["calls"][change["candidate"]] >= 20
            assert {one["verdict"] for one in facts["findings"] if one["kind"] == "stop"} == {"not_worse"}
    assert served(at)["variants"] == {change["candidate"]: 100}
    assert served(at)["change"]["id"] == id
    assert asked_for(at, "good") > 60
    until(lambda: ask(at, "somebody new") == change["candidate"], 10, "the gateway")


def test_a_release_that_fails_in_production_goes_back_by_itself(at: Desk) -> None:
    before = served(at)["stable"]
    at.vendor.tell("bad", "500")
    with traffic(at):
        id = begun(at, "bad")
        done = reached(at, id, "rolled_back", "completed", "held")
        change = done["change"]
        assert change["state"] == "rolled_back", change
        assert "in a row" in change["reason"] or "worse" in change["reason"]
        seen = asked_for(at, "bad")
        until(lambda: ask(at, "more traffic") == before, 10, "an answer by the release before")
        asked = len(at.vendor.seen)
        until(lambda: len(at.vendor.seen) > asked + 40, 30, "more traffic")
        assert asked_for(at, "bad") == seen, "not one more request on the bad release"
    halted = next(one for one in done["evidence"] if one["after"] == "halted")
    errors = next(one for one in halted["facts"]["findings"] if one["metric"] == "errors")
    assert errors["verdict"] in ("tripped", "worse") and halted["actor_name"] == "Holdfast"
    rolled = done["evidence"][-1]
    assert rolled["facts"]["behind"] == [] and rolled["facts"]["gateways"]
    assert served(at)["variants"] == {before: 100}


def test_a_release_that_answers_well_and_is_flagged_in_production_goes_back_by_itself(at: Desk) -> None:
    at.vendor.tell("rude", "says You are an idiot. Read the manual.")
    with traffic(at):
        id = begun(at, "rude")
        done = reached(at, id, "rolled_back", "completed", "held")
    change = done["change"]
    assert change["state"] == "rolled_back", change
    assert change["reason"].startswith("flagged: ")
    halted = next(one for one in done["evidence"] if one["after"] == "halted")
    findings = {one["metric"]: one for one in halted["facts"]["findings"]}
    assert findings["flagged"]["verdict"] == "worse" and halted["actor_name"] == "Holdfast"
    assert findings["flagged"]["candidate"]["n"] >= 20
    assert findings["flagged"]["candidate"]["mean"] == 1 and findings["flagged"]["baseline"]["mean"] == 0
    assert findings["errors"]["candidate"]["mean"] == 0, "nothing of it failed"
    assert served(at)["variants"] == {change["baseline"]: 100}
    with closing(open_database(at.core.settings)) as database, database.reading() as tx:
        ctx = Context(tenancy.workspace_by_slug(tx, at.workspace.slug).id, SYSTEM, datetime.now(UTC))
        (entry,) = audit.entries(ctx, tx, action="change.halted", subject=id).items
    told = audit.said(entry)
    assert told is not None
    assert told.details["reason"] == change["reason"] and "idiot" not in str(told.details)


def test_two_releases_are_compared_at_a_split_before_the_ramp(at: Desk) -> None:
    ab = {"metric": "flagged", "minimum": 0.5, "split": 50}
    put_policy(at, {**QUICK, "ab": ab})
    try:
        with traffic(at):
            id = begun(at, "kind")
            done = reached(at, id, "completed", "rolled_back", "held")
    finally:
        put_policy(at, QUICK)
    assert done["change"]["state"] == "completed", done["change"]
    steps = done["evidence"]
    began = next(one for one in steps if one["after"] == "comparing")
    assert began["facts"]["planned"]["metric"] == "flagged"
    ramp = next(one for one in steps if one["before"] == "comparing" and one["after"] == "ramping")
    found = ramp["facts"]["ab"]
    assert found["answer"] == "no_difference" and found["said"].startswith(
        "No difference as large as 50.0 points"
    )
    assert ramp["facts"]["share"] == 50 and ramp["stage"] == 2, "at the first stage above its split"


def test_a_rollback_is_obeyed_inside_a_freeze(at: Desk) -> None:
    with traffic(at):
        id = begun(at, "late")
        reached(at, id, "ramping")
        candidate = shown(at, id)["change"]["candidate"]
        until(
            lambda: ask(at, f"user-{asked_for(at, 'late')}") == candidate or asked_for(at, "late") > 0,
            60,
            "a call",
        )
        frozen = post(at, "/api/v1/change-rules/freezes", reason="an incident is open")
        stage = shown(at, id)["change"]["stage"]
        post(at, "/api/v1/rollbacks", route="r", reason="we saw it ourselves")
        seen = len(at.vendor.seen)
        reached(at, id, "rolled_back", seconds=120)
        until(lambda: len(at.vendor.seen) > seen + 20, 30, "more traffic")
    assert shown(at, id)["change"]["stage"] == stage
    at.core.client.delete(f"/api/v1/change-rules/freezes/{frozen['id']}", headers=at.headers)
