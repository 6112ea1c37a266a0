"""Nouns of evals: suites and their cases, answers, grades, runs, verdicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

Json = Mapping[str, Any]


class Source(StrEnum):
    """Where a case came from."""

    EXPERT = "expert"
    FEEDBACK = "feedback"
    INCIDENT = "incident"
    PRODUCTION = "production"
    IMPORT = "import"


class Criticality(StrEnum):
    """How much hangs on a case."""

    CRITICAL = "critical"  # may not fail at all
    NORMAL = "normal"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Document:
    """A retrieved document that a case brings along. `date` is the document's own, where it is known."""

    text: str
    id: str = ""
    source: str = ""
    date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class CaseInput:
    """What is asked. `messages` in the form of Chat Completions; `variables` are for a managed prompt of the release."""

    messages: tuple[Json, ...] = ()
    variables: Json = field(default_factory=dict)
    tools: tuple[Json, ...] = ()
    context: tuple[Document, ...] = ()
    parameters: Json = field(
        default_factory=dict
    )  # laid over the request: response_format, max_completion_tokens, …


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one grader is to look for. `params` are the grader's own; `bar` is the least score that passes."""

    grader: str
    params: Json = field(default_factory=dict)
    weight: float = 1.0
    bar: float | None = None  # None: the grader's own
    name: str = ""  # tells two of one grader apart; empty: the grader's name


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who says that this is right, and since when. `reference` is an id of what it was made from."""

    source: Source = Source.EXPERT
    author: str = ""
    written_on: dt.date | None = None
    review_on: dt.date | None = None  # when an expert should look at it again
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One pinned question with what a good answer holds. `hash` is of all that can change a grade.

    `family` groups cases that are variations of one another (its own id where it has none): they are no independent
    evidence. `holdout`: authors may not read it.
    """

    id: str
    input: CaseInput
    expectations: tuple[Expectation, ...]
    hash: str = ""
    family: str = ""
    segments: Mapping[str, str] = field(default_factory=dict)  # dimension → value: language → de
    weight: float = 1.0
    criticality: Criticality = Criticality.NORMAL
    provenance: Provenance = Provenance()
    holdout: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """What a run is held against. Registered before it begins.

    `margin` is how much lower than the baseline's the score may be (non-inferiority), `alpha` the chance of an error that
    is accepted, of either kind of wrong verdict; `repeats` how often each case is asked.
    """

    least: float | None = None  # score of the suite, 0 to 1
    margin: float = 0.05
    alpha: float = 0.05
    repeats: int = 1
    by: tuple[str, ...] = ()  # segments that are judged too, by dimension


@dataclass(frozen=True, slots=True)
class Suite:
    """One immutable version of a suite. `hash` is of its cases and bars."""

    name: str
    cases: tuple[Case, ...]
    bars: Bars = Bars()
    description: str = ""
    system: str = ""
    route: str = ""  # of the gateway, by which its cases are asked
    hash: str = ""
    version: int = 0  # 0: not kept yet


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the answer calls. `arguments` as the model wrote them; `parsed` where they are JSON."""

    name: str
    arguments: str
    parsed: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking. What is not known is None; `error` says why there is no text."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    refusal: str = ""  # a refusal that the API itself states
    model: str = ""  # as the response names it
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None  # USD
    call_id: str = ""
    trace_id: str = ""
    confidence: float | None = None  # 0 to 1, where the answer states one
    truncated: bool = False  # cut at the maximum output, or kept in part
    error: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """What a grader says of an answer. `score` 0 to 1; None: it cannot tell, and `reason` says why.

    `passed` is the score against the bar; None where the score is. `details` are for people: what was found, where.
    """

    grader: str
    version: str
    score: float | None
    passed: bool | None
    reason: str = ""
    details: Json = field(default_factory=dict)
    cost: Decimal | None = None  # of a judge, USD


class Outcome(StrEnum):
    """What a comparison or a bar comes to."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class KeptSuite:
    """A version of a suite as it is kept, without what it says. `cases` counts all, `holdouts` and `critical` some."""

    workspace: str
    name: str
    version: int
    hash: str
    description: str
    system: str
    route: str
    cases: int
    holdouts: int
    critical: int
    review_on: dt.date | None  # the first day on which a case is to be reviewed
    created_at: dt.datetime
    author: str
    note: str


# Verdicts: what the graded answers of a run come to.


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer to one case, graded. `score` 0 to 1; None: not asked, not answered or not gradable.

    `passed` is whether every expectation was met. `hash` is the case's: answers to different hashes are not compared.
    """

    case: str
    repeat: int = 0
    score: float | None = None
    passed: bool | None = None
    family: str = ""  # empty: the case is its own
    segments: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    criticality: Criticality = Criticality.NORMAL
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval. `clusters` are the families; `effective` the simple sample that would tell as much."""

    value: float
    low: float
    high: float
    confidence: float  # of the interval, two-sided
    se: float | None  # standard error; None: not to be had from one cluster
    cases: int
    clusters: int
    effective: float
    method: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate less baseline over the cases that both answered; differences run from -1 to 1.

    `p_drop`: chance of a fall like this or larger if nothing had changed (one-sided, `drop_test`). `p_noninferior`:
    chance of a difference this good or better if the candidate were lower by just the margin. `p_beyond`: chance of one
    this bad or worse if it were lower by just the margin. None: cannot be told from so few.
    """

    difference: float
    low: float
    high: float
    confidence: float  # of the interval, two-sided
    bound: float  # lower bound, one-sided at alpha: non-inferior when above the negative margin
    method: str  # of interval and bound
    p_drop: float
    drop_test: str
    p_noninferior: float
    p_beyond: float
    cases: int
    clusters: int
    worse: int
    better: int
    discordant: float  # share of cases that are worse or better
    variance: float | None  # of one case's difference, as if each were its own family
    within: float | None  # the part of it that more repeats would shrink; None with one repeat


@dataclass(frozen=True, slots=True)
class Needs:
    """What would settle an INCONCLUSIVE, if what was measured is the truth. None: that way it cannot be settled."""

    more_cases: int | None  # at these repeats
    repeats: int | None  # in all, of these cases
    smallest_drop: float | None  # that cases and repeats like these find four times in five


@dataclass(frozen=True, slots=True)
class Versus:
    """Candidate less baseline as people would have it, over the families of cases that judges grade in both runs.

    `value`, `low` and `high` are None where too few answers are labelled, and `note` says what would mend that.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float
    labels: int
    baseline_labels: int
    families: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A score that rests on judges, as people would have it: corrected by `labels` of theirs, by `method`.

    `judged` is what the judges alone say, which is not to be trusted. `value`, `low` and `high` are None where nothing
    corrects it, and `note` says what would.
    """

    judges: tuple[str, ...]
    judged: float
    value: float | None
    low: float | None
    high: float | None
    confidence: float
    labels: int
    method: str
    note: str = ""
    versus: Versus | None = None  # None: there is no baseline


class Apart(NamedTuple):
    """A difference from the baseline with its interval."""

    difference: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one group of cases: the suite (dimension empty), a segment, a criticality.

    `graded` of its `cases` have a score. `binding`: FAIL here is FAIL of the run.
    """

    dimension: str
    value: str
    outcome: Outcome
    reasons: tuple[str, ...]
    cases: int
    graded: int
    score: Estimate | None = None
    baseline: Estimate | None = None
    comparison: Comparison | None = None
    needs: Needs | None = None
    failed: tuple[str, ...] = ()  # critical cases that failed at least once
    binding: bool = True
    trusted: Trusted | None = None  # None: no judge has a say in its score

    @property
    def apart(self) -> Apart | None:
        """The difference from the baseline that can be stood by: where judges have a say, as labels correct it."""
        of: Comparison | Versus | None = self.comparison if self.trusted is None else self.trusted.versus
        if isinstance(of, Comparison):
            return Apart(of.difference, of.low, of.high, of.confidence)
        if of is None or of.value is None or of.low is None or of.high is None:
            return None
        return Apart(of.value, of.low, of.high, of.confidence)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run comes to. `reasons` in plain words, the deciding ones first."""

    outcome: Outcome
    reasons: tuple[str, ...]
    suite: Judged
    critical: Judged | None  # None: no case is critical
    segments: tuple[Judged, ...] = ()
    criticalities: tuple[Judged, ...] = ()
    unknown_trials: int = 0
    missing: tuple[str, ...] = ()  # cases that could not be judged or compared for want of a grade
    only_candidate: tuple[str, ...] = ()
    only_baseline: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # asked on both sides, but no longer the same case


@dataclass(frozen=True, slots=True)
class Delta:
    """How a figure of answers differs between two runs, over the cases where both tell it.

    `change` is after / before less 1 of `cost` (USD an answer) and `latency` (ms), and the difference of `format` (share of
    answers that are cut, empty, or not JSON where the baseline's are). `low`, `high`: each at 95 %; None: there are too few.
    `untold` cases do not tell it on one side. All is None where no case tells it. `note`: why it is less than it seems.
    """

    name: str
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None
    pairs: int
    untold: int
    note: str = ""
