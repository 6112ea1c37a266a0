"""Nouns of signals: rules, figures, alerts, and the state that a rule is in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from holdfast.platform.notify.model import Severity
from holdfast.telemetry.model import TimeRange


class RuleKind(StrEnum):
    """What a rule watches."""

    SPEND = "spend"
    ERROR_RATE = "error_rate"
    LATENCY = "p95"
    NO_DATA = "no_data"


class Period(StrEnum):
    """Calendar periods in the workspace's time zone; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class State(StrEnum):
    """What is known of a rule's condition now. Too little data is unknown, never ok."""

    OK = "ok"
    FIRING = "firing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls a rule counts; an empty text means every one. Sample data never counts."""

    system: str = ""
    environment: str = ""
    route: str = ""
    tenant: str = ""
    model: str = ""

    @property
    def equals(self) -> dict[str, tuple[str, ...]]:
        """As filters of calls."""
        parts = ("system", "environment", "route", "tenant", "model")
        return {part: (getattr(self, part),) for part in parts if getattr(self, part)}


@dataclass(frozen=True, slots=True)
class Rule:
    """A plain alert rule. Which parts matter depends on its kind; the others keep their defaults.

    spend: `amount` and `currency` for each `period`, `percents` of it that are told. error_rate: `share` of the
    calls of the last `window` (0 to 1), at least `min_calls`. p95: `ms` over the same. no_data: no call within
    `window`. `channels` None means every channel. `revision` grows when what it watches changes.
    """

    id: str
    workspace: str
    name: str
    kind: RuleKind
    scope: Scope
    severity: Severity
    channels: tuple[str, ...] | None
    enabled: bool
    created_at: datetime
    created_by: str
    changed_at: datetime
    revision: int = 1
    window: timedelta = timedelta(minutes=5)
    min_calls: int = 20
    share: float = 0.05
    ms: float = 10_000.0
    period: Period = Period.MONTH
    amount: Decimal = Decimal(0)
    currency: str = "USD"
    percents: tuple[int, ...] = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Window:
    """The figures of a rule's scope over a time range. `p95_ms` is None without calls; `costs` by currency.

    `unpriced` calls have no known cost. `complete` is False while some calls are still being counted.
    """

    within: TimeRange
    calls: int
    errors: int
    p95_ms: float | None
    costs: dict[str, Decimal]
    unpriced: int
    complete: bool = True


class Figures(Protocol):
    """Where figures come from."""

    def of(self, workspace: str, scope: Scope, within: TimeRange) -> Window:
        """Calls of a scope that started within a range. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """What a rule remembers between evaluations.

    `clear_since`: since when its condition has been false while an alert is open. `watching_since`: since when it
    is evaluated without a gap. `seen`: whether its scope ever had a call.
    """

    state: State = State.UNKNOWN
    since: datetime | None = None
    value: str = ""
    note: str = ""
    evaluated_at: datetime | None = None
    clear_since: datetime | None = None
    watching_since: datetime | None = None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """A firing of a rule. `part` is the percent of a spend rule, else empty; `period` the day that it began.

    `told` is False where a higher threshold was passed at the same moment and speaks for it.
    """

    id: str
    workspace: str
    rule: str
    revision: int
    part: str
    period: str
    system: str
    environment: str
    title: str
    severity: Severity
    opened_at: datetime
    value: str
    link: str
    told: bool = True
    closed_at: datetime | None = None
    closed_because: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule's figures say: its state, the value in words, what is to be added, which thresholds are passed."""

    state: State
    value: str
    note: str = ""
    passed: tuple[int, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a reading: what to remember, which parts to open (`loud` ones are told), which to close."""

    memory: Memory
    opens: tuple[str, ...] = ()
    loud: frozenset[str] = frozenset()
    closes: tuple[tuple[str, str], ...] = ()  # id of the alert, and why
