"""What tests stand on: a clock that moves only when told to, and free loopback ports."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **parts: float) -> datetime:
        """Moves on by `timedelta(**parts)`."""
        self.now += timedelta(**parts)
        return self.now


def free_port() -> int:
    """A loopback port that nobody listens on now, from below those that outgoing connections are given."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
