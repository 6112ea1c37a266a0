"""Scores that rest on a judge: corrected by a fair sample of labels they cover the truth; else they are not trusted."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.evals.model import (
    Answer,
    Bars,
    Case,
    CaseInput,
    Estimate,
    Expectation,
    Grade,
    Judged,
    Outcome,
    Trusted,
    Verdict,
)
from holdfast.evals.rules import settling, trusting
from holdfast.evals.rules.trusting import Checked
from holdfast.evals.states import Graded

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def cases(count: int) -> list[Case]:
    return [Case(f"c{n}", CaseInput(), (Expectation("judge", {"judge": "j"}),)) for n in range(count)]


def graded(scores: list[float], repeats: int = 1) -> list[Graded]:
    return [
        Graded(f"c{n}", "", repeat, Answer("x"), (Grade("judge", "1", score, None),), score, None, False, NOW)
        for n, score in enumerate(scores)
        for repeat in range(repeats)
    ]  # fmt: skip


def figure(
    scores: list[float], truth: list[float], count: int, seed: str = "run", checks: tuple[Checked, ...] = ()
) -> Trusted:
    """The figure after the first `count` of the order were labelled truly."""
    asked, answers = cases(len(scores)), graded(scores)
    order = trusting.units(asked, answers, {}, seed)
    labels = {(one.case, one.repeat, "judge"): truth[int(one.case[1:])] for one in order[:count]}
    return of(asked, answers, labels, seed, checks)


def of(
    asked: list[Case],
    answers: list[Graded],
    labels: dict[tuple[str, int, str], float],
    seed: str = "run",
    checks: tuple[Checked, ...] = (),
) -> Trusted:
    run = trusting.side(asked, answers, labels, seed)
    found = trusting.figure(run.units, run, [], ("j",), checks, 0.95)
    assert found is not None
    return found


@pytest.mark.parametrize("scale", ["binary", "ten"])
def test_corrected_figures_cover_the_truth_where_the_judge_alone_never_does(scale: str) -> None:
    rng = random.Random(7)
    covered = bare = 0
    rounds, n, count = 80, 300, 60
    for seed in range(rounds):
        truth = [float(rng.random() < 0.6) for _ in range(n)]
        if scale == "binary":
            scores = [1.0 if one or rng.random() < 0.4 else 0.0 for one in truth]
        else:
            scores = [
                min(10, max(0, round(10 * (0.35 + 0.5 * one + rng.gauss(0, 0.15))))) / 10 for one in truth
            ]
        found = figure(scores, truth, count, f"run{seed}")
        assert found.value is not None and found.low is not None and found.high is not None
        assert found.method == ("PPI++" if scale == "binary" else "active") and found.labels == count
        covered += found.low <= 0.6 <= found.high
        bare += abs(found.judged - 0.6) < 0.05
    assert covered >= 0.92 * rounds
    assert scale == "ten" or bare == 0


def test_only_labels_in_the_order_given_count() -> None:
    scores = [1.0, 0.0] * 30
    order = trusting.units(cases(60), graded(scores), {}, "run")
    chosen = {(one.case, one.repeat, "judge"): 1.0 for one in order[10:40]}
    found = of(cases(60), graded(scores), chosen)
    assert (found.value, found.labels) == (None, 0)
    assert "not to be trusted" in found.note
    first = {(one.case, one.repeat, "judge"): 1.0 for one in order[:10]}
    assert of(cases(60), graded(scores), first | chosen).labels == 40


def test_what_cannot_be_told_is_left_out() -> None:
    scores = [1.0, 0.0] * 30
    order = trusting.units(cases(60), graded(scores), {}, "run")
    told: dict[tuple[str, int, str], float | None] = {(one.case, 0, "judge"): 1.0 for one in order[:20]}
    told[order[3].case, 0, "judge"] = None
    units = trusting.units(cases(60), graded(scores), told, "run")
    assert len(units) == 59
    assert [one.label for one in units[:20]] == [1.0] * 19 + [None]


def test_one_answer_stands_for_a_family() -> None:
    asked = [replace(case, family=f"f{place // 3}") for place, case in enumerate(cases(30))]
    units = trusting.units(asked, graded([1.0] * 30, 2), {}, "run")
    assert len(units) == 10 and all(one.weight == pytest.approx(3) for one in units)


def test_the_judges_own_labels_correct_shares_alone() -> None:
    check = Checked("j", 18, 20, 8, 10)
    found = figure([1.0] * 40 + [0.0] * 20, [1.0] * 60, 0, checks=(check,))
    assert (found.method, found.labels) == ("Rogan-Gladen", 30)
    assert found.value == pytest.approx((40 / 60 + 0.8 - 1) / (0.9 + 0.8 - 1))
    assert figure([0.5] * 60, [1.0] * 60, 0, checks=(check,)).value is None
    assert figure([1.0, 0.0] * 30, [1.0] * 60, 0, checks=(Checked("j", 10, 20, 5, 10),)).value is None


def verdict(outcome: Outcome) -> Verdict:
    score = Estimate(0.9, 0.85, 0.95, 0.95, 0.02, 60, 60, 60.0, "t")
    suite = Judged("", "", outcome, ("it is above",), 60, 60, score)
    return Verdict(outcome, suite.reasons, suite, None)


def test_what_no_label_corrects_is_no_pass() -> None:
    bare = Trusted(("j",), 0.9, None, None, None, 0.95, 0, "", trusting.UNTRUSTED)
    told = settling.settled(verdict(Outcome.PASS), Bars(least=0.8), {("", ""): bare})
    assert told.outcome is Outcome.INCONCLUSIVE
    assert "not to be trusted" in told.reasons[0]
    assert settling.settled(verdict(Outcome.FAIL), Bars(), {("", ""): bare}).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.81, 0.9, Outcome.PASS), (0.6, 0.79, Outcome.FAIL), (0.7, 0.9, Outcome.INCONCLUSIVE)],
)
def test_the_least_score_is_held_against_the_corrected_interval(
    low: float, high: float, outcome: Outcome
) -> None:
    trusted = Trusted(("j",), 0.9, (low + high) / 2, low, high, 0.95, 40, "PPI++")
    told = settling.settled(verdict(Outcome.INCONCLUSIVE), Bars(least=0.8), {("", ""): trusted})
    assert told.outcome is told.suite.outcome is outcome
    assert told.suite.trusted == trusted
