"""How often strangers may knock: so many times in a window that begins with the first."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from holdfast.kernel.errors import Exhausted

MOST_KEPT = 50_000
Limit = tuple[str, int, float]
"""Whom it counts, how often, in how many seconds."""


class Pace:
    """Counts in memory, of one process. Thread-safe. Where more are counted than fit, all begin anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[float, int]] = {}

    def admit(self, limits: Sequence[Limit], now: float) -> None:
        """Counts one more for each; `now` in seconds of any clock. Raises Exhausted, saying when to come back."""
        with self._lock:
            if len(self._counts) > MOST_KEPT:
                self._counts.clear()
            for whom, most, seconds in limits:
                began, count = self._counts.get(whom, (now, 0))
                if now >= began + seconds:
                    began, count = now, 0
                if count >= most:
                    wait = max(1, int(began + seconds - now) + 1)
                    raise Exhausted("this was asked too often; wait a little", retry_after=wait)
                self._counts[whom] = (began, count + 1)
