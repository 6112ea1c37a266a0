"""How many cases or repeats would settle a verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.evals.model import Comparison
from holdfast.evals.rules import planning
from holdfast.evals.rules.asked import Pair
from holdfast.evals.rules.intervals import mean_score
from holdfast.evals.rules.pairing import compare

K2 = (1.644854 + 0.841621) ** 2


def compared(old: np.ndarray, new: np.ndarray) -> Comparison:
    pairs = [
        Pair(str(place), str(place), 1.0, tuple(a), tuple(b))
        for place, (a, b) in enumerate(zip(old.tolist(), new.tolist(), strict=True))
    ]
    found = compare(pairs, 0.05, 0.05, np.random.default_rng(0))
    assert found is not None
    return found


def test_the_formulas_by_hand() -> None:
    assert planning.cases_for_margin(-0.02, 0.2 - 0.02**2, 0.05, 0.05) == int(K2 * 0.1996 / 0.03**2) + 1
    assert planning.cases_for_drop(-0.1, 0.2 - 0.01, 0.05) == int(K2 * 0.19 / 0.01 + 20) + 1
    assert planning.smallest_drop(100, 0.25, 0.05) == pytest.approx(np.sqrt(K2 * 0.25 / 100), abs=1e-5)
    share = planning.smallest_drop(100, 0.25, 0.05, shares=True)
    assert share is not None
    assert share == pytest.approx(np.sqrt(K2 * (0.25 - share**2) / 100), abs=1e-5)
    assert planning.repeats_for(50, 0.0, 0.4, 0.1, 0.05) == int(0.4 * K2 / (50 * 0.01)) + 1


def test_even_an_unchanged_candidate_needs_cases() -> None:
    # Tango's bound with no case changed is -z²/(n+z²): above -.05 from 52 cases.
    assert planning.cases_for_margin(0.0, 0.0, 0.05, 0.05) == 52
    assert planning.cases_for_drop(-1.0, 0.0, 0.05, step=0) == 5  # 2^-5 is the first below .05
    assert planning.smallest_drop(3, 0.0, 0.05) == pytest.approx(K2 / (3 + K2), abs=1e-5)


def test_what_no_number_settles_is_none() -> None:
    assert planning.cases_for_margin(-0.05, 0.2, 0.05, 0.05) is None
    assert planning.cases_for_drop(0.0, 0.2, 0.05) is None
    assert planning.cases_for_drop(-0.0001, 0.2, 0.05) is None  # more than a million
    assert planning.repeats_for(50, 0.2, 0.1, 0.05, 0.05) is None
    assert planning.repeats_for(50, 0.2, 0.1, 0.0, 0.05) is None
    assert planning.smallest_drop(0, 0.2, 0.05) is None
    assert planning.smallest_drop(4, 1.0, 0.05) is None


@given(st.floats(-0.9, -0.01), st.floats(0.01, 1), st.floats(0.01, 0.2), st.floats(0.55, 0.95))
def test_stricter_takes_more(d: float, variance: float, alpha: float, power: float) -> None:
    plain = planning.cases_for_drop(d, variance, alpha, power)
    for harder in (
        planning.cases_for_drop(d / 2, variance, alpha, power),
        planning.cases_for_drop(d, variance * 2, alpha, power),
        planning.cases_for_drop(d, variance, alpha / 2, power),
        planning.cases_for_drop(d, variance, alpha, (1 + power) / 2),
    ):
        assert plain is not None
        assert harder is None or harder >= plain


def test_the_number_of_cases_that_is_named_does_settle_it() -> None:
    rng = np.random.default_rng(5)
    needed = planning.cases_for_drop(-0.15, 0.25 - 0.15**2, 0.05)
    assert needed is not None
    found = 0
    for _ in range(300):
        kind = rng.choice(3, p=[0.2, 0.05, 0.75], size=needed)
        old, new = (kind != 1).astype(float), (kind != 0).astype(float)
        found += compared(old[:, None], new[:, None]).p_drop <= 0.05
    assert 0.74 <= found / 300 <= 0.88  # four in five were planned


def test_repeats_help_where_answers_vary_and_not_where_cases_do() -> None:
    rng = np.random.default_rng(2)
    noisy = np.full(60, 0.5)
    old, new = rng.binomial(1, noisy, (2, 60)).T, rng.binomial(1, noisy - 0.08, (2, 60)).T
    of = compared(old.astype(float), new.astype(float))
    needs = planning.to_settle(of, 0.05, 0.05, 2)
    assert needs.repeats is not None and needs.repeats > 2
    assert needs.more_cases is not None and needs.more_cases > 0
    fixed = np.zeros((60, 2))
    fixed[:20] = 1
    moved = np.zeros((60, 2))
    moved[1:19] = 1
    moved[20:21] = 1
    stuck = planning.to_settle(compared(fixed, moved), 0.05, 0.05, 2)
    assert stuck.repeats is None
    assert stuck.more_cases is not None


def test_asked_once_it_is_not_known_what_repeats_would_do() -> None:
    old = np.ones((40, 1))
    new = old.copy()
    new[:2] = 0
    needs = planning.to_settle(compared(old, new), 0.05, 0.05, 1)
    assert needs.repeats is None
    assert needs.smallest_drop is not None


def test_what_settles_a_score_against_a_bar() -> None:
    score = mean_score([1.0] * 45 + [0.0] * 5)
    assert score is not None
    needs = planning.to_settle_bar(score, 0.85, 0.05, 1, None)
    assert needs.more_cases == pytest.approx(K2 * 0.09 * 50 / 49 / 0.05**2 - 50, abs=1)
    full = mean_score([1.0] * 10)
    assert full is not None
    assert planning.to_settle_bar(full, 0.9, 0.05, 1, None).more_cases
    assert planning.to_settle_bar(full, 1.0, 0.05, 1, None).more_cases is None
