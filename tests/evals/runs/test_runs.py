"""Runs of suites through a real gateway: asked, graded, judged, and told on the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from tests.evals.runs.desk import RUNS, WORDS, Desk, cases, desk

from running_core import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("runs")) as made:
        yield made


def test_a_run_passes_its_bar_and_says_what_it_cost(at: Desk) -> None:
    at.suite("passes", cases(40), bars={"least": 0.8})
    asked = at.vendor.meter["asked"]
    made = at.make("passes", concurrency=4)
    assert (made["state"], made["outcome"], made["cases"]) == ("queued", None, 40)
    found = at.over(made["id"])
    assert (found["state"], found["verdict"]["outcome"]) == ("done", "pass")
    told = found["progress"]
    assert (told["done"], told["passed"], told["failed"], told["unknown"]) == (40, 40, 0, 0)
    assert at.vendor.meter["asked"] == asked + 40
    answers = [one for case in at.get(made["id"], "/cases") for one in case["answers"]]
    assert all(one["answer"]["text"] == WORDS for one in answers)
    assert Decimal(told["cost_usd"]) == sum(Decimal(one["answer"]["cost"]) for one in answers) > 0
    seen = at.vendor.seen[-1]["body"]
    assert seen["model"] == "m"
    assert "holdfast" not in seen


def test_what_fails_stands_first_and_fails_the_run(at: Desk) -> None:
    wrong = [{"id": "bad", "prompt": "x", "expect": [{"exact": "something else"}], "criticality": "critical"}]
    at.suite("fails", [*cases(20), *wrong])
    found = at.ran("fails")
    assert found["verdict"]["outcome"] == "fail"
    assert any("critical" in reason for reason in found["verdict"]["reasons"])
    first = at.get(found["id"], "/cases")[0]
    assert (first["case"], first["standing"]) == ("bad", "failed")
    report = at.get(found["id"], "/report")
    assert "FAIL" in report.splitlines()[0]
    assert "**bad** (critical)" in report
    junit = at.get(found["id"], "/report", format="junit")
    assert 'tests="22"' in junit and 'failures="2"' in junit


def test_an_upstream_that_fails_is_unknown_and_never_a_pass(at: Desk) -> None:
    at.suite("away", cases(3))
    at.vendor.tell("late", "500")
    found = at.ran("away", release="late")
    assert found["state"] == "done"
    assert found["progress"]["unknown"] == 3
    assert found["verdict"]["outcome"] == "inconclusive"
    assert found["verdict"]["unknown_trials"] == 3


def test_answers_are_used_again_for_the_same_release_and_case(at: Desk) -> None:
    at.suite("again", cases(5))
    first = at.ran("again", repeats=2)
    asked = at.vendor.meter["asked"]
    second = at.ran("again", repeats=2)
    assert at.vendor.meter["asked"] == asked
    assert (second["progress"]["reused"], Decimal(second["progress"]["cost_usd"])) == (10, 0)
    assert second["verdict"]["suite"]["score"] == first["verdict"]["suite"]["score"]
    more = at.ran("again", repeats=3)
    assert (at.vendor.meter["asked"], more["progress"]["reused"]) == (asked + 5, 10)
    at.ran("again", reuse=False)
    assert at.vendor.meter["asked"] == asked + 10
    at.suite("again", cases(5, "another expectation"))
    other = at.ran("again")
    assert at.vendor.meter["asked"] == asked + 15, "what is expected is part of the case's hash"
    assert other["progress"]["failed"] == 5


def test_held_against_a_baseline(at: Desk) -> None:
    at.suite("against", cases(60))
    base = at.ran("against")
    found = at.ran("against", baseline=base["id"], reuse=False)
    assert found["verdict"]["outcome"] == "pass"
    assert found["verdict"]["suite"]["comparison"]["difference"] == 0
    assert at.get(found["id"], "/comparison", baseline=base["id"])["outcome"] == "pass"
    answer = at.core.client.post(RUNS, json={"suite": "passes", "baseline": base["id"]}, headers=at.headers)
    assert answer.status_code == 422


def test_a_ceiling_of_cost_is_kept(at: Desk) -> None:
    at.suite("dear", cases(50))
    one = Decimal(at.ran("passes", reuse=False)["progress"]["cost_usd"]) / 40
    ceiling = one * 10
    found = at.ran("dear", max_cost=f"{ceiling:f}", reuse=False)
    assert found["state"] == "stopped"
    assert "ceiling" in found["note"]
    assert 5 <= found["progress"]["done"] <= 10
    assert Decimal(found["progress"]["cost_usd"]) <= ceiling
    assert found["verdict"]["outcome"] == "inconclusive", "what was not asked is no pass"


def test_a_run_can_be_cancelled(at: Desk) -> None:
    at.suite("cancelled", cases(200))
    at.vendor.tell("late", "slow 200")
    made = at.make("cancelled", release="late", concurrency=2)
    until(lambda: at.get(made["id"])["progress"]["done"] > 0, 30, "the first answer")
    assert at.cancel(made["id"]).status_code == 200
    found = at.over(made["id"])
    assert (found["state"], found["verdict"]) == ("cancelled", None)
    assert at.cancel(made["id"]).status_code == 409
    done = at.get(made["id"])["progress"]["done"]
    assert done < 200


def test_what_cannot_be_run_is_refused(at: Desk) -> None:
    at.suite("refused", cases(2))
    at.suite("nowhere", cases(2), route="not-there")
    for body, status in (
        ({"suite": "no-such"}, 404),
        ({"suite": "refused", "release": "no-such"}, 422),
        ({"suite": "refused", "repeats": 0}, 422),
        ({"suite": "refused", "max_cost": "0"}, 422),
        ({"suite": "refused", "baseline": "run_x"}, 404),
        ({"suite": "nowhere"}, 422),
    ):
        answer = at.core.client.post(RUNS, json=body, headers=at.headers)
        assert answer.status_code == status, (body, answer.text)
    reader = at.core.workspace("acme", "read")
    told = at.core.client.post(
        RUNS, json={"suite": "refused"}, headers={"authorization": f"Bearer {reader.key}"}
    )
    assert told.status_code == 403


def test_no_run_of_another_workspace_is_seen(at: Desk) -> None:
    other = at.core.workspace("birch", "read,operate,admin")
    headers = {"authorization": f"Bearer {other.key}"}
    mine = at.core.client.get(RUNS, headers=at.headers).json()[0]["id"]
    assert at.core.client.get(RUNS, headers=headers).json() == []
    for path in ("", "/cases", "/report"):
        assert at.core.client.get(f"{RUNS}/{mine}{path}", headers=headers).status_code == 404
    assert at.core.client.post(f"{RUNS}/{mine}/cancel", headers=headers).status_code == 404


def test_a_gateway_that_is_away_is_waited_for(at: Desk) -> None:
    at.suite("waits", cases(10))
    at.gateway.kill()
    made = at.make("waits", reuse=False)
    until(lambda: "no gateway answers" in at.get(made["id"])["note"], 30, "why the run waits")
    assert at.get(made["id"])["progress"]["done"] == 0
    at.gateway.start()
    found = at.over(made["id"])
    assert (found["state"], found["note"], found["progress"]["passed"]) == ("done", "", 10)
