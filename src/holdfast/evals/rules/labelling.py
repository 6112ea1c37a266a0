"""What people should label next, so that a judge's figures are corrected with the fewest labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Selection:
    """Places of the items to label, and every item's chance of having been chosen, which `active_mean` needs."""

    chosen: tuple[int, ...]
    chances: tuple[float, ...]


def select(
    unsure: Sequence[float],
    count: int,
    rng: np.random.Generator,
    *,
    strata: Sequence[str] | None = None,
    random: float = 0.3,
) -> Selection:
    """About `count` of the items (n,), the rather the less sure the judge is; each is drawn by itself.

    `unsure` is the judge's expected error, above or equal to 0: √(p(1-p)) of its probability p, or how far repeated
    verdicts disagree. A share `random` of the labels goes to all items alike, so that every chance is above 0, a judge
    that is surely wrong is found, and the estimate stays unbiased; the rest by uncertainty (Zrnic & Candès 2024). With
    `strata` each gets labels by the sum of its uncertainty and its size, and at least one if there are enough.
    Raises ValueError for nonsense.
    """
    doubt = np.asarray(unsure, dtype=float)
    n = len(doubt)
    if count < 0 or not 0 < random <= 1 or not np.all(np.isfinite(doubt)) or (n and doubt.min() < 0):
        raise ValueError("count and uncertainty must not be below 0, the random share above 0 and at most 1")
    if strata is not None and len(strata) != n:
        raise ValueError("each item must have a stratum")
    if not n or not count:
        return Selection((), tuple(0.0 for _ in range(n)))
    if count >= n:
        return Selection(tuple(range(n)), tuple(1.0 for _ in range(n)))
    total = float(doubt.sum())
    by_doubt = doubt / total if total > 0 else np.full(n, 1 / n)
    mixed = random / n + (1 - random) * by_doubt
    if strata is not None:
        _, place, sizes = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
        if len(sizes) <= count:
            held: NDArray[np.float64] = np.zeros(len(sizes))
            np.add.at(held, place, mixed)
            mixed = mixed * (_at_least_one(held * count) / held)[place]
    chances = _capped(mixed, float(count))
    return Selection(_systematic(chances, rng, strata), tuple(chances.tolist()))


def ranked(
    unsure: Sequence[float], draws: Sequence[float], *, random: float = 0.3
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """An order to label the items (n,) in, such that the first k are a fair sample for every k; and each one's rank.

    Of items whose judge is less sure more come early: sizes as in `select`, without strata. The rank of an item is its
    draw (uniform from 0 to 1, its own) over its size (Duffield, Lund & Thorup 2007, "Priority sampling"). After the
    first k, `chances_of` tells every item's chance of having been among them.
    """
    doubt = np.asarray(unsure, dtype=float)
    if not len(doubt):
        return (), ()
    ranks = np.asarray(draws, dtype=float) / _sizes(doubt, random)
    return tuple(np.argsort(ranks, kind="stable").tolist()), tuple(ranks.tolist())


def chances_of(
    unsure: Sequence[float], ranks: Sequence[float], first: int, *, random: float = 0.3
) -> list[float]:
    """The chance of each item to be among the `first` of the order, given the ranks of the others."""
    if first >= len(ranks):
        return [1.0] * len(ranks)
    edge = sorted(ranks)[first]
    return [float(one) for one in np.minimum(1.0, _sizes(np.asarray(unsure, dtype=float), random) * edge)]


def _sizes(doubt: NDArray[np.float64], random: float) -> NDArray[np.float64]:
    n, total = len(doubt), float(doubt.sum())
    by_doubt = doubt / total if total > 0 else np.full(n, 1 / n)
    sizes: NDArray[np.float64] = random / n + (1 - random) * by_doubt
    return sizes


def _capped(sizes: NDArray[np.float64], count: float) -> NDArray[np.float64]:
    """Chances in proportion to sizes that add up to `count`, none above 1."""
    chances = np.zeros(len(sizes))
    free = np.ones(len(sizes), dtype=bool)
    while True:
        left = count - float((~free).sum())
        chances[free] = left * sizes[free] / float(sizes[free].sum())
        over = free & (chances > 1)
        if not over.any():
            return chances
        chances[over] = 1.0
        free &= ~over


def _at_least_one(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Labels expected of each stratum, none below 1 and as many in all."""
    count, small = float(expected.sum()), np.zeros(len(expected), dtype=bool)
    while (small != (small | (expected < 1))).any():
        small |= expected < 1
        rest = float(expected[~small].sum())
        expected = np.where(small, 1.0, expected * (count - small.sum()) / rest if rest else 1.0)
    return expected


def _systematic(
    chances: NDArray[np.float64], rng: np.random.Generator, strata: Sequence[str] | None
) -> tuple[int, ...]:
    """Systematic sampling (Madow 1949) in random order within strata: each item at its chance, each stratum its share."""
    order = rng.permutation(len(chances))
    if strata is not None:
        order = order[np.argsort(np.asarray(strata)[order], kind="stable")]
    edges = np.concatenate(([0.0], np.cumsum(chances[order])))
    ticks = np.floor(edges - rng.random() + 1e-12)
    return tuple(sorted(order[np.diff(ticks) > 0].tolist()))
