"""Two runs that judges grade, compared as people would have them: by labels of both, never by the judges alone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from evals.judges.test_trusting import cases, graded, verdict
from holdfast.evals.model import Bars, Comparison, Outcome, Trusted, Versus
from holdfast.evals.rules import comparing, settling, trusting
from holdfast.evals.rules.trusting import Side

Truth = list[float]


def side(scores: list[float], truth: Truth, count: int, seed: str) -> Side:
    """A run whose first `count` answers, in the order of labelling, people have labelled truly."""
    asked, answers = cases(len(scores)), graded(scores)
    order = trusting.units(asked, answers, {}, seed)
    labels = {(one.case, one.repeat, "judge"): truth[int(one.case[1:])] for one in order[:count]}
    return trusting.side(asked, answers, labels, seed)


def told(
    rng: random.Random, truth: Truth, wrongly_good: float, wrongly_bad: float, scale: str
) -> list[float]:
    """What a judge says of it."""
    if scale == "binary":
        return [
            float(rng.random() >= wrongly_bad) if one else float(rng.random() < wrongly_good) for one in truth
        ]
    return [
        min(10, max(0, round(10 * (0.2 + wrongly_good / 2 + 0.5 * one + rng.gauss(0, 0.15))))) / 10
        for one in truth
    ]


def compared(rng: random.Random, seed: int, fall: float, count: int, scale: str = "binary") -> Versus:
    """A candidate that people pass `fall` less often than the baseline, and that the judge flatters."""
    baseline = [float(rng.random() < 0.8) for _ in range(400)]
    candidate = [one and float(rng.random() >= fall / 0.8) for one in baseline]
    mine = side(told(rng, candidate, 0.6, 0.02, scale), candidate, count, f"mine{seed}")
    theirs = side(told(rng, baseline, 0.1, 0.02, scale), baseline, count, f"theirs{seed}")
    families = {one.family for one in mine.units}
    return comparing.versus(mine, theirs, families, [], 0.95)


@pytest.mark.parametrize("scale", ["binary", "ten"])
@pytest.mark.parametrize("fall", [0.0, 0.15])
def test_the_difference_covers_the_truth_though_the_judge_flatters_one_side(scale: str, fall: float) -> None:
    rng, rounds, covered = random.Random(11), 60, 0
    for seed in range(rounds):
        of = compared(rng, seed, fall, 100, scale)
        assert of.low is not None and of.high is not None
        covered += of.low <= -fall <= of.high
    assert covered >= 0.9 * rounds


def test_a_fall_that_the_judge_does_not_see_never_passes() -> None:
    rng, passed, failed = random.Random(5), 0, 0
    for seed in range(40):
        outcome = comparing.held(compared(rng, seed, 0.2, 150), Bars(margin=0.05))
        passed, failed = passed + (outcome is Outcome.PASS), failed + (outcome is Outcome.FAIL)
    assert passed == 0 and failed >= 30


def test_what_is_the_same_passes_with_enough_labels_and_says_how_many_it_takes() -> None:
    rng = random.Random(3)
    truth = [float(rng.random() < 0.8) for _ in range(400)]
    scores = told(rng, truth, 0.02, 0.02, "binary")
    families = {f"c{n}" for n in range(400)}

    def of(count: int) -> Versus:
        mine, theirs = side(scores, truth, count, "mine"), side(scores, truth, count, "theirs")
        return comparing.versus(mine, theirs, families, [], 0.95)

    assert comparing.held(of(300), Bars(margin=0.05)) is Outcome.PASS
    few = of(30)
    assert comparing.held(few, Bars(margin=0.05)) is Outcome.INCONCLUSIVE
    wanted = comparing.labels_wanted(few, 0.05)
    assert wanted is not None and 40 <= wanted <= 400


def test_without_labels_of_both_there_is_no_difference() -> None:
    mine, theirs = side([1.0, 0.0] * 20, [1.0, 0.0] * 20, 20, "a"), side([1.0] * 40, [1.0] * 40, 3, "b")
    of = comparing.versus(mine, theirs, {f"c{n}" for n in range(40)}, [], 0.95)
    assert (of.value, of.labels, of.baseline_labels) == (None, 20, 3)
    assert of.note == "label 2 more answers of the baseline"


def test_cases_that_no_judge_grades_count_as_they_are() -> None:
    truth = [1.0, 0.0] * 30
    mine, theirs = side(truth, truth, 60, "a"), side(truth, truth, 60, "b")
    families = {f"c{n}" for n in range(60)}
    of = comparing.versus(mine, theirs, families, [(1.0, -0.5)] * 40, 0.95)
    assert of.value == pytest.approx(-0.2)


ALIKE = Comparison(
    0.0, -0.01, 0.01, 0.95, -0.01, "t", 1.0, "sign-flip", 0.001, 1.0, 60, 60, 0, 0, 0.0, None, None
)


@pytest.mark.parametrize(
    ("versus", "outcome"),
    [
        (Versus(0.0, -0.03, 0.03, 0.95, 90, 90, 200), Outcome.PASS),
        (Versus(-0.2, -0.3, -0.1, 0.95, 90, 90, 200), Outcome.FAIL),
        (Versus(-0.02, -0.2, 0.16, 0.95, 30, 30, 200), Outcome.INCONCLUSIVE),
        (Versus(None, None, None, 0.95, 30, 2, 200, "label 3 more"), Outcome.INCONCLUSIVE),
    ],
)
def test_the_margin_is_held_against_the_corrected_difference(versus: Versus, outcome: Outcome) -> None:
    raw = verdict(Outcome.PASS)
    said = "The score is the same as the baseline's on every case: shown to be within the margin."
    raw = replace(raw, suite=replace(raw.suite, comparison=ALIKE, reasons=(said,)), reasons=(said,))
    trusted = Trusted(("j",), 0.9, 0.9, 0.85, 0.95, 0.95, 90, "PPI++", versus=versus)
    found = settling.settled(raw, Bars(margin=0.05), {("", ""): trusted})
    assert found.outcome is found.suite.outcome is outcome
    alone = [reason for reason in found.reasons if reason.endswith(said[3:])]
    assert alone == ["By the judges alone, not to be trusted: the" + said[3:]]
