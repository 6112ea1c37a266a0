"""How many requests an upstream gets at once, and how many may be tried again.

The concurrency limit adapts by additive increase and multiplicative decrease (Chiu and Jain 1989): a refusal for load or a
timeout takes a third away, at most once in `CALM` seconds, so that one burst of refusals counts once; each success while
the limit was used adds 1/limit. The retry budget is a token bucket filled by requests, so that retries never multiply an
outage: at most `RATIO` of the traffic, and a few to begin with.
"""

from __future__ import annotations

DECREASE = 2 / 3
CALM = 1.0
USED = 0.8
RATIO = 0.2
RESERVE = 10.0


class Concurrency:
    """The adaptive limit of one upstream."""

    __slots__ = ("_changed", "_limit", "_most", "busy")

    def __init__(self, most: int) -> None:
        """`most` is what is configured: where it starts, and never above."""
        self._most = max(1, most)
        self._limit = float(self._most)
        self._changed = float("-inf")
        self.busy = 0

    @property
    def limit(self) -> int:
        """Requests at once, at least 1."""
        return max(1, int(self._limit))

    @property
    def free(self) -> bool:
        """Whether one more may go."""
        return self.busy < self.limit

    def bounded(self, most: int) -> None:
        """Takes a changed configuration over."""
        if most != self._most:
            self._limit = float(most) if self._limit >= self._most else min(self._limit, float(most))
            self._most = max(1, most)

    def succeeded(self) -> None:
        """An answer came."""
        if self.busy >= self._limit * USED and self._limit < self._most:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)

    def overloaded(self, now: float) -> None:
        """The upstream refused for load, or did not answer in time."""
        if now - self._changed >= CALM:
            self._changed = now
            self._limit = max(1.0, min(self._limit, float(self.busy or 1)) * DECREASE)


class Retries:
    """How many more tries an upstream's traffic has earned."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens = RESERVE

    def earned(self) -> None:
        """A request came."""
        self._tokens = min(RESERVE, self._tokens + RATIO)

    def take(self) -> bool:
        """Whether one more try may be made; it is counted."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def pause(attempt: int, draw: float, retry_after: float | None) -> float:
    """Seconds before try number `attempt` (from 1): what the upstream asks for, else 0.1 s doubled to at most 5 s, of
    which a random half (`draw` in 0..1) is left out so that clients do not come back together."""
    backoff = min(5.0, 0.1 * 2.0 ** (attempt - 1)) * (1 - 0.5 * draw)
    return backoff if retry_after is None else max(retry_after, backoff)


RETRIED = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529))
"""Statuses after which the same request may be sent again: nothing was generated, or the vendor says to try again."""
OVERLOADED = frozenset((429, 503, 529))
FAULTS = frozenset((500, 502, 503, 504, 520, 522, 524, 529))
"""Statuses that speak against the upstream itself; 429 speaks of this client's share of it."""
ANOTHER = frozenset((401, 403, 404))
"""Statuses that the same upstream would answer again, but another one may not."""
