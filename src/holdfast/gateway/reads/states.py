"""What gateways say of themselves, kept in memory while they go on saying it."""

from __future__ import annotations

import threading
from datetime import timedelta

from holdfast.gateway.states import State
from holdfast.kernel.time import Clock

KEPT = timedelta(seconds=60)
MOST = 1000
"""Gateways whose state is kept; of more, the one heard longest ago gives way."""


class States:
    """The latest state of each gateway that reports to this process. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, State]] = {}

    def put(self, state: State) -> None:
        """Takes a gateway's state in place of its last one."""
        with self._lock:
            self._kept.pop(state.id, None)
            self._kept[state.id] = (self._clock().timestamp(), state)
            while len(self._kept) > MOST:
                self._kept.pop(next(iter(self._kept)))

    def all(self) -> tuple[State, ...]:
        """Those heard of in the last minute, by id."""
        oldest = (self._clock() - KEPT).timestamp()
        with self._lock:
            self._kept = {name: one for name, one in self._kept.items() if one[0] >= oldest}
            return tuple(state for _, (_, state) in sorted(self._kept.items()))
