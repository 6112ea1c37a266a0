"""Two runs over the same cases: known tables, error rates, and what cannot be compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.evals.model import Comparison, Trial
from holdfast.evals.rules import pairing
from holdfast.evals.rules.asked import Pair, by_case, pair

RNG = np.random.default_rng(0)
counts = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))


def pairs(
    sides: Sequence[tuple[Sequence[float], Sequence[float]]], families: Sequence[str] = ()
) -> list[Pair]:
    return [
        Pair(str(place), families[place] if families else str(place), 1.0, tuple(old), tuple(new))
        for place, (old, new) in enumerate(sides)
    ]


def compared(of: list[Pair], margin: float = 0.05, alpha: float = 0.05) -> Comparison:
    found = pairing.compare(of, margin, alpha, np.random.default_rng(1))
    assert found is not None
    return found


def test_tango_and_mcnemar_give_the_published_values() -> None:
    # Airway hyper-responsiveness before and after stem cell transplantation: 7 against 1 of 21
    # (Fagerland, Lydersen & Laake 2014, tables II and VI).
    assert pairing.tango(7, 1, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert pairing.mcnemar(7, 1).p == pytest.approx(0.0703, abs=5e-5)
    assert pairing.mcnemar(7, 1).p_drop == pytest.approx(9 / 256)
    assert pairing.mcnemar(0, 0).p == pairing.mcnemar(0, 0).p_drop == 1.0
    assert pairing.mcnemar(3, 3).p == 1.0


def test_where_no_case_changed_tango_still_leaves_room() -> None:
    z2 = 1.959964**2
    assert pairing.tango(0, 0, 60) == pytest.approx((-z2 / (60 + z2), z2 / (60 + z2)), abs=1e-6)
    assert pairing.tango(0, 0, 0) == (-1.0, 1.0)
    with pytest.raises(ValueError, match="cannot be among"):
        pairing.tango(3, 2, 4)


@given(counts)
@settings(max_examples=80, deadline=None)
def test_tango_mirrors_and_holds_the_difference(of: tuple[int, int, int]) -> None:
    worse, better, same = of
    n = worse + better + same
    low, high = pairing.tango(worse, better, n)
    back, forth = pairing.tango(better, worse, n)
    assert (low, high) == pytest.approx((-forth, -back), abs=1e-6)
    if n:
        assert -1 <= low <= (better - worse) / n <= high <= 1


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=40))
@settings(max_examples=50, deadline=None)
def test_sign_flips_of_whole_differences_are_mcnemar(differences: list[float]) -> None:
    worse, better = differences.count(-1.0), differences.count(1.0)
    assert pairing.sign_flip(differences, RNG).p_drop == pytest.approx(pairing.mcnemar(worse, better).p_drop)
    assert pairing.sign_flip(differences, RNG).p == pytest.approx(pairing.mcnemar(worse, better).p)


@given(st.lists(st.sampled_from([-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 1 / 3, 1.0]), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_counting_through_a_lattice_is_trying_every_flip(differences: list[float]) -> None:
    moved = [one for one in differences if one]
    flips = [
        [sign * abs(one) for sign, one in zip(signs, moved, strict=True)]
        for signs in itertools.product((-1, 1), repeat=len(moved))
    ]

    def order(of: list[float]) -> tuple[float, int]:
        return round(sum(of), 9), sum(one > 0 for one in of)

    found = pairing.sign_flip(differences, RNG)
    assert found.exact
    assert found.p_drop == pytest.approx(sum(order(one) <= order(moved) for one in flips) / len(flips))


def test_random_flips_agree_with_the_exact_ones() -> None:
    rng = np.random.default_rng(4)
    differences = rng.normal(-0.2, 1, 17)
    exact = pairing.sign_flip(differences, rng)
    many = np.concatenate((differences, [1e-7] * 10))  # too many to try them all, and next to nothing more
    drawn = pairing.sign_flip(many, rng)
    assert exact.exact and not drawn.exact
    assert drawn.p_drop == pytest.approx(exact.p_drop, abs=0.015)
    assert 0 < pairing.sign_flip([-1.0 - i * 1e-5 for i in range(40)], rng).p_drop < 0.001


def test_holm_gives_the_textbook_values() -> None:
    assert pairing.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert pairing.holm({"only": 0.04}) == {"only": 0.04}
    assert pairing.holm({}) == {}
    heavy = pairing.holm({"suite": 0.02, "x": 0.02, "y": 0.02}, {"suite": 2.0, "x": 1.0, "y": 1.0})
    assert heavy["suite"] == pytest.approx(0.04)
    assert heavy["x"] == pytest.approx(0.04)


def test_passes_and_failures_asked_once_are_compared_by_mcnemar_and_tango() -> None:
    found = compared(pairs([([1], [0])] * 7 + [([0], [1])] + [([1], [1])] * 13))
    assert (found.drop_test, found.method) == ("exact McNemar", "Tango")
    assert (found.worse, found.better, found.discordant) == (7, 1, 8 / 21)
    assert found.difference == pytest.approx(-6 / 21)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert found.p_drop == pytest.approx(9 / 256)
    assert found.p_beyond < 0.05 < found.p_noninferior
    assert found.within is None


def test_repeats_are_compared_by_the_means_of_the_cases() -> None:
    sides = [((1, 1, 0, 1), (0, 1, 0, 0)), ((1, 1, 1, 1), (1, 1, 1, 1)), ((0, 0, 0, 0), (1, 0, 0, 0))] * 5
    found = compared(pairs(sides))
    differences = np.asarray([-0.5, 0, 0.25] * 5)
    assert found.drop_test == "exact sign-flip"
    assert found.difference == pytest.approx(differences.mean())
    se = differences.std(ddof=1) / np.sqrt(15)
    assert found.low == pytest.approx(differences.mean() - max(2.14479 * se, 3.8415 / 18.8415), abs=1e-4)
    assert found.variance == pytest.approx(differences.var(ddof=1))
    noise = (0.25 / 4 + 0.25 / 4 + 0.25 / 4) / 3  # a variance of one in four is .25
    assert found.within == pytest.approx(noise)


def test_a_family_is_one_piece_of_evidence() -> None:
    sides = [((1.0,), (0.0,))] * 8
    alone, together = compared(pairs(sides)), compared(pairs(sides, ["a"] * 4 + ["b"] * 4))
    assert alone.p_drop == pytest.approx(1 / 256)
    assert together.p_drop == pytest.approx(1 / 4)
    assert together.clusters == 2


def test_a_bound_is_where_its_p_says_it_is() -> None:
    rng = np.random.default_rng(9)
    for noise in (0.0, 0.02, 0.3):
        sides = [((0.5,), (float(np.clip(0.5 + rng.normal(0, noise), 0, 1)),)) for _ in range(80)]
        found = compared(pairs(sides), margin=0.0)
        again = compared(pairs(sides), margin=min(0.99, max(0.0, -found.bound)))
        assert again.p_noninferior == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("repeats", [1, 3])
def test_an_unchanged_model_seldom_seems_to_fall(repeats: int) -> None:
    rng = np.random.default_rng(repeats)
    chance = rng.beta(2, 1, 40)
    falls = 0
    for _ in range(400):
        old, new = (rng.binomial(1, chance, (repeats, 40)).T.astype(float) for _ in range(2))
        of = pairs([(tuple(a), tuple(b)) for a, b in zip(old, new, strict=True)])
        falls += compared(of).p_drop <= 0.05
    assert falls <= 400 * 0.05 + 9  # two standard errors


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_fall_of_just_the_margin_is_seldom_shown_to_be_within_it(repeats: int) -> None:
    rng = np.random.default_rng(repeats + 10)
    chance = rng.uniform(0.5, 0.9, 60)
    wrong = 0
    for _ in range(400):
        old = rng.binomial(1, chance, (repeats, 60)).T.astype(float)
        new = rng.binomial(1, chance - 0.1, (repeats, 60)).T.astype(float)
        of = pairs([(tuple(a), tuple(b)) for a, b in zip(old, new, strict=True)])
        wrong += compared(of, margin=0.1).p_noninferior <= 0.05
    assert wrong <= 400 * 0.05 + 9


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_handful_of_cases_shows_nothing(count: int) -> None:
    found = compared(pairs([((1.0,), (0.0,))] * count))
    assert found.p_drop > 0.05
    same = compared(pairs([((1.0, 0.5), (1.0, 0.5))] * count))
    assert same.p_noninferior > 0.05
    assert same.bound < -0.05


def test_no_pairs_compare_to_nothing_and_a_margin_has_its_range() -> None:
    assert pairing.compare([], 0.05, 0.05, RNG) is None
    with pytest.raises(ValueError, match="margin"):
        pairing.compare(pairs([((1,), (1,))]), 1.0, 0.05, RNG)


def trial(case: str, score: float | None, repeat: int = 0, kind: str = "") -> Trial:
    return Trial(case, repeat, score, None if score is None else score == 1, hash=kind)


def test_what_cannot_be_matched_is_told_and_not_taken_as_nought() -> None:
    before = by_case([trial("a", 1), trial("b", 1), trial("c", None), trial("d", 1), trial("f", 1, kind="x")])
    after = by_case([trial("a", 1), trial("b", None), trial("c", 1), trial("e", 1), trial("f", 1, kind="y")])
    found = pair(before, after)
    assert [one.case for one in found.pairs] == ["a"]
    assert set(found.unknown) == {"b", "c"}
    assert (found.only_candidate, found.only_baseline, found.changed) == (("e",), ("d",), ("f",))


def test_an_answer_without_a_grade_is_left_out_of_its_case() -> None:
    found = by_case([trial("a", 1, 0), trial("a", None, 1), trial("a", 0, 2)])["a"]
    assert (found.scores, found.unknown, found.failed, found.undecided, found.mean) == ((1, 0), 1, 1, 1, 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        [trial("a", 1), trial("a", 1)],
        [trial("a", 1), trial("a", 1, 1, "other")],
        [trial("a", 1.5)],
        [Trial("a", weight=0.0)],
    ],
)
def test_trials_that_contradict_each_other_are_refused(wrong: list[Trial]) -> None:
    with pytest.raises(ValueError, match="case a"):
        by_case(wrong)
