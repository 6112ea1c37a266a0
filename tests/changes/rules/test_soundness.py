"""Splits that are not the one asked for, units that met both releases, and no traffic."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.rules.soundness import flowing, log_bayes_factor, met_once, split

TENTH = {"old": 90.0, "new": 10.0}


def test_a_bayes_factor_worked_out_by_hand() -> None:
    """Five of five units on one of two: against an even split, any share being as likely, (1/6) / (1/2)^5."""
    assert log_bayes_factor([5, 0], [0.5, 0.5], 2.0) == pytest.approx(math.log(2**5 / 6))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_under_a_right_split_it_is_1_on_average(share: float) -> None:
    """What makes its inverse a p-value at every look (Ville): no more than one in 1/p ever gets there."""
    n = 40
    expected = sum(
        math.comb(n, x)
        * share**x
        * (1 - share) ** (n - x)
        * math.exp(log_bayes_factor([n - x, x], [1 - share, share]))
        for x in range(n + 1)
    )
    assert expected == pytest.approx(1.0)


def test_a_split_as_asked_for_is_sound_and_another_is_not() -> None:
    assert split({"old": 1800, "new": 200}, TENTH).sound is True
    assert split({"old": 1850, "new": 150}, TENTH).sound is True
    found = split({"old": 1900, "new": 100}, TENTH)
    assert found.sound is False
    assert found.p is not None and found.p < 0.001
    assert found.sentence == ("100 of 2,000 units on new, where 200 were to be (p < 0.0001)")
    assert split({"old": 2000}, TENTH).sound is False
    assert split({"a": 700, "b": 650, "c": 650}, {"a": 1, "b": 1, "c": 1}).sound is True
    assert split({"a": 900, "b": 650, "c": 450}, {"a": 1, "b": 1, "c": 1}).sound is False


def test_few_units_are_not_called_wrong() -> None:
    assert split({"old": 4}, {"old": 1, "new": 1}).sound is True
    assert split({}, TENTH).sound is None
    assert split({"old": 50}, {"old": 1}).sound is True  # all traffic on one


def test_units_where_none_should_be_are_wrong_at_once() -> None:
    found = split({"old": 900, "gone": 2}, {"old": 90, "new": 10, "gone": 0})
    assert (found.sound, found.p) == (False, 0.0)
    assert found.sentence == "2 units on gone, which has no share of them"
    assert split({"stray": 1}, TENTH).sound is False


@pytest.mark.parametrize(
    ("counts", "weights"),
    [({}, {}), ({"a": 1}, {"a": 0}), ({"a": 1}, {"a": -1, "b": 3}), ({"a": -1}, {"a": 1})],
)
def test_weights_that_say_nothing_are_refused(counts: dict[str, int], weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights and counts"):
        split(counts, weights)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**12)),
    st.dictionaries(st.sampled_from("abcd"), st.floats(1e-6, 1e6), min_size=1),
)
def test_any_counts_have_a_p(counts: dict[str, int], weights: dict[str, float]) -> None:
    found = split(counts, weights)
    assert found.p is None if not sum(counts.values()) else found.p is not None and 0 <= found.p <= 1


def test_a_right_split_is_not_called_wrong_however_often_it_is_looked_at() -> None:
    """300 stages, looked at every 5 units up to 4,000: the chi-square test at .001 is wrong in more than one of 100."""
    took = np.random.default_rng(5).binomial(5, 0.1, (300, 800)).cumsum(axis=1)
    n = np.arange(1, 801) * 5
    wrong = sum(
        any(
            split({"old": int(whole - new), "new": int(new)}, TENTH).sound is False
            for new, whole in zip(row[::20], n[::20], strict=True)
        )
        for row in took
    )
    square = (took - n * 0.1) ** 2 / (n * 0.09)
    assert wrong == 0
    assert (square > 10.83).any(axis=1).sum() > 3  # chi-square with one degree of freedom, p < .001


def test_units_that_met_both_releases_are_tolerated_to_a_share() -> None:
    assert met_once(10, 1000).sound is True
    found = met_once(25, 1000)
    assert found.sound is False
    assert found.sentence == "25 of 1,000 units met both releases (2.5 %), more than the 1.0 % that may"
    assert met_once(50, 99).sound is None
    assert met_once(50, 1000, 0.05).sound is True


BEGAN = datetime(2026, 3, 3, 14, tzinfo=UTC)
GRACE = timedelta(hours=2)


@pytest.mark.parametrize(
    ("last", "hours", "sound", "said"),
    [
        (None, 1, None, "1 h 0 min since the stage began, without a call of the candidate"),
        (None, 2, None, "2 h 0 min since the stage began, without a call of the candidate"),
        (None, 3, False, "3 h 0 min since the stage began, without a call of the candidate"),
        (0.5, 1, True, "30 min since the candidate's last call"),
        (0.5, 3, False, "2 h 30 min since the candidate's last call"),
        (-0.5, 1, None, "1 h 0 min since the stage began, without a call of the candidate"),
        (-0.5, 3, False, "3 h 0 min since the stage began, without a call of the candidate"),
    ],
)
def test_a_stage_without_traffic_is_not_sound_after_a_grace(
    last: float | None, hours: float, sound: bool | None, said: str
) -> None:
    at = BEGAN + timedelta(hours=last) if last is not None else None
    found = flowing(BEGAN, at, BEGAN + timedelta(hours=hours), GRACE)
    assert (found.sound, found.sentence) == (sound, said)
