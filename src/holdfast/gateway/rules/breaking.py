"""When an upstream's model is left alone, and when it is tried again: a circuit breaker with hysteresis.

closed → open: `FAILURES` in a row, or half of at least `LEAST` outcomes in `WINDOW` seconds. Open lasts `PAUSE` seconds,
doubled each time up to `LONGEST`. Then half-open: one request at a time is a probe; `PROBES` good ones in a row close it,
one bad one opens it again. So one lucky answer does not bring all traffic back.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

FAILURES = 5
LEAST = 20
WINDOW = 30.0
PAUSE = 5.0
LONGEST = 60.0
PROBES = 3


class State(StrEnum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """One upstream's one model. Times are seconds of a monotonic clock, passed in."""

    __slots__ = ("_bad", "_outcomes", "_pause", "_probing", "_row", "_until", "state")

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=1000)
        self._bad = 0
        self._row = 0
        self._pause = PAUSE
        self._until = 0.0
        self._probing = False

    def allows(self, now: float) -> bool:
        """Whether a request may go now. In half-open the one that is told yes is the probe: tell how it ended."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN:
            if now < self._until:
                return False
            self.state, self._row, self._probing = State.HALF_OPEN, 0, False
        if self._probing:
            return False
        self._probing = True
        return True

    def opens_at(self) -> float:
        """When an open breaker lets the next probe through."""
        return self._until

    def succeeded(self, now: float) -> None:
        """An answer came that speaks for the upstream."""
        if self.state is State.CLOSED:
            self._row = 0
            self._note(now, bad=False)
        elif self.state is State.HALF_OPEN:
            self._probing = False
            self._row += 1
            if self._row >= PROBES:
                self.state, self._row, self._pause, self._bad = State.CLOSED, 0, PAUSE, 0
                self._outcomes.clear()

    def failed(self, now: float) -> None:
        """The upstream did not answer, or with an error of its own."""
        if self.state is State.CLOSED:
            self._row += 1
            self._note(now, bad=True)
            if self._row >= FAILURES or (
                len(self._outcomes) >= LEAST and self._bad * 2 >= len(self._outcomes)
            ):
                self._open(now)
        elif self.state is State.HALF_OPEN:
            self._pause = min(LONGEST, self._pause * 2)
            self._open(now)

    def left(self) -> None:
        """The request ended without telling anything of the upstream: a probe may be another."""
        self._probing = False

    def _open(self, now: float) -> None:
        self.state, self._until, self._row, self._probing = State.OPEN, now + self._pause, 0, False

    def _note(self, now: float, *, bad: bool) -> None:
        outcomes = self._outcomes
        while outcomes and (outcomes[0][0] < now - WINDOW or len(outcomes) == outcomes.maxlen):
            self._bad -= outcomes.popleft()[1]
        outcomes.append((now, bad))
        self._bad += bad
