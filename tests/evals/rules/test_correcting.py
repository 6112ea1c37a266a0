"""Figures of a judge corrected by labels: coverage, edges, and what is labelled next."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.evals.rules.correcting import Corrected, active_mean, ppi_mean, rogan_gladen
from holdfast.evals.rules.labelling import select

CONFUSED = (0.9, 0.25)  # how often the judge says yes where people do, and where they do not


def items(n: int, rng: np.random.Generator, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    truth = (rng.random(n) < share).astype(float)
    judged = (rng.random(n) < np.where(truth == 1, CONFUSED[0], CONFUSED[1])).astype(float)
    return truth, judged


def test_ppi_covers_the_truth_and_is_narrower_than_the_labels_alone() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    widths, alone = [], []
    for _ in range(300):
        truth, judged = items(1000, rng)
        found = ppi_mean(truth[:100], judged[:100], judged[100:])
        hits += found.low <= 0.4 <= found.high
        widths.append(found.high - found.low)
        bare = ppi_mean(truth[:100], judged[:100], [])
        alone.append(bare.high - bare.low)
        assert not 0.3 < found.judged < 0.45  # what the judge alone would have said
    assert hits >= 300 * 0.93
    assert np.mean(widths) < 0.85 * np.mean(alone)


def test_ppi_by_hand() -> None:
    y, f, rest = (
        [1.0, 0.0, 1.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    )
    found = ppi_mean(y, f, rest)
    trust = np.cov(y, f, ddof=1)[0, 1] / (np.var(f, ddof=1) * 2)
    assert found.trust == pytest.approx(trust)
    assert found.value == pytest.approx(0.5 + trust * (1 / 3 - 0.5))
    se = np.sqrt(
        np.var(np.subtract(y, np.multiply(trust, f)), ddof=2) / 6 + trust**2 * np.var(rest, ddof=1) / 6
    )
    assert found.se == pytest.approx(se)


def test_a_judge_that_knows_nothing_is_not_trusted() -> None:
    rng = np.random.default_rng(1)
    truth, noise = items(200, rng)[0], (rng.random(2000) < 0.5).astype(float)
    found = ppi_mean(truth, noise[:200], noise[200:])
    assert found.trust < 0.2
    wrong = ppi_mean(truth, 1 - truth, noise)
    assert wrong.trust == 0.0
    assert wrong.value == pytest.approx(truth.mean())


def test_labels_that_all_agree_do_not_make_the_judge_infallible() -> None:
    y = [1.0, 0.0] * 15
    found = ppi_mean(y, y, [1.0, 0.0] * 5000)
    assert found.high - found.low > 2 * 0.1
    certain = ppi_mean([1.0] * 30, [1.0] * 30, [1.0] * 5000)
    assert (certain.value, certain.high) == (1.0, 1.0)
    assert certain.low < 0.9
    with pytest.raises(ValueError):
        ppi_mean([1.0], [1.0], [1.0])
    with pytest.raises(ValueError):
        ppi_mean([1.0, 0.0], [1.0], [])


def test_rogan_gladen_gives_back_a_known_share() -> None:
    found = rogan_gladen(450, 1000, 900, 1000, 750, 1000)
    assert found is not None
    assert found.value == pytest.approx((0.45 + 0.75 - 1) / 0.65)
    assert found.low < found.value < found.high
    assert found.judged == 0.45
    sure = rogan_gladen(0, 100, 50, 50, 50, 50)
    assert sure is not None and (sure.value, sure.low) == (0.0, 0.0) and 0 < sure.high < 0.1
    assert rogan_gladen(50, 100, 25, 50, 25, 50) is None
    with pytest.raises(ValueError, match="cannot be"):
        rogan_gladen(5, 4, 1, 1, 1, 1)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_rogan_gladen_covers_with_few_labels(share: float) -> None:
    rng = np.random.default_rng(int(share * 100))
    hits = 0
    for _ in range(500):
        q = share * CONFUSED[0] + (1 - share) * CONFUSED[1]
        found = rogan_gladen(
            rng.binomial(300, q),
            300,
            rng.binomial(40, CONFUSED[0]),
            40,
            rng.binomial(60, 1 - CONFUSED[1]),
            60,
        )
        assert found is not None
        hits += found.low <= share <= found.high
    assert hits >= 500 * 0.94


def doubtful(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, judge and the judge's doubt: it is wrong where it doubts, and sometimes where it does not."""
    doubt = rng.choice([0.02, 0.45], n, p=[0.8, 0.2])
    truth = (rng.random(n) < 0.3).astype(float)
    return truth, np.where(rng.random(n) < doubt, 1 - truth, truth), np.sqrt(doubt * (1 - doubt))


def test_active_labels_are_unbiased_cover_and_beat_random_ones() -> None:
    rng = np.random.default_rng(5)
    truth, judged, doubt = doubtful(2000, rng)
    true = truth.mean()

    def corrected(random: float) -> Corrected:
        chosen = select(doubt, 150, rng, random=random)
        labels: list[float | None] = [None] * len(truth)
        for place in chosen.chosen:
            labels[place] = float(truth[place])
        return active_mean(judged, labels, chosen.chances)

    active = [corrected(0.3) for _ in range(150)]
    plain = [corrected(1.0) for _ in range(150)]
    values = np.asarray([one.value for one in active])
    assert abs(values.mean() - true) < 3 * values.std() / np.sqrt(150)
    assert sum(one.low <= true <= one.high for one in active) >= 150 * 0.92
    assert np.mean([one.high - one.low for one in active]) < 0.9 * np.mean(
        [one.high - one.low for one in plain]
    )
    assert np.mean(judged) != pytest.approx(true, abs=0.02)


def test_chances_are_what_they_say() -> None:
    rng = np.random.default_rng(2)
    doubt = [0.0, 0.1, 0.5, 0.5, 0.2, 0.0]
    drawn = np.zeros(6)
    for _ in range(2000):
        found = select(doubt, 2, rng, strata=["a", "a", "b", "b", "b", "b"])
        drawn[list(found.chosen)] += 1
        assert len(found.chosen) == 2
    assert min(found.chances) > 0
    assert sum(found.chances) == pytest.approx(2)
    assert drawn / 2000 == pytest.approx(np.asarray(found.chances), abs=0.04)


def test_every_stratum_gets_a_label_and_nonsense_is_refused() -> None:
    rng = np.random.default_rng(3)
    strata = ["rare"] * 3 + ["common"] * 500
    for _ in range(30):
        found = select([0.0] * 3 + [0.5] * 500, 20, rng, strata=strata)
        assert any(place < 3 for place in found.chosen)
    assert select([], 5, rng).chosen == ()
    assert select([0.1], 5, rng).chances == (1.0,)
    assert select([0.1, 0.2], 0, rng).chosen == ()
    assert len(select([0.0] * 10, 4, rng).chosen) == 4
    for wrong in (
        ([-0.1], 1, None, 0.3),
        ([0.1], -1, None, 0.3),
        ([0.1], 1, ["a", "b"], 0.3),
        ([0.1], 1, None, 0.0),
    ):
        with pytest.raises(ValueError):
            select(wrong[0], wrong[1], rng, strata=wrong[2], random=wrong[3])
    with pytest.raises(ValueError):
        active_mean([1.0, 0.0], [None, None], [0.5, 0.5])
