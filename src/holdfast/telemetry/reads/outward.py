"""What the calls add up to for readers outside, and Prometheus' counters of it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.kernel.time import Clock
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads.metrics import figures
from holdfast.telemetry.rules import ledger as ledgers
from holdfast.telemetry.rules.ledger import Ledger, Sums
from holdfast.telemetry.rules.outward import LABELS, NEEDED, Truth, flat
from holdfast.telemetry.store import outward as store

MOST_ROWS = 1_000_000
REACH = timedelta(hours=1)
"""Calls that come later than this (up to an hour more) after they began are in no counter and no export."""
FRESH = timedelta(seconds=5)
"""Scrapes that follow one another faster get the same figures."""


def truth(columns: Columns, workspace: str, by: tuple[str, ...]) -> Truth:
    """What the calls of a workspace add up to, without sample data, by some of the dimensions of minute buckets."""

    def read(start: datetime, end: datetime) -> Sums:
        if start >= end:
            return {}
        asked = MetricQuery((), TimeRange(start, end), None, by, {"sample": ("false",)})
        found = figures(columns, workspace, asked, NEEDED, MOST_ROWS)
        return {series: flat(one) for series, one in found.items()}

    return read


def lags(database: Database, now: datetime, targets: Collection[str]) -> dict[str, float]:
    """By target, how many seconds ago the last step ended that was told of every workspace. Raises Unavailable."""
    with database.reading() as tx:
        found = store.furthest_behind(tx)
    return {name: (now - at).total_seconds() for name, at in found.items() if name in targets}


def turned(ledger: Ledger, read: Truth, end: datetime, most: int, dimensions: int) -> tuple[Ledger, Sums]:
    """A turn of a ledger up to an instant: what is new, and a window that follows the clock by whole hours."""
    after, news = ledgers.advance(ledger, read(ledger.since, end), most, dimensions)
    since = (end - REACH).replace(minute=0, second=0, microsecond=0)
    if since > after.since:
        after = ledgers.moved(after, since, read(after.since, since))
    return after, news


@dataclass(slots=True)
class Counters:
    """The counters of one workspace: all that was told, since when, and the ledger of the last hours."""

    ledger: Ledger
    since: datetime
    total: Sums = field(default_factory=dict)
    read_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Meters:
    """Counters of calls since the process started, by workspace; made when they are first asked for."""

    def __init__(self, columns: Columns, clock: Clock, most: int) -> None:
        self._columns = columns
        self._clock = clock
        self._most = most
        self._started = clock().replace(second=0, microsecond=0)
        self._lock = threading.Lock()
        self._held: dict[str, Counters] = {}

    def of(self, workspace: str) -> tuple[Sums, datetime, bool]:
        """By series, what the calls that began since an instant add up to; and whether series overflowed."""
        now = self._clock()
        with self._lock:
            since = max(self._started, (now - REACH).replace(second=0, microsecond=0))
            one = self._held.setdefault(workspace, Counters(Ledger(since), since))
        with one.lock:
            if one.read_at is None or now - one.read_at >= FRESH:
                read = truth(self._columns, workspace, LABELS)
                one.ledger, news = turned(one.ledger, read, now, self._most, len(LABELS))
                one.total, one.read_at = ledgers.added(one.total, news), now
            return one.total, one.since, one.ledger.more
