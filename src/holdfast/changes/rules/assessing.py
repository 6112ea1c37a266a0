"""What a stage's findings come to, look after look: advance, wait, hold or roll back.

Severity is ordered as in Argo Rollouts, failure goes before success, and a metric that can't be read is an error once it
has happened four times in a row. What is unlike Argo: no measurement is never a success, also not at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.changes.rules.guarding import Finding, Kind, Verdict


class Outcome(StrEnum):
    """How a metric or a stage stands, the least severe first: Argo's order."""

    SUCCESSFUL = "successful"
    RUNNING = "running"
    PENDING = "pending"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAILED = "failed"


_SEVERITY = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Patience:
    """How many looks at a metric settle it. The first that finds it worse does, unless more are allowed."""

    failures: int = 0  # looks that may find it worse
    passes_in_a_row: int = 1  # looks in a row that must find it not worse
    looks: int | None = None  # no more are taken: what is not settled by then is inconclusive
    errors_in_a_row: int = 4  # looks in a row that could not be read: then it is an error


@dataclass(frozen=True, slots=True)
class Tally:
    """The looks at one metric since the stage began."""

    looks: int = 0  # that measured something
    failed: int = 0
    passed_in_a_row: int = 0
    errors_in_a_row: int = 0
    tripped: bool = False

    def after(self, verdict: Verdict) -> Tally:
        """With one look more."""
        if verdict is Verdict.UNREAD:
            return replace(self, passed_in_a_row=0, errors_in_a_row=self.errors_in_a_row + 1)
        passed, failed = verdict is Verdict.NOT_WORSE, verdict in (Verdict.WORSE, Verdict.TRIPPED)
        return Tally(
            looks=self.looks + (verdict is not Verdict.NO_DATA),
            failed=self.failed + failed,
            passed_in_a_row=self.passed_in_a_row + 1 if passed else 0,
            tripped=self.tripped or verdict is Verdict.TRIPPED,
        )


def standing(tally: Tally, patience: Patience, *, ending: bool = False) -> Outcome:
    """How a metric stands. Failure goes before success. `ending`: no look will follow; too little is then inconclusive."""
    if tally.tripped or tally.failed > patience.failures:
        return Outcome.FAILED
    if tally.errors_in_a_row >= patience.errors_in_a_row:
        return Outcome.ERROR
    if tally.passed_in_a_row >= patience.passes_in_a_row:
        return Outcome.SUCCESSFUL
    if ending or (patience.looks is not None and tally.looks >= patience.looks):
        return Outcome.INCONCLUSIVE
    return Outcome.RUNNING if tally.looks else Outcome.PENDING


class Step(StrEnum):
    """What follows for the rollout, as far as metrics have a say."""

    ADVANCE = "advance"
    WAIT = "wait"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


_STEPS = {
    Outcome.SUCCESSFUL: Step.ADVANCE,
    Outcome.RUNNING: Step.WAIT,
    Outcome.PENDING: Step.WAIT,
    Outcome.INCONCLUSIVE: Step.HOLD,
    Outcome.ERROR: Step.HOLD,
    Outcome.FAILED: Step.ROLL_BACK,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """How a stage stands after a look at its metrics, and why. `tallies` (by metric) go into the next look."""

    outcome: Outcome
    because: tuple[str, ...]
    tallies: dict[str, Tally]

    @property
    def step(self) -> Step:
        """What follows; to advance takes more than metrics (dwell, windows, an even split)."""
        return _STEPS[self.outcome]


def assess(
    findings: Sequence[Finding],
    before: Mapping[str, Tally] | None = None,
    patience: Patience | None = None,
    *,
    ending: bool = False,
) -> Stage:
    """The stage after these findings: as its most severe stop metric; a watch metric can hold, and nothing else.

    A stop metric that is worse fails the stage. A watch metric that is worse, or can't be read, makes it inconclusive.
    Without a stop metric nothing is ever successful.
    """
    patience = patience or Patience()
    tallies = {one.metric.name: (before or {}).get(one.metric.name, Tally()) for one in findings}
    tallies = {one.metric.name: tallies[one.metric.name].after(one.verdict) for one in findings}
    stands: list[tuple[Outcome, str]] = []
    for one in findings:
        outcome = standing(tallies[one.metric.name], patience, ending=ending)
        if one.metric.kind is Kind.STOP:
            stands.append((outcome, one.sentence))
        elif outcome in (Outcome.FAILED, Outcome.ERROR):
            stands.append((Outcome.INCONCLUSIVE, one.sentence))
    if not any(one.metric.kind is Kind.STOP for one in findings):
        stands.append((Outcome.INCONCLUSIVE if ending else Outcome.PENDING, "no stop metric was measured"))
    worst = max((outcome for outcome, _ in stands), key=_SEVERITY.__getitem__)
    return Stage(worst, tuple(sentence for outcome, sentence in stands if outcome is worst), tallies)
