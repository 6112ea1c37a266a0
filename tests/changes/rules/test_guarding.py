"""What one look at one metric shows, in verdicts and in words; and how seldom it is wrong over a whole rollout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.changes.rules.guarding import (
    ALPHA,
    Finding,
    Kind,
    Metric,
    Reading,
    Verdict,
    bounds,
    judge,
    look,
)
from holdfast.changes.rules.sequential import Sample, share_variance

ERRORS = Metric("errors")
share = Sample.of_share


def seen(old: Sample | None, new: Sample | None, metric: Metric = ERRORS) -> Finding:
    return judge(Reading(metric, old, new), ALPHA)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (share(184, 9180), share(42, 1020), Verdict.WORSE),
        (share(184, 9180), share(20, 1020), Verdict.NOT_WORSE),
        (share(184, 9180), share(30, 1020), Verdict.INCONCLUSIVE),
        (share(184, 9180), share(0, 99), Verdict.INCONCLUSIVE),  # below the least
        (share(1, 50), share(60, 1020), Verdict.INCONCLUSIVE),
        (share(184, 9180), share(99, 99), Verdict.INCONCLUSIVE),
        (share(184, 9180), share(0, 0), Verdict.NO_DATA),
        (share(0, 0), share(20, 1020), Verdict.NO_DATA),
        (None, share(20, 1020), Verdict.NO_DATA),
        (share(184, 9180), None, Verdict.NO_DATA),
        (share(0, 9000), share(0, 1000), Verdict.NOT_WORSE),
        (share(0, 9000), share(0, 150), Verdict.INCONCLUSIVE),  # so few are no proof of anything
        (share(9000, 9000), share(1000, 1000), Verdict.NOT_WORSE),
        (share(0, 9000), share(1000, 1000), Verdict.WORSE),
        (
            share(200_000, 10**7),
            share(21_000, 10**6),
            Verdict.NOT_WORSE,
        ),  # surely worse, surely within the margin
    ],
)
def test_verdicts_on_shares(old: Sample | None, new: Sample | None, verdict: Verdict) -> None:
    assert seen(old, new).verdict is verdict


COST = Metric("cost", margin=0.2, relative=True, unit="USD")


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (Sample(9000, 0.01, 1e-4), Sample(1000, 0.01, 1e-4), Verdict.NOT_WORSE),
        (Sample(9000, 0.01, 1e-4), Sample(1000, 0.013, 1.7e-4), Verdict.WORSE),
        (Sample(9000, 0.01, 1e-4), Sample(400, 0.0111, 1.3e-4), Verdict.INCONCLUSIVE),
        (Sample(9000, 0.01, 0), Sample(1000, 0.01, 0), Verdict.NOT_WORSE),
        (Sample(9000, 0.01, 0), Sample(1000, 0.02, 0), Verdict.WORSE),
        (Sample(9000, 0.0, 0), Sample(1000, 0.0, 0), Verdict.NOT_WORSE),
        (Sample(9000, 0.0, 0), Sample(1000, 0.01, 0), Verdict.WORSE),
        (Sample(9000, 0.01, 1e-4), Sample(1000, 0.0, 0), Verdict.NOT_WORSE),
        (Sample(9000, -0.8, 0.1), Sample(1000, -0.8, 0.1), Verdict.NOT_WORSE),
        (Sample(9000, -0.8, 0.1), Sample(1000, -0.5, 0.1), Verdict.WORSE),
    ],
)
def test_verdicts_on_amounts(old: Sample, new: Sample, verdict: Verdict) -> None:
    assert seen(old, new, COST).verdict is verdict


def test_a_relative_margin_is_as_unsure_as_the_mean_that_it_is_a_share_of() -> None:
    """With a baseline known to the last digit as far as its size goes, and one of as few calls as the candidate."""
    old, new = Sample(10**8, 1.0, 1.0), Sample(600, 0.99, 1.0)
    assert seen(old, new, COST).verdict is Verdict.NOT_WORSE
    absolute = Metric("cost", margin=0.2, unit="USD")
    few = Sample(1000, 1.0, 1.0)
    known = [bounds(one, few.arm, new.arm, ALPHA, ALPHA) for one in (COST, absolute)]
    assert known[0][1] > known[1][1]


def test_a_lucky_start_does_not_pass() -> None:
    """No failure among the first 200 calls, which with twice the failures as much as with as many happens now and then."""
    assert seen(share(36, 1800), share(0, 200)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("reading", "verdict"),
    [
        (Reading(Metric("errors", in_a_row=5), share(2, 900), share(5, 12), longest_row=5), Verdict.TRIPPED),
        (Reading(Metric("errors", in_a_row=5), None, None, longest_row=6, unread="away"), Verdict.TRIPPED),
        (
            Reading(Metric("errors", in_a_row=5), share(2, 900), share(4, 12), longest_row=4),
            Verdict.INCONCLUSIVE,
        ),
        (Reading(Metric("errors"), share(2, 900), share(5, 12), longest_row=50), Verdict.INCONCLUSIVE),
        (Reading(Metric("errors", most=0.1), None, share(11, 100)), Verdict.TRIPPED),
        (Reading(Metric("errors", most=0.1), share(10, 100), share(10, 100)), Verdict.INCONCLUSIVE),
        (Reading(Metric("errors", most=0.1), share(10, 100), share(50, 99)), Verdict.INCONCLUSIVE),
        (Reading(Metric("errors"), share(2, 900), share(5, 120), unread="the store is away"), Verdict.UNREAD),
    ],
)
def test_tripwires_and_what_could_not_be_read(reading: Reading, verdict: Verdict) -> None:
    assert judge(reading, ALPHA).verdict is verdict


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (
            Reading(ERRORS, share(184, 9180), share(42, 1020)),
            "errors: 4.1 % of 1,020 calls against 2.0 % of 9,180; between 0.3 and 3.9 points worse",
        ),
        (
            Reading(ERRORS, share(184, 9180), share(20, 1020)),
            "errors: 2.0 % of 1,020 calls against 2.0 % of 9,180; between 1.4 points better and 1.7 points worse",
        ),
        (
            Reading(Metric("latency", margin=50, unit="ms"), Sample(900, 1240, 90_000), Sample(1, 1300, 0)),
            "latency: 1,300 ms over 1 call against 1,240 ms over 900; it takes 100 of each",
        ),
        (
            Reading(COST, Sample(9000, 0.01, 1e-6), Sample(1000, 0.005, 1e-6)),
            "cost: 0.005 USD over 1,000 calls against 0.01 USD over 9,000; between 0.00488 and 0.0051 USD better",
        ),
        (Reading(COST, share(0, 900), share(0, 0)), "cost: no call of the candidate tells it yet"),
        (Reading(ERRORS, unread="the store is away"), "errors: could not be measured: the store is away"),
        (
            Reading(Metric("errors", in_a_row=5), longest_row=7),
            "errors: 7 bad calls in a row, where 5 stop it",
        ),
        (
            Reading(Metric("errors", most=0.1), None, share(30, 200)),
            "errors: 15.0 % of 200 calls, above the 10.0 % that stop it",
        ),
    ],
)
def test_a_finding_says_so_in_a_sentence(reading: Reading, sentence: str) -> None:
    assert judge(reading, ALPHA).sentence == sentence


def test_alpha_is_shared_among_the_metrics_of_a_kind() -> None:
    old, new = share(184, 9180), share(41, 1020)
    metrics = [Metric(f"metric {number}") for number in range(8)]
    watched = Metric("watched", kind=Kind.WATCH)
    alone = look([Reading(metrics[0], old, new), Reading(watched, old, new)])
    among = look([*(Reading(metric, old, new) for metric in metrics), Reading(watched, old, new)])
    assert [one.verdict for one in alone] == [Verdict.WORSE, Verdict.WORSE]
    assert {one.verdict for one in among[:-1]} == {Verdict.INCONCLUSIVE}
    assert among[-1].verdict is Verdict.WORSE
    first, last = among[0].interval, among[-1].interval
    assert first is not None and last is not None
    assert first.lower < last.lower
    assert first.upper == last.upper  # to go on all must pass: that has the whole of alpha


calls = st.integers(0, 5000)


@given(st.integers(100, 20_000), st.integers(100, 5000), st.data(), st.sampled_from([0.005, 0.02, 0.1, 0.2]))
def test_more_failures_never_turn_worse_into_not_worse(
    n_b: int, n_c: int, data: st.DataObject, margin: float
) -> None:
    metric = Metric("errors", margin=margin)
    old = share(data.draw(st.integers(0, n_b)), n_b)
    bad = data.draw(st.integers(0, n_c))
    more = data.draw(st.integers(bad, n_c))
    if seen(old, share(bad, n_c), metric).verdict is Verdict.WORSE:
        assert seen(old, share(more, n_c), metric).verdict is not Verdict.NOT_WORSE
    if seen(old, share(more, n_c), metric).verdict is Verdict.NOT_WORSE and more < n_c // 2:
        assert seen(old, share(bad, n_c), metric).verdict is not Verdict.WORSE


finite = st.floats(-1.7e308, 1.7e308)
anything = st.none() | st.builds(Sample, st.integers(0, 10**12), finite, st.floats(0, 1.7e308))


@given(
    anything, anything, st.booleans(), st.sampled_from(["%", "ms"]), st.floats(1e-9, 1e9), st.none() | finite
)
@example(Sample(100, 1.7e308, 0), Sample(100, 0, 0), True, "ms", 1e9, None)
def test_any_numbers_have_a_verdict_and_a_sentence(
    old: Sample | None, new: Sample | None, relative: bool, unit: str, margin: float, most: float | None
) -> None:
    found = seen(old, new, Metric("x", margin=margin, relative=relative, unit=unit, most=most))
    assert "nan" not in found.sentence.lower()
    if found.interval is not None:
        assert not math.isnan(found.interval.lower) and not math.isnan(found.interval.upper)
    if new is None or new.n == 0:
        assert found.verdict is Verdict.NO_DATA
    if found.verdict is Verdict.NOT_WORSE:
        assert old is not None and new is not None and min(old.n, new.n) >= 100


@pytest.mark.parametrize(
    "wrong", [{"margin": 0}, {"margin": math.nan}, {"least": 1}, {"in_a_row": 0}, {"most": math.inf}]
)
def test_a_metric_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="errors"):
        Metric("errors", **wrong)  # type: ignore[arg-type]


def rollouts(runs: int, candidate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of rollouts whose one metric was ever found WORSE, and NOT_WORSE before: 40 looks, 50 of 500 calls each."""
    rng, at = np.random.default_rng(seed), np.arange(1, 41)
    bad_b, bad_c = (rng.binomial(n, p, (runs, 40)).cumsum(axis=1) for n, p in ((450, 0.02), (50, candidate)))
    n_b, n_c = at * 450, at * 50
    lower, upper, margin = bounds(
        ERRORS,
        (n_b, bad_b / n_b, share_variance(bad_b, n_b)),
        (n_c, bad_c / n_c, share_variance(bad_c, n_c)),
        ALPHA,
        ALPHA,
    )
    within = (upper < margin) & (n_c >= ERRORS.least)
    worse = (lower > 0) & (n_c >= ERRORS.least) & ~within
    return worse, within & ~np.logical_or.accumulate(worse, axis=1)


def test_a_healthy_canary_is_seldom_aborted_and_goes_on() -> None:
    worse, within = rollouts(4000, 0.02, seed=1)
    assert worse.any(axis=1).mean() <= 0.01
    assert within.any(axis=1).mean() >= 0.95


def test_twice_the_failures_are_caught_and_do_not_go_on() -> None:
    worse, within = rollouts(4000, 0.04, seed=2)
    assert worse.any(axis=1).mean() >= 0.95
    assert within.any(axis=1).mean() <= ALPHA
