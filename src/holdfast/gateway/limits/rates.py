"""How much happened in the last minute: a sliding window of whole seconds.

Never more than the limit in any 60 seconds. The error is one-sided: what happened up to 61 seconds ago may still count, so
a request can be refused up to one second too early, never let through too early. Memory: at most 62 small numbers per meter.
Kept in memory only; after a restart the minute starts empty.
"""

from __future__ import annotations

from collections import deque

SECONDS = 60


class Slide:
    """A count over the last minute."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts: deque[list[int]] = deque()  # [second, count], oldest first
        self._total = 0

    def total(self, now: float) -> int:
        """What counts at `now`."""
        counts = self._counts
        gone = int(now) - SECONDS
        while counts and counts[0][0] < gone:
            self._total -= counts.popleft()[1]
        return self._total

    def fits_at(self, now: float, count: int, limit: int) -> float | None:
        """The first instant at which `count` more are within `limit` if nothing else happens; None: never."""
        free = limit - self.total(now) - count
        if free >= 0:
            return now
        for second, counted in self._counts:
            free += counted
            if free >= 0 and count <= limit:
                return float(second + SECONDS + 1)
        return None

    def add(self, now: float, count: int) -> int:
        """Counts; returns the second under which it is counted, to correct it later."""
        second = int(now)
        counts = self._counts
        if counts and counts[-1][0] >= second:  # also a clock that stepped back
            counts[-1][1] += count
            second = counts[-1][0]
        else:
            counts.append([second, count])
        self._total += count
        return second

    def correct(self, second: int, change: int) -> None:
        """What was counted at `second` was `change` more than that, or less; nothing where it no longer counts."""
        for one in reversed(self._counts):
            if one[0] == second:
                one[1] += change
                self._total += change
                return
            if one[0] < second:
                return
