"""Two runs over the same cases: has the score fallen, and is it shown not to have fallen by more than a margin?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from holdfast.evals.model import Comparison
from holdfast.evals.rules.asked import Pair, mean, noise
from holdfast.evals.rules.intervals import Clustered, Floats, clustered

DRAWS = 20_000
SMALL = 18  # differences: below, every way to flip their signs is tried
STEPS = 200_000  # of a lattice that is counted through exactly


@dataclass(frozen=True, slots=True)
class Flipped:
    """p of a sign-flip test: one-sided for a fall, and two-sided. `exact`: every way to flip was counted."""

    p_drop: float
    p: float
    exact: bool


def mcnemar(worse: int, better: int) -> Flipped:
    """Exact McNemar test (1947): of the cases that changed, as many get worse as better, if nothing changed.

    `p_drop` = P(X ≥ worse), X binomial(worse + better, ½); `p` twice the smaller tail, at most 1.
    """
    n = worse + better
    drop = float(special.bdtrc(worse - 1, n, 0.5)) if worse else 1.0
    rise = float(special.bdtrc(better - 1, n, 0.5)) if better else 1.0
    return Flipped(drop, min(1.0, 2 * min(drop, rise)), True)


def sign_flip(differences: Sequence[float] | Floats, rng: np.random.Generator, draws: int = DRAWS) -> Flipped:
    """Sign-flip test (Fisher 1935) of independent differences (n,), candidate less baseline, weighted as they are.

    If nothing changed, each difference might as well have the other sign. The sum is set against the sums of every such
    flip: exactly where they are few or lie on a lattice (shares of repeats), else against `draws` random ones, with
    (1 + hits) / (1 + draws). On a lattice many sums are equal; they are ordered by how many more differences are above
    0 than below, which keeps the test exact and makes it less strict. p = 1 where no difference is other than 0.
    """
    moved = np.asarray(differences, dtype=float)
    moved = moved[np.abs(moved) > 1e-12]
    if not len(moved):
        return Flipped(1.0, 1.0, True)
    unit = _unit(np.abs(moved))
    if unit is not None:
        # Whole steps, so many that the count of cases better less worse only decides between equal sums.
        moved = np.rint(moved / unit) * (len(moved) + 1) + np.sign(moved)
    sizes, observed = np.abs(moved), float(moved.sum())
    slack = 1e-9 * float(sizes.sum())
    if unit is not None:
        sums, shares = _lattice(sizes.astype(int))
    elif len(sizes) <= SMALL:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate((sums - size, sums + size))
        shares = np.full(len(sums), 1 / len(sums))
    else:
        sums = np.empty(draws)
        for start in range(0, draws, 1000):
            signs = rng.integers(0, 2, size=(min(1000, draws - start), len(sizes))) * 2.0 - 1.0
            sums[start : start + len(signs)] = signs @ sizes
        drop = float((sums <= observed + slack).sum())
        either = float((np.abs(sums) >= abs(observed) - slack).sum())
        return Flipped((1 + drop) / (1 + draws), (1 + either) / (1 + draws), False)
    drop = float(shares[sums <= observed + slack].sum())
    either = float(shares[np.abs(sums) >= abs(observed) - slack].sum())
    return Flipped(min(drop, 1.0), min(either, 1.0), True)


def tango(worse: int, better: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Tango's score interval (1998) of a paired difference of shares, (better - worse) / n. (-1, 1) of no pairs.

    Raises ValueError where more changed than there are.
    """
    _check(worse, better, n)
    if not n:
        return -1.0, 1.0
    z = float(special.ndtri((1 + confidence) / 2))
    difference = (better - worse) / n
    return _solve(worse, better, n, z, -1.0, difference), _solve(worse, better, n, -z, difference, 1.0)


def tango_score(worse: int, better: int, n: int, difference: float) -> float:
    """Tango's score statistic against a true difference: about standard normal if that is it; 0 where it fits exactly.

    (better - worse - nΔ) / √(n(2q + Δ(1-Δ))), q = (√(B²-4AC) - B) / 2A, A = 2n, B = -better - worse + (2n - better +
    worse)Δ, C = -worse·Δ(1-Δ).
    """
    _check(worse, better, n)
    a, b = 2.0 * n, -better - worse + (2.0 * n - better + worse) * difference
    c = -worse * difference * (1 - difference)
    q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    spread = n * (2 * q + difference * (1 - difference))
    off = better - worse - n * difference
    if abs(off) < 1e-12:
        return 0.0
    return off / math.sqrt(spread) if spread > 1e-15 else math.copysign(math.inf, off)


def holm(ps: Mapping[str, float], weights: Mapping[str, float] | None = None) -> dict[str, float]:
    """p values adjusted by Holm (1979), so that the chance of one or more wrong calls is at most alpha.

    With weights (above 0; only their ratios matter) the p of a heavier hypothesis is adjusted less.
    """
    heavy = weights or dict.fromkeys(ps, 1.0)
    order = sorted(ps, key=lambda name: ps[name] / heavy[name])
    left, highest = math.fsum(heavy[name] for name in ps), 0.0
    adjusted: dict[str, float] = {}
    for name in order:
        highest = max(highest, min(1.0, ps[name] * left / heavy[name]))
        adjusted[name] = highest
        left -= heavy[name]
    return adjusted


def compare(
    pairs: Sequence[Pair], margin: float, alpha: float, rng: np.random.Generator, *, confidence: float = 0.95
) -> Comparison | None:
    """Candidate less baseline over matched cases; None of no pairs. Raises ValueError for a margin outside 0 to 1.

    One answer on each side that passed or failed, all weights alike and each case its own family: exact McNemar for the
    fall, Tango for interval and margin. Else the differences of the cases' means: sign-flip of the families' sums for
    the fall, t on them for interval and margin, never narrower than z²/(G+z²) to either side. That is Tango's bound
    where none of G cases changed: cases of a kind that flips altogether could be that many and the suite hold none.
    """
    if not 0 <= margin < 1:
        raise ValueError(f"the margin {margin} must be from 0 to below 1")
    if not pairs:
        return None
    differences = np.asarray([mean(one.candidate) - mean(one.baseline) for one in pairs])
    differences[np.abs(differences) < 1e-12] = 0.0
    worse, better = int((differences < 0).sum()), int((differences > 0).sum())
    weights = [one.weight for one in pairs]
    of = clustered(differences.tolist(), weights, [one.family for one in pairs])
    plain = (
        of.clusters == len(pairs)
        and len(set(weights)) == 1
        and all(
            len(one.baseline) == len(one.candidate) == 1 and {*one.baseline, *one.candidate} <= {0.0, 1.0}
            for one in pairs
        )
    )
    if plain:
        flipped, test, method = mcnemar(worse, better), "exact McNemar", "Tango"
        low, high = tango(worse, better, len(pairs), confidence)
        bound = tango(worse, better, len(pairs), 1 - 2 * alpha)[0]
        beyond = float(special.ndtr(tango_score(worse, better, len(pairs), -margin)))
        noninferior = 1 - beyond
    else:
        flipped, method = sign_flip(of.sums, rng), "t"
        test = "exact sign-flip" if flipped.exact else "sign-flip"
        low, high = _reach(of, (1 - confidence) / 2), _reach(of, (1 + confidence) / 2)
        bound = _reach(of, alpha)
        noninferior, beyond = _p_above(of, -margin), _p_below(of, -margin)
    variance, within = _variance(pairs, of)
    return Comparison(
        of.value, low, high, confidence, bound, method, flipped.p_drop, test, noninferior, beyond,
        len(pairs), of.clusters, worse, better, (worse + better) / len(pairs), variance, within,
    )  # fmt: skip


def _reach(of: Clustered, level: float) -> float:
    """Bound of a mean difference at a level, by t and not within z²/(G+z²) of the mean."""
    side = -1.0 if level < 0.5 else 1.0
    if of.se is None or of.df < 1:
        return side
    z2 = float(special.ndtri(level)) ** 2
    far = max(abs(float(special.stdtrit(of.df, level))) * of.se, z2 / (of.effective + z2))
    return float(np.clip(of.value + side * far, -1, 1))


def _p_above(of: Clustered, bar: float) -> float:
    """One-sided p against a mean of at most `bar`: the level at which `_reach` comes down to it."""
    off = of.value - bar
    if of.se is None or of.df < 1 or off <= 0:
        return 1.0
    by_t = float(special.stdtr(of.df, -off / of.se)) if of.se else 0.0
    unseen = float(special.ndtr(-math.sqrt(of.effective * off / (1 - off)))) if off < 1 else 0.0
    return max(by_t, unseen)


def _p_below(of: Clustered, bar: float) -> float:
    mirrored = Clustered(-of.value, of.se, of.cases, of.clusters, of.effective, -of.sums, of.masses)
    return _p_above(mirrored, -bar)


def _variance(pairs: Sequence[Pair], of: Clustered) -> tuple[float | None, float | None]:
    """Variance of a case's difference that the standard error stands for, and the part that is noise of its answers.

    The first is se²·n: with families and weights it is larger than the plain one by the design effect.
    """
    if of.se is None:
        return None, None
    total = of.se**2 * len(pairs)
    if any(len(one.baseline) < 2 or len(one.candidate) < 2 for one in pairs):
        return total, None
    scale = math.fsum(one.weight for one in pairs) ** 2
    found = math.fsum(one.weight**2 * (noise(one.baseline) + noise(one.candidate)) for one in pairs)
    return total, min(total, found / scale * len(pairs))


def _check(worse: int, better: int, n: int) -> None:
    if worse < 0 or better < 0 or worse + better > n:
        raise ValueError(f"{worse} worse and {better} better cannot be among {n} cases")


def _solve(worse: int, better: int, n: int, wanted: float, low: float, high: float) -> float:
    """The difference at which the score statistic is `wanted`; it falls as the difference rises."""
    for _ in range(60):
        middle = (low + high) / 2
        if tango_score(worse, better, n, middle) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _unit(sizes: Floats) -> float | None:
    """A step of which all sizes are multiples, if sums in such steps are few enough to count through."""
    for parts in (1, 2, 3, 4, 5, 6, 8, 10, 12, 20, 24, 30, 60):
        scaled = sizes * parts
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-9 * np.maximum(scaled, 1)):
            return 1 / parts if (len(sizes) + 1) * scaled.sum() <= STEPS else None
    return None


def _lattice(sizes: np.ndarray[tuple[int], np.dtype[np.int_]]) -> tuple[Floats, Floats]:
    """Every sum that flips of whole `sizes` can make, from -Σ to Σ, with the share of the flips that make it."""
    reach = int(sizes.sum())
    shares = np.zeros(2 * reach + 1)
    shares[reach] = 1.0
    so_far = 0
    for size in sizes:
        part = shares[reach - so_far : reach + so_far + 1] / 2
        so_far += int(size)
        new = np.zeros(2 * so_far + 1)
        new[: len(part)] += part
        new[len(new) - len(part) :] += part
        shares[reach - so_far : reach + so_far + 1] = new
    return np.arange(-reach, reach + 1, dtype=float), shares
