"""What the doors took and refused since the process started."""

from __future__ import annotations

import threading
from collections import Counter as Counts


class Tally:
    """Requests and records by signal and what became of them. Any thread may note and ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counts[tuple[str, str]] = Counts()
        self._records: Counts[tuple[str, str]] = Counts()

    def taken(self, signal: str, accepted: int, refused: int) -> None:
        """A request was answered: some of its records are stored, some were refused."""
        with self._lock:
            self._requests[signal, "accepted"] += 1
            self._records[signal, "accepted"] += accepted
            self._records[signal, "refused"] += refused

    def turned_away(self, signal: str) -> None:
        """A request was refused whole."""
        with self._lock:
            self._requests[signal, "refused"] += 1

    @property
    def requests(self) -> dict[tuple[str, str], int]:
        """(signal, outcome) → requests."""
        with self._lock:
            return dict(self._requests)

    @property
    def records(self) -> dict[tuple[str, str], int]:
        """(signal, outcome) → spans, metric points or log records."""
        with self._lock:
            return dict(self._records)
