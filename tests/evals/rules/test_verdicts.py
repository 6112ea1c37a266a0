"""From graded answers to a verdict: error rates over seeds, and what each bar comes to."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from holdfast.evals.model import Bars, Criticality, Outcome, Trial
from holdfast.evals.rules.verdicts import judge

CHANCE = np.tile([0.98, 0.9, 0.7, 0.95], 15)  # of 60 cases


def run(
    chance: Iterable[float], seed: int, repeats: int = 1, *, criticality: Criticality = Criticality.NORMAL
) -> list[Trial]:
    rng = np.random.default_rng(seed)
    trials = []
    for place, p in enumerate(chance):
        segments = {"language": "de" if place % 3 == 0 else "en"}
        for repeat in range(repeats):
            passed = bool(rng.random() < p)
            trials.append(
                Trial(f"c{place}", repeat, float(passed), passed, segments=segments, criticality=criticality)
            )
    return trials


def same(count: int, score: float | None = 1.0, **kind: object) -> list[Trial]:
    passed = None if score is None else score == 1
    return [Trial(f"c{place}", 0, score, passed, **kind) for place in range(count)]  # type: ignore[arg-type]


def outcomes(lower: float, repeats: int, bars: Bars) -> list[Outcome]:
    return [
        judge(run(CHANCE * (1 - lower), 1000 + seed, repeats), bars, run(CHANCE, seed, repeats)).outcome
        for seed in range(20)
    ]


def test_over_twenty_seeds_a_regression_is_caught_and_an_unchanged_prompt_does_not_fail() -> None:
    bars = Bars(alpha=0.02, by=("language",))
    unchanged, worse = outcomes(0.0, 3, bars), outcomes(0.25, 3, bars)
    assert unchanged.count(Outcome.FAIL) <= 1
    assert worse.count(Outcome.FAIL) >= 18
    assert worse.count(Outcome.PASS) == 0


def test_a_change_too_small_for_the_suite_is_inconclusive_and_says_how_many_cases_it_needs() -> None:
    verdicts = [
        judge(run(CHANCE - 0.03, 1000 + seed), Bars(alpha=0.02), run(CHANCE, seed)) for seed in range(20)
    ]
    open_ = [verdict for verdict in verdicts if verdict.outcome is Outcome.INCONCLUSIVE]
    assert len(open_) >= 18
    for verdict in open_:
        needs = verdict.suite.needs
        assert needs is not None
        assert needs.smallest_drop is not None and needs.smallest_drop > 0.03
        if needs.more_cases is not None:
            assert any(f"{needs.more_cases:,} more cases" in reason for reason in verdict.reasons)
    assert sum(one.suite.needs is not None and one.suite.needs.more_cases is not None for one in open_) >= 17


def test_with_segments_an_unchanged_prompt_fails_no_oftener_than_alpha() -> None:
    falls = 0
    for seed in range(150):
        old, new = run(CHANCE, seed), run(CHANCE, 5000 + seed)
        falls += judge(new, Bars(by=("language",)), old).outcome is Outcome.FAIL
    assert falls <= 150 * 0.05


def test_the_same_grades_give_the_same_verdict() -> None:
    old, new = run(CHANCE, 1, 2), run(CHANCE, 2, 2)
    assert judge(new, Bars(least=0.8), old) == judge(new, Bars(least=0.8), old)


def test_identical_answers_pass_where_the_suite_is_large_enough_for_the_margin() -> None:
    large, small = same(52), same(51)
    assert judge(large, Bars(), large).outcome is Outcome.PASS
    verdict = judge(small, Bars(), small)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.suite.needs is not None and verdict.suite.needs.more_cases is not None


@pytest.mark.parametrize(
    ("passed", "n", "outcome"),
    [
        (100, 100, Outcome.PASS),
        (95, 100, Outcome.PASS),
        (92, 100, Outcome.INCONCLUSIVE),
        (84, 100, Outcome.INCONCLUSIVE),
        (80, 100, Outcome.FAIL),
        (10, 10, Outcome.INCONCLUSIVE),
        (0, 3, Outcome.FAIL),
    ],
)
def test_a_score_against_the_bar_has_three_outcomes(passed: int, n: int, outcome: Outcome) -> None:
    trials = same(n)
    trials[passed:] = [Trial(trial.case, 0, 0.0, False) for trial in trials[passed:]]
    verdict = judge(trials, Bars(least=0.89))
    assert verdict.outcome is outcome
    assert (verdict.suite.needs is None) == (outcome is not Outcome.INCONCLUSIVE)


def test_a_fall_within_the_margin_passes_and_is_told() -> None:
    old = same(2000)
    new = [Trial(f"c{place}", 0, float(place >= 40), place >= 40) for place in range(2000)]  # 2 points lower
    verdict = judge(new, Bars(margin=0.05), old)
    assert verdict.outcome is Outcome.PASS
    assert "though it is a fall" in verdict.reasons[0]
    assert judge(new, Bars(margin=0.01), old).outcome is Outcome.FAIL


def test_both_bars_must_hold() -> None:
    low = [Trial(f"c{place}", 0, float(place % 2), bool(place % 2)) for place in range(100)]
    verdict = judge(low, Bars(least=0.9), low)
    assert verdict.outcome is Outcome.FAIL
    assert "below the bar of 0.9" in verdict.reasons[0]
    assert "the same as the baseline's on every case" in verdict.reasons[1]


def test_one_critical_failure_fails_a_run_that_is_otherwise_perfect() -> None:
    trials = [*same(200), Trial("stop", 0, 1.0, True, criticality=Criticality.CRITICAL)]
    assert judge(trials, Bars(least=0.5)).outcome is Outcome.PASS
    trials.append(Trial("stop", 1, 0.9, False, criticality=Criticality.CRITICAL))
    verdict = judge(trials, Bars(least=0.5))
    assert verdict.outcome is Outcome.FAIL
    assert verdict.critical is not None and verdict.critical.failed == ("stop",)
    assert verdict.reasons[0] == "1 critical case failed, of which none may: stop."
    assert verdict.suite.outcome is Outcome.PASS


def test_a_critical_case_without_a_grade_never_passes() -> None:
    trials = [
        *same(200),
        Trial("stop", 0, 1.0, True, criticality=Criticality.CRITICAL),
        Trial("stop", 1, None, None, criticality=Criticality.CRITICAL),
    ]
    verdict = judge(trials, Bars(least=0.5))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "not known whether 1 critical case passed: stop" in verdict.reasons[0]
    assert verdict.unknown_trials == 1


def test_what_has_no_grade_is_told_and_more_of_it_than_the_margin_is_no_pass() -> None:
    few = [*same(95), *(Trial(f"x{place}") for place in range(4))]
    many = [*same(95), *(Trial(f"x{place}") for place in range(6))]
    assert judge(few, Bars(least=0.9)).outcome is Outcome.PASS
    verdict = judge(many, Bars(least=0.9))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.missing == tuple(f"x{place}" for place in range(6))
    assert verdict.suite.score is not None and verdict.suite.score.value == 1.0  # not taken as 0
    assert any("6 cases could not be judged" in reason for reason in verdict.reasons)
    compared = judge([*same(95), *(Trial(f"x{place}") for place in range(6))], Bars(), same(95))
    assert compared.outcome is Outcome.INCONCLUSIVE


def test_a_case_that_the_candidate_was_not_asked_is_missing() -> None:
    verdict = judge(same(90), Bars(), same(100))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert len(verdict.only_baseline) == 10
    assert judge(same(100), Bars(), same(90)).outcome is Outcome.PASS  # new cases are only told


def test_a_broken_segment_fails_a_suite_that_hides_it() -> None:
    def language(place: int) -> str:
        return "de" if place < 20 else "en"

    old = [Trial(f"c{place}", 0, 1.0, True, segments={"language": language(place)}) for place in range(400)]
    new = [
        Trial(f"c{place}", 0, float(place >= 12), place >= 12, segments={"language": language(place)})
        for place in range(400)
    ]
    assert judge(new, Bars(margin=0.06), old).outcome is Outcome.PASS
    verdict = judge(new, Bars(margin=0.06, by=("language",)), old)
    assert verdict.outcome is Outcome.FAIL
    assert {one.value: one.outcome for one in verdict.segments} == {"de": Outcome.FAIL, "en": Outcome.PASS}
    assert verdict.reasons[0].startswith("language de: ")


def test_a_segment_too_small_to_settle_is_told_and_does_not_hold_the_suite_up() -> None:
    trials = [
        Trial(f"c{place}", 0, 1.0, True, segments={"language": "de" if place < 5 else "en"})
        for place in range(200)
    ]
    verdict = judge(trials, Bars(by=("language", "nothing")), trials)
    assert verdict.outcome is Outcome.PASS
    assert [one.outcome for one in verdict.segments] == [Outcome.INCONCLUSIVE, Outcome.PASS]
    assert "language de" in verdict.reasons[-1]


def test_by_criticality_the_score_is_told_without_deciding() -> None:
    trials = [
        *same(60),
        *(Trial(f"m{place}", 0, 0.0, False, criticality=Criticality.MINOR) for place in range(20)),
    ]
    verdict = judge(trials, Bars(least=0.5))
    assert verdict.outcome is Outcome.PASS
    told = {one.value: (one.outcome, one.binding) for one in verdict.criticalities}
    assert told == {"normal": (Outcome.PASS, False), "minor": (Outcome.FAIL, False)}


def test_weights_move_the_score() -> None:
    trials = [Trial("a", 0, 1.0, True, weight=3.0), Trial("b", 0, 0.0, False)]
    score = judge(trials, Bars()).suite.score
    assert score is not None and score.value == 0.75


@pytest.mark.parametrize("baseline", [None, [], same(3, None)])
@pytest.mark.parametrize("trials", [[], same(1, None), same(1), same(5, None)])
def test_nothing_known_is_never_a_pass(trials: list[Trial], baseline: list[Trial] | None) -> None:
    verdict = judge(trials, Bars(least=0.5), baseline)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons


def test_without_a_bar_there_is_nothing_to_pass() -> None:
    verdict = judge(same(100), Bars())
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons == ("There is neither a least score nor a baseline to hold it against.",)


@pytest.mark.parametrize("bars", [Bars(alpha=0.0), Bars(alpha=0.5), Bars(margin=1.0), Bars(least=1.1)])
def test_bars_that_make_no_sense_are_refused(bars: Bars) -> None:
    with pytest.raises(ValueError):
        judge(same(3), bars)


def test_continuous_scores_are_judged_too() -> None:
    rng = np.random.default_rng(8)

    def scored(mean: float, seed: int) -> list[Trial]:
        noise = np.random.default_rng(seed)
        return [
            Trial(f"c{place}", 0, float(np.clip(mean + low + noise.normal(0, 0.05), 0, 1)), None)
            for place, low in enumerate(hard)
        ]

    hard = rng.normal(0, 0.1, 60)
    bars = Bars(least=0.6)
    verdict = judge(scored(0.7, 2), bars, scored(0.7, 1))
    assert verdict.outcome is Outcome.PASS
    assert verdict.suite.score is not None and verdict.suite.score.method == "bca"
    assert judge(scored(0.62, 2), bars, scored(0.7, 1)).outcome is Outcome.FAIL
