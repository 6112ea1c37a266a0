"""Stored buckets of calls kept true: made when they close, and made anew when something in them changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from holdfast.kernel.time import Clock
from holdfast.storage.columns import Columns
from holdfast.telemetry.rules.cover import Level
from holdfast.telemetry.store import rollups
from holdfast.telemetry.store.rollups import MADE_OF, SETTLE_MS, State

log = logging.getLogger("holdfast.rollups")

EVERY_SECONDS = 5.0
"""How often it looks whether there is something to do: that is so once calls of another half minute have settled."""
SWEEP_SECONDS = 3600.0
SWEEP_SHARE = 0.3
"""Rows that hold no more are removed when they are this share of all."""
SWEEP_AFTER_SECONDS = 600
VOID_KEPT_SECONDS = 86_400
"""How long versions of unfinished turns are remembered: for so long a process that stood still may go on writing."""


class Rollups:
    """Makes stored buckets follow the calls. One process at a time runs it; each turn can be done again."""

    def __init__(self, columns: Columns, clock: Clock) -> None:
        self._columns = columns
        self._clock = clock
        self._one = threading.Lock()
        self._swept = clock().date()
        self._finished: int | None = None
        """The version of the last turn, where this process made it and finished it."""
        self._clean = 0
        """Of unfinished turns before this version nothing is left."""

    def turn(self) -> int:
        """Brings the stored buckets up to date; returns how many were made."""
        with self._one:
            return self._turn()

    def _turn(self) -> int:
        settled = int(self._clock().timestamp() * 1000) - SETTLE_MS
        known = rollups.state(self._columns)
        if settled - known.received_ms < SETTLE_MS:
            return 0
        version = max(time.time_ns(), known.version + 1)
        void = tuple(pair for pair in known.void if pair[1] > self._clean)
        if (
            self._finished != known.version
        ):  # another process, or a failure, may have left rows of a later version
            void += ((known.version, version),)
        self._finished = None
        now = State(version, settled, max(settled // 60_000 * 60_000, known.closed_ms), void)
        minutes = rollups.written_between(self._columns, known.received_ms, settled)
        if (many := sum(map(len, minutes.values()))) > 5000:
            log.info("making %d minutes of stored figures", many)
        made, remade = 0, dict[str, int]()
        for level in MADE_OF:
            for workspace, buckets in self._make(level, minutes, known, now).items():
                made += len(buckets)
                remade[workspace] = min(buckets[0], remade.get(workspace, buckets[0]))
        rollups.put_state(self._columns, replace(now, remade=remade))
        self._finished = version
        return made

    def _make(
        self, level: Level, minutes: Mapping[str, set[int]], known: State, now: State
    ) -> dict[str, list[int]]:
        """Makes the closed buckets of a level that hold some minutes, or that have closed since.

        Returns their starts (Unix seconds, in order) by workspace.
        """
        size, before, closed = level.seconds, known.closed_ms // 1000, now.closed_ms // 1000
        last = closed // size * size
        due = {workspace: {minute // size * size for minute in some} for workspace, some in minutes.items()}
        if before and before // size * size < last:
            for workspace, buckets in rollups.with_calls(
                self._columns, level, before // size * size, last
            ).items():
                due.setdefault(workspace, set()).update(buckets)
        made = {}
        for workspace, wanted in due.items():
            chosen = sorted(one for one in wanted if one + size <= closed)
            if chosen:
                rollups.make(self._columns, workspace, level, chosen, known, now)
                made[workspace] = chosen
        return made

    def sweep(self) -> None:
        """Removes what no longer holds: where that is much, and once a day all of it, because it may name a person."""
        today = self._clock().date()
        daily, self._swept = today != self._swept, today
        at, before = rollups.state(self._columns), time.time_ns() - SWEEP_AFTER_SECONDS * 10**9
        for workspace, (rows, old) in rollups.fallen(self._columns, at, before).items():
            if old > rows * SWEEP_SHARE or (old and daily):
                rollups.sweep(self._columns, workspace, at, before)
                log.info(
                    "workspace %s: %d of %d stored rows held no more and were removed", workspace, old, rows
                )
        rollups.forget_states(self._columns, at)
        if daily:
            self._clean = before - VOID_KEPT_SECONDS * 10**9
