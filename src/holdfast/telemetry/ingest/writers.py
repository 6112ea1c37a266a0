"""The processes that write to one call store: each has a number, says that it lives, and pauses when another asks.

All of it is leases in the control store. `ingest-writer:N` is the number N, with the last commit of its holder that is
counted; who finds one that ran out counts what its holder left, and frees it. `ingest-pause` is held by who wants all to
pause, and `ingest-paused:N` says to whom that writer N has paused.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from holdfast.kernel.errors import Conflict, HoldfastError, Unavailable
from holdfast.kernel.time import Clock
from holdfast.platform.leases import actions as leases
from holdfast.platform.leases import reads
from holdfast.platform.leases.model import Lease
from holdfast.storage.sql import Database
from holdfast.telemetry.rules.versions import WRITERS
from holdfast.telemetry.store.spans import nanoseconds

log = logging.getLogger("holdfast.ingest")
WRITER, PAUSE, PAUSED = "ingest-writer:", "ingest-pause", "ingest-paused:"
SECONDS = 20.0
BEAT_SECONDS = 1.0
PAUSING_SECONDS = 90.0
Recount = Callable[[int, int], int]
"""(a writer's number, the last of its commits that is counted) → how many traces were counted again."""


class Writer:
    """This process among the writers. `start` begins the beats; `place` tells which process this is, over restarts."""

    def __init__(self, database: Database, clock: Clock, place: str) -> None:
        self._database = database
        self._clock = clock
        self._place = place
        self._holder = f"{place}:{secrets.token_hex(6)}"
        self._since = 0
        self._pausing = False
        self._one_pause = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._counted: Callable[[], int] = lambda: 0
        self.number = self._register()

    def _register(self) -> int:
        """Takes the lowest number that nobody has. Raises Conflict where all are taken."""
        with self._database.reading() as tx:
            taken = {one.name for one in reads.beginning_with(tx, WRITER)}
        for number in range(WRITERS):
            name = f"{WRITER}{number:04}"
            if name in taken:
                continue
            self._since = nanoseconds(self._clock())
            with self._database.transaction() as tx:
                if leases.take(
                    tx, name, self._holder, self._clock(), SECONDS, value=self._since, new_only=True
                ):
                    return number
        raise Conflict(f"{WRITERS} processes write to this call store already")

    def start(self, counted: Callable[[], int], pause: Callable[[], AbstractContextManager[None]]) -> None:
        """Begins to say that this process lives, and what it has counted; pauses by `pause` when another asks.

        Where others pause now, this returns when they go on.
        """
        self._counted = counted
        while self._asked() and not self._stop.wait(BEAT_SECONDS / 4):
            self._beat()
        self._thread = threading.Thread(target=self._run, args=[pause], name="ingest-writer", daemon=True)
        self._thread.start()

    def stop(self, *, all_counted: bool) -> None:
        """Ends the beats, and frees the number where nothing is left for others to count."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if all_counted:
            with self._database.transaction() as tx:
                leases.give_back(tx, self._name, self._holder)

    def recover(self, recount: Recount, *, own: bool = False) -> int:
        """Has counted what writers left that have died; returns how many traces.

        `own`: of earlier lives of this very process, whose leases need not have run out.
        """
        now = self._clock()
        with self._database.reading() as tx:
            found = reads.beginning_with(tx, WRITER)
        done = 0
        for lease in found:
            number = int(lease.name.removeprefix(WRITER))
            earlier = own and lease.holder.startswith(f"{self._place}:")
            if lease.holder == self._holder or not (earlier or lease.until <= now):
                continue
            with self._database.transaction() as tx:
                if earlier:
                    leases.give_back(tx, lease.name, lease.holder)
                if not leases.take(tx, lease.name, self._holder, now, 120, value=lease.value):
                    continue
            done += recount(number, lease.value)
            with self._database.transaction() as tx:
                leases.give_back(tx, lease.name, self._holder)
        return done

    @contextmanager
    def others_paused(self) -> Iterator[None]:
        """Every other writer has paused and counted all it had. Raises Unavailable."""
        if not self._one_pause.acquire(timeout=PAUSING_SECONDS):
            raise Unavailable("ingest is paused already; try again", retry_after=60)
        try:
            with self._database.transaction() as tx:
                if not leases.take(tx, PAUSE, self._holder, self._clock(), SECONDS):
                    raise Unavailable("another process has paused ingest; try again", retry_after=30)
            self._pausing = True
            self._until_paused()
            yield
        finally:
            self._pausing = False
            with self._database.transaction() as tx:
                leases.give_back(tx, PAUSE, self._holder)
            self._one_pause.release()

    def _until_paused(self) -> None:
        deadline = time.monotonic() + PAUSING_SECONDS
        while waiting := self._not_paused():
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{waiting} of the processes that write did not pause; try again", retry_after=60
                )
            self._stop.wait(BEAT_SECONDS / 4)

    @property
    def _name(self) -> str:
        return f"{WRITER}{self.number:04}"

    def _not_paused(self) -> int:
        now = self._clock()
        with self._database.reading() as tx:
            writers = reads.beginning_with(tx, WRITER)
            paused = reads.beginning_with(tx, PAUSED)
        to_us = {one.name.removeprefix(PAUSED) for one in paused if one.holder == self._holder}
        others = [one for one in writers if one.holder != self._holder and one.until > now]
        return len([one for one in others if one.name.removeprefix(WRITER) not in to_us])

    def _asked(self) -> Lease | None:
        """The pause that another process asks for now."""
        with self._database.reading() as tx:
            found = [one for one in reads.beginning_with(tx, PAUSE) if one.name == PAUSE]
        return next((one for one in found if one.holder != self._holder and one.until > self._clock()), None)

    def _beat(self) -> None:
        value = max(self._since, self._counted())
        now = self._clock()
        with self._database.transaction() as tx:
            kept = leases.renew(tx, Lease(self._name, self._holder, now, value), now, SECONDS)
            if self._pausing:
                leases.take(tx, PAUSE, self._holder, now, SECONDS)
        if not kept:
            lost = self.number
            self.number = self._register()
            log.warning("others took this process for dead (writer %d); it goes on as %d", lost, self.number)

    def _run(self, pause: Callable[[], AbstractContextManager[None]]) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._beat()
                asked = self._asked()
                if asked is not None:
                    with pause():
                        self._stay_paused(asked)
            except HoldfastError as error:
                log.warning("this writer could not say that it lives: %s", error.detail)
            except Exception:
                log.exception("this writer could not say that it lives")

    def _stay_paused(self, asked: Lease) -> None:
        said = f"{PAUSED}{self.number:04}"
        with self._database.transaction() as tx:
            leases.take(tx, said, asked.holder, self._clock(), 0)
        try:
            while self._asked() and not self._stop.wait(BEAT_SECONDS / 4):
                self._beat()
        finally:
            with self._database.transaction() as tx:
                leases.give_back(tx, said, asked.holder)
