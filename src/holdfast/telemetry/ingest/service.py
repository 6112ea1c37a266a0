"""Ingest as one thing: made at start, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.requests import Request

from holdfast.kernel.errors import Unavailable
from holdfast.kernel.time import Clock
from holdfast.platform.settings import Settings
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.conventions.overrides import parse_overrides
from holdfast.telemetry.ingest.commit import Committer
from holdfast.telemetry.ingest.configurations import Configurations
from holdfast.telemetry.ingest.count import Counter
from holdfast.telemetry.ingest.intake import Intake
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.ingest.prices import Prices
from holdfast.telemetry.ingest.writers import Writer
from holdfast.telemetry.rules.versions import commit_number
from holdfast.telemetry.store import counted, spans


@dataclass(frozen=True, slots=True)
class Ingest:
    """The parts of ingest that doors use."""

    intake: Intake
    counter: Counter
    committer: Committer
    policies: Policies
    prices: Prices
    writer: Writer | None = None
    """This process among several that write to one call store; None where it is the only one."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is written by any process, and all that was written is counted. Requests wait. Raises Unavailable."""
        with self.writer.others_paused() if self.writer else nullcontext(), self.paused_here():
            yield

    @contextmanager
    def paused_here(self) -> Iterator[None]:
        """Like `paused`, in this process alone."""
        with self.committer.paused(), self.counter.none_apart():
            if not self.counter.wait(60):
                raise Unavailable("counting is far behind; try again later", retry_after=60)
            yield

    def stop(self) -> None:
        """Ends in order: nothing new is taken, what waits is written, then counted."""
        self.intake.stop()
        self.counter.hasten()
        self.committer.stop()
        self.counter.stop()
        if self.writer is not None:
            self.writer.stop(all_counted=self.counter.all_counted)

    def recover(self) -> int:
        """Counts what other processes left uncounted when they died; returns how many traces."""
        return self.writer.recover(self._recount) if self.writer else 0

    def _recount(self, number: int, after: int) -> int:
        return self.counter.recount(spans.traces_of_writer(self.counter.columns, number, after))


def of(request: Request) -> Ingest:
    """The ingest of the process that a request came to."""
    found: Ingest = request.app.state.ingest
    return found


def start(settings: Settings, clock: Clock, database: Database, columns: Columns, place: str = "") -> Ingest:
    """Starts the threads of ingest, after making good what a crash left uncounted.

    A store that is no folder of this process' own is shared with other writers; `place` then tells this process from them,
    and is the same after a restart.
    """
    policies = Policies(database, overrides=parse_overrides(settings.scope_overrides))
    prices = Prices(database)
    folder = Path(settings.data)
    folder.mkdir(parents=True, exist_ok=True)
    writer = None if columns.embedded else Writer(database, clock, place or str(folder.resolve()))
    counter = Counter(columns, policies, prices.charge, Configurations(database, clock), writer, clock)
    first = 0
    if writer is None:
        first = max(spans.last_sequence(columns), counted.last_version(columns))
    number = partial(_number, clock, writer)
    committer = Committer(
        columns, folder, settings.queue_bytes, settings.min_free_bytes, counter.note, first, number
    )
    intake = Intake(committer, policies, settings, clock)
    made = Ingest(intake, counter, committer, policies, prices, writer)
    if writer is not None:
        writer.start(lambda: counter.counted, made.paused_here)
        writer.recover(made._recount, own=True)
    return made


def _number(clock: Clock, writer: Writer | None, previous: int) -> int:
    return commit_number(previous, spans.nanoseconds(clock()), writer.number if writer else None)
