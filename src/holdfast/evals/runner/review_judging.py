"""The job that shows judges what was drawn of the live calls: through the gateway, each call once, within a ceiling a day.

What waits is in a table, so it survives a kill; a question carries a name of its own, so that asking again after one costs
nothing. Rules on every call are another job, and never wait for this one.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from holdfast.evals.actions import review_asks as actions
from holdfast.evals.graders.grading import Outside, Reply
from holdfast.evals.graders.judge import JUDGE
from holdfast.evals.model import Answer, Case, CaseInput, Document, Expectation
from holdfast.evals.reads import review as review_reads
from holdfast.evals.reads import review_judges as reads
from holdfast.evals.rules.judging import Judge
from holdfast.evals.rules.review import Judging, Policy
from holdfast.evals.rules.review_judging import GIVE_UP, KEPT, midnight, spendable
from holdfast.evals.runner import asking
from holdfast.evals.runner.judging import Postponed, digest, put
from holdfast.evals.runner.reviewing import answer_of
from holdfast.evals.runner.working import LONGEST_PAUSE, TRIES
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import review_asks as store
from holdfast.evals.store import review_served
from holdfast.evals.store.review_asks import Ask, Outcome
from holdfast.gateway.actions.inner import Inner
from holdfast.gateway.model import Dimensions
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import HoldfastError, Unavailable
from holdfast.platform.services import Services
from holdfast.storage.sql import Transaction
from holdfast.telemetry.reads import arrivals
from holdfast.telemetry.reads.arrivals import Arrival, Said

log = logging.getLogger("holdfast.evals")
EVERY_SECONDS = 2.0
AT_ONCE = 8
"""Judges that are asked together; each is asked one question after the other, so that its ceiling holds."""
MOST_ASKED = 50
TURN_SECONDS = 10.0
"""After which a turn asks a judge nothing more."""
SINCE = timedelta(days=30)
"""Of how long verdicts on live calls say how often a judge fails one."""
FORGET_EVERY = timedelta(hours=1)
ABOUT = "review"


class ReviewJudges:
    """Shows judges of every workspace what was drawn for them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._forgot = datetime.min.replace(tzinfo=UTC)

    def turn(self) -> int:
        """Asks what is due; returns how much was settled."""
        found = self._services
        if found.clock() - self._forgot > FORGET_EVERY:
            self._forgot = found.clock()
            with found.database.transaction() as tx:
                store.forget(tx, self._forgot - KEPT)
                review_served.forget(tx, self._forgot - KEPT)
        with found.database.reading() as tx:
            due = store.due_judges(tx, found.clock())
        if not due:
            return 0
        with Inner(found.settings, found.clock, AT_ONCE) as inner, ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(lambda one: self._asked(inner, *one), due))

    def _asked(self, inner: Inner, workspace: str, name: str) -> int:
        """What is due for one judge, one call after the other."""
        began, settled = time.monotonic(), 0
        with self._services.database.reading() as tx:
            waiting = store.due(tx, workspace, name, self._services.clock(), MOST_ASKED)
        for ask in waiting:
            if time.monotonic() - began > TURN_SECONDS:
                break
            try:
                done = self._one(inner, ask)
            except HoldfastError as error:
                log.warning("the judge %s could not be shown a call: %s", name, error.detail)
                break
            settled += done
            if not done:  # the rest would fare alike
                break
        return settled

    def _one(self, inner: Inner, ask: Ask) -> int:
        found = self._services
        ctx = Context(ask.workspace, SYSTEM, found.clock())
        with found.database.reading() as tx:
            policy = review_reads.policy(ctx, tx).policy
            judge = judge_store.judge(tx, ask.workspace, ask.judge, ask.version)
            spent = store.spent(tx, ask.workspace, ask.judge, midnight(ctx.now))
        assert judge is not None, "a version that was drawn for is never removed"
        entry = _entry(policy, ask)
        bench = _Bench(inner, ask, judge, last=ask.tries + 1 >= TRIES)
        if entry is None:
            outcome = Outcome(None, None, "the policy names this judge no more")
        elif why := spendable(entry.max_cost, spent.amount, spent.dearest, spent.unpriced, ask.judge):
            outcome = Outcome(None, None, why)
        else:
            try:
                outcome = self._outcome(ask, judge, bench)
            except Postponed as later:
                return self._later(ctx, ask, later)
        now = Context(ask.workspace, SYSTEM, found.clock())
        with found.database.reading() as tx:
            sure = self._sure(now, tx, ask) if outcome.failed else None
        with found.database.transaction() as tx:
            actions.settle(now, tx, policy, entry, ask, outcome, sure, found.settings.base_url)
        return 1

    def _sure(self, ctx: Context, tx: Transaction, ask: Ask) -> actions.Evidence:
        shown = reads.shown(ctx, tx, ask.judge, ask.asks, agreement=True)
        return actions.Evidence(shown, reads.verdicts(ctx, tx, ask.judge, ask.asks, ctx.now - SINCE))

    def _later(self, ctx: Context, ask: Ask, later: Postponed) -> int:
        """Asked again later; given up where it has waited too long."""
        gone = ctx.now - ask.queued_at > GIVE_UP
        with self._services.database.transaction() as tx:
            if gone:
                why = "the gateway could not be asked for most of a day"
                store.settle(tx, ask, Outcome(None, None, why), ctx.now)
            else:
                pause = min(later.seconds * 2.0**ask.tries, LONGEST_PAUSE)
                actions.postpone(ctx, tx, ask, pause, counts=later.counts)
        return int(gone)

    def _outcome(self, ask: Ask, judge: Judge, bench: _Bench) -> Outcome:
        """Has the call judged as the grader of judges judges. Its content is read now: what was erased is not sent."""
        columns, call = self._services.columns, ask.call
        there = arrivals.call(columns, ask.workspace, call.trace, call.id)
        said = arrivals.said(columns, ask.workspace, [there])[call.trace, call.id] if there else Said("gone")
        why = "the trace is no longer kept"
        if there is not None:
            bench.user, why = there.user, _unfit(there, said)
        if why:
            return Outcome(None, None, why)
        messages = tuple({"role": role, "content": text} for role, text in said.messages)
        case = Case(call.id, CaseInput(messages, context=tuple(map(Document, said.documents))), ())
        grade = JUDGE.grade(
            case,
            Expectation("judge", {"judge": judge.name}),
            Answer(said.answer or ""),
            Outside(bench=bench),
        )
        failed = None if grade.passed is None else not grade.passed
        reason = "" if grade.score is not None else bench.why or _plain(grade.reason, asked=bench.answered)
        return Outcome(grade.score, failed, reason, bench.cost, bench.answered)


def _entry(policy: Policy, ask: Ask) -> Judging | None:
    return next(
        (
            one
            for one in policy.judging(ask.call.route)
            if (one.judge, one.dimension) == (ask.judge, ask.dimension)
        ),
        None,
    )


def _unfit(one: Arrival, said: Said) -> str:
    """Why a call cannot be judged, as for the heads; empty where it can."""
    answer = answer_of(one, said)
    if answer.text is None:
        return answer.why or "the answer is not known"
    return "" if answer.whole else "only a part of the answer is there"


def _plain(reason: str, *, asked: bool) -> str:
    """Why there is no verdict, without the judge's own words: they may quote what was said."""
    if not asked:
        return reason
    if reason.startswith("the judge abstains"):
        return "the judge abstains"
    return "the judge's reply is no verdict of its scale"


class _Bench:
    """Asks one judge about one call. `why`: why there is no reply, in our words. `cost` in USD where it is known."""

    baseline = ""

    def __init__(self, inner: Inner, ask: Ask, judge: Judge, *, last: bool) -> None:
        self._inner, self._ask, self._judge, self._last = inner, ask, judge, last
        self.user, self.why, self.answered = "", "", False
        self.cost: Decimal | None = None

    def judge(self, name: str) -> Judge | None:
        """The version that the call was drawn for."""
        return self._judge

    def against(self, case: Case) -> str | None:
        """A live call has nothing to compare with."""
        return None

    def ask(self, judge: Judge, messages: list[dict[str, str]], which: str) -> Reply:
        """Asks it. Raises Postponed where it is to be asked again later."""
        call = self._ask.call
        once = f"judge/{ABOUT}/{digest(f'{call.trace}/{call.id}/{judge.edition}')}"
        about = Dimensions(system=call.system, user=self.user, run=ABOUT)
        try:
            told = put(self._inner, self._ask.workspace, judge, messages, once, about)
        except Unavailable as error:
            raise Postponed(2.0, error.detail, counts=False) from None
        answer, name = told.answer, judge.name
        self.cost = answer.cost
        if told.status == 402:
            self.why = f"a budget of the gateway leaves nothing for the judge {name}"
        elif (told.unknown or told.status in asking.LATER) and not self._last:
            raise Postponed(told.wait or 2.0, f"the judge {name} did not answer", counts=True)
        elif answer.error:
            self.why = f"the judge {name} did not answer (status {told.status})"
        elif answer.truncated:
            self.why, self.answered = f"the reply of the judge {name} is cut off", True
        else:
            self.answered = True
        return Reply(answer.text, self.why, answer.cost, answer.call_id)
