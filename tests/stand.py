"""What tests stand on: a clock that moves only when told to, and free loopback ports."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


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


def ran(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in a thread of its own: a browser's driver may hold the loop of this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
