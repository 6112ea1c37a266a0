"""Prices the calls of the past anew, a batch at a time; an interrupted job goes on where it was."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.time import Clock
from holdfast.platform.services import Services
from holdfast.pricing.model import Charge
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.prices import Prices
from holdfast.telemetry.store import repricing as store
from holdfast.telemetry.store.repricing import Priced, Repricing

EVERY_SECONDS = 2.0
SIZE = 5_000


class Repricer:
    """Runs the jobs one after another."""

    def __init__(self, services: Services, prices: Prices) -> None:
        self._services = services
        self._prices = prices
        self._clock: Clock = services.clock
        self._one = threading.Lock()

    def turn(self) -> None:
        """Finishes every job there is."""
        with self._one:
            while True:
                with self._services.database.reading() as tx:
                    job = store.unfinished(tx)
                if job is None:
                    return
                if job.position_ns < 0:
                    self._prices.books.forget()  # what was asked for after a change of the book goes by that change
                self._batch(job)

    def _batch(self, job: Repricing) -> None:
        columns, now = self._services.columns, self._clock()
        calls = store.batch(columns, job, SIZE)
        changed: dict[tuple[str, int], Charge] = {}
        difference: dict[str, Decimal] = {}
        for call in calls:
            charge = self._prices.charge(job.workspace, call.facts, call.start_ns)
            if _same(call, charge):
                continue
            changed[call.id, call.start_ns] = charge
            for one, sign in ((call.charge, -1), (charge, 1)):
                if one.amount is not None:
                    amount = difference.get(one.currency, Decimal(0))
                    difference[one.currency] = amount + sign * one.amount
        store.rewrite(columns, job.workspace, changed, int(now.timestamp() * 1000))
        job = replace(
            job,
            seen=job.seen + len(calls),
            changed=job.changed + len(changed),
            difference=store.added(job.difference, difference),
        )
        if calls:
            job = replace(job, position_ns=calls[-1].start_ns, position_id=calls[-1].id)
        with self._services.database.transaction() as tx:
            if len(calls) < SIZE:
                actions.finish_repricing(Context(job.workspace, SYSTEM, now), tx, job)
            else:
                store.put(tx, job)


def _same(call: Priced, charge: Charge) -> bool:
    held = call.charge
    amounts = held.amount == charge.amount and (held.currency or "USD") == (charge.currency or "USD")
    return amounts and (held.price_id, held.source) == (charge.price_id, charge.source)
