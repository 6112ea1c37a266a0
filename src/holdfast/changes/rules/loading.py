"""The load step: when which release is asked what, and whether the candidate bears the load as the baseline does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from holdfast.changes.model import Verdict
from holdfast.changes.rules.policy import LoadPolicy

BLOCKS = 4
"""Turns of each release: what changes in between, like a neighbour's load, meets both."""
LEAST_RATE = 1.0
"""Questions a second: below, there is no load to speak of."""
FEWEST = 60
"""Answers of each release: below, a p95 rests on three of them."""
CONFIDENCE = 0.95
"""Of each bound."""


@dataclass(frozen=True, slots=True)
class Due:
    """A question: seconds after the step began, which release (0: the baseline), in which block, which question."""

    at: float
    side: int
    block: int
    question: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one. `ms` from when it was due, so that one that had to wait for its turn counts as slow; None: it
    failed."""

    due: Due
    ms: float | None


def schedule(rng: np.random.Generator, rate: float, seconds: float, questions: int) -> list[Due]:
    """Both releases in turns, each for `seconds` in all, at random instants of `rate` a second (a Poisson stream)."""
    made: list[Due] = []
    edges = [seconds / BLOCKS * place for place in range(2 * BLOCKS + 1)]
    for place, (start, end) in enumerate(pairwise(edges)):
        side = (place + 1) // 2 % 2  # baseline, candidate, candidate, baseline, …
        at = start + float(rng.exponential(1 / rate))
        while at < end:
            made.append(Due(at, side, place, int(rng.integers(questions))))
            at += float(rng.exponential(1 / rate))
    return made


def compare(policy: LoadPolicy, told: Sequence[Outcome]) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and why.

    The ratio of both p95 on a logarithmic scale, each with the interval of Woodruff 1952; the difference of failed shares
    by Agresti & Caffo 2000. Shown to be worse by more than is allowed fails; not shown to be within is inconclusive.
    """
    asked = [sum(one.due.side == side for one in told) for side in (0, 1)]
    failed = [sum(one.due.side == side and one.ms is None for one in told) for side in (0, 1)]
    if not min(asked):
        return Verdict.INCONCLUSIVE, ("nothing was asked",)
    lower, upper = _apart(failed, asked)
    said = [
        f"load step: {failed[1]:,} of {asked[1]:,} failed, {failed[0]:,} of {asked[0]:,} of the baseline's"
    ]
    verdicts = [_held(lower, upper, policy.errors)]
    answered = [asked[side] - failed[side] for side in (0, 1)]
    if min(answered) < FEWEST:
        said.append(f"{min(answered):,} answers are too few for a p95, which takes {FEWEST} of each release")
        verdicts.append(Verdict.INCONCLUSIVE)
    else:
        (before, unsure), (after, too) = _p95(told, 0), _p95(told, 1)
        reach = math.exp(float(special.ndtri(CONFIDENCE)) * math.hypot(unsure, too))
        low, high = after / before / reach, after / before * reach
        said.append(
            f"p95 {before:,.0f} to {after:,.0f} ms: {after / before - 1:+.0%} ({low - 1:+.0%} to {high - 1:+.0%}),"
            f" where {policy.margin:.0%} more is allowed"
        )
        verdicts.append(_held(low - 1, high - 1, policy.margin))
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return min(verdicts, key=order.index), tuple(said)


Floats = NDArray[np.float64]


def _held(lower: float, upper: float, margin: float) -> Verdict:
    if lower > margin:
        return Verdict.FAIL
    return Verdict.PASS if upper <= margin else Verdict.INCONCLUSIVE


def _apart(failed: Sequence[int], asked: Sequence[int]) -> tuple[float, float]:
    shares = [(failed[side] + 1) / (asked[side] + 2) for side in (0, 1)]
    spread = math.sqrt(sum(shares[side] * (1 - shares[side]) / (asked[side] + 2) for side in (0, 1)))
    reach = float(special.ndtri(CONFIDENCE)) * spread
    return shares[1] - shares[0] - reach, shares[1] - shares[0] + reach


def _p95(told: Sequence[Outcome], side: int) -> tuple[float, float]:
    """The p95 of a release, and the standard error of its logarithm, from the ranks at which it may truly lie."""
    found: Floats = np.sort([one.ms for one in told if one.due.side == side and one.ms is not None])
    n = len(found)
    reach = float(special.ndtri(CONFIDENCE)) * math.sqrt(n * 0.95 * 0.05)
    low, high = (found[min(max(round(n * 0.95 + by) - 1, 0), n - 1)] for by in (-reach, reach))
    spread = float(np.log(high) - np.log(low)) / (2 * float(special.ndtri(CONFIDENCE)))
    return float(np.quantile(found, 0.95)), spread
