"""Ingest as one thing: made at start, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from holdfast.telemetry.store import counted, spans


@dataclass(frozen=True, slots=True)
class Ingest:
    """The parts of ingest that doors use."""

    intake: Intake
    counter: Counter
    committer: Committer
    policies: Policies
    prices: Prices

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is written, and all that was written is counted. Requests wait. Raises Unavailable."""
        with self.committer.paused():
            if not self.counter.wait(60):
                raise Unavailable("counting is far behind; try again later", retry_after=60)
            yield

    def stop(self) -> None:
        """Ends in order: nothing new is taken, what waits is written, then counted."""
        self.intake.stop()
        self.counter.hasten()
        self.committer.stop()
        self.counter.stop()


def of(request: Request) -> Ingest:
    """The ingest of the process that a request came to."""
    found: Ingest = request.app.state.ingest
    return found


def start(settings: Settings, clock: Clock, database: Database, columns: Columns) -> Ingest:
    """Starts the threads of ingest, after making good what a crash left uncounted."""
    policies = Policies(database, overrides=parse_overrides(settings.scope_overrides))
    prices = Prices(database)
    counter = Counter(columns, policies, prices.charge, Configurations(database, clock))
    folder = Path(settings.data)
    folder.mkdir(parents=True, exist_ok=True)
    committer = Committer(
        columns,
        folder,
        settings.queue_bytes,
        settings.min_free_bytes,
        counter.note,
        max(spans.last_sequence(columns), counted.last_version(columns)),
    )
    return Ingest(Intake(committer, policies, settings, clock), counter, committer, policies, prices)
