"""Has a version's behaviour changed? A test over pairs of answers to the same prompts that needs no ground truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from holdfast.evals.rules.pairing import holm, mcnemar
from holdfast.evals.rules.style import FEATURES, LOGARITHMIC, SHARES, UNITS, features

Floats = NDArray[np.float64]
DRAWS = 4999
SAME = "same text"


@dataclass(frozen=True, slots=True)
class Change:
    """One feature before and after. `p` is adjusted for all features. `floor`: what two runs of the version before
    may differ by; None where there is but one. `changed`: p at most alpha and beyond the floor."""

    feature: str
    before: float
    after: float
    difference: float  # after less before; of a length, of its logarithm
    p: float
    floor: float | None
    changed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The comparison of two versions. `changes` are all features, the surest first."""

    changed: bool
    p: float  # that nothing has changed, by all of it together; 1 of no prompts
    prompts: int
    missing: int  # prompts without an answer on a side
    same: float | None  # share of prompts with the same text on both sides
    same_floor: float | None  # the same of two runs of the version before
    changes: tuple[Change, ...]

    @property
    def named(self) -> tuple[Change, ...]:
        """What has changed."""
        return tuple(change for change in self.changes if change.changed)


def compare(
    before: Sequence[str | None],
    after: Sequence[str | None],
    rng: np.random.Generator,
    *,
    again: Sequence[str | None] | None = None,
    also: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    alpha: float = 0.01,
    draws: int = DRAWS,
) -> Behaviour:
    """Compares answers (n,) to the same prompts in the same order; None: no answer.

    `again`: answers of another run of the version before; gives the noise floor. `also`: more features by name, values
    (n,) before and after, such as whether an answer is right. Raises ValueError where lengths differ.
    """
    more = dict(also or {})
    sides = [
        before,
        after,
        *([again] if again is not None else []),
        *(side for two in more.values() for side in two),
    ]
    if len({len(side) for side in sides}) > 1:
        raise ValueError("before, after and what goes with them must be of the same prompts")
    kept = [
        place
        for place in range(len(before))
        if before[place] is not None
        and after[place] is not None
        and (again is None or again[place] is not None)
    ]
    missing = len(before) - len(kept)
    if not kept:
        return Behaviour(False, 1.0, 0, missing, None, None, ())
    old, new = ([str(side[place]) for place in kept] for side in (before, after))
    first, second = features(old), features(new)
    if more:
        first, second = (
            np.column_stack((table, *(np.asarray(two[side], float)[kept] for two in more.values())))
            for side, table in enumerate((first, second))
        )
    names = (*FEATURES, *more)
    ps = max_t(second - first, rng, draws)
    floors: list[float | None] = [None] * len(names)
    found = {"style": float(ps.min())}
    same_floor = None
    if again is not None:
        repeated = [str(again[place]) for place in kept]
        moved = features(repeated) - first[:, : len(FEATURES)]
        floors[: len(FEATURES)] = noise_floor(moved, alpha).tolist()
        was = [a == b for a, b in zip(old, repeated, strict=True)]
        now = [a == b for a, b in zip(old, new, strict=True)]
        same_floor = float(np.mean(was))
        lost = sum(a and not b for a, b in zip(was, now, strict=True))
        found[SAME] = mcnemar(lost, sum(b and not a for a, b in zip(was, now, strict=True))).p_drop
    adjusted = holm(found)
    scale = adjusted["style"] / found["style"] if found["style"] else 1.0
    changes = [
        _change(
            name, first[:, column], second[:, column], min(1.0, ps[column] * scale), floors[column], alpha
        )
        for column, name in enumerate(names)
    ]
    p = min(adjusted.values())
    differs = any(change.changed for change in changes) or adjusted.get(SAME, 1.0) <= alpha
    return Behaviour(
        differs,
        p,
        len(kept),
        missing,
        float(np.mean([a == b for a, b in zip(old, new, strict=True)])),
        same_floor,
        tuple(sorted(changes, key=lambda change: change.p)),
    )


def max_t(differences: Floats, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """p of each column of paired differences (prompts, features), adjusted for all columns: (features,).

    Westfall & Young 1993, single step: had nothing changed, the differences of a prompt might as well all have the other
    sign. The statistic of a feature is |Σ sign·rank| / √Σ rank², Wilcoxon's signed ranks of the differences that are not
    0, so that a few long answers do not drown the rest. Its p is the share of random sign flips, the same for all
    features of a prompt, of which the largest statistic over all features is as large: (1 + hits) / (1 + draws). The
    smallest of them tests all together.
    """
    if not differences.size:
        return np.ones(differences.shape[1])
    ranks = np.column_stack([_ranks(np.abs(column)) for column in differences.T])
    scale = np.sqrt((ranks**2).sum(axis=0))
    signed = np.sign(differences) * np.divide(ranks, scale, out=np.zeros_like(ranks), where=scale > 0)
    observed = np.abs(signed.sum(axis=0))
    hits, whole = np.zeros(len(observed)), signed.sum(axis=0)
    for start in range(0, draws, 500):
        kept = rng.integers(0, 2, size=(min(500, draws - start), len(signed)), dtype=np.int8).astype(float)
        largest = np.sort(np.abs(2 * (kept @ signed) - whole).max(axis=1))  # kept less flipped
        hits += len(largest) - np.searchsorted(largest, observed - 1e-9)
    return np.asarray((1 + hits) / (1 + draws))


def _ranks(sizes: Floats) -> Floats:
    """Ranks from 1 of the sizes that are not 0, ties shared; 0 for those that are."""
    ranks, moved = np.zeros(len(sizes)), sizes > 1e-12
    _, place, counts = np.unique(sizes[moved], return_inverse=True, return_counts=True)
    ranks[moved] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def noise_floor(differences: Floats, alpha: float) -> Floats:
    """How far the mean of each column of differences between two runs of one version may lie from 0: (features,).

    |mean| + t_{1-α/2}·sd/√n: what runs differ by, and how sure that is. Infinite of one prompt.
    """
    n = len(differences)
    if n < 2:
        return np.full(differences.shape[1], np.inf)
    spread = differences.std(axis=0, ddof=1) / math.sqrt(n)
    return np.asarray(np.abs(differences.mean(axis=0)) + special.stdtrit(n - 1, 1 - alpha / 2) * spread)


def _change(name: str, first: Floats, second: Floats, p: float, floor: float | None, alpha: float) -> Change:
    before, after = float(first.mean()), float(second.mean())
    difference = after - before
    changed = p <= alpha and (floor is None or abs(difference) > floor)
    return Change(name, before, after, difference, p, floor, changed, _text(name, before, after))


def _text(name: str, before: float, after: float) -> str:
    """What moved and by how much, in words."""
    if name in LOGARITHMIC:
        was, now = math.expm1(before), math.expm1(after)
        return f"{name}: {math.exp(after - before) - 1:+.0%} (typically {was:.0f} before, {now:.0f} after)"
    if name in SHARES:
        return f"{name}: {before:.0%} to {after:.0%} of the answers"
    if name in UNITS:
        return f"{name}: {before:.1%} to {after:.1%} {UNITS[name]}"
    return f"{name}: {before:.2f} to {after:.2f} on average"
