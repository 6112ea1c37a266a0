"""What a run says of each case: its trials gathered, and matched with those of another run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from holdfast.evals.model import Criticality, Trial


@dataclass(frozen=True, slots=True)
class Asked:
    """One case with the scores that are known; `unknown` trials have none."""

    case: str
    family: str
    segments: Mapping[str, str]
    weight: float
    criticality: Criticality
    hash: str
    scores: tuple[float, ...]
    unknown: int
    failed: int  # trials that did not pass
    undecided: int  # trials of which it is not known whether they passed

    @property
    def mean(self) -> float:
        """Over the known scores, of which there must be one."""
        return mean(self.scores)


@dataclass(frozen=True, slots=True)
class Pair:
    """One case that both runs have scores of."""

    case: str
    family: str
    weight: float
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two runs matched by case. What could not be matched is told, and taken as nothing, never as 0."""

    pairs: tuple[Pair, ...]
    unknown: tuple[str, ...] = ()  # asked on both sides, but one has no score
    only_candidate: tuple[str, ...] = ()
    only_baseline: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # the case itself differs


def mean(scores: Sequence[float]) -> float:
    """Of at least one."""
    return math.fsum(scores) / len(scores)


def noise(scores: Sequence[float]) -> float:
    """How much the mean of at least two answers varies by chance: their variance / their number."""
    middle = mean(scores)
    return math.fsum((score - middle) ** 2 for score in scores) / (len(scores) - 1) / len(scores)


def by_case(trials: Iterable[Trial]) -> dict[str, Asked]:
    """The trials of a run by case, in the order in which the cases come.

    Raises ValueError where a repeat comes twice, the trials of a case differ in what the case is, a score is outside 0
    to 1, or a weight is not above 0.
    """
    gathered: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.score is not None and not 0 <= trial.score <= 1:
            raise ValueError(
                f"case {trial.case}, repeat {trial.repeat}: score {trial.score} is not from 0 to 1"
            )
        if not 0 < trial.weight < math.inf:
            raise ValueError(f"case {trial.case}: weight {trial.weight} must be above 0")
        gathered.setdefault(trial.case, []).append(trial)
    return {case: _asked(of) for case, of in gathered.items()}


def _asked(trials: list[Trial]) -> Asked:
    first = trials[0]
    if len({trial.repeat for trial in trials}) < len(trials):
        raise ValueError(f"case {first.case} has two answers with one repeat number")
    for trial in trials:
        if (trial.family, dict(trial.segments), trial.weight, trial.criticality, trial.hash) != (
            first.family,
            dict(first.segments),
            first.weight,
            first.criticality,
            first.hash,
        ):
            raise ValueError(f"case {first.case} differs between its repeats")
    scores = tuple(float(trial.score) for trial in trials if trial.score is not None)
    return Asked(
        first.case,
        first.family or first.case,
        first.segments,
        first.weight,
        first.criticality,
        first.hash,
        scores,
        unknown=len(trials) - len(scores),
        failed=sum(trial.passed is False for trial in trials),
        undecided=sum(trial.passed is None for trial in trials),
    )


def pair(baseline: Mapping[str, Asked], candidate: Mapping[str, Asked]) -> Pairs:
    """Matches by case id, where the cases' hashes are the same. Family and weight are the candidate's."""
    both = [case for case in candidate if case in baseline]
    changed = tuple(case for case in both if candidate[case].hash != baseline[case].hash)
    same = [case for case in both if candidate[case].hash == baseline[case].hash]
    known = [case for case in same if candidate[case].scores and baseline[case].scores]
    return Pairs(
        tuple(
            Pair(
                case,
                candidate[case].family,
                candidate[case].weight,
                baseline[case].scores,
                candidate[case].scores,
            )
            for case in known
        ),
        unknown=tuple(case for case in same if not (candidate[case].scores and baseline[case].scores)),
        only_candidate=tuple(case for case in candidate if case not in baseline),
        only_baseline=tuple(case for case in baseline if case not in candidate),
        changed=changed,
    )
