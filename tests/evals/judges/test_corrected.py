"""What a judge's figures are worth: corrected by people, checked against labels, never a bare number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.evals.judges.referee import Referee, apply, asking, judge, number, pairs
from tests.evals.runs.desk import Desk, desk

from running_core import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
JUDGES = "/api/v1/evals/judges"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("corrected"), Referee()) as made:
        apply(made, "kept", judge(), judge("pairs", kind="pairwise", labels=pairs()))
        yield made


def to_grade(at: Desk, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = at.get(run, "/to-grade", limit=1000)
    return found


def say(at: Desk, run: str, one: dict[str, Any], score: float | None, status: int = 200) -> Any:
    body = {"case": one["case"], "repeat": one["repeat"], "expectation": one["expectation"], "score": score}
    answer = at.core.client.post(f"/api/v1/evals/runs/{run}/grades", json=body, headers=at.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def checked(at: Desk, name: str) -> dict[str, Any]:
    made = at.core.client.post(f"{JUDGES}/{name}/checks", headers=at.headers)
    assert made.status_code == 201, made.text

    def now() -> dict[str, Any]:
        found: dict[str, Any] = at.core.client.get(
            f"/api/v1/evals/checks/{made.json()['id']}", headers=at.headers
        ).json()
        return found

    until(lambda: now()["state"] in ("done", "stopped"), 60, "the end of the check")
    return now()


def test_a_judge_alone_is_no_pass_and_labels_correct_it(at: Desk) -> None:
    apply(at, "corrected", judge("fresh"), cases=asking(60, judge="fresh"), bars={"least": 0.3})
    found = at.ran("corrected")
    suite = found["verdict"]["suite"]
    assert suite["score"]["value"] == pytest.approx(0.75), "the judge lets every fourth wrong answer pass"
    assert found["verdict"]["outcome"] == "inconclusive"
    assert suite["trusted"]["value"] is None
    assert "uncorrected judge, not to be trusted" in found["verdict"]["reasons"][0]
    assert "uncorrected judge, not to be trusted" in at.get(found["id"], "/report")
    assert "uncorrected judge, not to be trusted" in at.get(found["id"], "/report", format="junit")
    for _ in range(40):
        one = to_grade(at, found["id"])[0]
        assert one["why"] == "label" and "verdict" not in one
        told = say(at, found["id"], one, 0.0 if number(one["case"]) % 3 == 2 else 1.0)
    trusted = told["verdict"]["suite"]["trusted"]
    assert trusted["labels"] == 40 and trusted["method"] == "PPI++"
    assert trusted["low"] <= 2 / 3 <= trusted["high"], "what is true"
    assert trusted["judged"] == pytest.approx(0.75)
    assert told["verdict"]["outcome"] == "pass"
    report = at.get(found["id"], "/report")
    assert f"{trusted['value']:.3f}" in report and "40 labels" in report


def test_a_difference_from_the_baseline_counts_as_labels_of_both_runs_have_it(at: Desk) -> None:
    apply(at, "versus", judge("both"), cases=asking(120, judge="both"), bars={"margin": 0.3})
    before = at.ran("versus")
    after = at.ran("versus", baseline=before["id"])
    assert after["verdict"]["suite"]["comparison"]["difference"] == 0
    assert after["verdict"]["outcome"] == "inconclusive", (
        "the judge sees no difference; nobody else has looked"
    )
    for run in (after, before):
        assert at.get(after["id"])["verdict"]["outcome"] == "inconclusive"
        for one in to_grade(at, run["id"])[:60]:
            say(at, run["id"], one, 0.0 if number(one["case"]) % 3 == 2 else 1.0)
    told = at.get(after["id"])["verdict"]
    versus = told["suite"]["trusted"]["versus"]
    assert (versus["labels"], versus["baseline_labels"]) == (60, 60)
    # Which answers are labelled is drawn by the run's own id: a 95 % interval misses the truth in one run of
    # twenty. Its whole width, four standard errors, misses it in one of ten thousand.
    assert abs(versus["value"]) <= versus["high"] - versus["low"] < 0.3
    assert told["outcome"] == "pass", told["reasons"]
    assert "60 and 60 human labels" in " ".join(told["reasons"])


def test_where_only_the_judges_own_labels_are_they_correct_it(at: Desk) -> None:
    health = checked(at, "truth")["health"]
    assert (health["labels"], health["unknown"]) == (24, 0)
    assert health["caught"] == [16, 16] and health["cleared"] == [6, 8], "8 and 20 pass wrongly"
    assert 0 < health["kappa"]["low"] < health["kappa"]["value"] < 1
    assert health["bias"]["value"] == pytest.approx(2 / 24)
    apply(at, "pinned", cases=asking(60))
    trusted = at.ran("pinned")["verdict"]["suite"]["trusted"]
    assert (trusted["method"], trusted["labels"]) == ("Rogan-Gladen", 24)
    assert trusted["value"] == pytest.approx(2 / 3, abs=0.01)
    assert trusted["low"] < 2 / 3 < trusted["high"] < 0.95


def test_a_judge_that_has_changed_behind_its_name_drifts(at: Desk) -> None:
    apply(at, "drifting", judge("drifting"))
    first = checked(at, "drifting")
    assert first["health"]["drift"] is None
    assert checked(at, "drifting")["health"]["drift"]["score"]["difference"] == 0
    assert isinstance(at.vendor, Referee)
    at.vendor.raw = '{"verdict": "pass"}'
    try:
        after = checked(at, "drifting")["health"]
    finally:
        at.vendor.raw = None
    assert after["drift"]["score"]["difference"] == pytest.approx(6 / 24)
    assert after["drift"]["right"]["difference"] == pytest.approx(-6 / 24)
    assert after["kappa"]["value"] == 0


def test_a_judge_of_pairs_shows_how_often_the_order_decides(at: Desk) -> None:
    twins = [
        {"input": f"question {n}", "answers": [f"{n} is right", f"{n} is right too"], "label": "tie"}
        for n in range(12)
    ]
    apply(at, "swapped", judge("swapped", kind="pairwise", labels=[*pairs(12), *twins]))
    health = checked(at, "swapped")["health"]
    assert health["swaps"]["consistent"] == 0.5 and health["swaps"]["first"] == 0.5
    assert health["swaps"]["p"] < 0.01
    assert health["right"] == 1


def test_what_waits_for_a_person_is_unknown_until_they_grade_it(at: Desk) -> None:
    apply(at, "by-hand", cases=asking(3, grader="human", rubric="Is it kind?", scale=4))
    found = at.ran("by-hand")
    assert found["progress"]["unknown"] == 3
    assert "3 answers wait for a person to grade them" in found["verdict"]["reasons"]
    queue = to_grade(at, found["id"])
    assert [(one["why"], one["rubric"], one["steps"]) for one in queue] == [("waits", "Is it kind?", 4)] * 3
    say(at, found["id"], queue[0], 1.0)
    say(at, found["id"], queue[1], 0.25)
    say(at, found["id"], queue[2], None)
    now = at.get(found["id"])
    assert (now["progress"]["passed"], now["progress"]["failed"], now["progress"]["unknown"]) == (1, 1, 1)
    assert to_grade(at, found["id"]) == []
    told = say(at, found["id"], queue[1], 0.75)
    assert at.get(found["id"])["progress"]["passed"] == 2
    assert told["verdict"]["suite"]["score"]["value"] == pytest.approx(0.875)
    say(at, found["id"], {**queue[0], "expectation": "exact"}, 1.0, 422)
    say(at, found["id"], {**queue[0], "case": "nobody"}, 1.0, 404)


def test_a_judge_is_kept_version_by_version(at: Desk) -> None:
    apply(at, "versions", judge("versions"))
    apply(at, "versions", judge("versions", rubric="Good answers are brief."))
    heads = at.core.client.get(f"{JUDGES}/versions/versions", headers=at.headers).json()
    assert [one["version"] for one in heads] == [2, 1] and heads[0]["asks"] != heads[1]["asks"]
    old = at.core.client.get(f"{JUDGES}/versions", params={"version": 1}, headers=at.headers).json()
    assert old["judge"]["rubric"] == "Good answers are right."
