"""Group commit: requests wait in a bounded queue, one thread writes all that wait as one synced insert, then answers.

A request's future is done only after its rows are on disk. When the queue is full or the disk nears its end, `reserve`
refuses, so that senders keep what they have and try again: nothing is dropped here.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.kernel.errors import Unavailable
from holdfast.storage.columns import UNFIT, Columns
from holdfast.telemetry.model import Noted, Rejected
from holdfast.telemetry.rules.versions import commit_number
from holdfast.telemetry.store import events, spans
from holdfast.telemetry.store.events import EventRows
from holdfast.telemetry.store.spans import NO_SPANS, Block

log = logging.getLogger("holdfast.ingest")

MOST_ROWS = 40_000
"""Rows of one commit; what waits beyond them is the next."""
MOST_WAITING = 400
"""Requests that are enough for a commit."""
GATHER_SECONDS = 0.2
"""How long a commit waits for requests that are being prepared already: each commit has a fixed price."""


@dataclass(slots=True)
class Batch:
    """What one request brings: spans (`block` to be stored, `noted` to be counted) or events, never both."""

    workspace: str
    noted: list[Noted] = field(default_factory=list)
    block: Block = NO_SPANS
    events: EventRows = field(default_factory=EventRows)
    since: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        return self.block.rows + self.events.rows


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the disk: requests, how long the oldest has (seconds), and the bytes of all requests in memory."""

    requests: int
    seconds: float
    bytes: int


Group = list[tuple[Batch, Future[list[Rejected]]]]
"""Requests that are committed together."""


class Committer:
    """Owns the writing thread. `on_commit(sequence, [(workspace, noted)])` is called after each commit, in that thread.

    `number` gives the number of the next commit from that of the last (see `rules.versions`).
    """

    def __init__(
        self,
        columns: Columns,
        folder: Path,
        queue_bytes: int,
        min_free_bytes: int,
        on_commit: Callable[[int, list[tuple[str, list[Noted]]]], None],
        first_sequence: int,
        number: Callable[[int], int] | None = None,
    ) -> None:
        self._columns = columns
        self._folder = folder
        self._queue_bytes = queue_bytes
        self._min_free_bytes = min_free_bytes
        self._on_commit = on_commit
        self._sequence = first_sequence
        self._number = number or (lambda previous: commit_number(previous, time.time_ns(), None))
        self._waiting: Group = []
        self._reserved = 0
        self._coming = 0
        lock = threading.Lock()
        self._wake = threading.Condition(lock)
        self._quiet = threading.Condition(lock)
        self._idle = False
        self._paused = False
        self._stopping = False
        self._disk_checked = 0.0
        self._disk_free = 0
        self._thread = threading.Thread(target=self._run, name="ingest-commit", daemon=True)
        self._thread.start()

    def reserve(self, size: int) -> None:
        """Takes room for a request of `size` bytes. Raises Unavailable when there is none; give back by `release`."""
        now = time.monotonic()
        if now - self._disk_checked > 0.5:
            self._disk_checked = now
            self._disk_free = shutil.disk_usage(self._folder).free
        if self._disk_free < self._min_free_bytes:
            raise Unavailable(
                "the disk is nearly full, so telemetry is not accepted now and nothing is lost: send it again later",
                retry_after=30,
            )
        with self._wake:
            if self._stopping:
                raise Unavailable("Holdfast is stopping; send again", retry_after=5)
            if self._reserved and self._reserved + size > self._queue_bytes:
                raise Unavailable("too much telemetry waits for the disk; send again", retry_after=1)
            self._reserved += size

    def release(self, size: int) -> None:
        """Gives room back."""
        with self._wake:
            self._reserved -= size

    @contextmanager
    def coming(self) -> Iterator[None]:
        """A request is being prepared, and then waits for its answer: a commit waits a moment for it."""
        with self._wake:
            self._coming += 1
        try:
            yield
        finally:
            with self._wake:
                self._coming -= 1
                self._wake.notify()

    def submit(self, batch: Batch) -> Future[list[Rejected]]:
        """Queues a batch. The future gives the records that the store refused, once the rest is on disk."""
        future: Future[list[Rejected]] = Future()
        if not batch.rows:
            future.set_result([])
            return future
        with self._wake:
            if self._stopping:
                raise Unavailable("Holdfast is stopping; send again", retry_after=5)
            future.set_running_or_notify_cancel()  # a sender that leaves cannot take back what is queued
            self._waiting.append((batch, future))
            self._wake.notify()
        return future

    @property
    def queue_bytes(self) -> int:
        """Bytes of requests above which others are refused."""
        return self._queue_bytes

    @property
    def waiting(self) -> Waiting:
        """What waits now."""
        with self._wake:
            first = self._waiting[0][0].since if self._waiting else None
            seconds = 0.0 if first is None else time.monotonic() - first
            return Waiting(len(self._waiting), seconds, self._reserved)

    @property
    def sequence(self) -> int:
        """The number of the last commit."""
        return self._sequence

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is written while the block lasts; requests are still taken, and wait. One block at a time."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._paused)
            self._paused = True
            self._quiet.wait_for(lambda: self._idle)
        try:
            yield
        finally:
            with self._quiet:
                self._paused = False
                self._quiet.notify_all()
                self._wake.notify()

    def claim(self) -> int:
        """A commit number of one's own, higher than all before. Only while paused."""
        if not self._paused:
            raise RuntimeError("a commit number is claimed while the committer is paused")
        self._sequence = self._number(self._sequence)
        return self._sequence

    def stop(self) -> None:
        """Writes what waits, then ends the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _take(self) -> Group | None:
        with self._wake:
            self._idle = True
            self._quiet.notify_all()
            while not self._waiting or self._paused:
                if self._stopping and not self._waiting:
                    return None
                self._wake.wait()
            self._idle = False
            self._wake.wait_for(self._gathered, timeout=GATHER_SECONDS)
            taken, rows = 0, 0
            for batch, _ in self._waiting:
                if taken and rows + batch.rows > MOST_ROWS:
                    break
                taken, rows = taken + 1, rows + batch.rows
            group, self._waiting = self._waiting[:taken], self._waiting[taken:]
            return group

    def _gathered(self) -> bool:
        """Whether half of those on the way are here: the others are prepared meanwhile. A lone sender never waits."""
        waiting = len(self._waiting)
        return waiting * 2 >= self._coming or self._stopping or waiting >= MOST_WAITING

    def _run(self) -> None:
        while (group := self._take()) is not None:
            events_only = [one for one in group if not one[0].block.rows]
            if events_only:
                self._sequence = self._number(self._sequence)
                self._commit_events(events_only, self._sequence)
            self._commit_spans([one for one in group if one[0].block.rows])

    def _commit_spans(self, group: Group) -> None:
        """Each request has a number of its own: of two that bring one span differently, the later one holds."""
        if not group:
            return
        numbers: list[int] = []
        for batch, _ in group:
            self._sequence = self._number(self._sequence)
            for _, seen in batch.noted:
                seen.sequence = self._sequence
            numbers.append(self._sequence)
        sequence = self._sequence
        try:
            spans.insert(self._columns, [batch.block for batch, _ in group], numbers)
        except Exception as error:  # noqa: BLE001 - the edge of ingest: every sender gets its answer
            _fail(group, error)
            return
        self._announce(sequence, [(batch.workspace, batch.noted) for batch, _ in group])
        for _, future in group:
            future.set_result([])

    def _commit_events(self, group: Group, sequence: int) -> None:
        try:
            unfit = self._store_events([batch.events for batch, _ in group], sequence)
        except Exception as error:  # noqa: BLE001 - the edge of ingest: every sender gets its answer
            _fail(group, error)
            return
        for batch, future in group:
            reason = unfit.get(id(batch.events))
            future.set_result([reason] * batch.events.rows if reason else [])

    def _announce(self, sequence: int, stored: list[tuple[str, list[Noted]]]) -> None:
        try:
            self._on_commit(sequence, stored)
        except Exception:
            log.exception(
                "counting did not take over commit %d; it is done again at the next start", sequence
            )

    def _store_events(self, batches: Sequence[EventRows], sequence: int) -> dict[int, Rejected]:
        """Stores the events of several requests; a request with a value that cannot be encoded is refused alone."""
        if not batches:
            return {}
        try:
            events.insert(self._columns, batches, sequence)
        except UNFIT as error:
            if len(batches) == 1:
                reason = f"a value in this request cannot be stored: {error}"[:300]
                return {id(batches[0]): Rejected("each record", reason)}
            half = len(batches) // 2
            return {
                **self._store_events(batches[:half], sequence),
                **self._store_events(batches[half:], sequence),
            }
        return {}


def _fail(group: Group, error: Exception) -> None:
    log.warning("a commit of %d requests failed: %s", len(group), error)
    known = isinstance(error, Unavailable)
    failure = error if known else Unavailable("the call store failed; send again", retry_after=5)
    for _, future in group:
        future.set_exception(failure)
