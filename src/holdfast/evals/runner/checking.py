"""The job that checks judges: each is asked about all of its labelled answers, and what it says is kept as it comes."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from holdfast.evals.actions import judges as actions
from holdfast.evals.graders.grading import Reply
from holdfast.evals.rules.judging import Judge, Kind, Label, both_orders, messages, read
from holdfast.evals.runner.judging import Bench, Judges, Postponed
from holdfast.evals.runner.working import EVERY_SECONDS, LONGEST_PAUSE, TRIES
from holdfast.evals.states import RunState
from holdfast.evals.store import judges as store
from holdfast.gateway.actions.inner import Inner
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.services import Services

log = logging.getLogger("holdfast.evals")
AT_ONCE = 8
"""Questions of one check that are under way together."""


class Checks:
    """Starts what is queued, and goes on with what was interrupted, one check at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        """Has the oldest check worked on."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._services.database.reading() as tx:
            waiting = store.active_checks(tx)
        if waiting:
            self._thread = threading.Thread(target=self._work, args=[waiting[0]], name="check", daemon=True)
            self._thread.start()

    def _work(self, check: store.Check) -> None:
        try:
            _do(self._services, check)
        except Exception:
            log.exception("the check %s was interrupted; it goes on", check.id)
            time.sleep(EVERY_SECONDS)


def _do(services: Services, check: store.Check) -> None:
    with services.database.reading() as tx:
        judge = store.judge(tx, check.workspace, check.judge, check.version)
        done = store.items_of(tx, check.workspace, check.id)
    assert judge is not None, "a version that is checked is never removed"
    with services.database.transaction() as tx:
        store.change_check(tx, check.id, state=RunState.RUNNING)
    spent = sum((one.cost for one in done if one.cost is not None), Decimal(0))
    judges = Judges(check.workspace, check.id, {judge.name: judge}, {judge.name: spent})
    known = {one.item for one in done}
    left = [one for one in judge.labels if one.id not in known]
    with Inner(services.settings, services.clock, AT_ONCE) as inner, ThreadPoolExecutor(AT_ONCE) as pool:
        stops = list(pool.map(lambda label: _one(services, judges, inner, check, judge, label), left))
    stopped = next((why for why in stops if why), "")
    with services.database.transaction() as tx:
        actions.finish_check(Context(check.workspace, SYSTEM, services.clock()), tx, check, stopped)


def _one(
    services: Services, judges: Judges, inner: Inner, check: store.Check, judge: Judge, label: Label
) -> str:
    """Has one labelled answer judged; why the judge may not be asked any more, empty where it may."""
    tries = 0
    while True:
        bench = judges.bench(inner, label.id, last=tries + 1 >= TRIES)
        try:
            item = _heard(bench, judge, label)
        except Postponed as later:
            tries += later.counts
            time.sleep(min(later.seconds * 2**tries, LONGEST_PAUSE))
            continue
        if bench.stopped:
            return bench.stopped
        with services.database.transaction() as tx:
            store.keep_item(tx, check, item)
        return ""


def _heard(bench: Bench, judge: Judge, label: Label) -> store.Item:
    sent = messages(judge, label.input, label.answer, other=label.other, reference=label.reference)
    forth = bench.ask(judge, sent, "forth")
    first = read(judge, forth.text) if not forth.error else None
    if judge.kind is not Kind.PAIRWISE or first is None:
        reason = forth.error if first is None else first.reason
        return store.Item(label.id, first.score if first else None, None, None, reason, _cost(forth))
    back = bench.ask(judge, messages(judge, label.input, label.other, other=label.answer), "back")
    if back.error:
        return store.Item(label.id, None, first.score, None, back.error, _cost(forth, back))
    second = read(judge, back.text)
    both = both_orders(first, second)
    return store.Item(label.id, both.score, first.score, second.score, both.reason, _cost(forth, back))


def _cost(*replies: Reply) -> Decimal | None:
    if any(one.cost is None for one in replies):
        return None
    return sum((one.cost for one in replies if one.cost is not None), Decimal(0))
