"""A/B: how many calls a question takes, and what may be concluded however often one looks."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.rules.ab import Answer, Question, calls_needed, conclude
from holdfast.changes.rules.sequential import Sample, multiplier

share = Sample.of_share
SOLVED = Question("solved", minimum=0.03, higher_is_better=True)


def test_the_calls_needed_are_the_textbooks_with_the_price_of_looking() -> None:
    """20 % against 23 %, even split, alpha .05, power .8: 5,880 of both with one look (z 1.96), 11,475 with any number."""
    variances = 0.2 * 0.8, 0.23 * 0.77
    n = calls_needed(SOLVED, *variances)
    z = NormalDist().inv_cdf(0.8)
    total = 2 * sum(variances) / 0.03**2
    assert round((1.959964 + z) ** 2 * total) == 5_880
    assert n == 11_475
    assert n == pytest.approx((float(multiplier(n, 0.05)) + z) ** 2 * total, abs=1)


@given(st.floats(0.001, 10), st.floats(0.01, 0.99), st.floats(0.001, 2))
def test_an_even_split_and_a_larger_effect_need_the_fewest(
    variance: float, part: float, minimum: float
) -> None:
    question = Question("x", minimum=minimum)
    n = calls_needed(question, variance, variance, part)
    assert n >= calls_needed(question, variance, variance)
    assert n >= calls_needed(Question("x", minimum=2 * minimum), variance, variance, part)
    assert n <= calls_needed(Question("x", minimum=minimum, power=0.95), variance, variance, part)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        (share(1000, 5000), share(1300, 5000), Answer.BETTER),
        (share(1300, 5000), share(1000, 5000), Answer.WORSE),
        (share(1000, 5000), share(1100, 5000), Answer.NOT_YET),
        (share(20_000, 100_000), share(20_100, 100_000), Answer.NO_DIFFERENCE),
        (
            share(2_000_000, 10**7),
            share(2_050_000, 10**7),
            Answer.NO_DIFFERENCE,
        ),  # sure, and too small to matter
        (share(0, 0), share(0, 0), Answer.NOT_YET),
        (share(0, 1), share(1, 1), Answer.NOT_YET),
        (Sample(50, 0, 0), Sample(50, 0, 0), Answer.NOT_YET),
    ],
)
def test_answers(old: Sample, new: Sample, answer: Answer) -> None:
    assert conclude(SOLVED, old, new).answer is answer
    mirrored = {Answer.BETTER: Answer.WORSE, Answer.WORSE: Answer.BETTER}
    lower_is_better = Question("errors", minimum=0.03)
    assert conclude(lower_is_better, old, new).answer is mirrored.get(answer, answer)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            share(1000, 5000),
            share(1300, 5000),
            "The candidate is better by at least 3.4 points. solved: 26.0 % of 5,000 calls against 20.0 % of 5,000; "
            "between 3.4 and 8.6 points better.",
        ),
        (
            share(1000, 5000),
            share(1100, 5000),
            "It cannot be told yet: about 1,285 more calls of both together. "
            "solved: 22.0 % of 5,000 calls against 20.0 % of 5,000; "
            "between 0.5 points worse and 4.5 points better.",
        ),
        (
            share(20_000, 100_000),
            share(20_100, 100_000),
            "No difference as large as 3.0 points. solved: 20.1 % of 100,000 calls against 20.0 % of 100,000; "
            "between 0.5 points worse and 0.7 points better.",
        ),
        (share(0, 0), share(0, 0), "solved: not enough calls of each release yet"),
    ],
)
def test_conclusions_in_plain_language(old: Sample, new: Sample, sentence: str) -> None:
    assert conclude(SOLVED, old, new).sentence == sentence


def test_an_effect_of_the_minimum_is_found_with_the_power_and_none_is_seldom_claimed() -> None:
    rng = np.random.default_rng(11)
    question = Question("solved", minimum=0.05, higher_is_better=True)
    n = np.linspace(200, calls_needed(question, 0.16, 0.1875) / 2, 6).astype(int)
    found: dict[float, int] = {}
    for rate in (0.2, 0.25):
        found[rate] = 0
        for _ in range(60):
            steps = np.diff(n, prepend=0)
            old, new = rng.binomial(steps, 0.2).cumsum(), rng.binomial(steps, rate).cumsum()
            answers = {
                conclude(question, share(int(a), int(k)), share(int(b), int(k))).answer
                for a, b, k in zip(old, new, n, strict=True)
            }
            found[rate] += bool(answers & {Answer.BETTER, Answer.WORSE})
    assert found[0.25] / 60 >= 0.7
    assert found[0.2] / 60 <= 0.05


@pytest.mark.parametrize(
    "wrong", [{"minimum": 0}, {"minimum": math.nan}, {"alpha": 0.6}, {"power": 1.0}, {"power": 0.2}]
)
def test_a_question_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Question("x", **{"minimum": 0.1, **wrong})
