"""The job that works on runs: each in a thread of its own, its questions in a pool, every answer kept as it comes.

A process that is killed leaves the answers that were kept; the next one goes on with the rest. A question that was under way
is asked under the same name and finds the gateway's answer, so that nothing is paid or counted twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from holdfast.evals.actions import credentials
from holdfast.evals.actions import runs as actions
from holdfast.evals.model import Answer, Case, Grade, Suite
from holdfast.evals.rules.judging import Kind, judge_names
from holdfast.evals.rules.scoring import combined, question
from holdfast.evals.runner import asking
from holdfast.evals.runner.judging import Judges, Postponed
from holdfast.evals.states import ACTIVE, Graded, Run, RunState
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import runs as store
from holdfast.evals.store import suites as suite_store
from holdfast.gateway.actions.inner import Inner
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import Unavailable
from holdfast.platform import outbound
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Transaction

log = logging.getLogger("holdfast.evals")

EVERY_SECONDS = 1.0
AT_ONCE = 4
"""Runs that are worked on together."""
TRIES = 4
"""How often a question is asked whose upstream fails, before that is its answer."""
FRESH = timedelta(days=1)
"""How old an answer may be that is used again: a model may change behind its name."""
LONGEST_PAUSE = 30.0


class Later(NamedTuple):
    """Nothing was answered; come back after so many seconds. `counts`: it was one of `TRIES`."""

    seconds: float
    why: str
    counts: bool


class Found(NamedTuple):
    """A graded answer, what it is an answer to (see `scoring.question`), and what it cost now, where that is known."""

    graded: Graded
    question: str
    cost: Decimal | None


class Enough(NamedTuple):
    """No more can be asked in this run; `found` before that, perhaps."""

    why: str
    found: Found | None = None


Ended = Later | Enough | Found


class Runs:
    """Starts what is queued, and goes on with what was interrupted."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._threads: dict[str, threading.Thread] = {}

    def turn(self) -> None:
        """Has every run worked on, up to AT_ONCE."""
        self._threads = {id: one for id, one in self._threads.items() if one.is_alive()}
        with self._services.database.reading() as tx:
            waiting = [run for run in store.active(tx) if run.id not in self._threads]
        for run in waiting[: AT_ONCE - len(self._threads)]:
            thread = threading.Thread(target=self._work, args=[run], name=f"eval {run.id}", daemon=True)
            self._threads[run.id] = thread
            thread.start()

    def _work(self, run: Run) -> None:
        try:
            Work(self._services, run).do()
        except Exception:
            log.exception("the run %s was interrupted; it goes on", run.id)
            time.sleep(EVERY_SECONDS)


class Work:
    """One run, from where it is to its end."""

    def __init__(self, services: Services, run: Run) -> None:
        self._services = services
        self._run = run
        from holdfast.evals.graders import shelf  # what graders need takes its time to load
        from holdfast.evals.graders.grading import NOTHING_OUTSIDE, Outside

        self._shelf = shelf
        self._inside: Outside = NOTHING_OUTSIDE
        settings = services.settings
        with services.database.reading() as tx:
            suite = suite_store.suite(tx, run.workspace, run.suite, run.version)
            assert suite is not None, "a version that a run names is never removed"
            self._done = store.answered(tx, run)
            self._spent = store.progress(tx, run).cost
            self._judges = _judges(tx, run, suite)
            slug = tenancy.workspace_by_id(tx, run.workspace).slug
        self._outside = Outside(
            client=lambda: outbound.guarded_client(settings),
            credential=self._credential,
            folder=settings.graders_folder / slug if settings.graders_folder is not None else None,
        )
        self._suite: Suite = suite
        self._dearest = Decimal(0)
        self._noted = run.note
        self._priced = bool(self._spent)

    def do(self) -> None:
        """Asks what is left, then has the verdict worked out. A gateway that is away is waited for."""
        services, run = self._services, self._run
        with services.database.transaction() as tx:
            started = run.started_at or services.clock()
            if not store.change(tx, run.id, ACTIVE, state=RunState.RUNNING, started_at=started):
                return
        with Inner(services.settings, services.clock, run.concurrency) as inner:
            stopped = self._ask_all(inner)
        if stopped is None:
            return
        ctx = Context(run.workspace, SYSTEM, services.clock())
        with services.database.reading() as tx:
            verdict = actions.verdict_of(ctx, tx, run, self._suite)
        with services.database.transaction() as tx:
            actions.finish(ctx, tx, run, verdict, stopped)

    def _ask_all(self, inner: Inner) -> str | None:
        """Asks what is left; why it ended early, empty where it did not, None where it was cancelled."""
        repeats = range(self._run.bars.repeats)
        todo = deque(
            (case, repeat, 0)
            for repeat in repeats
            for case in self._suite.cases
            if (case.id, repeat) not in self._done
        )
        asked: dict[Future[Ended], tuple[Case, int, int]] = {}
        came: list[Found] = []
        stopped, cancelled, pause_until, looked = "", False, 0.0, time.monotonic()
        with ThreadPoolExecutor(self._run.concurrency, thread_name_prefix=self._run.id) as pool:
            while asked or came or (todo and not stopped):
                while todo and not stopped and len(asked) < self._room() and time.monotonic() >= pause_until:
                    if stopped := self._too_dear(len(asked)):
                        break
                    case, repeat, tries = todo.popleft()
                    asked[pool.submit(self._one, inner, case, repeat, tries)] = case, repeat, tries
                if came:  # while the next are asked
                    self._keep(came)
                    came = []
                if time.monotonic() - looked > 1:
                    looked = time.monotonic()
                    if not self._wanted():
                        cancelled = True
                        todo.clear()
                done, _ = wait(asked, timeout=0.5, return_when=FIRST_COMPLETED)
                if not asked and todo and not stopped:
                    time.sleep(0.1)
                for future in done:
                    case, repeat, tries = asked.pop(future)
                    ended = future.result()
                    if isinstance(ended, Later):
                        todo.appendleft((case, repeat, tries + ended.counts))
                        pause_until = time.monotonic() + ended.seconds
                        self._note(ended.why)
                        continue
                    self._note("")
                    if isinstance(ended, Enough):
                        stopped = stopped or ended.why
                    found = ended.found if isinstance(ended, Enough) else ended
                    if found is not None:
                        came.append(found)
                        self._account(found.cost)
        return None if cancelled else stopped

    def _account(self, cost: Decimal | None) -> None:
        if cost is not None:
            self._priced = True
            self._spent += cost
            self._dearest = max(self._dearest, cost)

    def _keep(self, came: list[Found]) -> None:
        """Keeps answers, those that came together in one transaction."""
        with self._services.database.transaction() as tx:
            for one in came:
                store.keep(tx, self._run, one.graded, one.question, one.cost)

    def _room(self) -> int:
        """How many may be under way. With a ceiling of cost, one until it is known what one costs."""
        return 1 if self._run.max_cost is not None and not self._priced else self._run.concurrency

    def _too_dear(self, under_way: int) -> str:
        ceiling = self._run.max_cost
        if ceiling is None or self._spent + self._dearest * (under_way + 1) <= ceiling:
            return ""
        return (
            f"one answer more could cost more than the ceiling of {ceiling:f} USD; {self._spent:f} are spent"
        )

    def _wanted(self) -> bool:
        with self._services.database.reading() as tx:
            now = store.get(tx, self._run.workspace, self._run.id)
        return now is not None and now.state is RunState.RUNNING

    def _note(self, why: str) -> None:
        """Says why the run waits; nothing where it does not."""
        if why == self._noted:
            return
        self._noted = why
        with self._services.database.transaction() as tx:
            store.change(tx, self._run.id, ACTIVE, note=why)

    def _one(self, inner: Inner, case: Case, repeat: int, tries: int) -> Ended:
        """Asks one question, and grades its answer."""
        run = self._run
        asked = question(run.release_id, case.id, case.hash, repeat, run.seed)
        reused = self._earlier(asked) if run.reuse else None
        if reused is not None:
            return self._graded(inner, case, repeat, tries, asked, reused.answer, reused.grades, reused=True)
        try:
            told = asking.ask(inner, run, self._suite.system, case, repeat)
        except Unavailable as error:
            return Later(min(2.0 * 2**tries, LONGEST_PAUSE), error.detail, False)
        if told.status == 402:
            return Enough(told.answer.error)
        if (told.unknown or told.status in asking.LATER) and tries + 1 < TRIES:
            return Later(min(told.wait or 2.0**tries, LONGEST_PAUSE), told.answer.error, True)
        return self._graded(inner, case, repeat, tries, asked, told.answer, (), reused=False)

    def _credential(self, name: str, host: str) -> str:
        """Of a grader that is a service. Raises NotFound, Unavailable."""
        with self._services.database.reading() as tx:
            return credentials.value(tx, self._services.settings, self._run.workspace, name, host)

    def _earlier(self, asked: str) -> Graded | None:
        if not asked:
            return None
        since = self._services.clock() - FRESH
        with self._services.database.reading() as tx:
            return store.earlier(tx, self._run.workspace, asked, since)

    def _graded(
        self,
        inner: Inner,
        case: Case,
        repeat: int,
        tries: int,
        asked: str,
        answer: Answer,
        known: tuple[Grade, ...],
        *,
        reused: bool,
    ) -> Ended:
        """An answer with its grades; later, where a judge could not be asked yet."""
        grades: list[Grade] = []
        fresh: list[Grade] = []
        stopped = ""
        for place, one in enumerate(case.expectations):
            name = f"{case.hash}/{case.id}/{repeat}/{one.name or one.grader}"
            bench = self._judges.bench(inner, name, last=tries + 1 >= TRIES)
            outside = replace(self._inside if case.holdout else self._outside, bench=bench)
            earlier = known[place] if place < len(known) else None
            if earlier is not None and _holds(earlier, self._shelf.edition(one, outside)):
                grades.append(replace(earlier, cost=None))
                continue
            try:
                fresh.append(self._shelf.grade(case, one, answer, outside))
            except Postponed as later:
                return Later(min(later.seconds * 2**tries, LONGEST_PAUSE), later.why, later.counts)
            grades.append(fresh[-1])
            stopped = stopped or bench.stopped
        score, passed = combined(case.expectations, grades)
        whole = _cost(Decimal(0) if reused else answer.cost, fresh)
        graded = Graded(
            case.id, case.hash, repeat, answer, tuple(grades), score, passed, reused, self._services.clock()
        )
        found = Found(graded, "" if answer.error or stopped else asked, whole)
        return Enough(stopped, found) if stopped else found


def _holds(earlier: Grade, edition: str) -> bool:
    """Whether a grade of the same answer still counts: not one that could not be told for nothing, which may be told now."""
    return earlier.version == edition and (earlier.score is not None or earlier.cost is not None)


def _cost(answer: Decimal | None, fresh: list[Grade]) -> Decimal | None:
    """Of an answer with the judges that were asked now; None where any of it is not known."""
    if answer is None or any(one.details.get("unpriced") for one in fresh):
        return None
    return answer + sum((one.cost for one in fresh if one.cost is not None), Decimal(0))


def _judges(tx: Transaction, run: Run, suite: Suite) -> Judges:
    """The judges that the suite names, as they were when the run was made, and what they have cost in it so far."""
    named = {name for case in suite.cases for name in judge_names(case)}
    found = {name: judge_store.judge(tx, run.workspace, name, by=run.created_at) for name in sorted(named)}
    judges = {name: one for name, one in found.items() if one is not None}
    spent: dict[str, Decimal] = {}
    answers: dict[tuple[str, str], str] = {}
    if judges:
        for one in store.graded(tx, run.workspace, run.id):
            for grade in one.grades:
                if grade.cost is not None:
                    name = str(grade.details.get("judge"))
                    spent[name] = spent.get(name, Decimal(0)) + grade.cost
    if run.baseline and any(one.kind is Kind.PAIRWISE for one in judges.values()):
        for one in store.graded(tx, run.workspace, run.baseline):
            if one.answer.text and not one.answer.truncated:
                answers.setdefault((one.case, one.case_hash), one.answer.text)
    return Judges(run.workspace, run.id, judges, spent, run.baseline, answers)
