"""Nouns of feedback: items, the calls that they are about, and which of them are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """How an item came. Only IMPLICIT was said by nobody: it is computed from what people did."""

    EXPLICIT = "explicit"  # by the API
    WIDGET = "widget"
    LINK = "link"
    IMPORT = "import"
    IMPLICIT = "implicit"


SAID = (Source.EXPLICIT, Source.WIDGET, Source.LINK, Source.IMPORT)
"""What people said. Rates are of these alone; implicit signals have rates of their own."""


class Signal(StrEnum):
    """What behaviour an implicit item was computed from."""

    REPHRASE = "rephrase"
    REPEAT = "repeat"
    ABANDONMENT = "abandonment"
    ESCALATION = "escalation"
    EDIT = "edit"


class Sentiment(StrEnum):
    """Which way an item points; UNKNOWN where it says neither."""

    NEGATIVE = "negative"
    POSITIVE = "positive"
    UNKNOWN = "unknown"


class Words(StrEnum):
    """What is kept of what was said in words."""

    WHOLE = "whole"
    REDACTED = "redacted"  # personal data and secrets were taken out
    WITHHELD = "withheld"  # the data policy keeps none, or the company's own check did not answer
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Joined:
    """What is known of the call that an item is about, from when it was found. None: the call does not say."""

    call_id: str | None  # None: the item is about a trace or session with several calls
    trace_id: str | None
    session: str | None
    system: str | None
    environment: str | None
    route: str | None
    release: str | None
    model: str | None
    at: datetime | None  # when the call began


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of feedback. None is unknown: it was not said. Times are UTC.

    `call_id`, `trace_id`, `session` are as the sender gave them, before or after the call arrived. `rating` is -1 or 1,
    `score` 0 to 1 (1 is best). `correction` is what the answer should have been, `used` the text that was used in the
    end. `author` is a pseudonym. `signal` and `confidence` (0 to 1) are of implicit items. `same_as` is an earlier
    item that says the very same of the same call: only that one counts. `handled` says what became of it, in words
    with a colon (`case:suite/id`, `dismissed:`); None: open.
    """

    id: str
    workspace: str
    source: Source
    call_id: str | None
    trace_id: str | None
    session: str | None
    rating: int | None
    score: float | None
    label: str | None
    comment: str | None
    correction: str | None
    used: str | None
    author: str | None
    created_at: datetime  # when it was given
    received_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    signal: Signal | None = None
    confidence: float | None = None
    words: Words = Words.WHOLE
    same_as: str | None = None
    joined: Joined | None = None
    handled: str | None = None
    handled_by: str | None = None
    handled_at: datetime | None = None

    @property
    def sentiment(self) -> Sentiment:
        """By the thumb; else by the score, below or from the middle. Else unknown, but of an implicit item: negative."""
        if self.rating is not None:
            return Sentiment.POSITIVE if self.rating > 0 else Sentiment.NEGATIVE
        if self.score is not None:
            return Sentiment.POSITIVE if self.score >= 0.5 else Sentiment.NEGATIVE
        return Sentiment.NEGATIVE if self.source is Source.IMPLICIT else Sentiment.UNKNOWN


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items. Empty is any; of several values one must hold. Times are of `created_at`, half open."""

    start: datetime | None = None
    end: datetime | None = None
    sources: tuple[Source, ...] = ()
    sentiments: tuple[Sentiment, ...] = ()
    labels: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()  # empty text in it: unknown
    releases: tuple[str, ...] = ()
    trace_id: str | None = None  # as given, or as found
    call_id: str | None = None
    ids: tuple[str, ...] = ()
    joined: bool | None = None
    open: bool | None = None
    unique: bool = False  # leaves out what says the same as an earlier one


@dataclass(frozen=True, slots=True)
class LinkKey:
    """What signs links, and ends them all when it is revoked. `origins`: sites that may show the widget in a frame."""

    id: str
    workspace: str
    name: str
    origins: tuple[str, ...]
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was said to a call, (role, text), and what it answered; empty and None where that was not kept."""

    asked: tuple[tuple[str, str], ...] = ()
    answer: str | None = None


class Stage(StrEnum):
    """proposed → in_progress → measured → closed; dropped from anywhere but closed."""

    PROPOSED = "proposed"
    IN_PROGRESS = "in_progress"
    MEASURED = "measured"
    CLOSED = "closed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference, after less before, with its 95 % interval. `better`: None where the interval holds 0."""

    before: float
    after: float
    difference: float
    low: float
    high: float
    better: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time, half open."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an improvement did: to the score of a suite (two runs of it), and to the share of feedback in its category."""

    before_run: str
    after_run: str
    before: Window
    after: Window
    suite: Effect | None
    feedback: Effect | None
    lacks: tuple[str, ...]  # what could not be measured, and why
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class Improvement:
    """Something that is to become better: who answers for it, why it should help, and whether it did.

    `category` is what feedback it is about: `label:<label>`, or of triage `category:<id>` or `mode:<mode>`. `change_ref`
    names the change: a release, a commit, a ticket.
    """

    id: str
    workspace: str
    title: str
    owner: str
    hypothesis: str
    category: str
    change_ref: str
    stage: Stage
    measurement: Measurement | None
    note: str
    created_at: datetime
    created_by: str
    changed_at: datetime
    closed_at: datetime | None = None
