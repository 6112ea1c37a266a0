"""Two releases held at a split to learn which is better: how many calls that takes, and what they have shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from holdfast.changes.rules.guarding import ALPHA
from holdfast.changes.rules.sequential import TUNING, Interval, Sample, interval, multiplier
from holdfast.changes.rules.wording import SHARE, against, apart, difference

MOST = 10**12  # calls: more is as good as never


@dataclass(frozen=True, slots=True)
class Question:
    """What was declared before the first call. Raises ValueError for what makes no sense."""

    metric: str
    minimum: float  # the smallest difference that matters, on the metric's own scale
    higher_is_better: bool = False
    alpha: float = ALPHA
    power: float = 0.8
    unit: str = SHARE

    def __post_init__(self) -> None:
        if not 0 < self.minimum < math.inf:
            raise ValueError("the smallest difference that matters is a number above 0")
        if not 0 < self.alpha < 0.5 <= self.power < 1:
            raise ValueError("alpha is above 0 and below 0.5, power at least 0.5 and below 1")


class Answer(StrEnum):
    """What is shown of the candidate."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"  # none as large as the minimum
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The answer with a sentence for people. `needed` is None where it can't be said yet."""

    answer: Answer
    sentence: str
    interval: Interval | None = None
    needed: int | None = None  # calls of both together


def conclude(question: Question, baseline: Sample, candidate: Sample, tuning: float = TUNING) -> Conclusion:
    """What both samples show, however often one has looked before: wrong with probability alpha at most.

    A difference that is sure but surely smaller than the minimum is none as large as it. `needed` goes by the variance and
    the split seen up to now.
    """
    calls = baseline.n + candidate.n
    if min(baseline.n, candidate.n) < 2:
        return Conclusion(Answer.NOT_YET, f"{question.metric}: not enough calls of each release yet")
    found = interval(baseline, candidate, question.alpha, tuning)
    said = f"{question.metric}: {against(question.unit, candidate, baseline)}"
    if math.isinf(found.upper):
        return Conclusion(Answer.NOT_YET, f"It cannot be told yet. {said}; 0 in every call.", found)
    up, down = ("better", "worse") if question.higher_is_better else ("worse", "better")
    said = f"{said}; {apart(question.unit, found.lower, found.upper, up=up, down=down)}"
    needed = calls_needed(question, baseline.variance, candidate.variance, candidate.n / calls, tuning)
    if -question.minimum < found.lower and found.upper < question.minimum:
        smallest = difference(question.unit, question.minimum)
        return Conclusion(
            Answer.NO_DIFFERENCE, f"No difference as large as {smallest}. {said}.", found, needed
        )
    if found.lower > 0 or found.upper < 0:
        answer = Answer.BETTER if (found.lower > 0) is question.higher_is_better else Answer.WORSE
        least = difference(question.unit, min(abs(found.lower), abs(found.upper)))
        return Conclusion(answer, f"The candidate is {answer} by at least {least}. {said}.", found, needed)
    left = needed - calls
    more = (
        f"about {left:,} more calls of both together"
        if left > 0
        else "it is nearer than planned, so it takes more"
    )
    return Conclusion(Answer.NOT_YET, f"It cannot be told yet: {more}. {said}.", found, needed)


def calls_needed(
    question: Question, baseline: float, candidate: float, share: float = 0.5, tuning: float = TUNING
) -> int:
    """Calls of both arms together that find a difference of the minimum with the power, `share` of them the candidate's.

    The textbook's N = (z_{α/2} + z_{power})² · (σ_b²/(1-share) + σ_c²/share) / minimum² (Fleiss, Levin & Paik 2003, ch. 4),
    with the variances of one call; in place of z_{α/2} stands the interval's own `multiplier` at N, the price of looking
    all the time: the smallest N, by bisection. Raises ValueError for a share of none or all.
    """
    if not 0 < share < 1:
        raise ValueError("the candidate's share of calls is above 0 and below 1")
    variance = baseline / (1 - share) + candidate / share
    z = NormalDist().inv_cdf(question.power)

    def enough(n: int) -> bool:
        times = float(multiplier(n, question.alpha, tuning)) + z
        return times * math.sqrt(variance / n) <= question.minimum

    low, high = 1, 2
    while not enough(high) and high < MOST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
