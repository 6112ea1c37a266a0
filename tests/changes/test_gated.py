"""The gate on real runs: both releases are asked the route's suites through the gateway, and held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from tests.changes.test_rolled_out import USAGE, begun, post, reached, shown
from tests.evals.runs.desk import WORDS, Desk, cases, desk
from tests.gateway.vendor import Vendor
from tests.platform.access.house import House

from holdfast.commands import open_database
from holdfast.kernel.context import Actor, Context
from holdfast.kernel.time import utc_now
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import Role, Scope
from holdfast.platform.tenancy import reads as tenancy
from running_core import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

CASES = 60
WIDE = {
    "reviewers": 0,
    "stages": [50, 100],
    "dwell_minutes": 600,
    "samples": 1000,
    "shadow": None,
    "load": None,
    "deltas": {"latency": None},  # of a millisecond, at different times on a machine that does other things
}
POLICY = {"systems": {"*": {name: WIDE for name in ("minor", "moderate", "major")}}}


class Pupil(Vendor):
    """Answers every question well, but as the model `worse` every third one otherwise, and as `fatal` one."""

    def _answer(self, path: str, body: dict[str, Any], how: str) -> dict[str, Any]:
        text = str(body.get("messages", [{}])[-1].get("content", ""))
        number = int(text.rpartition(" ")[2]) if text.startswith("question ") else -1
        model = body.get("model")
        wrong = (model == "worse" and number % 3 == 0) or (model == "fatal" and number == 7)
        words, self.words = self.words, ["No idea"] if wrong else self.words
        try:
            return super()._answer(path, body, how)
        finally:
            self.words = words


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("gated"), Pupil()) as made:
        prices = {name: USAGE for name in ("m", "same", "worse", "fatal", "other", "third", "sluggish")}
        prices["dear"] = {"input_uncached": "2", "output": "4"}
        upstream = {"dialect": "openai", "base_url": made.vendor.url + "/v1", "prices": prices}
        made.configure(routes={"r": {"release": "v1", "retries": 0}}, upstreams={"one": upstream})
        answer = made.core.client.put(
            "/api/v1/change-rules/policy", json={"policy": POLICY}, headers=made.headers
        )
        assert answer.status_code == 200, answer.text
        suite(made)
        yield made


def suite(at: Desk, count: int = CASES, **bars: Any) -> None:
    """The suite of the route, in its next version."""
    found = cases(count, WORDS)
    found[7 % count]["criticality"] = "critical"
    at.suite("known", found, bars={"least": 0.5, "margin": 0.1, **bars})


def gated(found: dict[str, Any]) -> dict[str, Any]:
    """What the gate came to, from the step that it led to."""
    step: dict[str, Any] = next(
        one for one in reversed(found["evidence"]) if "gate" in one["facts"] and one["before"] == "gated"
    )
    return step


def of_somebody(at: Desk) -> str:
    """The text of a key that a member made who may answer for risks."""
    with closing(open_database(at.core.settings)) as database:
        id = House(database, at.core.settings, utc_now, "").member(
            "risk@nobody.test", (at.workspace.slug, Role.ADMIN)
        )
        with database.transaction() as tx:
            workspace = tenancy.workspace_by_slug(tx, at.workspace.slug).id
            by = Context(workspace, Actor("member", id, "risk@nobody.test"), utc_now())
            return keys.create_key(by, tx, "risk", frozenset({Scope.READ, Scope.OPERATE, Scope.ADMIN}))[1]


def asked_by_people(at: Desk, model: str) -> int:
    """Requests for a model that no suite made."""
    return sum(
        one["body"].get("model") == model
        and not str(one["body"]["messages"][-1]["content"]).startswith("question")
        for one in at.vendor.seen
    )


def test_one_that_answers_as_well_passes(at: Desk) -> None:
    id = begun(at, "same")
    found = reached(at, id, "ramping", "failed", seconds=400)
    assert found["change"]["state"] == "ramping", found["change"]["reason"]
    step = gated(found)
    assert (step["after"], step["facts"]["gate"]) == ("approved", "pass")
    [asked] = step["facts"]["suites"]
    before, after = (at.get(asked[name]) for name in ("baseline_run", "candidate_run"))
    assert (before["release"], after["release"]) == (
        found["change"]["baseline"],
        found["change"]["candidate"],
    )
    assert after["trigger"] == "change" and id in after["because"]
    assert after["verdict"]["suite"]["comparison"]["difference"] == 0
    models = [one["body"]["model"] for one in at.vendor.seen]
    assert (models.count("m"), models.count("same")) == (CASES, CASES), (
        "each release was asked each case once"
    )
    post(at, "/api/v1/rollbacks", route="r", reason="the next one")
    reached(at, id, "rolled_back", seconds=240)


def test_the_same_baseline_is_not_asked_and_paid_again(at: Desk) -> None:
    before = [one["body"]["model"] for one in at.vendor.seen].count("m")
    id = begun(at, "other")
    reached(at, id, "ramping", seconds=400)
    assert [one["body"]["model"] for one in at.vendor.seen].count("m") == before
    post(at, "/api/v1/rollbacks", route="r", reason="the next one")
    reached(at, id, "rolled_back", seconds=240)


@pytest.mark.parametrize("model", ["worse", "fatal"])
def test_one_that_answers_worse_fails_and_serves_nobody(at: Desk, model: str) -> None:
    id = begun(at, model)
    found = reached(at, id, "failed", "ramping", seconds=400)
    assert (found["change"]["state"], found["change"]["reason"]) == ("failed", "its gate failed")
    [asked] = gated(found)["facts"]["suites"]
    assert asked["verdict"] == "fail" and asked["reasons"]
    if model == "fatal":
        assert any("critical" in one for one in asked["reasons"]), asked["reasons"]
    assert asked_by_people(at, model) == 0
    assert at.core.client.get("/api/v1/served", params={"route": "r"}, headers=at.headers).json()["stable"]


def test_one_that_is_right_and_costs_twice_as_much_fails(at: Desk) -> None:
    id = begun(at, "dear")
    found = reached(at, id, "failed", "ramping", seconds=400)
    assert found["change"]["reason"] == "its gate failed"
    [asked] = found["gate"]
    assert asked["reasons"][0].startswith("cost: +10") and "25% are allowed" in asked["reasons"][0]
    cost = next(one for one in asked["deltas"] if one["name"] == "cost")
    assert (round(cost["change"], 1), cost["pairs"]) == (1.0, CASES)
    brief = at.core.client.get(f"/api/v1/changes/{id}/brief", headers=at.headers)
    assert brief.headers["content-type"].startswith("text/markdown")
    assert "**Stay with what is served" in brief.text and "| cost | " in brief.text
    assert "one/m (`" in brief.text and "one/dear (`" in brief.text


def test_one_that_cannot_bear_the_peak_fails(at: Desk) -> None:
    at.vendor.tell("sluggish", "slow 200")
    loaded = {**WIDE, "load": {"rate": 16, "seconds": 6}}
    policy = {"systems": {"*": {"major": loaded}}}
    at.core.client.put("/api/v1/change-rules/policy", json={"policy": policy}, headers=at.headers)
    id = begun(at, "sluggish")
    found = reached(at, id, "failed", "ramping", seconds=400)
    at.core.client.put("/api/v1/change-rules/policy", json={"policy": POLICY}, headers=at.headers)
    assert found["change"]["reason"] == "its gate failed"
    suite, step = sorted(found["gate"], key=lambda one: str(one["suite"] == "load step"))
    assert (suite["verdict"], step["verdict"]) == ("pass", "fail")
    assert any("p95" in one and "25% more is allowed" in one for one in step["reasons"]), step["reasons"]
    asked = [one["body"]["model"] for one in at.vendor.seen]
    assert asked.count("sluggish") > CASES + 60
    assert asked_by_people(at, "sluggish") == 0


def test_what_cannot_be_told_waits_for_somebody_who_answers_for_it(at: Desk) -> None:
    suite(at, 8, margin=0.02)
    id = begun(at, "third")
    found = reached(at, id, "gated", seconds=240)
    found = _told(at, id)
    [asked] = found["gate"]
    assert (asked["verdict"], found["change"]["gate"]) == ("inconclusive", "inconclusive")
    assert any("cases" in one or "repeats" in one for one in asked["reasons"]), asked["reasons"]
    ends = (utc_now() + timedelta(days=2)).isoformat()
    said = {"reason": "eight cases are all there are", "until": ends}
    alone = at.core.client.post(f"/api/v1/changes/{id}/accept-risk", json=said, headers=at.headers)
    assert alone.status_code == 403, "a key that nobody stands behind answers for nothing"
    signed = at.core.client.post(
        f"/api/v1/changes/{id}/accept-risk", json=said, headers={"authorization": f"Bearer {of_somebody(at)}"}
    )
    assert signed.status_code == 200, signed.text
    went_on = reached(at, id, "ramping", seconds=240)
    risk = gated(went_on)["facts"]["risk"]
    assert risk["by"] == "risk@nobody.test"
    post(at, "/api/v1/rollbacks", route="r", reason="the next one")
    reached(at, id, "rolled_back", seconds=240)


def _told(at: Desk, id: str) -> dict[str, Any]:
    """The change, as soon as its gate is not pending any more; it is gated still."""
    until(lambda: shown(at, id)["change"]["gate"] != "pending", 60, "the gate")
    found: dict[str, Any] = shown(at, id)
    assert found["change"]["state"] == "gated"
    return found
