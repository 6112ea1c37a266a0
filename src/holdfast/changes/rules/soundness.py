"""Whether the two arms of a stage can be compared at all. Where they can't, the stage holds, whatever its metrics say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.changes.rules.wording import SHARE, amount

MISMATCH = 0.001
"""Below it a split is not the one that was asked for: rare enough that somebody should look at every one."""
CONCENTRATION = 100.0
"""How near to the weights a wrong split is looked for: 1 is anywhere, 100 finds soonest what some hundred units can show."""
TWICE = 0.01
"""The share of units that may have met both releases."""


@dataclass(frozen=True, slots=True)
class Soundness:
    """Whether it is sound (None: too little is known), in a sentence; `p` where there is one."""

    sound: bool | None
    sentence: str
    p: float | None = None


def split(counts: Mapping[str, int], weights: Mapping[str, float], below: float = MISMATCH) -> Soundness:
    """Sample-ratio mismatch: units (not calls) per release since the stage began, against the weights they are drawn by.

    The chi-square test would cry wolf at some look of many. This is the sequential one (Lindon & Malek 2020, "Anytime-valid
    inference for multinomial count data"; also GrowthBook's): p = 1 / Bayes factor of shares drawn from
    Dirichlet(concentration · weights) against the weights themselves. It is exact, so small counts need no rule of their
    own: with probability below `below` is a right split ever called wrong, over all looks. Raises ValueError for no weight
    above 0, or counts below 0.
    """
    total, whole = sum(counts.values()), math.fsum(weights.values())
    if not whole > 0 or min(weights.values()) < 0 or min(counts.values(), default=0) < 0:
        raise ValueError("weights and counts are 0 or more, and some weight is more")
    if not total:
        return Soundness(None, "no units yet")
    stray = [name for name, count in counts.items() if count and not weights.get(name)]
    if stray:
        return Soundness(False, f"{counts[stray[0]]:,} units on {stray[0]}, which has no share of them", 0.0)
    shares = {name: weight / whole for name, weight in weights.items() if weight}
    factor = log_bayes_factor([counts.get(name, 0) for name in shares], list(shares.values()))
    p = math.exp(min(0.0, -factor))
    name = max(shares, key=lambda name: abs(counts.get(name, 0) / shares[name] - total))
    said = (
        f"{counts.get(name, 0):,} of {total:,} units on {name}, where {shares[name] * total:,.0f} were to be"
    )
    return Soundness(p >= below, f"{said} (p {'< 0.0001' if p < 0.0001 else f'= {p:.4f}'})", p)


def log_bayes_factor(counts: list[int], shares: list[float], concentration: float = CONCENTRATION) -> float:
    """ln of Γ(c)/Γ(c+n) · Π Γ(c·θ+x)/Γ(c·θ) / Π θ^x, for counts x (k,) and the shares θ (k,) that they should have."""
    found = math.lgamma(concentration) - math.lgamma(concentration + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        prior = concentration * share
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return found


def met_once(both: int, units: int, tolerance: float = TWICE, *, least: int = 100) -> Soundness:
    """Multiple exposures: of `units` that the stage served, those that met both releases. Below `least` nothing is said."""
    if units < least:
        return Soundness(
            None, f"{units:,} units, of the {least:,} that it takes to say whether they stay with one release"
        )
    said = f"{both:,} of {units:,} units met both releases ({amount(SHARE, both / units)})"
    if both / units > tolerance:
        return Soundness(False, f"{said}, more than the {amount(SHARE, tolerance)} that may")
    return Soundness(True, said)


def flowing(began: datetime, last: datetime | None, now: datetime, grace: timedelta) -> Soundness:
    """Whether the candidate has traffic: a call within `grace`, or the stage is younger. `last`: its latest call."""
    if last is None or last < began:
        quiet, known, what = now - began, None, "since the stage began, without a call of the candidate"
    else:
        quiet, known, what = now - last, True, "since the candidate's last call"
    return Soundness(False if quiet > grace else known, f"{_long(quiet)} {what}")


def _long(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
