"""How sure a mean score is: intervals that count families of cases, not cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from holdfast.evals.model import Estimate

Floats = NDArray[np.float64]
DRAWS = 4000
FEW = 20  # clusters: below, a bootstrap has too little to draw from


@dataclass(frozen=True, slots=True)
class Clustered:
    """A weighted mean with its cluster-robust standard error. `sums` and `masses` are per cluster: Σws and Σw."""

    value: float
    se: float | None
    cases: int
    clusters: int
    effective: float  # clusters, discounted for unequal masses: (Σm)²/Σm²
    sums: Floats
    masses: Floats

    @property
    def df(self) -> float:
        """Degrees of freedom for t: effective clusters less one."""
        return self.effective - 1.0


def clustered(
    scores: Sequence[float], weights: Sequence[float] | None = None, families: Sequence[str] | None = None
) -> Clustered:
    """Weighted mean of `scores` (n,) with the standard error clustered by family.

    SE² = G/(G-1) · Σ_c (Σ_{i∈c} w_i(s_i - mean))² / (Σw)² (Liang & Zeger 1986; for evals Miller 2024, "Adding error
    bars to evals", with the correction for few clusters). A family of "" is the case itself. Effective clusters as in
    Carter, Schnepel & Steigerwald 2017 for equal correlation. Raises ValueError where nothing is given, lengths differ,
    or a weight is not above 0.
    """
    values = np.asarray(scores, dtype=float)
    mass = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    names = [""] * len(values) if families is None else list(families)
    if not len(values) or not len(values) == len(mass) == len(names):
        raise ValueError("scores, weights and families must be as many as each other, and at least one")
    if not np.all(np.isfinite(values)) or not np.all(np.isfinite(mass)) or mass.min() <= 0:
        raise ValueError("scores must be numbers and weights above 0")
    keys = [name or (position,) for position, name in enumerate(names)]
    place = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    index = np.asarray([place[key] for key in keys])
    total, count = float(mass.sum()), len(place)
    value = float(mass @ values / total)
    sums: Floats = np.zeros(count)
    masses: Floats = np.zeros(count)
    np.add.at(sums, index, mass * values)
    np.add.at(masses, index, mass)
    se = None
    if count > 1:
        spread = float(((sums - masses * value) ** 2).sum())
        se = float(np.sqrt(max(spread, 0.0) * count / (count - 1))) / total
        se = 0.0 if se < 1e-12 else se
    return Clustered(value, se, len(values), count, float(total**2 / (masses**2).sum()), sums, masses)


@dataclass(frozen=True, slots=True)
class Bounds:
    """An estimate whose bounds can be asked for at any level. One of three kinds; see `bounds`."""

    of: Clustered
    method: str
    trials: float = 0.0  # binomial: the effective sample
    draws: Floats | None = None  # bca: sorted means of the resamples
    bias: float = 0.0
    acceleration: float = 0.0
    limits: tuple[float, float] = (-np.inf, np.inf)  # t: of what is measured

    def bound(self, level: float) -> float:
        """The value that the mean lies below with confidence `level` (0 to 1): .025 and .975 make a 95 % interval."""
        if self.method == "binomial":
            return _binomial_bound(self.of.value, self.trials, level)
        if self.draws is not None:
            shifted = self.bias + special.ndtri(level)
            at = special.ndtr(self.bias + shifted / (1 - self.acceleration * shifted))
            return float(np.quantile(self.draws, at))
        assert self.of.se is not None
        return float(np.clip(self.of.value + special.stdtrit(self.of.df, level) * self.of.se, *self.limits))

    def p_below(self, bar: float) -> float:
        """One-sided p against "the mean is at least `bar`": small shows that it is below."""
        return self._level(bar, below=True)

    def p_above(self, bar: float) -> float:
        """One-sided p against "the mean is at most `bar`": small shows that it is above."""
        return self._level(bar, below=False)

    def estimate(self, confidence: float) -> Estimate:
        """With the two-sided interval at `confidence`."""
        of, tail = self.of, (1 - confidence) / 2
        effective = self.trials if self.method == "binomial" else of.effective
        low, high = self.bound(tail), self.bound(1 - tail)
        return Estimate(of.value, low, high, confidence, of.se, of.cases, of.clusters, effective, self.method)

    def _level(self, bar: float, *, below: bool) -> float:
        if self.method == "binomial":
            passed, failed = self.of.value * self.trials, (1 - self.of.value) * self.trials
            bar = min(max(bar, 0.0), 1.0)
            if below:  # P(X ≤ passed) at bar
                return float(special.betainc(failed, passed + 1, 1 - bar)) if failed > 1e-9 else 1.0
            return float(special.betainc(passed, failed + 1, bar)) if passed > 1e-9 else 1.0
        if self.draws is not None:
            place = np.searchsorted(self.draws, bar, "left") + np.searchsorted(self.draws, bar, "right")
            share = np.clip(place / 2, 0.5, len(self.draws) - 0.5) / len(self.draws)
            moved = special.ndtri(share) - self.bias
            at = float(special.ndtr(moved / (1 + self.acceleration * moved) - self.bias))
            return 1 - at if below else at
        assert self.of.se is not None
        p = float(special.stdtr(self.of.df, (self.of.value - bar) / self.of.se))
        return p if below else 1 - p


def bounds(
    scores: Sequence[float],
    weights: Sequence[float] | None = None,
    families: Sequence[str] | None = None,
    *,
    trials: int | None = None,
    rng: np.random.Generator | None = None,
) -> Bounds:
    """The right kind of bounds for scores (n,) from 0 to 1.

    - Passed or failed (`trials` given: each score is a share of passes, so many answers in all; or every score is 0 or
      1), and also scores that are all alike: exact binomial of Clopper and Pearson on the effective sample, as Korn &
      Graubard 1998 do for clustered surveys: n* = n / design effect · (t_{n-1}/t_{G-1})², at most the answers there
      are; with 0 % or 100 % the effective clusters. It covers at any n, where the t interval has no width at 100 %, and
      Wilson's falls short near it (84 % for 95 % at n = 5 and a true 96.5 %).
    - Else by BCa bootstrap over families, if `rng` is given and there are at least 20 of them.
    - Else by t on effective clusters less one.

    Raises ValueError as `clustered` does, and where a score is outside 0 to 1.
    """
    of = clustered(scores, weights, families)
    values = np.asarray(scores, dtype=float)
    if values.min() < 0 or values.max() > 1:
        raise ValueError("scores must be from 0 to 1")
    shares = trials is not None or bool(np.all((values == 0) | (values == 1)))
    if shares or not of.se or of.df < 1:
        return Bounds(of, "binomial", _effective_trials(of, trials or of.cases))
    if rng is not None and of.clusters >= FEW:
        return bca(of, rng)
    return Bounds(of, "t", limits=(0.0, 1.0))


def mean_score(
    scores: Sequence[float],
    weights: Sequence[float] | None = None,
    families: Sequence[str] | None = None,
    *,
    trials: int | None = None,
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Estimate | None:
    """Weighted mean of scores (n,) from 0 to 1 with its two-sided interval; None of no scores. See `bounds`."""
    if not len(scores):
        return None
    return bounds(scores, weights, families, trials=trials, rng=rng).estimate(confidence)


def bca(of: Clustered, rng: np.random.Generator, draws: int = DRAWS) -> Bounds:
    """Bias-corrected and accelerated bootstrap over clusters (Efron 1987). Values of any range.

    Where every cluster has the same mean, all bounds are that mean. Raises ValueError for one cluster.
    """
    if of.clusters < 2:
        raise ValueError("a bootstrap needs at least two families")
    means = np.empty(draws)
    for start in range(0, draws, 500):
        counts = rng.multinomial(of.clusters, np.full(of.clusters, 1 / of.clusters), min(500, draws - start))
        means[start : start + len(counts)] = (counts @ of.sums) / (counts @ of.masses)
    means.sort()
    share = (np.searchsorted(means, of.value, "left") + np.searchsorted(means, of.value, "right")) / (
        2 * draws
    )
    bias = float(special.ndtri(np.clip(share, 0.5 / draws, 1 - 0.5 / draws)))
    left_out = (of.sums.sum() - of.sums) / (of.masses.sum() - of.masses)
    pulled = left_out.mean() - left_out
    scale = float((pulled**2).sum()) ** 1.5
    acceleration = float((pulled**3).sum()) / (6 * scale) if scale > 1e-18 else 0.0
    return Bounds(of, "bca", draws=means, bias=bias, acceleration=acceleration)


def wilson(passed: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share; (0, 1) of nothing. For display of plain shares, unclustered."""
    if n <= 0:
        return 0.0, 1.0
    z2 = float(special.ndtri((1 + confidence) / 2)) ** 2
    share = passed / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = float(np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(passed: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval (1934) of a share; `passed` and `n` need not be whole. (0, 1) of nothing."""
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    return _binomial_bound(passed / n, n, tail), _binomial_bound(passed / n, n, 1 - tail)


def _binomial_bound(share: float, n: float, level: float) -> float:
    passed, failed = share * n, (1 - share) * n
    if level < 0.5:
        return float(special.betaincinv(passed, failed + 1, level)) if passed > 1e-9 else 0.0
    return float(special.betaincinv(passed + 1, failed, level)) if failed > 1e-9 else 1.0


def _effective_trials(of: Clustered, trials: int) -> float:
    """The simple sample of passes and failures that would be as sure as these."""
    simple = of.value * (1 - of.value)
    if of.se is None:
        return 1.0
    if simple < 1e-12 or not of.se:
        return of.effective
    size = simple / of.se**2 * of.cases / (of.cases - 1)
    if of.clusters < of.cases:
        ratio: Any = special.stdtrit(of.cases - 1, 0.975) / special.stdtrit(max(of.df, 1.0), 0.975)
        size *= float(ratio) ** 2
    return float(min(size, trials))
