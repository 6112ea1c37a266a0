"""Guarding a staged rollout, simulated: `make bench NAME=rollout [QUICK=1]`. The last line is one JSON object.

Everything that decides is the product's own: the bounds of `guarding` over arrays, the sequential test of the split
in `soundness`, `chosen` of the gateway; a sample of the simulated looks goes through `guarding.judge`, which must say the
same, else the run is not sound. Calls fail independently of each other, which real ones do not always.

A healthy canary fails as its baseline does (2 %), one tenth of the calls are the canary's, and it is looked at 40 times with
50 new calls of its own each. Beside it: a rule that aborts when the calls since the last look fail more than twice as often
as the baseline's; the same over all calls since the start; and the chi-square test of the split at every look. For splits,
a peer that draws anew with each stage.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from benchmarks import aims
from holdfast.changes.rules.ab import Answer, Question, calls_needed, conclude
from holdfast.changes.rules.guarding import ALPHA, Metric, Reading, Verdict, bounds, judge
from holdfast.changes.rules.sequential import Arm, Sample, share_variance
from holdfast.changes.rules.soundness import MISMATCH, split
from holdfast.gateway.model import Variant
from holdfast.gateway.rules.splitting import chosen

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
METRIC = Metric("errors")
LOOKS, PER_LOOK, SHARE, HEALTHY = 40, 50, 0.1, 0.02
MANY = 8  # stop metrics that share alpha
USERS = 20_000


class Looks:
    """What is known at each look of each rollout: arrays (rollouts, looks) of calls and of bad ones, both arms."""

    def __init__(
        self,
        rng: np.random.Generator,
        rollouts: int,
        *,
        candidate: float,
        looks: int = LOOKS,
        per_look: int = PER_LOOK,
        share: float = SHARE,
    ) -> None:
        others = round(per_look * (1 - share) / share)
        self.new_c = rng.binomial(per_look, candidate, (rollouts, looks))
        self.new_b = rng.binomial(others, HEALTHY, (rollouts, looks))
        self.bad_c, self.bad_b = self.new_c.cumsum(axis=1), self.new_b.cumsum(axis=1)
        at = np.arange(1, looks + 1)
        self.n_c, self.n_b, self.per_look = at * per_look, at * others, per_look

    def worse(self, metrics: int = 1) -> tuple[Bools, Bools]:
        """Where a look finds WORSE, and where NOT_WORSE, as one of so many stop metrics."""
        old = (self.n_b, self.bad_b / self.n_b, share_variance(self.bad_b, self.n_b))
        new = (self.n_c, self.bad_c / self.n_c, share_variance(self.bad_c, self.n_c))
        return seen(METRIC, old, new, metrics)

    def agree(self, rng: np.random.Generator, metrics: int, sample: int = 300) -> bool:
        """Whether `judge` says of some looks what the arrays say."""
        worse, within = self.worse(metrics)
        for run, at in zip(
            rng.integers(len(worse), size=sample), rng.integers(worse.shape[1], size=sample), strict=True
        ):
            reading = Reading(
                METRIC,
                Sample.of_share(int(self.bad_b[run, at]), int(self.n_b[at])),
                Sample.of_share(int(self.bad_c[run, at]), int(self.n_c[at])),
            )
            verdict = judge(reading, ALPHA / metrics, ALPHA).verdict
            if (verdict is Verdict.WORSE, verdict is Verdict.NOT_WORSE) != (worse[run, at], within[run, at]):
                return False
        return True

    def doubled(self, *, since_start: bool) -> Bools:
        """Where the plain rule aborts, on new calls or on all: it is told the share that truly fails, for the baseline's."""
        if since_start:
            return self.bad_c / self.n_c > 2 * HEALTHY
        return self.new_c / self.per_look > 2 * HEALTHY


def seen(metric: Metric, old: Arm, new: Arm, metrics: int = 1) -> tuple[Bools, Bools]:
    """Where these arms (n, mean, variance) find WORSE and NOT_WORSE."""
    lower, upper, tolerated = bounds(metric, old, new, ALPHA / metrics, ALPHA)
    enough = np.minimum(old[0], new[0]) >= metric.least
    within = (upper < tolerated) & enough
    return (lower > 0) & enough & ~within, within


def share(hit: Bools) -> float:
    """Of rollouts in which it happened at any look."""
    return round(float(hit.any(axis=1).mean()), 5)


def calls(hit: Bools, n: NDArray[np.int_]) -> int | None:
    """The canary's calls at the first look at which it happened: the median of those in which it did."""
    rows = hit.any(axis=1)
    return int(np.median(n[hit[rows].argmax(axis=1)])) if rows.any() else None


def errors(rng: np.random.Generator, rollouts: int) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """False aborts, what is caught, and what peeking costs."""
    healthy = Looks(rng, rollouts, candidate=HEALTHY)
    worse, within = healthy.worse()
    sound = healthy.agree(rng, 1) and healthy.agree(rng, MANY)
    figures: dict[str, Any] = {
        "false_abort_share": share(worse),
        f"false_abort_share_of_one_in_{MANY}": share(healthy.worse(MANY)[0]),
        "healthy_advance_share": share(within & ~np.logical_or.accumulate(worse, axis=1)),
        "healthy_advance_calls": calls(within, healthy.n_c),
    }
    for percent in (4, 6, 10, 20):
        bad = Looks(rng, rollouts // 4, candidate=percent / 100)
        sound = sound and bad.agree(rng, 1)
        worse, within = bad.worse()
        figures[f"caught_2_to_{percent}_share"] = share(worse)
        figures[f"caught_2_to_{percent}_calls"] = calls(worse, bad.n_c)
        figures[f"caught_2_to_{percent}_share_of_one_in_{MANY}"] = share(bad.worse(MANY)[0])
        if percent == 4:  # worse by just the margin: the hardest to keep from advancing
            before = ~np.logical_or.accumulate(worse, axis=1)
            figures["wrong_advance_share_2_to_4"] = share(within & before)
    for looks, per_look, runs in ((40, 50, rollouts), (400, 5, rollouts // 10), (2000, 1, rollouts // 10)):
        peeked = Looks(rng, runs, candidate=HEALTHY, looks=looks, per_look=per_look)
        figures[f"peeking_{looks}_looks"] = share(peeked.worse()[0])
    figures["peeking_worst"] = max(value for name, value in figures.items() if name.startswith("peeking_"))
    peer = {
        "twice_the_control_on_new_calls": share(healthy.doubled(since_start=False)),
        "twice_the_control_on_all_calls": share(healthy.doubled(since_start=True)),
    }
    return figures, peer, sound


def amounts(rng: np.random.Generator, rollouts: int) -> dict[str, Any]:
    """Costs with a long tail (log-normal, sigma 1.2), against a relative margin of a fifth."""
    metric = Metric("cost", margin=0.2, relative=True, unit="USD")
    figures: dict[str, Any] = {}
    for factor in (1.0, 1.2, 1.5):
        arms = []
        for per_look, times in ((round(PER_LOOK * (1 - SHARE) / SHARE), 1.0), (PER_LOOK, factor)):
            drawn = times * rng.lognormal(0, 1.2, (rollouts, LOOKS, per_look))
            n = np.arange(1, LOOKS + 1) * per_look
            mean = drawn.sum(axis=2).cumsum(axis=1) / n
            squares = (drawn**2).sum(axis=2).cumsum(axis=1)
            arms.append((n, mean, (squares - n * mean**2) / (n - 1)))
        worse, within = seen(metric, arms[0], arms[1])
        within &= ~np.logical_or.accumulate(worse, axis=1)
        if factor == 1:
            figures["cost_false_abort_share"] = share(worse)
            figures["cost_healthy_advance_share"] = share(within)
            figures["cost_healthy_advance_calls"] = calls(within, arms[1][0])
        elif factor == 1.2:
            figures["cost_wrong_advance_share_by_a_fifth"] = share(within)
        else:
            figures["cost_caught_half_more_share"] = share(worse)
            figures["cost_caught_half_more_calls"] = calls(worse, arms[1][0])
    return figures


def splits(rng: np.random.Generator, runs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The test of the split at every look, 500 units a look, one in ten the candidate's."""
    weights = {"old": 1 - SHARE, "new": SHARE}
    figures, peer = {}, {}
    for name, truly in (
        ("false_alarm_share", 0.1),
        ("found_at_8_percent_share", 0.08),
        ("found_at_5_percent_share", 0.05),
    ):
        took = rng.binomial(500, truly, (runs, LOOKS)).cumsum(axis=1)
        n = np.arange(1, LOOKS + 1) * 500
        alarms = np.asarray(
            [
                any(
                    split({"old": int(whole - new), "new": int(new)}, weights).sound is False
                    for new, whole in zip(row, n, strict=True)
                )
                for row in took
            ]
        )
        figures[f"split_{name}"] = round(float(alarms.mean()), 5)
        square = (took - n * SHARE) ** 2 / (n * SHARE * (1 - SHARE))
        peer[f"chi_square_{name}"] = share(gammaincc(0.5, square / 2) < MISMATCH)
    return figures, peer


def moved(stages: Sequence[dict[str, int]], *, anew: bool = False) -> tuple[int, int]:
    """Users who leave the candidate, and who go from one of the others to another, from stage to stage."""
    left = between = 0
    before: list[str] = []
    for number, weights in enumerate(stages):
        variants = [Variant(release=name, weight=weight) for name, weight in weights.items()]
        keys = [f"{number if anew else ''}route\0user\0user-{user}" for user in range(USERS)]
        after = [one.release for key in keys if (one := chosen(variants, key))]
        for was, now in zip(before, after, strict=False):
            if was != now:
                left += was == "new"
                between += was != "new" and now != "new"
        before = after
    return left, between


def ramps() -> tuple[dict[str, Any], dict[str, Any]]:
    """10 → 50 → 100 %, with one other release and with two."""
    two = [{"old": 90, "new": 10}, {"old": 50, "new": 50}, {"old": 0, "new": 100}]
    three = [
        {"old": 45, "other": 45, "new": 10},
        {"old": 25, "other": 25, "new": 50},
        {"old": 0, "other": 0, "new": 100},
    ]
    here = [moved(two), moved(three)]
    there = [moved(two, anew=True), moved(three, anew=True)]
    return (
        {"ramp_users_moved_back": here[0][0] + here[1][0], "ramp_users_moved_between_others": here[1][1]},
        {
            "drawn_anew_users_moved_back": there[0][0] + there[1][0],
            "drawn_anew_users_moved_between_others": there[1][1],
        },
    )


def experiments(rng: np.random.Generator, runs: int) -> dict[str, Any]:
    """A/B at an even split, 20 % against 20 + 3 points and against the same, looked at ten times up to the planned size."""
    question = Question("solved", minimum=0.03, higher_is_better=True)
    planned = calls_needed(question, 0.2 * 0.8, 0.23 * 0.77)
    n = np.linspace(planned / 20, planned / 2, 10).astype(int)
    figures: dict[str, Any] = {"ab_calls_planned": planned}
    for name, rate, wanted in (("found_share", 0.23, Answer.BETTER), ("false_share", 0.2, None)):
        hits = 0
        for _ in range(runs):
            steps = np.diff(n, prepend=0)
            old, new = rng.binomial(steps, 0.2).cumsum(), rng.binomial(steps, rate).cumsum()
            answers = [
                conclude(
                    question, Sample.of_share(int(a), int(size)), Sample.of_share(int(b), int(size))
                ).answer
                for a, b, size in zip(old, new, n, strict=True)
            ]
            hits += any(one is wanted if wanted else one in (Answer.BETTER, Answer.WORSE) for one in answers)
        figures[f"ab_{name}"] = round(hits / runs, 4)
    return figures


def main(*, quick: bool) -> dict[str, Any]:
    """Simulates; returns the last line's object."""
    rng = np.random.default_rng(20_260_901)
    wanted = aims.read("rollout")
    rollouts = 4_000 if quick else 40_000
    figures, peer, sound = errors(rng, rollouts)
    figures |= amounts(rng, 200 if quick else 2_000)
    of_splits, of_chi = splits(rng, 200 if quick else 2_000)
    of_ramps, of_anew = ramps()
    figures |= of_splits | of_ramps | experiments(rng, 100 if quick else 1_000)
    peer = (
        {"name": "twice the control, chi-square at every look, a draw with each stage"}
        | peer
        | of_chi
        | of_anew
    )
    about = {
        "rollouts": rollouts,
        "alpha": ALPHA,
        "margin": METRIC.margin,
        "least": METRIC.least,
        "versions": {
            "holdfast": version("holdfast"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "quick": quick,
    }
    sound = sound and all(math.isfinite(value) for value in figures.values() if value is not None)
    return aims.last_line("rollout", wanted, figures, peer, about, sound=sound)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
