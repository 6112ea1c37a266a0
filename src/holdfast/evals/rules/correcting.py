"""Figures that rest on a judge, corrected by human labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
FEW = 5  # disagreements: with fewer, how often the judge is wrong is bounded rather than estimated


@dataclass(frozen=True, slots=True)
class Corrected:
    """A mean as people would judge it. `judged` is what the judge alone says; `trust` how much it counted, 0 to 1."""

    value: float
    low: float
    high: float
    confidence: float
    se: float
    labels: int
    judged: float
    trust: float
    method: str


def ppi_mean(
    labels: Sequence[float] | Floats,
    judged: Sequence[float] | Floats,
    rest: Sequence[float] | Floats,
    *,
    confidence: float = 0.95,
    within: tuple[float, float] = (0.0, 1.0),
) -> Corrected:
    """PPI++ mean (Angelopoulos, Duchi & Zrnic 2023): n `labels` with the judge's scores `judged` of the same items, a
    random sample, and the judge's scores of the N items without a label.

    θ = mean(y) + λ(mean(f_rest) - mean(f)), λ = cov(y, f) / (var(f)(1 + n/N)) kept from 0 to 1,
    se² = λ²·var(f_rest)/N + var(y - λf)/n, t with n-2 degrees of freedom, as λ is estimated from
    the same labels (n-1 without λ). For passes and failures with fewer than five
    disagreements the interval reaches λ·z²/(n+z²) at least, as in a sample without any. Without other items it is the
    labels' own mean. Raises ValueError for fewer than two labels or lengths that differ.
    """
    y, f, others = (np.asarray(one, dtype=float) for one in (labels, judged, rest))
    if len(y) != len(f) or len(y) < 2:
        raise ValueError("there must be two labels at least, each with the judge's score of the same item")
    n, spread = len(y), float(f.var(ddof=1))
    trust = 0.0
    if len(others) > 1 and spread > 0:
        trust = float(np.cov(y, f, ddof=1)[0, 1]) / (spread * (1 + n / len(others)))
        trust = min(max(trust, 0.0), 1.0)
    free = 2 if trust and n > 2 else 1
    value, variance = float(y.mean()), float((y - trust * f).var(ddof=free)) / n
    if trust:
        value += trust * float(others.mean() - f.mean())
        variance += trust**2 * float(others.var(ddof=1)) / len(others)
    half = float(special.stdtrit(n - free, (1 + confidence) / 2)) * math.sqrt(variance)
    if set(np.unique(np.concatenate((y, f)))) <= {0.0, 1.0}:
        z2 = float(special.ndtri((1 + confidence) / 2)) ** 2
        if (y != f).sum() < FEW and trust:
            half = max(half, trust * z2 / (n + z2))
        if not half:
            half = z2 / (n + z2)
    low, high = max(within[0], value - half), min(within[1], value + half)
    everything = np.concatenate((f, others))
    return Corrected(
        min(max(value, within[0]), within[1]),
        low,
        high,
        confidence,
        math.sqrt(variance),
        n,
        float(everything.mean()),
        trust,
        "PPI++",
    )


def active_mean(
    judged: Sequence[float] | Floats,
    labels: Sequence[float | None],
    chances: Sequence[float] | Floats,
    *,
    confidence: float = 0.95,
    within: tuple[float, float] = (0.0, 1.0),
) -> Corrected:
    """The mean of N items where which were labelled was drawn with known `chances` (N,), as `labelling.select` gives.

    θ = mean(λf + (labelled / chance)·(y - λf)), unbiased whatever the chances (Zrnic & Candès 2024, "Active statistical
    inference"), with the λ of least variance, kept from 0 to 1. Labels of a chance of 0 do not count. Raises ValueError
    where lengths differ or fewer than two labels count.
    """
    f, chance = np.asarray(judged, dtype=float), np.asarray(chances, dtype=float)
    if not len(f) == len(labels) == len(chance):
        raise ValueError("judged, labels and chances must be of the same items")
    known = np.asarray([label is not None for label in labels]) & (chance > 0)
    if known.sum() < 2:
        raise ValueError("there must be two labels at least")
    share = np.where(known, 1 / np.where(chance > 0, chance, 1.0), 0.0)
    y = np.asarray([0.0 if label is None else label for label in labels])
    first, second = share * y, f * (1 - share)  # θ is the mean of first + λ·second
    spread = float(second.var(ddof=1))
    trust = -float(np.cov(first, second, ddof=1)[0, 1]) / spread if spread > 0 else 0.0
    trust = min(max(trust, 0.0), 1.0)
    parts = first + trust * second
    value, se = float(parts.mean()), float(parts.std(ddof=1)) / math.sqrt(len(parts))
    half = float(special.stdtrit(int(known.sum()) - 1, (1 + confidence) / 2)) * se
    return Corrected(
        min(max(value, within[0]), within[1]),
        max(within[0], value - half),
        min(within[1], value + half),
        confidence,
        se,
        int(known.sum()),
        float(f.mean()),
        trust,
        "active",
    )


def rogan_gladen(
    positive: int,
    n: int,
    caught: int,
    of_positive: int,
    cleared: int,
    of_negative: int,
    *,
    confidence: float = 0.95,
) -> Corrected | None:
    """A share that a fallible judge counted, corrected for its sensitivity and specificity as labels show them.

    The judge says yes to `positive` of `n` items; of `of_positive` items that people say yes to it `caught` some, of
    `of_negative` others it `cleared` some. π = (q + sp - 1) / (se + sp - 1) (Rogan & Gladen 1978), interval of Lang &
    Reiczigel 2014: z²/2 more on each side of q, one more each way for se and sp, with
    dπ = 2z²(π·se(1-se)/n_se - (1-π)·sp(1-sp)/n_sp). None where the judge tells no better than chance: nothing can be
    corrected then. Raises ValueError for counts that cannot be.
    """
    for part, whole in ((positive, n), (caught, of_positive), (cleared, of_negative)):
        if not 0 <= part <= whole or not whole:
            raise ValueError(f"{part} of {whole} cannot be")
    better = caught / of_positive + cleared / of_negative - 1
    z = float(special.ndtri((1 + confidence) / 2))
    m, m_se, m_sp = n + z * z, of_positive + 2, of_negative + 2
    q, se, sp = (positive + z * z / 2) / m, (caught + 1) / m_se, (cleared + 1) / m_sp
    tells = se + sp - 1
    if better <= 0 or tells <= 0:
        return None
    value = min(max((positive / n + cleared / of_negative - 1) / better, 0.0), 1.0)
    middle = min(max((q + sp - 1) / tells, 0.0), 1.0)
    from_se, from_sp = se * (1 - se) / m_se, sp * (1 - sp) / m_sp
    shift = 2 * z * z * (middle * from_se - (1 - middle) * from_sp)
    spread = math.sqrt(q * (1 - q) / m + middle**2 * from_se + (1 - middle) ** 2 * from_sp) / tells
    return Corrected(
        value,
        min(max(middle + shift - z * spread, 0.0), 1.0),
        min(max(middle + shift + z * spread, 0.0), 1.0),
        confidence,
        spread,
        of_positive + of_negative,
        positive / n,
        1.0,
        "Rogan-Gladen",
    )
