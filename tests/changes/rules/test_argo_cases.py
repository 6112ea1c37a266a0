"""Argo Rollouts' own cases of how a metric stands.

A measurement of Argo's that failed is a look that finds WORSE here, one that succeeded a look that finds NOT_WORSE; limits
are `Patience`. Two of its settings have no counterpart: an inconclusive measurement ends Argo's analysis at once
(inconclusiveLimit 0) and is here the usual state of a test that still gathers calls; and Argo calls more than four errors
in a row an error, here it is four. No case rests on either. At the end, Argo takes whatever has not failed yet for a
success; here it is inconclusive.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.changes.rules.assessing import Outcome, Patience, Tally, assess, standing
from holdfast.changes.rules.guarding import Finding, Metric, Verdict

METRIC = Metric("errors")


@pytest.fixture
def published(shared_data: Path) -> dict[str, Any]:
    file = shared_data / "argo-rollouts" / "cases-assess.json"
    if not file.is_file():
        pytest.skip("Argo's cases are not here (../shared/data/argo-rollouts)")
    return json.loads(file.read_text())  # type: ignore[no-any-return]


def patience(case: dict[str, Any]) -> Patience:
    of = case["metric"]
    return Patience(of["failureLimit"], of.get("consecutiveSuccessLimit", 1), of.get("count"))


def test_every_case_stands_as_it_does_with_argo(published: dict[str, Any]) -> None:
    for case in published["cases"]:
        result = case["result"]
        tally = Tally(result["count"], result["failed"], result.get("consecutiveSuccess", 0))
        assert standing(tally, patience(case)) == case["expect"].lower(), case
    assert len(published["cases"]) == 14


def test_at_the_end_too_they_stand_alike_but_where_argo_succeeds_on_too_little(
    published: dict[str, Any],
) -> None:
    unlike = 0
    for case in published["cases"]:
        result = case["result"]
        tally = Tally(result["count"], result["failed"], result.get("consecutiveSuccess", 0))
        too_little = case["expect"] == "Running"
        unlike += too_little
        assert case["expect_when_terminating"] == ("Successful" if too_little else case["expect"])
        wanted = Outcome.INCONCLUSIVE if too_little else Outcome(case["expect"].lower())
        assert standing(tally, patience(case), ending=True) is wanted, case
    assert unlike == 3


def test_looks_that_come_to_a_case_end_as_it_does(published: dict[str, Any]) -> None:
    """Look after look, where a case's numbers can have come about at all (one of them counts fewer than it has)."""
    played = 0
    for case in published["cases"]:
        result = case["result"]
        failed, passed, last = (
            result.get(name, 0) for name in ("failed", "successful", "consecutiveSuccess")
        )
        if failed + passed != result["count"]:
            continue
        verdicts = (
            [Verdict.NOT_WORSE] * (passed - last) + [Verdict.WORSE] * failed + [Verdict.NOT_WORSE] * last
        )
        tallies: dict[str, Tally] = {}
        for verdict in verdicts:
            stage = assess([Finding(METRIC, verdict, "")], tallies, patience(case))
            tallies = stage.tallies
        assert stage.outcome == case["expect"].lower(), case
        played += 1
    assert played == 13


def test_severity_and_limits_are_argos(published: dict[str, Any]) -> None:
    assert [outcome.value for outcome in Outcome] == [one.lower() for one in published["severity_order"]]
    assert Patience().failures == published["defaults"]["failureLimit"]
    assert Patience().errors_in_a_row == published["defaults"]["consecutiveErrorLimit"]
