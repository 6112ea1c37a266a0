"""Whether a stage of a rollout may go on: what each metric shows, and what follows from all of them.

Three things keep chance from deciding. The intervals hold however often they are looked at (`sequential`). Alpha is shared
evenly among the stop metrics (Bonferroni), so that a release that is no worse is rolled back with at most alpha, whichever
metric it is; among the watch metrics likewise for a hold. And to go on, every stop metric must have been shown to be no
worse than its margin: as all must be, each may use the whole of alpha for that (an intersection-union test, Berger 1982).

A difference that is sure but surely smaller than the margin is what the margin allows: NOT_WORSE goes before WORSE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from holdfast.changes.rules.sequential import Arm, Floats, Interval, Sample, half_width
from holdfast.changes.rules.wording import SHARE, against, amount, apart

ALPHA = 0.05


class Kind(StrEnum):
    """What a metric may do when it is worse."""

    STOP = "stop"  # rolls back
    WATCH = "watch"  # holds


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared, higher being worse. Raises ValueError for a bound that makes no sense."""

    name: str
    kind: Kind = Kind.STOP
    margin: float = 0.02  # by how much the candidate may be worse: what is smaller is no reason to stop
    relative: bool = False  # the margin is a share of the baseline's mean, not an amount of the metric's own
    least: int = 100  # calls of each arm before anything but a row is said
    in_a_row: int | None = None  # tripwire: so many bad calls in a row
    most: float | None = None  # tripwire: the candidate's mean must never be above it
    unit: str = SHARE  # else what stands behind its numbers

    def __post_init__(self) -> None:
        if not 0 < self.margin < math.inf:
            raise ValueError(f"the margin of {self.name} must be a number above 0")
        if self.least < 2:
            raise ValueError(f"{self.name} needs at least 2 calls of each release")
        if self.in_a_row is not None and self.in_a_row < 1:
            raise ValueError(f"bad calls in a row of {self.name} are 1 or more")
        if self.most is not None and not math.isfinite(self.most):
            raise ValueError(f"the most that {self.name} may be must be a number")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of one metric since the stage began."""

    metric: Metric
    baseline: Sample | None = None
    candidate: Sample | None = None
    longest_row: int = 0  # bad calls of the candidate in a row, the longest since the stage began
    unread: str = ""  # why it could not be measured


class Verdict(StrEnum):
    """What one look at one metric shows."""

    NOT_WORSE = "not_worse"  # the whole interval is below the margin
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    UNREAD = "unread"  # the measuring itself failed
    WORSE = "worse"  # the whole interval is above 0, and not all of it below the margin
    TRIPPED = "tripped"  # a tripwire, whatever the baseline does


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric's verdict, with its numbers and a sentence for people."""

    metric: Metric
    verdict: Verdict
    sentence: str
    baseline: Sample | None = None
    candidate: Sample | None = None
    interval: Interval | None = None


def look(readings: Sequence[Reading], alpha: float = ALPHA) -> tuple[Finding, ...]:
    """A finding for each reading, alpha shared among the metrics of a kind."""
    kinds = [one.metric.kind for one in readings]
    return tuple(judge(one, alpha / kinds.count(one.metric.kind), alpha) for one in readings)


def judge(reading: Reading, harm: float, alpha: float = ALPHA) -> Finding:
    """One metric: WORSE with error probability `harm`, NOT_WORSE with `alpha`, each over all looks together."""
    metric, baseline, candidate = reading.metric, reading.baseline, reading.candidate
    if metric.in_a_row is not None and reading.longest_row >= metric.in_a_row:
        said = f"{reading.longest_row:,} bad calls in a row, where {metric.in_a_row:,} stop it"
        return _finding(reading, Verdict.TRIPPED, said)
    if reading.unread:
        return _finding(reading, Verdict.UNREAD, f"could not be measured: {reading.unread}")
    if candidate is None or not candidate.n:
        return _finding(reading, Verdict.NO_DATA, "no call of the candidate tells it yet")
    if metric.most is not None and candidate.n >= metric.least and candidate.mean > metric.most:
        said = f"{against(metric.unit, candidate, None)}, above the {amount(metric.unit, metric.most)} that stop it"
        return _finding(reading, Verdict.TRIPPED, said)
    if baseline is None or not baseline.n:
        return _finding(reading, Verdict.NO_DATA, "no call of the baseline tells it, to hold it against")
    said = against(metric.unit, candidate, baseline)
    if min(baseline.n, candidate.n) < metric.least:
        return _finding(reading, Verdict.INCONCLUSIVE, f"{said}; it takes {metric.least:,} of each")
    if not (baseline.mean or candidate.mean or baseline.variance or candidate.variance):
        return _finding(reading, Verdict.NOT_WORSE, f"{said}; 0 in every call", Interval(0.0, 0.0, 0.0))
    lower, upper, tolerated = (float(one) for one in bounds(metric, baseline.arm, candidate.arm, harm, alpha))
    verdict = Verdict.WORSE if lower > 0 else Verdict.INCONCLUSIVE
    if upper < tolerated:
        verdict = Verdict.NOT_WORSE
    shown = Interval(candidate.mean - baseline.mean, lower, upper)
    return _finding(reading, verdict, f"{said}; {apart(metric.unit, lower, upper)}", shown)


def bounds(
    metric: Metric, baseline: Arm, candidate: Arm, harm: float, alpha: float
) -> tuple[Floats, Floats, Floats]:
    """Lower and upper bound of candidate less baseline, and the margin as an amount; arms of any shapes.

    The upper one tests against a candidate that is worse by the margin, so the candidate's variance is taken to be at least
    what such a one would have (as Farrington & Manning 1990 restrict it): q(1-q) for a share q, the square of its factor
    times the baseline's for a relative margin, else the baseline's. A candidate of few calls that happened to see none of
    the bad or dear ones would else pass too often. A relative margin is as unsure as the baseline's mean; that is counted.
    """
    (n_b, mean_b, var_b), (n_c, mean_c, var_c) = (
        tuple(np.asarray(one, dtype=float) for one in arm) for arm in (baseline, candidate)
    )
    with np.errstate(all="ignore"):
        factor = 1 + np.copysign(metric.margin, mean_b) if metric.relative else np.ones(())
        tolerated = metric.margin * np.abs(mean_b) if metric.relative else np.full_like(mean_b, metric.margin)
        raised, difference = mean_b + tolerated, mean_c - mean_b
        least = np.clip(raised * (1 - raised), 0, None) if metric.unit == SHARE else var_b * factor**2
        worst = (n_c, mean_c, np.maximum(var_c, least))
        lower = difference - half_width(baseline, candidate, harm, sides=1)
        upper = difference + half_width((n_b, raised, var_b * factor**2), worst, alpha, sides=1)
    return np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper), tolerated


def _finding(reading: Reading, verdict: Verdict, said: str, bounds: Interval | None = None) -> Finding:
    sentence = f"{reading.metric.name}: {said}"
    return Finding(reading.metric, verdict, sentence, reading.baseline, reading.candidate, bounds)
