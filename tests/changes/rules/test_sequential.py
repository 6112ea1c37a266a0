"""Intervals that may be looked at all along: the formula, what becomes of nothing seen, and looking that costs nothing."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.rules.sequential import Sample, half_width, interval, multiplier, share_variance

values = st.floats(-1e9, 1e9)
samples = st.builds(Sample, st.integers(0, 10**9), values, st.floats(0, 1e12))


def rho_squared(alpha: float, tuning: float) -> float:
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuning


@pytest.mark.parametrize("n", [50, 1000, 5000, 200_000])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.00625])
def test_at_the_bound_the_mixture_martingale_has_just_reached_1_over_alpha(n: int, alpha: float) -> None:
    """Of n normal values with variance 1 and sum s: exp(ρ²s²/(2(nρ²+1))) / √(nρ²+1), mixed by N(0, ρ²)."""
    rho2 = rho_squared(alpha, 5000)
    s = float(multiplier(n, alpha)) * math.sqrt(n)
    martingale = math.exp(rho2 * s * s / (2 * (n * rho2 + 1))) / math.sqrt(n * rho2 + 1)
    assert martingale == pytest.approx(1 / alpha)


@pytest.mark.parametrize("n", [50, 1000, 5000, 200_000])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.00625])
def test_at_the_one_sided_bound_the_half_normal_mixture_has_reached_it_barely(n: int, alpha: float) -> None:
    rho2 = rho_squared(2 * alpha, 5000)
    s = float(multiplier(n, alpha, sides=1)) * math.sqrt(n)
    root = math.sqrt(n * rho2 + 1)
    mixture = 2 * NormalDist().cdf(math.sqrt(rho2) * s / root) * math.exp(rho2 * s * s / (2 * root**2)) / root
    assert 1 / alpha <= mixture <= 1.12 / alpha


def test_a_value_worked_out_by_hand() -> None:
    """ρ² = (5.99146 + ln 6.99146) / 5000, x = 7.93615, √(2 · 8.93615 / 7.93615 · ln(√8.93615 / 0.05)) = 3.0352."""
    assert float(multiplier(5000, 0.05)) == pytest.approx(3.0352, abs=1e-4)
    old, new = Sample(4500, 10.0, 4.0), Sample(500, 11.0, 9.0)
    found = interval(old, new, 0.05)  # √(4/4500 + 9/500 + …) = 0.13748, with the two values added to each arm
    added = 2 * 11.0**2
    se = math.sqrt((4 + added / 4500) / 4500 + (9 + added / 500) / 500)
    assert found.difference == pytest.approx(1.0)
    assert found.upper - 1.0 == pytest.approx(3.0352 * se, rel=1e-4)
    assert found.lower == pytest.approx(2.0 - found.upper)


@pytest.mark.parametrize("n", [500, 5000, 50_000])
def test_it_is_narrowest_about_where_it_is_tuned_to(n: int) -> None:
    tuned = float(multiplier(n, 0.05, n))
    assert all(tuned < float(multiplier(n, 0.05, n * times)) for times in (0.05, 0.2, 5, 20))


@given(samples, samples, st.sampled_from([1, 2]))
def test_it_is_the_same_seen_from_the_other_side(one: Sample, other: Sample, sides: int) -> None:
    here, there = interval(one, other, 0.05, sides=sides), interval(other, one, 0.05, sides=sides)
    assert (here.lower, here.upper) == (-there.upper, -there.lower)


@given(
    st.builds(Sample, st.integers(0, 10**12), st.floats(-1.7e308, 1.7e308), st.floats(0, 1.7e308)),
    st.builds(Sample, st.integers(0, 10**12), st.floats(-1.7e308, 1.7e308), st.floats(0, 1.7e308)),
)
def test_it_is_never_no_number_and_never_without_width(one: Sample, other: Sample) -> None:
    found = interval(one, other, 0.05)
    assert not any(math.isnan(bound) for bound in (found.lower, found.upper))
    assert found.lower <= found.difference <= found.upper
    assert float(half_width(one.arm, other.arm, 0.05)) > 0


@given(st.integers(1, 50), st.integers(1, 50), st.integers(51, 400), st.integers(2, 20))
def test_more_calls_with_the_same_shares_narrow_it(bad: int, worse: int, n: int, times: int) -> None:
    few = interval(Sample.of_share(bad, n), Sample.of_share(worse, n), 0.05)
    many = interval(Sample.of_share(bad * times, n * times), Sample.of_share(worse * times, n * times), 0.05)
    assert many.upper - many.lower < few.upper - few.lower


def test_no_failures_in_either_arm_bound_the_difference_about_as_the_rule_of_three_does() -> None:
    found = interval(Sample.of_share(0, 9000), Sample.of_share(0, 1000), 0.05, sides=1)
    assert 0.002 < found.upper < 3 * 3 / 1000


def test_where_every_call_costs_the_same_it_is_narrow_and_has_width() -> None:
    found = interval(Sample.of_sums(4500, 45.0, 0.45), Sample.of_sums(500, 5.0, 0.05), 0.05)
    assert 0 < found.upper < 0.01 / 50


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Sample(100, 0, 0), Sample(100, 0, 0)),  # nothing is known of the scale
        (Sample(1, 3, 0), Sample(100, 1, 1)),
        (Sample(100, 1, 1), Sample(0, 0, 0)),
    ],
)
def test_where_nothing_can_be_said_it_is_unbounded(old: Sample, new: Sample) -> None:
    found = interval(old, new, 0.05)
    assert (found.lower, found.upper) == (-math.inf, math.inf)


def test_a_sample_from_sums_is_that_of_the_values() -> None:
    drawn = np.random.default_rng(1).lognormal(size=50)
    made = Sample.of_sums(50, float(drawn.sum()), float((drawn**2).sum()))
    assert made.mean == pytest.approx(drawn.mean())
    assert made.variance == pytest.approx(drawn.var(ddof=1))
    assert Sample.of_sums(0, 0, 0).n == 0
    assert Sample.of_sums(1000, 1000 * 0.1, 1000 * 0.1 * 0.1).variance < 1e-12  # not below 0 by rounding


def test_a_share_has_one_call_of_either_kind_added_to_its_variance() -> None:
    assert Sample.of_share(0, 8) == Sample(8, 0.0, 0.1 * 0.9)
    assert share_variance(np.asarray([0, 3]), 8).tolist() == pytest.approx([0.09, 0.24])


@pytest.mark.parametrize(
    ("n", "mean", "variance"),
    [(-1, 0, 0), (1, math.nan, 0), (1, math.inf, 0), (1, 0, -1e-9), (1, 0, math.nan)],
)
def test_what_can_be_no_sample_is_refused(n: int, mean: float, variance: float) -> None:
    with pytest.raises(ValueError, match="a sample has"):
        Sample(n, mean, variance)


@pytest.mark.parametrize("alpha", [0, 0.5, -1, math.nan])
def test_an_alpha_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        multiplier(100, alpha)


def test_looked_at_forty_times_it_misses_no_difference_seldom_enough() -> None:
    """1,000 pairs of arms of ten to one, from a skewed distribution: both bounds hold at all looks in 95 %."""
    rng = np.random.default_rng(7)
    looks, arms = np.arange(1, 41), []
    for per_look in (90, 10):
        drawn = rng.exponential(size=(1000, 40, per_look))
        n = looks * per_look
        mean = drawn.sum(axis=2).cumsum(axis=1) / n
        arms.append((n, mean, ((drawn**2).sum(axis=2).cumsum(axis=1) - n * mean**2) / (n - 1)))
    outside = np.abs(arms[1][1] - arms[0][1]) > half_width(arms[0], arms[1], 0.05)
    naive = np.abs(arms[1][1] - arms[0][1]) > 1.96 * np.sqrt(
        arms[0][2] / arms[0][0] + arms[1][2] / arms[1][0]
    )
    assert outside[:, 9:].any(axis=1).mean() < 0.05  # from 100 calls of the smaller arm on
    assert naive[:, 9:].any(axis=1).mean() > 0.15
