"""Intervals of a mean score: known values, coverage, families, and what there is at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.evals.rules import intervals

scores = st.lists(st.integers(0, 1000).map(lambda one: one / 1000), min_size=2, max_size=30)


def test_wilson_and_the_exact_interval_give_the_published_values() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81/263, 15/148, 0/20.
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.clopper_pearson(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert intervals.wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert intervals.clopper_pearson(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert intervals.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert intervals.clopper_pearson(0, 20) == pytest.approx((0.0, 0.1684), abs=5e-5)
    assert intervals.wilson(0, 0) == intervals.clopper_pearson(0, 0) == (0.0, 1.0)


def test_the_t_interval_of_continuous_scores_is_that_of_the_textbook() -> None:
    found = intervals.mean_score([0.1, 0.2, 0.3, 0.4])
    assert found is not None and found.method == "t"
    se = np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2
    assert found.se == pytest.approx(se)
    assert (found.low, found.high) == pytest.approx((0.25 - 3.18245 * se, 0.25 + 3.18245 * se), abs=1e-5)


def test_the_standard_error_counts_families_by_hand() -> None:
    # Means 1, 1 | 0, 1 | 0: residual sums of families .4+.4, -.6+.4, -.6 about .6.
    of = intervals.clustered([1, 1, 0, 1, 0], families=["a", "a", "b", "b", "c"])
    assert of.clusters == 3
    assert of.se == pytest.approx(np.sqrt((0.8**2 + 0.2**2 + 0.6**2) * 3 / 2) / 5)
    assert of.effective == pytest.approx(25 / 9)
    alone = intervals.clustered([1, 1, 0, 1, 0], families=["", "", "", "", ""])
    assert alone.clusters == 5


def test_copies_of_every_case_in_its_family_add_nothing() -> None:
    one = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    names = [str(number) for number in range(8)]
    once, thrice = intervals.clustered(one, families=names), intervals.clustered(one * 3, families=names * 3)
    assert thrice.se == pytest.approx(once.se)
    copied = intervals.mean_score(one * 3, families=names * 3)
    plain = intervals.mean_score(one)
    assert copied is not None and plain is not None
    assert copied.effective == pytest.approx(plain.effective, rel=0.35)
    assert copied.high - copied.low >= (plain.high - plain.low) * 0.99


@pytest.mark.parametrize("n", [5, 10, 20, 50, 100])
@pytest.mark.parametrize("true", [0.02, 0.1, 0.5, 0.9, 0.965, 0.99, 1.0])
def test_passes_and_failures_are_covered_at_every_size(n: int, true: float) -> None:
    covered = 0.0
    for passed in range(n + 1):
        found = intervals.mean_score([1.0] * passed + [0.0] * (n - passed))
        assert found is not None and found.method == "binomial"
        chance = _binomial(n, passed, true)
        covered += chance * (found.low <= true <= found.high)
    assert covered >= 0.95 - 1e-9


def _binomial(n: int, k: int, p: float) -> float:
    from math import comb

    return comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize(("families", "of"), [(10, 4), (25, 3), (50, 2)])
def test_families_of_like_cases_are_covered(families: int, of: int) -> None:
    rng = np.random.default_rng(families)
    names = [str(number) for number in range(families) for _ in range(of)]
    hits = blind = 0
    for _ in range(300):
        chance = np.repeat(rng.beta(1.6, 0.4, families), of)  # mean .8, correlation 1/3
        seen = (rng.random(families * of) < chance).astype(float).tolist()
        found = intervals.mean_score(seen, families=names)
        plain = intervals.mean_score(seen)
        assert found is not None and plain is not None
        hits += found.low <= 0.8 <= found.high
        blind += plain.low <= 0.8 <= plain.high
    assert hits >= 300 * 0.93
    assert hits > blind


def test_bca_covers_skewed_scores_and_leans_to_the_long_tail() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        seen = rng.beta(4, 0.5, 40)
        found = intervals.bca(intervals.clustered(seen.tolist()), rng, draws=1000)
        hits += found.bound(0.025) <= 4 / 4.5 <= found.bound(0.975)
    assert hits >= 200 * 0.9
    skewed = intervals.clustered((1 - rng.exponential(0.1, 40)).clip(0, 1).tolist())
    found = intervals.bca(skewed, rng)
    assert skewed.value - found.bound(0.025) > found.bound(0.975) - skewed.value


def test_which_interval_is_taken() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.uniform(0.2, 0.9, 30).tolist()
    methods = {
        "shares of repeats": intervals.mean_score([0.25, 0.5, 1.0], trials=12),
        "many": intervals.mean_score(smooth, rng=rng),
        "few": intervals.mean_score(smooth[:10], rng=rng),
        "alike": intervals.mean_score([0.5] * 10, rng=rng),
    }
    assert {name: found and found.method for name, found in methods.items()} == {
        "shares of repeats": "binomial",
        "many": "bca",
        "few": "t",
        "alike": "binomial",
    }


def test_repeats_narrow_the_interval_but_never_beyond_the_answers_there_are() -> None:
    once = intervals.mean_score([1.0] * 15 + [0.0] * 15)
    halves = intervals.mean_score([0.5, 0.75, 0.25] * 10, trials=120)
    assert once is not None and halves is not None
    assert halves.high - halves.low < once.high - once.low
    assert halves.effective == 120
    sure = intervals.mean_score([1.0] * 30, trials=120)
    assert sure is not None
    assert sure.effective == 30  # of cases like others nothing is known


@pytest.mark.parametrize("seen", [[1.0], [0.0], [0.5]])
def test_one_case_tells_next_to_nothing(seen: list[float]) -> None:
    found = intervals.mean_score(seen)
    assert found is not None
    assert found.se is None
    assert found.high - found.low > 0.9


def test_no_cases_have_no_mean_and_nonsense_is_refused() -> None:
    assert intervals.mean_score([]) is None
    for wrong in ([1.2], [float("nan")], [-0.1]):
        with pytest.raises(ValueError):
            intervals.mean_score(wrong)
    with pytest.raises(ValueError):
        intervals.mean_score([1.0], weights=[0.0])
    with pytest.raises(ValueError):
        intervals.mean_score([1.0], weights=[1.0, 2.0])
    with pytest.raises(ValueError):
        intervals.bca(intervals.clustered([1.0]), np.random.default_rng(0))


@given(scores, st.sampled_from([0.8, 0.95]))
@settings(max_examples=60, deadline=None)
def test_intervals_hold_the_mean_lie_in_range_and_mirror(seen: list[float], confidence: float) -> None:
    found = intervals.mean_score(seen, confidence=confidence)
    mirrored = intervals.mean_score([1 - score for score in seen], confidence=confidence)
    assert found is not None and mirrored is not None
    assert 0 <= found.low <= found.value + 1e-9 and found.value - 1e-9 <= found.high <= 1
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high), abs=1e-6)


@given(scores, st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_a_bar_is_shown_to_be_missed_just_when_the_bound_lies_below_it(seen: list[float], bar: float) -> None:
    found = intervals.bounds(seen)
    below, upper = found.p_below(bar), found.bound(0.95)
    if abs(below - 0.05) > 1e-6:
        assert (below < 0.05) == (upper < bar)
    above, lower = found.p_above(bar), found.bound(0.05)
    if abs(above - 0.05) > 1e-6:
        assert (above < 0.05) == (lower > bar)


def test_the_p_of_a_bootstrap_is_the_level_of_its_bound() -> None:
    rng = np.random.default_rng(7)
    found = intervals.bca(intervals.clustered(rng.beta(4, 1, 50).tolist()), rng)
    for level in (0.05, 0.5, 0.95):
        assert found.p_above(found.bound(level)) == pytest.approx(level, abs=0.005)
        assert found.p_below(found.bound(level)) == pytest.approx(1 - level, abs=0.005)
