"""Agreement, position and length: published values and planted biases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from holdfast.evals.rules import agreement

RNG = np.random.default_rng(0)
NONE = None
# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C: four observers, twelve units.
RATED = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
        strict=True,
    )
)


def test_krippendorff_gives_the_published_values() -> None:
    nominal = agreement.krippendorff_alpha(RATED, RNG)
    assert nominal.value == pytest.approx(0.743, abs=5e-4)
    assert nominal.items == 11  # the last unit has one rating
    found = agreement.krippendorff_alpha(RATED, RNG, interval=True)
    assert found.value == pytest.approx(0.849, abs=5e-4)
    assert found.low is not None and found.high is not None
    assert found.low < 0.849 < found.high <= 1


def test_kappa_gives_the_textbook_value() -> None:
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = agreement.cohen_kappa(first, second, RNG)
    assert found.value == pytest.approx(0.4)
    assert found.observed == 0.7
    assert found.low is not None and found.high is not None
    assert 0.1 < found.low < 0.4 < found.high < 0.7
    assert agreement.cohen_kappa(second, first, RNG).value == pytest.approx(0.4)
    assert agreement.cohen_kappa(first, first, RNG).value == 1.0


def test_where_all_said_the_same_agreement_is_not_defined() -> None:
    for found in (
        agreement.cohen_kappa([1, 1], [1, 1], RNG),
        agreement.krippendorff_alpha([[1, 1], [1, 1]], RNG),
    ):
        assert (found.value, found.low, found.observed) == (None, None, 1.0)
    empty = agreement.krippendorff_alpha([[1, None]], RNG)
    assert (empty.value, empty.items, empty.observed) == (None, 0, None)
    assert agreement.cohen_kappa([], [], RNG).value is None
    with pytest.raises(ValueError):
        agreement.cohen_kappa([1], [], RNG)


def test_a_judge_that_likes_what_comes_first_is_found() -> None:
    forth = ["first"] * 70 + ["second"] * 20 + ["tie"] * 10
    back = ["second"] * 40 + ["first"] * 30 + ["first"] * 18 + ["second"] * 2 + ["tie"] * 10
    found = agreement.position_swaps(forth, back)
    assert found is not None
    assert (found.consistent, found.first, found.second) == (0.68, 0.3, 0.02)
    assert found.p < 0.001
    fair = agreement.position_swaps(["first", "second"], ["second", "first"])
    assert fair is not None and (fair.consistent, fair.p) == (1.0, 1.0)
    assert agreement.position_swaps([], []) is None
    with pytest.raises(ValueError):
        agreement.position_swaps(["first"], ["won"])


def test_the_slope_of_length_is_found_and_is_none_where_there_is_none() -> None:
    rng = np.random.default_rng(1)
    longer = rng.normal(0, 0.6, 600)
    won = rng.random(600) < special.expit(0.2 + 1.5 * longer)
    found = agreement.length_bias(won.tolist(), longer.tolist())
    assert found is not None
    assert found.low < 1.5 < found.high
    assert found.p < 1e-6
    blind = agreement.length_bias((rng.random(600) < 0.5).tolist(), longer.tolist())
    assert blind is not None and blind.low < 0 < blind.high
    mirrored = agreement.length_bias((~won).tolist(), (-longer).tolist())
    assert mirrored is not None and mirrored.value == pytest.approx(found.value, abs=1e-6)
    decided = agreement.length_bias([x > 0 for x in longer[:40]], longer[:40].tolist())
    assert decided is not None and 0 < decided.value < 100
    assert agreement.length_bias([True, False, True], [1.0, 1.0, 1.0]) is None
    assert agreement.length_bias([], []) is None


def test_a_judge_that_has_become_milder_and_worse_is_seen_on_the_pinned_set() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(120) < 0.5).astype(float)
    before = np.where(rng.random(120) < 0.1, 1 - labels, labels)
    milder = np.where(rng.random(120) < 0.3, 1.0, before)
    names = [str(place) for place in range(120)]
    found = agreement.drift(names, labels.tolist(), before.tolist(), milder.tolist(), rng)
    assert found is not None
    right, scores = found
    assert right.p_drop < 0.05 and right.high < 0
    assert scores.low > 0
    same = agreement.drift(names, labels.tolist(), before.tolist(), before.tolist(), rng)
    assert same is not None and same[0].p_noninferior < 0.05 and same[1].difference == 0
    assert agreement.drift([], [], [], [], rng) is None
