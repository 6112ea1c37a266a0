"""How the jobs of this process are doing, for whoever watches it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class JobRun:
    """The turns of one job since the process started. `last_end` is Unix seconds; None while none has ended well."""

    name: str
    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    last_end: float | None = None


class JobRuns:
    """Notes every turn of every job; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, JobRun] = {}

    def noted(self, name: str, run: Callable[[], object]) -> Callable[[], object]:
        """`run`, which is noted here each time; what it raises goes on."""
        self._held[name] = JobRun(name)

        def turn() -> object:
            begun, well = time.monotonic(), False
            try:
                result = run()
                well = True
                return result
            finally:
                self._note(name, time.monotonic() - begun, well)

        return turn

    def _note(self, name: str, seconds: float, well: bool) -> None:
        with self._lock:
            one = self._held[name]
            self._held[name] = replace(
                one,
                runs=one.runs + 1,
                failures=one.failures + (not well),
                seconds=one.seconds + seconds,
                last_end=time.time() if well else one.last_end,
            )

    @property
    def all(self) -> list[JobRun]:
        """Every job of the process, by name."""
        with self._lock:
            return sorted(self._held.values(), key=lambda one: one.name)
