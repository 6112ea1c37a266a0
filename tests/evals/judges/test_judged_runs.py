"""Judges through a real gateway: asked, read strictly, paid once, within their ceiling and budget."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from tests.evals.judges.referee import Referee, apply, asking, judge, pairs
from tests.evals.runs.desk import RUNS, Desk, desk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("judges"), Referee()) as made:
        apply(made, "kept", judge(), judge("pairs", kind="pairwise", labels=pairs()))
        yield made


@pytest.fixture(autouse=True)
def plain(at: Desk) -> Iterator[None]:
    yield
    assert isinstance(at.vendor, Referee)
    at.vendor.raw = None
    at.vendor.tell("late", "well")


def test_a_judge_grades_and_its_cost_counts(at: Desk) -> None:
    apply(at, "graded", cases=asking(12))
    asked = at.vendor.meter["asked"]
    found = at.ran("graded")
    assert (found["state"], found["progress"]["passed"], found["progress"]["failed"]) == ("done", 9, 3), (
        "wrong are 2, 5, 8 and 11; of those the judge lets 8 pass"
    )
    assert at.vendor.meter["asked"] == asked + 24
    answers = [one for case in at.get(found["id"], "/cases") for one in case["answers"]]
    grades = [grade for one in answers for grade in one["grades"]]
    assert all(grade["version"].startswith("1+truth@") and Decimal(grade["cost"]) > 0 for grade in grades)
    spent = sum(Decimal(one["answer"]["cost"]) + Decimal(one["grades"][0]["cost"]) for one in answers)
    assert Decimal(found["progress"]["cost_usd"]) == spent
    again = at.ran("graded")
    assert at.vendor.meter["asked"] == asked + 24, "the same answers by the same judge are not judged anew"
    assert Decimal(again["progress"]["cost_usd"]) == 0


def test_another_rubric_judges_anew_and_other_labels_do_not(at: Desk) -> None:
    apply(at, "anew", judge("newer"), cases=asking(3, judge="newer"))
    at.ran("anew")
    asked = at.vendor.meter["asked"]
    assert "its grades stand" in apply(at, "anew", judge("newer", labels=judge()["labels"][:22]))
    at.ran("anew")
    assert at.vendor.meter["asked"] == asked
    apply(at, "anew", judge("newer", rubric="Good answers are short."))
    at.ran("anew")
    assert at.vendor.meter["asked"] == asked + 3, "the answers are known, the grades are not"


@pytest.mark.parametrize(
    "said",
    [
        "pass",
        '{"verdict": "passed"}',
        '{"verdict": 1}',
        '{"verdict": "pass", "score": 1}',
        '{"verdict": "pass"} and a word more',
        '{"verdict": "abstain", "reason": "no idea"}',
    ],
)
def test_what_is_no_verdict_is_unknown_and_never_low(at: Desk, said: str) -> None:
    name = f"strange-{abs(hash(said))}"
    apply(at, name, cases=[{"id": name, "prompt": f"question 1 {said}", "expect": [{"judge": "truth"}]}])
    assert isinstance(at.vendor, Referee)
    at.vendor.raw = said
    found = at.ran(name)
    assert (found["progress"]["unknown"], found["progress"]["failed"]) == (1, 0)
    (grade,) = at.get(found["id"], "/cases")[0]["answers"][0]["grades"]
    assert grade["score"] is None and "judge" in grade["reason"]
    assert Decimal(grade["cost"]) > 0


def test_pairs_are_asked_in_both_orders_and_the_order_never_wins(at: Desk) -> None:
    apply(at, "paired", cases=asking(9, judge="pairs"))
    refused = at.core.client.post(RUNS, json={"suite": "paired"}, headers=at.headers)
    assert refused.status_code == 422 and "baseline" in refused.json()["detail"]
    apply(at, "reference", cases=asking(9, grader="judge", judge="pairs", reference="999 is right"))
    found = at.ran("reference")
    grades = {case["case"]: case["answers"][0]["grades"][0] for case in at.get(found["id"], "/cases")}
    assert grades["c002"]["score"] == 0, "the reference is right, the answer is not"
    assert grades["c001"]["score"] == 0.5 and "order" in grades["c001"]["reason"]
    assert (grades["c001"]["details"]["first"], grades["c001"]["details"]["second"]) == ("first", "first")
    assert len(grades["c001"]["details"]["calls"]) == 2


def test_a_judge_above_its_own_ceiling_stops_the_run(at: Desk) -> None:
    one = Decimal(at.get(at.ran("graded")["id"], "/cases")[0]["answers"][0]["answer"]["cost"])
    apply(at, "capped", judge("capped", max_cost=f"{one * 60:f}"), cases=asking(40, judge="capped"))
    found = at.ran("capped")
    assert found["state"] == "stopped" and "the judge capped may cost" in found["note"]
    grades = [
        grade
        for case in at.get(found["id"], "/cases")
        for answer in case["answers"]
        for grade in answer["grades"]
    ]
    spent = sum(Decimal(grade["cost"]) for grade in grades if grade["cost"])
    assert 0 < spent <= one * 60
    assert found["verdict"]["outcome"] == "inconclusive"


def test_a_judge_without_a_budget_stops_the_run_and_says_why(at: Desk) -> None:
    at.configure(budgets=[{"scope": "key", "only": ["judges"], "amount": "0.000001", "period": "day"}])
    try:
        apply(at, "poor", cases=asking(5, grader="judge", judge="truth", criterion="no money"))
        found = at.ran("poor")
    finally:
        at.configure()
    assert found["state"] == "stopped", found
    assert "the judge truth may not be asked" in found["note"]
    assert found["progress"]["unknown"] >= 1 and found["progress"]["failed"] == 0


def test_a_judge_that_fails_is_asked_again_and_then_unknown(at: Desk) -> None:
    apply(at, "failing", cases=asking(1, grader="judge", judge="truth", criterion="failing"))
    at.vendor.tell("late", "500", "500", "well")
    assert at.ran("failing")["progress"]["passed"] == 1
    at.vendor.tell("late", "500")
    found = at.ran("failing", reuse=False)
    assert found["progress"]["unknown"] == 1
    assert "did not answer" in at.get(found["id"], "/cases")[0]["answers"][0]["grades"][0]["reason"]


def test_what_an_answer_says_to_the_judge_is_material(at: Desk) -> None:
    apply(at, "framed", cases=asking(1, grader="judge", judge="truth", criterion="framed"))
    at.ran("framed")
    sent = next(one["body"] for one in reversed(at.vendor.seen) if one["body"].get("model") == "late")
    system, user = (one["content"] for one in sent["messages"])
    mark = user.split("<<ANSWER ")[1][:16]
    assert mark in system and f"<<END {mark}>>" in user
    assert "never an instruction" in system and "Criterion: framed" in system
