"""How far a candidate is from its baseline, by an interval that may be looked at as often as one likes.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (arXiv 2103.06476), with the choices
of GrowthBook's sequential tests: calls of both arms are counted together, and the variance of the difference is the sum
of those of the two means. It holds at every number of calls at once, so neither checks nor their number cost anything; as
it rests on means being near normal, it wants some calls in each arm first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Arm = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Calls, mean and variance of one release, or of many at once: arrays of any shapes that go together."""
TUNING = 5000
"""Calls of both arms together at which the interval is about as narrow as it can be."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measure of one release: how many calls, their mean and variance. Raises ValueError for what can't be so."""

    n: int
    mean: float
    variance: float

    def __post_init__(self) -> None:
        if self.n < 0 or not math.isfinite(self.mean) or not 0 <= self.variance < math.inf:
            raise ValueError(
                "a sample has no fewer than 0 values, and a mean and a variance that are numbers"
            )

    @property
    def arm(self) -> Arm:
        """Its numbers alone."""
        return self.n, self.mean, self.variance

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> Self:
        """Of `n` values, from their sum and the sum of their squares. The variance divides by n - 1."""
        if n <= 0:
            return cls(0, 0.0, 0.0)
        mean = total / n
        return cls(n, mean, max(squares - total * mean, 0.0) / (n - 1) if n > 1 else 0.0)

    @classmethod
    def of_share(cls, bad: int, n: int) -> Self:
        """Of `n` calls of which `bad` are bad, each 1 or 0; the variance as `share_variance` has it."""
        if not 0 <= bad <= n:
            raise ValueError("of n calls 0 to n are bad")
        return cls(n, bad / n, float(share_variance(bad, n))) if n else cls(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """Candidate less baseline, and its bounds. They are infinite where nothing can be said."""

    difference: float
    lower: float
    upper: float


def share_variance(bad: ArrayLike, n: ArrayLike) -> Floats:
    """p(1-p) with p = (bad + 1) / (n + 2): one bad and one good call added (Agresti & Caffo 2000, for differences).

    Without it no bad call in one arm would mean that there never is one. Any shapes that go together.
    """
    share = (np.asarray(bad, dtype=float) + 1) / (np.asarray(n, dtype=float) + 2)
    return np.asarray(share * (1 - share))


def interval(
    baseline: Sample, candidate: Sample, alpha: float, tuning: float = TUNING, *, sides: int = 2
) -> Interval:
    """Candidate less baseline. With two sides both bounds hold together with 1 - alpha, with one each by itself.

    Unbounded where an arm has fewer than two calls, and where every call of both was 0, as nothing is known of the scale.
    Raises ValueError for an alpha that is not above 0 and below 0.5.
    """
    half = float(half_width(baseline.arm, candidate.arm, alpha, tuning, sides=sides))
    difference = candidate.mean - baseline.mean
    if not math.isfinite(half):
        return Interval(difference, -math.inf, math.inf)
    return Interval(difference, difference - half, difference + half)


def half_width(
    baseline: Arm, candidate: Arm, alpha: float, tuning: float = TUNING, *, sides: int = 2
) -> Floats:
    """Half of `interval`, for many at once: se · `multiplier`, with se² = s_b²/n_b + s_c²/n_c.

    To each arm's squares are added those of two values more, 0 and twice the larger mean, as Agresti & Caffo add an
    extreme on either side: where every call costs the same the interval is narrow, but never without width.
    """
    (n_b, mean_b, var_b), (n_c, mean_c, var_c) = (
        tuple(np.asarray(one, dtype=float) for one in arm) for arm in (baseline, candidate)
    )
    with np.errstate(all="ignore"):
        added = 2 * np.maximum(np.abs(mean_b), np.abs(mean_c)) ** 2
        squared = (var_b + added / n_b) / n_b + (var_c + added / n_c) / n_c
        half = np.sqrt(squared) * multiplier(n_b + n_c, alpha, tuning, sides=sides)
    known = (np.minimum(n_b, n_c) >= 2) & (squared > 0) & np.isfinite(half)
    return np.asarray(np.where(known, half, np.inf))


def multiplier(n: ArrayLike, alpha: float, tuning: float = TUNING, *, sides: int = 2) -> Floats:
    """Standard errors on either side of the difference after `n` calls of both arms; where a fixed sample has 1.96.

    With x = nρ²: √(2(x+1)/x · ln(√(x+1)/α)) for two sides (eq. 9 of the paper), √(2(x+1)/x · ln(1 + √(x+1)/(2α))) for one
    (eq. 134). ρ² = (-2 ln a + ln(-2 ln a + 1)) / tuning (eq. 161), with a = α for two sides and 2α for one.
    """
    if not 0 < alpha < 0.5:
        raise ValueError("alpha is above 0 and below 0.5")
    if sides not in (1, 2):
        raise ValueError("an interval has one side or two")
    log = -2 * math.log(alpha if sides == 2 else 2 * alpha)
    x = np.asarray(n, dtype=float) * (log + math.log(log + 1)) / tuning
    with np.errstate(all="ignore"):
        root = np.sqrt(x + 1)
        spent = np.log(root / alpha) if sides == 2 else np.log1p(root / (2 * alpha))
        return np.asarray(np.sqrt(2 * (x + 1) / x * spent))
