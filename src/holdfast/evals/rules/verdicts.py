"""From graded answers to PASS, FAIL or INCONCLUSIVE, with the reasons in plain words.

For a suite and for each of its segments:

- `least`: PASS when the score is shown to be above it, FAIL when it is shown to be below.
- baseline: PASS when a fall is shown to be smaller than `margin`; else FAIL when there is shown to be a fall.
- neither is shown: INCONCLUSIVE, with what would settle it. Of several bars the worst outcome counts.
- a critical case that failed once: FAIL. One of which that is not known: INCONCLUSIVE.
- more of the suite without a grade than `margin`: no PASS, as a fall of that size could hide there.

"Shown" is a one-sided p of at most alpha. docs/explanation/verdicts.md tells the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.evals.model import (
    Bars,
    Comparison,
    Criticality,
    Estimate,
    Judged,
    Needs,
    Outcome,
    Trial,
    Verdict,
)
from holdfast.evals.rules import planning, wording
from holdfast.evals.rules.asked import Asked, Pairs, by_case, noise, pair
from holdfast.evals.rules.intervals import Bounds, bounds
from holdfast.evals.rules.pairing import compare, holm

WORST = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A group of cases and what was measured of it."""

    dimension: str
    value: str
    asked: tuple[Asked, ...]
    pairs: Pairs | None  # None: there is no baseline
    bounds: Bounds | None  # None: nothing has a score
    baseline: Estimate | None
    comparison: Comparison | None
    missing: tuple[str, ...]
    share: float  # of the weight, missing

    def shown(self, bars: Bars) -> dict[str, float]:
        """p of all that can be shown of it, by what it is."""
        found: dict[str, float] = {}
        if bars.least is not None and self.bounds is not None:
            found["below"], found["above"] = (
                self.bounds.p_below(bars.least),
                self.bounds.p_above(bars.least),
            )
        if self.comparison is not None:
            found["drop"], found["noninferior"] = self.comparison.p_drop, self.comparison.p_noninferior
        return found


def judge(
    trials: Iterable[Trial], bars: Bars, baseline: Iterable[Trial] | None = None, *, seed: int = 0
) -> Verdict:
    """The verdict on a run. `trials` name every answer that was due, also those that there are not (score None).

    `baseline`: the trials of the run to compare with. `seed` is of bootstrap and random sign flips, so that the same
    grades give the same verdict. Raises ValueError as `by_case` does, and for bars that make no sense.
    """
    _check(bars)
    asked = by_case(trials)
    before = None if baseline is None else by_case(baseline)
    whole = _measure("", "", asked, before, bars, seed)
    parts = [
        _measure(dimension, value, chosen, before, bars, seed)
        for dimension in bars.by
        for value, chosen in _by_segment(asked, dimension).items()
    ]
    kinds = [
        _measure("criticality", kind.value, chosen, before, bars, seed)
        for kind in Criticality
        if (chosen := {name: one for name, one in asked.items() if one.criticality is kind})
    ]
    suite, *segments = _settled([whole, *parts], bars)
    critical = _critical([one for one in asked.values() if one.criticality is Criticality.CRITICAL])
    binding = [suite, *([critical] if critical else [])]
    binding += [one for one in segments if one.outcome is Outcome.FAIL]
    pairs = whole.pairs or Pairs(())
    return Verdict(
        worst([one.outcome for one in binding]),
        wording.of_run(binding, segments, pairs),
        suite,
        critical,
        tuple(segments),
        tuple(_settled([kind], bars, binding=False)[0] for kind in kinds),
        unknown_trials=sum(one.unknown for one in asked.values()),
        missing=whole.missing,
        only_candidate=pairs.only_candidate,
        only_baseline=pairs.only_baseline,
        changed=pairs.changed,
    )


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """FAIL before INCONCLUSIVE before PASS; INCONCLUSIVE of none."""
    return min(outcomes, key=WORST.index, default=Outcome.INCONCLUSIVE)


def _check(bars: Bars) -> None:
    if not 0 < bars.alpha < 0.5:
        raise ValueError(f"alpha {bars.alpha} must be between 0 and 0.5")
    if not 0 <= bars.margin < 1:
        raise ValueError(f"the margin {bars.margin} must be from 0 to below 1")
    if bars.least is not None and not 0 <= bars.least <= 1:
        raise ValueError(f"the least score {bars.least} must be from 0 to 1")


def _by_segment(asked: Mapping[str, Asked], dimension: str) -> dict[str, dict[str, Asked]]:
    found: dict[str, dict[str, Asked]] = {}
    for name, one in asked.items():
        if dimension in one.segments:
            found.setdefault(one.segments[dimension], {})[name] = one
    return dict(sorted(found.items()))


def _measure(
    dimension: str,
    value: str,
    asked: Mapping[str, Asked],
    before: Mapping[str, Asked] | None,
    bars: Bars,
    seed: int,
) -> _Measured:
    """Of a segment, the baseline's cases are those that it has in common; of the suite, all."""
    rng = np.random.default_rng(seed)
    if before is not None and dimension:
        before = {name: before[name] for name in asked if name in before}
    pairs = None if before is None else pair(before, asked)
    compared = None if pairs is None else compare(pairs.pairs, bars.margin, bars.alpha, rng)
    gone = {name for name, one in asked.items() if not one.scores}
    if pairs is not None:
        gone.update(pairs.unknown, pairs.only_baseline)
    everything = {**(before or {}), **asked}
    whole = math.fsum(one.weight for one in everything.values())
    share = math.fsum(everything[name].weight for name in gone) / whole if whole else 1.0
    found = _bounds(list(asked.values()), rng)
    past = None if before is None else _bounds(list(before.values()), rng)
    return _Measured(
        dimension,
        value,
        tuple(asked.values()),
        pairs,
        found,
        None if past is None else past.estimate(1 - bars.alpha),
        compared,
        tuple(sorted(gone)),
        share,
    )


def _bounds(asked: Sequence[Asked], rng: np.random.Generator) -> Bounds | None:
    known = [one for one in asked if one.scores]
    if not known:
        return None
    answers = [score for one in known for score in one.scores]
    shares = all(score in (0.0, 1.0) for score in answers)
    return bounds(
        [one.mean for one in known],
        [one.weight for one in known],
        [one.family for one in known],
        trials=len(answers) if shares else None,
        rng=rng,
    )


def _settled(groups: Sequence[_Measured], bars: Bars, *, binding: bool = True) -> list[Judged]:
    """Verdicts on the suite, which comes first, and its segments.

    The chance that any of them fails wrongly is alpha together (weighted Holm: the suite has half). A PASS of the suite
    rests on the suite alone; those of the segments are held together by Holm.
    """
    shown = [group.shown(bars) for group in groups]
    heavy = {str(place): 1.0 if place else max(1.0, len(groups) - 1.0) for place in range(len(groups))}
    told: list[dict[str, float]] = [{} for _ in groups]
    for kinds, first in ((("below", "drop"), 0), (("above", "noninferior"), 1)):
        for kind in kinds:
            ps = {str(place): one[kind] for place, one in enumerate(shown) if kind in one}
            alone = {name: p for name, p in ps.items() if int(name) < first}
            rest = {name: p for name, p in ps.items() if int(name) >= first}
            for name, p in (alone | holm(rest, {name: heavy[name] for name in rest})).items():
                told[int(name)][kind] = p
    return [_verdict(group, ps, bars, binding) for group, ps in zip(groups, told, strict=True)]


def _verdict(group: _Measured, ps: Mapping[str, float], bars: Bars, binding: bool) -> Judged:
    score = None if group.bounds is None else group.bounds.estimate(1 - bars.alpha)
    compared, outcomes, reasons = group.comparison, [], []
    if bars.least is not None:
        found = _three(ps.get("above"), ps.get("below"), bars.alpha)
        outcomes.append(found)
        if score is not None:
            reasons.append(wording.against_bar(found, score, bars.least, ps["above"], ps["below"]))
    if group.pairs is not None:
        found = _three(ps.get("noninferior"), ps.get("drop"), bars.alpha)
        outcomes.append(found)
        if compared is not None:
            reasons.append(wording.against_baseline(found, compared, bars, ps["noninferior"], ps["drop"]))
        else:
            reasons.append("No case has a score on both sides.")
    if not outcomes:
        reasons.append(wording.NO_BAR)
    if score is None:
        reasons.append("No case has a score.")
    outcome = worst(outcomes)
    if group.share > bars.margin or (group.missing and not outcomes):
        outcome = worst([outcome, Outcome.INCONCLUSIVE])
        reasons.append(wording.too_much_missing(group.missing, group.share, bars.margin))
    needs = _needs(group, score, ps, bars) if outcome is Outcome.INCONCLUSIVE else None
    if needs is not None:
        reasons.append(wording.would_settle(needs, _repeats(group.asked)))
    return Judged(
        group.dimension,
        group.value,
        outcome,
        tuple(reasons),
        len(group.asked),
        sum(bool(one.scores) for one in group.asked),
        score,
        group.baseline,
        compared,
        needs,
        binding=binding,
    )


def _three(good: float | None, bad: float | None, alpha: float) -> Outcome:
    if good is not None and good <= alpha:
        return Outcome.PASS
    return Outcome.FAIL if bad is not None and bad <= alpha else Outcome.INCONCLUSIVE


def _critical(asked: Sequence[Asked]) -> Judged | None:
    """Critical cases may not fail at all, nor go unanswered."""
    if not asked:
        return None
    failed = tuple(one.case for one in asked if one.failed)
    open_ = tuple(one.case for one in asked if one.undecided and not one.failed)
    outcome = Outcome.FAIL if failed else Outcome.INCONCLUSIVE if open_ else Outcome.PASS
    graded = sum(bool(one.scores) for one in asked)
    return Judged(
        "criticality",
        Criticality.CRITICAL.value,
        outcome,
        wording.of_critical(failed, open_, len(asked)),
        len(asked),
        graded,
        failed=failed,
    )


def _needs(group: _Measured, score: Estimate | None, ps: Mapping[str, float], bars: Bars) -> Needs | None:
    """What would settle every bar that is open: the most that any of them needs."""
    wanted: list[Needs] = []
    repeats = _repeats(group.asked)
    if (
        score is not None
        and bars.least is not None
        and _three(ps["above"], ps["below"], bars.alpha) is Outcome.INCONCLUSIVE
    ):
        wanted.append(planning.to_settle_bar(score, bars.least, bars.alpha, repeats, _within(group.asked)))
    if (
        group.comparison is not None
        and _three(ps["noninferior"], ps["drop"], bars.alpha) is Outcome.INCONCLUSIVE
    ):
        wanted.append(planning.to_settle(group.comparison, bars.margin, bars.alpha, repeats))
    if not wanted:
        return None
    more = [one.more_cases for one in wanted]
    again = [one.repeats for one in wanted]
    return Needs(
        None if None in more else max(one for one in more if one is not None),
        None if None in again else max(one for one in again if one is not None),
        wanted[-1].smallest_drop,
    )


def _repeats(asked: Sequence[Asked]) -> float:
    """Answers with a score per case that has one."""
    known = [len(one.scores) for one in asked if one.scores]
    return sum(known) / len(known) if known else 1.0


def _within(asked: Sequence[Asked]) -> float | None:
    """The part of the variance of a case's mean that is noise of its answers; None where any was asked but once."""
    known = [one.scores for one in asked if one.scores]
    if not known or min(len(scores) for scores in known) < 2:
        return None
    return math.fsum(noise(scores) for scores in known) / len(known)
