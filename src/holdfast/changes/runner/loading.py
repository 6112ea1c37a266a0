"""The load step of gates: asks both releases in turns at the expected peak, and keeps what came of it."""

from __future__ import annotations

import logging
import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from numpy.random import default_rng

from holdfast.changes import store
from holdfast.changes.actions.keeping import load as change_of
from holdfast.changes.model import LOAD, Change, GateRun, State, Verdict
from holdfast.changes.rules.loading import LEAST_RATE, Due, Outcome, compare, schedule
from holdfast.changes.rules.policy import LoadPolicy
from holdfast.changes.rules.reading import policy_of
from holdfast.evals.model import Case
from holdfast.evals.reads import runs as run_reads
from holdfast.evals.runner.asking import ENVIRONMENT, FEATURE, KEY, PATH, read
from holdfast.gateway.actions.inner import Asker, Inner
from holdfast.gateway.model import Dimensions
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import HoldfastError, NotFound, Unavailable
from holdfast.kernel.ids import new_id
from holdfast.platform.services import Services
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import compared

log = logging.getLogger("holdfast.changes")

EVERY_SECONDS = 5.0
WEEK = timedelta(days=7)
MOST_AT_ONCE = 64
NOTE_SECONDS = 5.0


class Told(NamedTuple):
    """What came of a question, and what it cost, where that is known."""

    outcome: Outcome
    cost: Decimal | None


class Loads:
    """Takes up load steps that wait, one at a time. One that was killed begins anew: a half of it tells nothing."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pause = threading.Event()  # never set

    def turn(self) -> None:
        """Every load step that waits, to its end."""
        with self._services.database.reading() as tx:
            gated = store.in_states(tx, {State.GATED})
        for workspace, id in gated:
            ctx = Context(workspace, SYSTEM, self._services.clock())
            with self._services.database.reading() as tx:
                change = change_of(ctx, tx, id)
                rows = store.gates_of(tx, workspace, id, change.content)
            row = next((one for one in rows if one.suite == LOAD and one.verdict is Verdict.PENDING), None)
            if row is None:
                continue
            try:
                done = self._step(ctx, change, rows, row)
            except HoldfastError as error:
                done = replace(
                    row, verdict=Verdict.INCONCLUSIVE, reasons=(f"it could not be made: {error.detail}",)
                )
            self._keep(done)

    def _step(self, ctx: Context, change: Change, rows: list[GateRun], row: GateRun) -> GateRun:
        policy = policy_of(change).load
        cases = self._cases(ctx, rows)
        if policy is None or not cases or not change.baseline:
            why = "no suite asks anything of both releases, so there is nothing to load them with"
            return replace(row, verdict=Verdict.PASS, reasons=(f"not made: {why}",))
        rate = policy.rate if policy.rate is not None else self._peak(change)
        if rate < LEAST_RATE:
            why = (
                f"the busiest minute of the last week had {rate * 60:.0f} calls, which is no load to speak of"
            )
            return replace(row, verdict=Verdict.PASS, reasons=(f"not made: {why}",))
        told, stopped = self._ask(ctx, change, cases, policy, rate, row)
        if stopped:
            return replace(row, verdict=Verdict.INCONCLUSIVE, reasons=(stopped,))
        verdict, why_all = compare(policy, told)
        said = f"asked at {rate:.1f} a second, {policy.seconds:.0f} s each, in turns"
        return replace(row, verdict=verdict, reasons=(*why_all, said))

    def _peak(self, change: Change) -> float:
        """Calls a second in the route's busiest minute of the last week."""
        now = self._services.clock()
        within = TimeRange(now - WEEK, now)
        found = compared.busiest_minute(
            self._services.columns, change.workspace, change.route, within, ENVIRONMENT
        )
        return found / 60

    def _cases(self, ctx: Context, rows: list[GateRun]) -> list[Case]:
        found: list[Case] = []
        with self._services.database.reading() as tx:
            for one in rows:
                if one.candidate_run and one.baseline_run:
                    try:
                        run = run_reads.run(ctx, tx, one.candidate_run).run
                    except NotFound:
                        continue
                    found += run_reads.suite_of(ctx, tx, run).cases
        return found

    def _ask(
        self, ctx: Context, change: Change, cases: list[Case], policy: LoadPolicy, rate: float, row: GateRun
    ) -> tuple[list[Outcome], str]:
        """All outcomes; or why it was stopped before its end."""
        due = schedule(default_rng(), rate, policy.seconds, len(cases))
        ceiling, spent = Decimal(policy.max_cost), Decimal(0)
        at_once = min(MOST_AT_ONCE, math.ceil(rate * 10) + 4)
        told: list[Outcome] = []
        futures: list[Future[Told]] = []
        step = new_id("load")
        with (
            Inner(self._services.settings, self._services.clock, at_once) as inner,
            ThreadPoolExecutor(at_once, "load") as pool,
        ):
            began = noted = time.monotonic()
            for number, one in enumerate(due):
                wait = began + one.at - time.monotonic()
                if wait > 0:
                    self._pause.wait(wait)
                once = f"{step}/{number}"
                futures.append(
                    pool.submit(self._one, inner, change, cases[one.question], one, began + one.at, once)
                )
                if time.monotonic() - noted > NOTE_SECONDS:
                    noted = time.monotonic()
                    spent = _spent(futures)
                    stopped = self._stopped(ctx, change, row, number, len(due))
                    if not stopped and spent > ceiling:
                        stopped = (
                            f"it has cost {spent:.4f} USD after {number} questions, and may cost {ceiling:f}"
                        )
                    if stopped:
                        pool.shutdown(cancel_futures=True)
                        return told, stopped
            told = [one.result().outcome for one in futures]
        return told, ""

    def _one(self, inner: Inner, change: Change, case: Case, due: Due, due_at: float, once: str) -> Told:
        release = (change.baseline, change.candidate)[due.side]
        said = Dimensions(
            system=change.system, environment=ENVIRONMENT, route=change.route, feature=FEATURE, run=change.id
        )
        extra = {"variables": dict(case.input.variables)} if case.input.variables else None
        body = {**case.input.parameters, "messages": list(case.input.messages), "model": change.route}
        if case.input.tools:
            body["tools"] = list(case.input.tools)
        try:
            answer = inner.ask(Asker(change.workspace, KEY, release, once), PATH, body, said, extra)
        except Unavailable:
            return Told(Outcome(due, None), None)
        ms = (time.monotonic() - due_at) * 1000
        found = read(answer, ms).answer
        return Told(Outcome(due, None if found.error else ms), found.cost)

    def _stopped(self, ctx: Context, change: Change, row: GateRun, number: int, whole: int) -> str:
        """Why it goes on no longer; empty where it does, and says how far it is."""
        with self._services.database.reading() as tx:
            now = change_of(ctx, tx, change.id)
        if now.state is not State.GATED or now.content != change.content:
            return "the change went another way meanwhile"
        self._keep(replace(row, reasons=(f"{number:,} of {whole:,} questions asked",)))
        return ""

    def _keep(self, row: GateRun) -> None:
        with self._services.database.transaction() as tx:
            store.put_gate(tx, row)


def _spent(futures: list[Future[Told]]) -> Decimal:
    known = (one.result().cost for one in futures if one.done() and not one.cancelled())
    return sum((one for one in known if one is not None), Decimal(0))
