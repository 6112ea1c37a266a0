"""Stored buckets of calls kept true: made when they close, and made anew when something in them changes."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Mapping

from holdfast.kernel.time import Clock
from holdfast.storage.columns import Columns
from holdfast.telemetry.rules.cover import Level
from holdfast.telemetry.store import rollups
from holdfast.telemetry.store.rollups import MADE_OF, SETTLE_MS, State, Touched

log = logging.getLogger("holdfast.rollups")

EVERY_SECONDS = 5.0
CLOSE_SECONDS = 10
"""How long after its end a minute is made for the first time; until then it is read from its calls."""
SWEEP_SECONDS = 3600.0
SWEEP_SHARE = 0.3
"""Rows that hold no more are removed when they are this share of all."""
SWEEP_AFTER_SECONDS = 600


class Rollups:
    """Makes stored buckets follow the calls. One process at a time runs it; each turn can be done again."""

    def __init__(self, columns: Columns, clock: Clock) -> None:
        self._columns = columns
        self._clock = clock
        self._one = threading.Lock()
        self._swept = clock().date()
        self._made: dict[tuple[str, int], Touched] = {}
        """Minutes that were made since the state was noted last, as they were then: they need not be made again."""

    def turn(self) -> int:
        """Brings the stored buckets up to date; returns how many were made."""
        with self._one:
            return self._turn()

    def _turn(self) -> int:
        now_s = int(self._clock().timestamp())
        before = rollups.state(self._columns)
        closed = max((now_s - CLOSE_SECONDS) // 60 * 60, before.closed_ms // 1000)
        settled = now_s * 1000 - SETTLE_MS
        received_ms = settled if settled - before.received_ms > SETTLE_MS else before.received_ms
        found = rollups.written_since(self._columns, before.received_ms)
        fresh = [one for one in found if self._made.get((one.workspace, one.minute)) != one]
        minutes: dict[str, set[int]] = defaultdict(set)
        for one in fresh:
            minutes[one.workspace].add(one.minute)
        version = time.time_ns()
        if len(fresh) > 5000:
            log.info("making %d minutes of stored figures", len(fresh))
        made = 0
        for level in MADE_OF:
            made += self._make(level, minutes, before.closed_ms // 1000, closed, version)
        after = State(received_ms, closed * 1000)
        if after != before:
            rollups.put_state(self._columns, after, version)
            self._made = {}
        self._made |= {(one.workspace, one.minute): one for one in found if one.minute + 60 <= closed}
        return made

    def _make(
        self, level: Level, minutes: Mapping[str, set[int]], before: int, closed: int, version: int
    ) -> int:
        """Makes the closed buckets of a level that hold some minutes, or that have closed since; returns how many."""
        size, last = level.seconds, closed // level.seconds * level.seconds
        due = {workspace: {minute // size * size for minute in some} for workspace, some in minutes.items()}
        if before and before // size * size < last:
            for workspace, buckets in rollups.with_calls(
                self._columns, level, before // size * size, last
            ).items():
                due.setdefault(workspace, set()).update(buckets)
        made = 0
        for workspace, wanted in due.items():
            chosen = sorted(one for one in wanted if one + size <= closed)
            if chosen:
                rollups.make(self._columns, workspace, level, chosen, version)
                made += len(chosen)
        return made

    def sweep(self) -> None:
        """Removes what no longer holds: where that is much, and once a day all of it, because it may name a person."""
        today = self._clock().date()
        daily, self._swept = today != self._swept, today
        for workspace, (rows, old) in rollups.superseded(self._columns).items():
            if old > rows * SWEEP_SHARE or (old and daily):
                rollups.sweep(self._columns, workspace, time.time_ns() - SWEEP_AFTER_SECONDS * 10**9)
                log.info(
                    "workspace %s: %d of %d stored rows held no more and were removed", workspace, old, rows
                )
