"""Rates, concurrency and repeated tool calls: what is counted in memory while a process lives."""

from __future__ import annotations

from decimal import Decimal

from holdfast.gateway.limits.rates import Slide
from holdfast.gateway.rules.reservations import Ceiling, Kind, Refused, Reservation


class Meter:
    """Rates, concurrency and repeated calls of one limit over one value. In memory only."""

    __slots__ = ("calls", "requests", "running", "tokens", "used")

    def __init__(self) -> None:
        self.requests = Slide()
        self.tokens = Slide()
        self.running = 0
        self.calls: dict[bytes, int] = {}
        self.used = 0.0

    def begin(self, ceiling: Ceiling, asked: Reservation, now: float) -> tuple[int, int]:
        """Counts a request; returns the seconds under which its rates were counted (0: that rate is not limited)."""
        self.running += 1
        self.used = now
        if ceiling.same_tool_calls is not None:
            for call in asked.calls:
                self.calls[call] = self.calls.get(call, 0) + 1
        return (
            0 if ceiling.requests_per_minute is None else self.requests.add(now, 1),
            0 if ceiling.tokens_per_minute is None else self.tokens.add(now, asked.tokens),
        )


def against(ceiling: Ceiling, meter: Meter, asked: Reservation, now: float) -> Refused | None:
    """Why a limit stands against the request, or None."""
    most = ceiling.concurrency
    if most is not None and meter.running >= most:
        return _too_many(Kind.CONCURRENCY, ceiling, most, 0, meter.running, None)
    most = ceiling.requests_per_minute
    if most is not None and (counted := meter.requests.total(now)) >= most:
        return _too_many(Kind.REQUESTS, ceiling, most, counted, 0, meter.requests.fits_at(now, 1, most))
    most = ceiling.tokens_per_minute
    if most is not None and (counted := meter.tokens.total(now)) + asked.tokens > most:
        fits = meter.tokens.fits_at(now, asked.tokens, most)
        return _too_many(Kind.TOKENS, ceiling, most, counted, asked.tokens, fits)
    most = ceiling.same_tool_calls
    if most is not None:
        repeated = max(
            (meter.calls.get(call, 0) + asked.calls.count(call) for call in asked.calls), default=0
        )
        if repeated > most:
            return _too_many(Kind.LOOP, ceiling, most, repeated, 0, None)
    return None


def _too_many(
    kind: Kind, ceiling: Ceiling, limit: int, counted: int, reserved: int, resets_at: float | None
) -> Refused:
    """`reserved`: for concurrency what runs now, for tokens what this request may need."""
    figures = Decimal(limit), Decimal(counted), Decimal(reserved)
    return Refused(kind, ceiling.scope, ceiling.value, *figures, resets_at, ceiling.limit)
