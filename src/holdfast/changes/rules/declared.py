"""An A/B comparison as a policy declares it: how many calls it takes, what it shows, and what follows for the change."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from holdfast.changes.model import Change
from holdfast.changes.rules.ab import Answer, Conclusion, Question, calls_needed, conclude
from holdfast.changes.rules.measuring import Seen, sample, unit_of
from holdfast.changes.rules.policy import ABPolicy, ClassPolicy
from holdfast.changes.rules.states import Looked


@dataclass(frozen=True, slots=True)
class Comparison:
    """How it stands. `planned`: calls of both together that it takes, worked out before it began; None: unknown."""

    question: Question
    conclusion: Conclusion
    planned: int | None

    def facts(self) -> dict[str, Any]:
        """As evidence has it."""
        found = self.conclusion
        limits = {} if found.interval is None else asdict(found.interval)
        return {
            "metric": self.question.metric,
            "minimum": self.question.minimum,
            "power": self.question.power,
            "answer": found.answer.value,
            "said": found.sentence,
            "interval": {name: value if isfinite(value) else None for name, value in limits.items()} or None,
            "planned": self.planned,
            "needed": found.needed,
        }


def question(ab: ABPolicy, alpha: float, *of: Seen) -> Question:
    """What was declared, in the unit of what was measured."""
    unit = unit_of(ab.metric, *of)
    return Question(ab.metric, ab.minimum, alpha=alpha, power=ab.power, unit=unit)


def planned(ab: ABPolicy, alpha: float, before: Seen) -> int | None:
    """Calls of both together, where the candidate varies as the baseline did before; None where nothing is known of it."""
    seen = sample(ab.metric, before)
    if seen is None or seen.n < 2:
        return None
    return calls_needed(question(ab, alpha, before), seen.variance, seen.variance, ab.split / 100)


def compare(ab: ABPolicy, alpha: float, baseline: Seen, candidate: Seen, plan: int | None) -> Comparison:
    """What both releases show by now."""
    asked = question(ab, alpha, baseline, candidate)
    old, new = sample(ab.metric, baseline), sample(ab.metric, candidate)
    if old is None or new is None:
        why = f"It cannot be told yet: nothing tells {ab.metric} of both releases."
        return Comparison(asked, Conclusion(Answer.NOT_YET, why), plan)
    return Comparison(asked, conclude(asked, old, new), plan)


def concluded(one: Comparison, seen: Looked, change: Change, policy: ClassPolicy, now: datetime) -> Looked:
    """What a look finds, with the comparison: worse takes traffic off it; not told in time holds it; else it may go on."""
    answer, said = one.conclusion.answer, one.conclusion.sentence
    if answer is Answer.WORSE:
        return replace(seen, stop=seen.stop or f"A/B: {said}", enough=False)
    if answer is not Answer.NOT_YET:
        return seen
    began = change.first_at or seen.first_at
    longest = None if policy.ab is None else timedelta(days=policy.ab.longest_days)
    if began is not None and longest is not None and now - began >= longest:
        over = f"A/B: it could not be told in {longest.total_seconds() / 86400:g} days. {said}"
        return replace(seen, hold=seen.hold or over, enough=False)
    return replace(seen, enough=False)
