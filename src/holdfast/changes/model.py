"""Nouns of changes: what one is, how far it has come, who looked at it, and what each step rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from holdfast.evals.model import Delta


class ChangeClass(StrEnum):
    """How much a change may alter, the least first. Worked out from the difference of two releases."""

    MINOR = "minor"  # punctuation, formatting
    MODERATE = "moderate"  # instructions, parameters within policy
    MAJOR = "major"  # structure, model, tools, retrieval, guardrails weakened
    EMERGENCY = "emergency"  # by declaration alone; its review comes after


class State(StrEnum):
    """How far a change has come."""

    DRAFT = "draft"
    GATED = "gated"  # submitted: its suites run, or have run and it waits for reviewers
    APPROVED = "approved"
    SCHEDULED = "scheduled"  # waits for its change window, or for another change of the route
    SHADOW = "shadow"
    COMPARING = "comparing"  # held at a split until it is known which release is better
    RAMPING = "ramping"
    SOAKING = "soaking"  # has all of the traffic, and is still watched
    COMPLETED = "completed"
    HELD = "held"  # stands still where it is until its cause is gone or somebody lets it go on
    HALTED = "halted"  # traffic is taken off it, and not every gateway has said so yet
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"  # ended before it served anybody


LIVE = frozenset({State.SHADOW, State.COMPARING, State.RAMPING, State.SOAKING, State.HELD, State.HALTED})
"""States in which a change decides what its route serves."""
BEFORE_SERVING = frozenset({State.DRAFT, State.GATED, State.APPROVED, State.SCHEDULED})
ENDED = frozenset({State.COMPLETED, State.ROLLED_BACK, State.FAILED})


class Verdict(StrEnum):
    """Of the gate: all suites together."""

    PENDING = "pending"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Decision(StrEnum):
    """Of a reviewer."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands behind what is done, whichever way they came in: the member, or the member who made the key.

    `id` is empty where nobody knows: a key made at the command line, or the command line itself.
    """

    id: str
    name: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Risk:
    """Somebody answers for going on without a conclusive gate, for a limited time."""

    by: str
    name: str
    reason: str
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A release that is to take another's place on a route. `candidate` and `baseline` are releases' ids in the registry.

    `content` is the hash of what reviewers approve: whatever is edited makes another one. `policy` is what was in force for
    its class when it was submitted. `stage` counts the stages of its ramp from 0. `since` is when it came into its state or
    stage; `first_at` when it was first seen to have requests, with every gateway serving it. `from_state` is where it was
    when it was held.
    """

    id: str
    workspace: str
    system: str
    route: str
    baseline: str
    candidate: str
    title: str
    rationale: str
    ticket: str
    source: str  # page, api, file, observed
    author: Person
    editors: tuple[str, ...]  # ids of persons who wrote any of it
    computed: ChangeClass
    change_class: ChangeClass
    reasons: tuple[Mapping[str, str], ...]
    class_because: str  # why it is not the computed one
    content: str
    policy: Mapping[str, Any]
    state: State
    stage: int
    from_state: State | None
    reason: str
    since: datetime
    first_at: datetime | None
    gate: Verdict
    risk: Risk | None
    not_before: datetime | None
    review_due: datetime | None  # of an emergency
    version: int
    created_at: datetime
    updated_at: datetime
    began_at: datetime | None = None  # when its candidate first got traffic, or copies of it

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED

    @property
    def live(self) -> bool:
        """Whether it decides what its route serves."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody decided of a change, for the content that it had then. It counts where the audit log says the same."""

    id: str
    change: str
    workspace: str
    person: Person
    decision: Decision
    content: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """One step of a change, and the facts that it rests on."""

    change: str
    workspace: str
    number: int
    at: datetime
    event: str
    before: State
    after: State
    stage: int
    reason: str
    facts: Mapping[str, Any]
    actor: str
    actor_name: str


LOAD = "load step"
"""What the load step of a gate is called among its suites, none of which can be called so."""


@dataclass(frozen=True, slots=True)
class GateRun:
    """A suite that a change is gated by: the runs of both releases, empty before they are made. Or its load step."""

    change: str
    workspace: str
    suite: str
    content: str
    baseline_run: str
    candidate_run: str
    verdict: Verdict
    reasons: tuple[str, ...]
    deltas: tuple[Delta, ...] = ()  # of cost, latency and format


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A workspace's policy as it was written, version by version. `document` is what was written."""

    workspace: str
    version: int
    document: Mapping[str, Any]
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing begins or goes on from one instant to another: of all systems, or of those that are named.

    `ends_at` is None until it is lifted. Emergencies pass it where it `lets_emergencies`. It never stands in the way of a
    rollback.
    """

    id: str
    workspace: str
    systems: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime | None
    reason: str
    lets_emergencies: bool
    by: str
    made_at: datetime
