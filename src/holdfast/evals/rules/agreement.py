"""How good a judge is: agreement with people, and the biases that judges are known for."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from holdfast.evals.model import Comparison
from holdfast.evals.rules.asked import Pair
from holdfast.evals.rules.pairing import compare

DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement beyond chance, 1 at best, 0 as chance. None where it is not defined: all said the same."""

    value: float | None
    low: float | None
    high: float | None
    items: int
    observed: float | None  # share of the pairs of ratings that are the same


@dataclass(frozen=True, slots=True)
class Slope:
    """How the odds of winning grow with the logarithm of how much longer the answer is. 0: not at all."""

    value: float
    low: float
    high: float
    p: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Swaps:
    """Pairwise verdicts asked in both orders."""

    pairs: int
    consistent: float  # share with the same winner both times
    first: float  # share where whatever came first won both times
    second: float
    p: float  # that neither place is favoured, exact


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> Agreement:
    """Cohen's κ (1960) of two raters over the same items (n,), with a percentile bootstrap interval over items.

    κ = (p_o - p_e) / (1 - p_e). Raises ValueError where lengths differ.
    """
    if len(first) != len(second):
        raise ValueError("both raters must rate the same items")
    kinds = {kind: place for place, kind in enumerate(dict.fromkeys([*first, *second]))}
    a, b = (np.asarray([kinds[one] for one in side], dtype=int) for side in (first, second))

    def of(chosen: NDArray[np.int_]) -> float | None:
        x, y = a[chosen], b[chosen]
        shares = [np.bincount(side, minlength=len(kinds)) / len(chosen) for side in (x, y)]
        chance = float(shares[0] @ shares[1])
        return (float((x == y).mean()) - chance) / (1 - chance) if chance < 1 else None

    same = float((a == b).mean()) if len(a) else None
    return _with_interval(of, len(a), same, rng, confidence, draws)


def krippendorff_alpha(
    ratings: Sequence[Sequence[float | None]],
    rng: np.random.Generator,
    *,
    interval: bool = False,
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> Agreement:
    """Krippendorff's α of ratings (items, raters), None: not rated; with a percentile bootstrap interval over items.

    α = 1 - D_o / D_e over the coincidences of values in items that at least two rated; a disagreement counts 1 for
    nominal ratings and (x - y)² for `interval` ones (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
    """
    rated = [[one for one in item if one is not None] for item in ratings]
    rated = [item for item in rated if len(item) > 1]
    values = sorted({one for item in rated for one in item})
    place = {value: number for number, value in enumerate(values)}
    points = np.asarray(values, dtype=float)
    apart = (points[:, None] - points) ** 2 if interval else (points[:, None] != points).astype(float)
    counts = np.zeros((len(rated), len(values)))
    for row, item in enumerate(rated):
        for one in item:
            counts[row, place[one]] += 1
    sizes = counts.sum(axis=1) if len(rated) else np.zeros(0)
    # Of each item: its disagreement, and how often each value stands in it.
    observed = np.einsum("ij,jk,ik->i", counts, apart, counts) / np.maximum(sizes - 1, 1)

    def of(chosen: NDArray[np.int_]) -> float | None:
        total = counts[chosen].sum(axis=0)
        n = float(total.sum())
        expected = float(total @ apart @ total) / (n - 1)
        return 1 - float(observed[chosen].sum()) / expected if expected > 0 else None

    same = None
    if len(rated):
        pairs = (sizes * (sizes - 1)).sum()
        same = float((counts * (counts - 1)).sum() / pairs)
    return _with_interval(of, len(rated), same, rng, confidence, draws)


def position_swaps(forth: Sequence[str], back: Sequence[str]) -> Swaps | None:
    """Verdicts "first", "second" or "tie" of the same pairs (n,) in one order and in the other; None of no pairs.

    Consistent: the same answer wins both times, or it is a tie both times. p: exact binomial over the pairs where a
    place won twice. Raises ValueError for other words or lengths that differ.
    """
    if len(forth) != len(back) or not {*forth, *back} <= {"first", "second", "tie"}:
        raise ValueError('verdicts are "first", "second" or "tie", one for each order')
    if not forth:
        return None
    turned = {"first": "second", "second": "first", "tie": "tie"}
    n = len(forth)
    consistent = sum(turned[one] == other for one, other in zip(forth, back, strict=True))
    first = sum(one == other == "first" for one, other in zip(forth, back, strict=True))
    second = sum(one == other == "second" for one, other in zip(forth, back, strict=True))
    fewer = min(first, second)
    p = min(1.0, 2 * float(special.bdtr(fewer, first + second, 0.5))) if first + second else 1.0
    return Swaps(n, consistent / n, first / n, second / n, p)


def length_bias(won: Sequence[bool], longer: Sequence[float], *, confidence: float = 0.95) -> Slope | None:
    """Slope of logit P(won) on log length ratio (n,), by logistic regression with Firth's penalty (1993), which also has
    an answer where length alone decides everything; Wald interval. As in length-controlled AlpacaEval (Dubois et al.
    2024), the intercept is free. None of fewer than three pairs or of lengths all alike. Raises ValueError where they
    are not as many.
    """
    if len(won) != len(longer):
        raise ValueError("won and longer must be of the same pairs")
    y, x = np.asarray(won, dtype=float), np.asarray(longer, dtype=float)
    if len(y) < 3 or float(x.std()) < 1e-9:
        return None
    scale = float(x.std())
    design = np.column_stack((np.ones(len(x)), x / scale))
    beta = np.zeros(2)
    for _ in range(100):
        chance = special.expit(design @ beta)
        weight = chance * (1 - chance)
        inverse = np.linalg.inv(design.T @ (design * weight[:, None]))
        leverage = weight * np.einsum("ij,jk,ik->i", design, inverse, design)
        step = inverse @ design.T @ (y - chance + leverage * (0.5 - chance))
        beta = beta + step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-9:
            break
    se = math.sqrt(float(inverse[1, 1])) / scale
    value = float(beta[1]) / scale
    z = float(special.ndtri((1 + confidence) / 2))
    return Slope(value, value - z * se, value + z * se, 2 * float(special.ndtr(-abs(value) / se)), len(y))


def drift(
    items: Sequence[str],
    labels: Sequence[float],
    before: Sequence[float],
    after: Sequence[float],
    rng: np.random.Generator,
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
) -> tuple[Comparison, Comparison] | None:
    """Has a judge changed on a pinned, labelled set? Compares what it says now with what it said: (agreement with the
    labels, 1 - |score - label|; its own scores). The second sees also a judge that has become milder without being more
    wrong. Both are paired by item; None of no items. Raises ValueError where lengths differ.
    """
    closer = [
        tuple(1 - abs(score - label) for score, label in zip(side, labels, strict=True))
        for side in (before, after)
    ]
    found = [
        compare(
            [
                Pair(item, item, 1.0, (old,), (new,))
                for item, old, new in zip(items, first, second, strict=True)
            ],
            margin,
            alpha,
            rng,
        )
        for first, second in ((closer[0], closer[1]), (before, after))
    ]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def _with_interval(
    of: Callable[[NDArray[np.int_]], float | None],
    items: int,
    observed: float | None,
    rng: np.random.Generator,
    confidence: float,
    draws: int,
) -> Agreement:
    value = of(np.arange(items)) if items else None
    if value is None or items < 2:
        return Agreement(value, None, None, items, observed)
    drawn = [of(rng.integers(0, items, items)) for _ in range(draws)]
    known = np.asarray([one for one in drawn if one is not None])
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Agreement(value, float(low), float(high), items, observed)
