"""Nouns of runs: a suite asked of a release, what has one begin by itself, and the graded answers as they come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from holdfast.evals.model import Answer, Bars, Grade


class RunState(StrEnum):
    """queued → running → done, stopped or cancelled."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"  # every case was asked; the verdict stands
    STOPPED = "stopped"  # before its end, by its cost ceiling or a budget; the verdict is on what there is
    CANCELLED = "cancelled"  # by a person; no verdict


ACTIVE = frozenset({RunState.QUEUED, RunState.RUNNING})


class Trigger(StrEnum):
    """Why a run was made."""

    DEMAND = "demand"
    SCHEDULE = "schedule"
    CHANGE = "change"  # another release answers the route
    MODEL = "model"  # a new model version was seen in responses
    KNOWLEDGE = "knowledge"  # settings of retrieval that were not seen before


@dataclass(frozen=True, slots=True)
class Run:
    """A version of a suite asked of a release. All but the last fields are set when it is made, before anything is asked.

    `release` by its name in the gateway, empty: whatever answers the route; `release_id` is the hash it had.
    `baseline` is another run's id. `note` says why it waits or ended early.
    """

    id: str
    workspace: str
    suite: str
    version: int
    suite_hash: str
    route: str
    release: str
    release_id: str
    model: str  # asked for where the suite has no route
    baseline: str
    bars: Bars
    cases: int
    seed: int | None  # None: the model's own chance
    concurrency: int
    max_cost: Decimal | None  # USD; what is known to have been spent never goes above it
    reuse: bool  # answers of the last day to the same question by the same release count
    trigger: Trigger
    created_at: datetime
    created_by: str
    because: str = ""  # what happened, where it began by itself
    state: RunState = RunState.QUEUED
    note: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    verdict: str = ""  # JSON of model.Verdict

    @property
    def trials(self) -> int:
        """How many answers it is made of."""
        return self.cases * self.bars.repeats


@dataclass(frozen=True, slots=True)
class RunTrigger:
    """What has a run of a suite begin by itself, and how that run is made.

    `kind` is anything but DEMAND. `cron` and `time_zone` are a schedule's. `release` empty: whatever answers the route, or
    for CHANGE the release that is new. `baseline` empty: the latest run of the suite that passed. `seen` is what was known
    at the last look; None: nobody looked yet, and the first look begins no run. `problem` is why the last one did not begin.
    """

    id: str
    workspace: str
    suite: str
    kind: Trigger
    cron: str
    time_zone: str
    release: str
    baseline: str
    repeats: int | None
    concurrency: int
    max_cost: Decimal | None
    enabled: bool
    created_at: datetime
    created_by: str
    due_at: datetime | None = None
    seen: tuple[str, ...] | None = None
    fired_at: datetime | None = None
    last_run: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """One answer of a run, and what the graders said. `score` and `passed` are of all expectations together."""

    case: str
    case_hash: str
    repeat: int
    answer: Answer
    grades: tuple[Grade, ...]
    score: float | None
    passed: bool | None
    reused: bool  # the answer is of an earlier run, and cost nothing now
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `cost` is what is known to have been spent; `unpriced` answers have no known cost."""

    done: int
    total: int
    passed: int
    failed: int
    unknown: int
    reused: int
    cost: Decimal
    unpriced: int
    first_at: datetime | None
    last_at: datetime | None


class MapState(StrEnum):
    """queued → running → done or failed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


UNMAPPED = frozenset({MapState.QUEUED, MapState.RUNNING})


@dataclass(frozen=True, slots=True)
class CoverageMap:
    """What production asks, held against a version of a suite, and how far that is.

    Calls from `start` to `end` are looked at. `version` is 0 until it begins. `note` says why it failed.
    """

    id: str
    workspace: str
    suite: str
    version: int
    start: datetime
    end: datetime
    created_at: datetime
    created_by: str
    state: MapState = MapState.QUEUED
    phase: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    found: str = ""  # JSON of rules.coverage.Found
