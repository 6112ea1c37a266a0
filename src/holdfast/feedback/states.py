"""Nouns of triage: one pass over the backlog, the categories it makes, and where each item was put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class TriageState(StrEnum):
    """queued → running → done or failed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


ACTIVE = frozenset({TriageState.QUEUED, TriageState.RUNNING})


@dataclass(frozen=True, slots=True)
class Triage:
    """One pass. `week` is the Monday of the week that it is for, `phase` what it does now, `done` of `total` of that.

    `summary` is JSON of `rules.summary.Summary`, empty before the end. `note` says why it failed.
    """

    id: str
    workspace: str
    week: date
    weeks: int  # how many weeks back items are taken in
    created_at: datetime
    created_by: str
    state: TriageState = TriageState.QUEUED
    phase: str = "waiting"
    done: int = 0
    total: int = 0
    note: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of question that keeps its id from week to week. `name` is its keywords, or what a person calls it.

    `centroid` (384,) of length 1, by which the next triage knows it again; `medoid` is its most typical item.
    """

    id: str
    name: str
    named_by: str
    keywords: tuple[str, ...]
    centroid: NDArray[np.float32]
    medoid: str
    made_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an item was put. `category` None: unclustered. `first` is the earliest item that says the same, or itself.

    `sureness` (0 to 1) is how much nearer it is to its category than to the next; `score` is that of the failure mode, and
    `confidence` the probability that people would let the mode stand, None where too few were confirmed to tell.
    `said_…` is what a person decided, which holds against every triage.
    """

    item: str
    category: str | None
    sureness: float
    mode: str
    score: float
    confidence: float | None
    first: str
    week: date
    said_category: str | None = None
    said_mode: str | None = None
    said_by: str | None = None
    said_at: datetime | None = None

    @property
    def holds(self) -> tuple[str | None, str]:
        """Category and mode that count."""
        if self.said_by is None:
            return self.category, self.mode
        return self.said_category, self.said_mode or self.mode
