"""How judges are asked: through the gateway, under the key `judges`, each question once, within each judge's ceiling."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from holdfast.evals.graders.grading import Reply
from holdfast.evals.model import Case
from holdfast.evals.rules.judging import Judge
from holdfast.evals.runner import asking
from holdfast.gateway.actions.inner import Asker, Inner
from holdfast.gateway.model import Dimensions
from holdfast.kernel.errors import Unavailable

KEY = "judges"
"""What judges are asked as, so that budgets and limits of the gateway can name them: scope key, only judges."""
FEATURE = "judges"


class Postponed(Exception):
    """Nothing was said; come back after so many seconds. `counts`: it was one of the tries."""

    def __init__(self, seconds: float, why: str, *, counts: bool) -> None:
        super().__init__(why)
        self.seconds, self.why, self.counts = seconds, why, counts


class Purse:
    """What a judge may still cost in one run. With a ceiling, one question at a time until it is known what one costs."""

    def __init__(self, judge: Judge, spent: Decimal = Decimal(0)) -> None:
        self._judge, self._spent, self._dearest = judge, spent, Decimal(0)
        self._under_way, self._changed = 0, threading.Condition()

    def take(self) -> str:
        """Why it may not be asked; empty where it may, and then `back` is to be called."""
        ceiling = self._judge.max_cost
        with self._changed:
            while ceiling is not None and not self._dearest and self._under_way:
                self._changed.wait()
            if ceiling is not None and self._spent + self._dearest * (self._under_way + 1) > ceiling:
                return (
                    f"the judge {self._judge.name} may cost {ceiling:f} USD in one run, and one question more could "
                    f"cross that; {self._spent:f} are spent"
                )
            self._under_way += 1
            return ""

    def back(self, cost: Decimal | None) -> None:
        """It has been asked, and cost that."""
        with self._changed:
            self._under_way -= 1
            if cost is not None:
                self._spent += cost
                self._dearest = max(self._dearest, cost)
            self._changed.notify_all()


class Judges:
    """The judges of one run or check. `about` names what they are asked for, and is the same after a kill."""

    def __init__(
        self,
        workspace: str,
        about: str,
        judges: Mapping[str, Judge],
        spent: Mapping[str, Decimal],
        baseline: str = "",
        answers: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._workspace, self._about, self._judges = workspace, about, judges
        self._purses = {name: Purse(one, spent.get(name, Decimal(0))) for name, one in judges.items()}
        self.baseline, self._answers = baseline, answers or {}

    def __bool__(self) -> bool:
        return bool(self._judges)

    def judge(self, name: str) -> Judge | None:
        """The judge as the run has it."""
        return self._judges.get(name)

    def against(self, case: Case) -> str | None:
        """What the baseline answered to the same case."""
        return self._answers.get((case.id, case.hash))

    def bench(self, inner: Inner, place: str, *, last: bool) -> Bench:
        """For one grade. `last`: a failure is no longer postponed, but is what is said."""
        return Bench(self, inner, place, last=last)

    def asked(
        self, inner: Inner, judge: Judge, messages: list[dict[str, str]], name: str
    ) -> asking.Told | str:
        """What came back, or why the judge may not be asked. Raises Unavailable."""
        purse = self._purses[judge.name]
        if why := purse.take():
            return why
        cost: Decimal | None = None
        try:
            once = f"judge/{self._about}/{digest(name)}"
            told = put(inner, self._workspace, judge, messages, once, Dimensions(run=self._about))
            cost = told.answer.cost
            return told
        finally:
            purse.back(cost)


def put(
    inner: Inner, workspace: str, judge: Judge, messages: list[dict[str, str]], once: str, about: Dimensions
) -> asking.Told:
    """Puts a question to a judge; asked again under the name `once` within a day it costs nothing. Raises Unavailable."""
    said = msgspec.structs.replace(about, environment=asking.ENVIRONMENT, route=judge.route, feature=FEATURE)
    body = {
        **judge.parameters,
        "messages": messages,
        "model": judge.model or judge.route or judge.release,
    }
    began = time.monotonic()
    response = inner.ask(Asker(workspace, KEY, judge.release, once), asking.PATH, body, said)
    return asking.read(response, (time.monotonic() - began) * 1000)


class Bench:
    """How one grade is asked for. `stopped`: why no judge can be asked any more in this run; empty where they can."""

    def __init__(self, judges: Judges, inner: Inner, place: str, *, last: bool) -> None:
        self._judges, self._inner, self._place, self._last = judges, inner, place, last
        self.stopped = ""

    @property
    def baseline(self) -> str:
        """The run that answers are compared with."""
        return self._judges.baseline

    def judge(self, name: str) -> Judge | None:
        """The judge as the run has it."""
        return self._judges.judge(name)

    def against(self, case: Case) -> str | None:
        """What the baseline answered to the same case."""
        return self._judges.against(case)

    def ask(self, judge: Judge, messages: list[dict[str, str]], which: str) -> Reply:
        """Asks it. Raises Postponed where it is to be asked again later."""
        if self.stopped:
            return Reply("", self.stopped)
        try:
            told = self._judges.asked(self._inner, judge, messages, f"{self._place}/{judge.edition}/{which}")
        except Unavailable as error:
            raise Postponed(2.0, error.detail, counts=False) from None
        if isinstance(told, str):
            self.stopped = told
            return Reply("", told)
        answer = told.answer
        if told.status == 402:
            self.stopped = f"the judge {judge.name} may not be asked: {answer.error}"
            return Reply("", self.stopped)
        if (told.unknown or told.status in asking.LATER) and not self._last:
            raise Postponed(told.wait or 2.0, f"the judge {judge.name}: {answer.error}", counts=True)
        why = f"the judge {judge.name} did not answer: {answer.error}" if answer.error else ""
        if not why and answer.truncated:
            why = f"the reply of the judge {judge.name} is cut off"
        return Reply(answer.text, why, answer.cost, answer.call_id)


def digest(text: str) -> str:
    """A short name of a long one."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:40]
