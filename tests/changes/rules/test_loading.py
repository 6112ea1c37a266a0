"""The load step: who is asked when, and what it comes to."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.changes.model import Verdict
from holdfast.changes.rules.loading import BLOCKS, Outcome, compare, schedule
from holdfast.changes.rules.policy import LoadPolicy


def told(ratio: float, *, seed: int = 1, rate: float = 20, failing: float = 0.0) -> list[Outcome]:
    """Answers of log-normal times, the candidate's longer by a ratio; some of its questions fail."""
    rng = np.random.default_rng(seed)
    found = []
    for one in schedule(rng, rate, 60, 10):
        ms = float(rng.lognormal(5, 0.5)) * (ratio if one.side else 1.0)
        found.append(Outcome(one, None if one.side and rng.random() < failing else ms))
    return found


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 100), st.floats(5, 120), st.integers(1, 50), st.integers(0, 1000))
def test_both_are_asked_in_turns_for_the_same_time(
    rate: float, seconds: float, questions: int, seed: int
) -> None:
    due = schedule(np.random.default_rng(seed), rate, seconds, questions)
    assert all(before.at <= after.at for before, after in pairwise(due))
    assert all(0 <= one.question < questions and 0 < one.at < 2 * seconds for one in due)
    sides = {one.block: one.side for one in due}
    assert all(one.side == (0, 1, 1, 0)[one.block % 4] for one in due)
    assert len(sides) <= 2 * BLOCKS
    counts = Counter(one.side for one in due)
    expected = rate * seconds
    for side in (0, 1):
        assert abs(counts[side] - expected) <= 6 * expected**0.5 + 6


@pytest.mark.parametrize(
    ("ratio", "failing", "verdict"),
    [
        (1.0, 0.0, Verdict.PASS),
        (0.6, 0.0, Verdict.PASS),
        (2.0, 0.0, Verdict.FAIL),
        (1.25, 0.0, Verdict.INCONCLUSIVE),
        (1.0, 0.2, Verdict.FAIL),
    ],
)
def test_what_it_comes_to(ratio: float, failing: float, verdict: Verdict) -> None:
    found, why = compare(LoadPolicy(), told(ratio, failing=failing))
    assert found is verdict, why
    assert "failed" in why[0] and "p95" in why[1]


def test_too_few_answers_are_no_p95() -> None:
    found, why = compare(LoadPolicy(errors=0.5), told(1.0, rate=0.5))
    assert found is Verdict.INCONCLUSIVE and "too few for a p95" in why[1]
    assert compare(LoadPolicy(), [])[0] is Verdict.INCONCLUSIVE


def test_an_equal_release_seldom_fails_and_a_slow_one_seldom_passes() -> None:
    equal = [compare(LoadPolicy(), told(1.0, seed=seed))[0] for seed in range(60)]
    assert equal.count(Verdict.FAIL) <= 1
    slow = [compare(LoadPolicy(), told(1.6, seed=seed))[0] for seed in range(60)]
    assert slow.count(Verdict.PASS) <= 1
