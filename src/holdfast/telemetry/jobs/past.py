"""Prices or counts the calls of the past anew, a batch at a time; an interrupted job goes on where it was."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.time import Clock
from holdfast.platform.services import Services
from holdfast.pricing.model import Charge
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.recount import recount
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.rules.recount import Tally
from holdfast.telemetry.store import control, past, recounted, repriced, retention
from holdfast.telemetry.store.past import PastJob, PastKind
from holdfast.telemetry.store.repriced import Priced
from holdfast.telemetry.store.spans import milliseconds, nanoseconds

EVERY_SECONDS = 2.0
CALLS = 5_000
TRACES = 1_000
SETTLE = timedelta(seconds=5)
"""How long after it was asked for pricing anew begins: by then every process prices by the book as it was at that moment,
and what was priced by an earlier one is written, so that the job finds it."""


class Past:
    """Runs the jobs one after another."""

    def __init__(self, services: Services, ingest: Ingest, calls: int = CALLS, traces: int = TRACES) -> None:
        self._services = services
        self._ingest = ingest
        self._clock: Clock = services.clock
        self._calls = calls
        self._traces = traces
        self._one = threading.Lock()

    def turn(self) -> None:
        """Finishes every job there is."""
        with self._one:
            while self.step():
                pass

    def step(self) -> bool:
        """Does one batch of the oldest job; False where there is none that may begin."""
        with self._services.database.reading() as tx:
            job = past.unfinished(tx)
        if job is None or (job.kind is PastKind.PRICE and self._clock() < job.requested_at + SETTLE):
            return False
        after = self._price(job) if job.kind is PastKind.PRICE else self._count(job)
        with self._services.database.transaction() as tx:
            if after is None:
                actions.finish_past(Context(job.workspace, SYSTEM, self._clock()), tx, job)
            else:
                past.put(tx, after)
        return True

    def _note(self, job: PastJob, made: Tally) -> None:
        """Keeps what a batch will come to, unless it was kept before a crash: then it may be done already."""
        if not job.pending:
            with self._services.database.transaction() as tx:
                past.put(tx, replace(job, pending=past.text(made)))

    def _price(self, job: PastJob) -> PastJob | None:
        """The job after a batch; None where there is nothing left."""
        prices = self._ingest.prices
        if job.position_ns < 0:
            prices.books.forget()  # what was asked for after a change of the book goes by that change
        calls = repriced.batch(self._services.columns, job, self._calls)
        if not calls:
            return None
        changed: dict[tuple[str, int], Charge] = {}
        made = Tally(seen=len(calls))
        for call in calls:
            charge = prices.charge(job.workspace, call.facts, call.start_ns)
            made.cost(made.before, call.charge.amount, call.charge.currency)
            made.cost(made.after, charge.amount, charge.currency)
            if not _same(call, charge):
                changed[call.id, call.start_ns] = charge
        made.changed = len(changed)
        self._note(job, made)
        repriced.rewrite(self._services.columns, job.workspace, changed, milliseconds(self._clock()))
        told = past.read(job.pending) if job.pending else made
        return past.tallied(job, told, len(calls), calls[-1].start_ns, calls[-1].id)

    def _count(self, job: PastJob) -> PastJob | None:
        """The job after a batch of one slice of time, or after the last of a slice; None where no slice is left."""
        columns = self._services.columns
        holds = self._holds(job)
        if job.position_ns < 0:
            return self._next_slice(job, job.from_at)
        start = job.from_at + timedelta(microseconds=(job.position_ns - nanoseconds(job.from_at)) // 1000)
        part = TimeRange(start, min(start + recounted.SLICE, job.to_at))
        found = recounted.traces(columns, job.workspace, part, job.system, job.position_id, self._traces)
        if not found:
            return self._next_slice(job, part.end)
        earlier = TimeRange(job.from_at, start)
        done = recounted.begun_before(columns, job.workspace, found, earlier, job.system)
        chosen = [one for one in found if one not in done]
        made = recount(
            self._ingest.counter,
            job.workspace,
            chosen,
            holds,
            lambda: milliseconds(self._clock()),
            lambda made: self._note(job, made),
        )
        told = past.read(job.pending) if job.pending else made
        return past.tallied(job, told, len(chosen), job.position_ns, found[-1])

    def _next_slice(self, job: PastJob, after: datetime) -> PastJob | None:
        """The job at the next slice that has any span; None where there is none."""
        first = None
        if after < job.to_at:
            left = TimeRange(after, job.to_at)
            first = recounted.first_start(self._services.columns, job.workspace, left)
        if first is None:
            return None
        return replace(job, position_ns=nanoseconds(max(first, after)), position_id="", pending="")

    def _holds(self, job: PastJob) -> list[Hold]:
        with self._services.database.reading() as tx:
            holds = control.holds_of(tx, job.workspace, active=True)
        for hold in holds:
            if hold.user and job.position_ns < 0:  # one that was placed a moment ago
                retention.note_held(self._services.columns, job.workspace, hold)
        return holds


def _same(call: Priced, charge: Charge) -> bool:
    held = call.charge
    amounts = held.amount == charge.amount and (held.currency or "USD") == (charge.currency or "USD")
    return amounts and (held.price_id, held.source) == (charge.price_id, charge.source)
