"""Production review: what is looked for in live answers, what a finding is, and who should look at it by when.

A dimension that could not be judged is unknown, never clean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec


class Dimension(StrEnum):
    """What an answer is judged by."""

    FACTS = "factual consistency"
    POLICY = "policy compliance"
    TONE = "tone"
    HARM = "harmful content"
    PII = "pii leak"
    GROUNDED = "groundedness"


class Severity(StrEnum):
    """How bad it is if it is so."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Detector(StrEnum):
    """What a rule may use in place of patterns. The last two are heads."""

    PII = "pii"
    NUMBERS = "numbers"
    REFUSAL = "refusal"
    SUPPORT = "support"

    @property
    def is_head(self) -> bool:
        """Whether it needs the embedding model."""
        return self in (Detector.REFUSAL, Detector.SUPPORT)


class Basis(StrEnum):
    """What a confidence rests on."""

    STATED = "stated"  # whoever wrote the rule says so
    HEAD = "head"  # a probability of a bundled head that was trained on labels
    SCORE = "score"  # a head's score, which no labels were held against
    PERSON = "person"  # somebody reported it
    JUDGE = "judge"  # a judge fails it: how often that is right, corrected by the judge's labels
    UNCORRECTED = (
        "uncorrected judge"  # a judge fails it; too few labels or verdicts to say how often that is right
    )

    @property
    def is_head(self) -> bool:
        """Whether a small model says so."""
        return self in (Basis.HEAD, Basis.SCORE)

    @property
    def is_judge(self) -> bool:
        """Whether a language model says so."""
        return self in (Basis.JUDGE, Basis.UNCORRECTED)


class State(StrEnum):
    """open → claimed → decided; a claim that is released or runs out is open again."""

    OPEN = "open"
    CLAIMED = "claimed"
    DECIDED = "decided"


class Decision(StrEnum):
    """What a person says of one dimension of an answer."""

    CONFIRMED = "confirmed"
    FINE = "not a problem"
    UNCLEAR = "unclear"


class Why(StrEnum):
    """Why an item is in the queue."""

    FLAGGED = "flagged"
    SAMPLED = "sampled"  # nothing was found; it shows what is missed
    REPORTED = "reported"


Share = float
"""From 0 to 1."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to look for: patterns (RE2, any case) or a detector. No routes: every route.

    `confidence`: how sure a match makes; for a head, the least value that counts as found.
    """

    name: str
    dimension: Dimension
    severity: Severity = Severity.MEDIUM
    confidence: Share = 0.7
    patterns: tuple[str, ...] = ()
    detector: Detector | None = None
    routes: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of all that it says."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]

    @property
    def basis(self) -> Basis:
        """What its confidence rests on."""
        if self.detector is Detector.REFUSAL:
            return Basis.HEAD
        return Basis.SCORE if self.detector is Detector.SUPPORT else Basis.STATED


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of calls: that the heads look at; of those where heads alone found something, that people are asked about, as
    heads err more than rules; and that people see though nothing was found.
    """

    heads: Share = 1.0
    asked: Share = 0.05
    people: Share = 0.0


class Judging(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A judge of the workspace that is shown a sample of the calls. No routes: every route that no other entry names.

    `rate`: share of calls, above 0; `always`: all that a rule flags too. `max_cost`: USD that the judge may cost in review
    on one day (UTC). `severity` of what it fails.
    """

    judge: str
    dimension: Dimension
    max_cost: Decimal
    rate: Share = 0.01
    always: bool = True
    severity: Severity = Severity.MEDIUM
    routes: tuple[str, ...] = ()


class Minutes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Within how many minutes an item is to be decided, by how sure it is. 0: it is counted, and nobody is asked."""

    sure: int
    likely: int
    doubtful: int = 0


_DUE = {
    Severity.CRITICAL: Minutes(15, 60, 240),
    Severity.HIGH: Minutes(60, 240, 1440),
    Severity.MEDIUM: Minutes(480, 1440),
    Severity.LOW: Minutes(2880, 4320),
}


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a workspace says about review.

    `bundled`: whether the rules that come with Holdfast are in force too; one of the workspace's own of the same name takes
    the place of a bundled one. `judges` are shown a sample. `second_look`: share of items that two people decide.
    `raise_at`: confidence from which harmful content of high or critical severity is told at once. `sampled_due`: minutes
    for what was sampled.
    """

    rules: tuple[Rule, ...] = ()
    bundled: bool = True
    sampling: Rates = Rates()
    routes: dict[str, Rates] = {}
    judges: tuple[Judging, ...] = ()
    due: dict[Severity, Minutes] = msgspec.field(default_factory=lambda: dict(_DUE))
    sampled_due: int = 10080
    sure: Share = 0.8
    likely: Share = 0.5
    second_look: Share = 0.1
    raise_at: Share = 0.8

    def rates(self, route: str) -> Rates:
        """Of a route."""
        return self.routes.get(route, self.sampling)

    def judging(self, route: str) -> list[Judging]:
        """The judges of a route, one for a dimension: who names the route takes the place of who names none."""
        found = {one.dimension: one for one in self.judges if not one.routes}
        found |= {one.dimension: one for one in self.judges if route in one.routes}
        return list(found.values())

    def minutes(self, severity: Severity, confidence: float) -> int:
        """Within how many minutes; 0: nobody is asked."""
        of = self.due.get(severity) or _DUE[severity]
        return of.sure if confidence >= self.sure else of.likely if confidence >= self.likely else of.doubtful


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A version of a workspace's policy; version 0 is what holds where nobody said anything."""

    version: int
    policy: Policy
    changed_at: datetime | None = None
    author: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding: `spots` are (start, end) in the answer, in characters."""

    rule: str
    version: str
    dimension: Dimension
    severity: Severity
    confidence: float
    basis: Basis
    spots: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at one answer. A dimension that no rule looks at is in none of the three."""

    found: tuple[Found, ...] = ()
    clean: frozenset[Dimension] = frozenset()
    unknown: Mapping[Dimension, str] = field(default_factory=dict)  # and why


class Method(StrEnum):
    """By what a dimension was judged."""

    RULES = "rules"  # on every call
    HEADS = "heads"


@dataclass(frozen=True, slots=True)
class CallRef:
    """Which call, and where it belongs."""

    trace: str
    id: str
    system: str
    environment: str
    route: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """A call in the queue. `inclusion`: the chance that a call like it came here, for estimates.

    `holder` has it claimed since `claimed_at`. `severity` and `confidence` are of the finding that presses most.
    """

    id: str
    workspace: str
    call: CallRef
    why: Why
    dimensions: tuple[Dimension, ...]
    severity: Severity
    confidence: float
    inclusion: float
    priority: int  # lower is sooner
    double: bool
    opened_at: datetime
    due_at: datetime
    state: State = State.OPEN
    holder: str = ""
    claimed_at: datetime | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """That a judge is to be shown a call; `weight`: how many calls this one stands for."""

    judge: str
    dimension: Dimension
    weight: float
    by_chance: bool = False  # chance alone would have drawn it too


@dataclass(frozen=True, slots=True)
class Served:
    """What one call counts for of the release that answered it. None: unknown, and it counts neither way."""

    release: str
    flagged: bool | None
    refused: bool | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One call as it was looked at: what each method says, and how many calls this one stands for there.

    `known`: whether there was an answer to look at. `item`: what goes into the queue. `drawn`: for which judges.
    """

    call: CallRef
    parts: tuple[tuple[Method, Looked, float], ...]
    known: bool
    item: Item | None = None
    found: tuple[Found, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    served: Served | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person said of one dimension. `seconds` from claim to decision; None where it was not claimed first."""

    dimension: Dimension
    reviewer: str
    decision: Decision
    note: str
    at: datetime
    seconds: float | None = None


CLAIM = timedelta(minutes=30)
"""After which a claim binds nobody any more."""
IDLE = timedelta(minutes=5)
"""How often the job notes how far it is where nothing comes."""
NO_ITEM = "there is no such item in this workspace"
_RANK = {one: place for place, one in enumerate(reversed(Severity))}


BEHIND = 0.05
"""Share of the calls that the heads look at while review is behind."""


def fingerprint(call: CallRef) -> int:
    """Of a call, in 63 bits."""
    digest = hashlib.sha256(f"{call.trace}\0{call.id}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def chance(*names: str) -> float:
    """A number from 0 to 1 that depends on nothing but the names: the same call is always in the same sample."""
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def wants_heads(policy: Policy, call: CallRef, flagged: bool, *, behind: bool = False) -> float:
    """The chance with which the heads look at this call, where they do; else 0. Always at what is flagged.

    `behind`: more calls wait than are read together, so that they look at few.
    """
    rate = policy.rates(call.route).heads
    if behind:
        rate = min(rate, BEHIND)
    if flagged:
        return 1.0
    return rate if chance("heads", call.trace, call.id) < rate else 0.0


def for_judges(policy: Policy, call: CallRef, flagged: bool) -> tuple[Drawn, ...]:
    """The judges that this call is shown, drawn by chance; `flagged`: by a rule."""
    drawn = []
    for one in policy.judging(call.route):
        rate = 1.0 if flagged and one.always else one.rate
        drawn_at = chance("judge", one.judge, call.trace, call.id)
        if drawn_at < rate:
            drawn.append(Drawn(one.judge, one.dimension, 1 / rate, drawn_at < one.rate))
    return tuple(drawn)


def opened(
    id: str, workspace: str, policy: Policy, call: CallRef, looked: Looked, now: datetime
) -> Item | None:
    """The item that findings open, or that chance does where nothing was found; None where nobody is asked."""
    pressing = [
        (minutes, one)
        for one in looked.found
        if (minutes := policy.minutes(one.severity, one.confidence)) > 0
    ]
    asked = 1.0
    if all(one.basis.is_head for _, one in pressing):
        asked = policy.rates(call.route).asked
        pressing = pressing if chance("asked", call.trace, call.id) < asked else []
    if pressing:
        minutes, first = min(pressing, key=lambda each: (each[0], _RANK[each[1].severity]))
        why, severity, confidence, inclusion = Why.FLAGGED, first.severity, first.confidence, asked
        dimensions = tuple(sorted({one.dimension for _, one in pressing}))
    else:
        rate = policy.rates(call.route).people
        if looked.found or not looked.clean or chance("people", call.trace, call.id) >= rate:
            return None
        minutes, why, severity, confidence, inclusion = (
            policy.sampled_due,
            Why.SAMPLED,
            Severity.LOW,
            0.0,
            rate,
        )
        dimensions = tuple(sorted(looked.clean))
    return Item(
        id=id,
        workspace=workspace,
        call=call,
        why=why,
        dimensions=dimensions,
        severity=severity,
        confidence=confidence,
        inclusion=inclusion,
        priority=priority(severity, confidence, why),
        double=chance("double", call.trace, call.id) < policy.second_look,
        opened_at=now,
        due_at=now + timedelta(minutes=minutes),
    )


def priority(severity: Severity, confidence: float, why: Why) -> int:
    """Where in the queue: by severity, then by how sure it is; what was sampled last. Lower is sooner."""
    return (0 if why is not Why.SAMPLED else 10_000) + _RANK[severity] * 1000 + round((1 - confidence) * 999)


def raises(policy: Policy, found: Iterable[Found]) -> Found | None:
    """The finding that people are told of at once: harmful, of high or critical severity, and sure enough.

    Never by a judge whose confidence is not corrected.
    """
    at_once = (
        one
        for one in found
        if one.dimension is Dimension.HARM
        and one.severity in (Severity.HIGH, Severity.CRITICAL)
        and one.confidence >= policy.raise_at
        and one.basis is not Basis.UNCORRECTED
    )
    return max(at_once, key=lambda one: one.confidence, default=None)


def free_for(item: Item, person: str, votes: Sequence[Vote], now: datetime) -> str:
    """Why a person may not have an item now; empty where they may."""
    if item.state is State.DECIDED:
        return "this is decided already"
    if any(one.reviewer == person for one in votes):
        return "you decided this once; somebody else has to look at it now"
    lasts = item.claimed_at is not None and now - item.claimed_at < CLAIM
    if item.state is State.CLAIMED and item.holder != person and lasts:
        return "somebody else has claimed this"
    return ""


def settled(item: Item, votes: Sequence[Vote]) -> bool:
    """Whether no further person has to look: one has, or two agree where two look, or a third has decided."""
    reviewers = {one.reviewer for one in votes}
    if len(reviewers) < 2:
        return bool(reviewers) and not item.double
    return len(reviewers) > 2 or not disagree(votes)


def disagree(votes: Iterable[Vote]) -> bool:
    """Whether the first two who looked said different things of any dimension."""
    first_two: dict[Dimension, list[Decision]] = {}
    for one in sorted(votes, key=lambda vote: vote.at):
        first_two.setdefault(one.dimension, []).append(one.decision)
    return any(len(set(said[:2])) > 1 for said in first_two.values())


def verdict(votes: Iterable[Vote], dimension: Dimension) -> Decision | None:
    """What holds for a dimension: what the last who looked said. Of two who agree it is what both say."""
    said = sorted((one for one in votes if one.dimension == dimension), key=lambda vote: vote.at)
    return said[-1].decision if said else None
