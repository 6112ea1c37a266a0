"""Answers on runs: how far one is, its verdict, its answers, and its report for people and for CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from holdfast.evals.model import Case, CaseInput, Grade, Suite, Verdict
from holdfast.evals.states import ACTIVE, Graded, Progress, Run
from holdfast.evals.store import runs as store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction

Standing = Literal["failed", "unknown", "waiting", "passed"]
HIDDEN = "a holdout case: its content is for administrators"


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as it stands. `left` is an estimate of the time that it still takes; None where nothing can be said."""

    run: Run
    progress: Progress
    verdict: Verdict | None
    left: timedelta | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A case and the answers of a run to it."""

    case: Case
    answers: tuple[Graded, ...]

    @property
    def standing(self) -> Standing:
        """`failed` where any answer did, else `unknown` where any is, else `passed`; `waiting` where there is none."""
        return standing_of([one.passed for one in self.answers])

    def without_content(self) -> Answered:
        """What those see of it who may not read holdout cases."""
        return Answered(hidden(self.case), tuple(_without_content(one) for one in self.answers))


def standing_of(told: Sequence[bool | None]) -> Standing:
    """How a case stands whose answers passed, failed or are not known to have done either."""
    if not told:
        return "waiting"
    return "failed" if False in told else "unknown" if None in told else "passed"


def run(ctx: Context, tx: Transaction, id: str) -> Shown:
    """One run. Raises NotFound."""
    found = store.get(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such run in this workspace")
    return shown(ctx, tx, found)


def shown(ctx: Context, tx: Transaction, found: Run) -> Shown:
    """A run as it stands."""
    progress = store.progress(tx, found)
    return Shown(found, progress, verdict_of(found), _left(found, progress, ctx.now))


def runs(
    ctx: Context, tx: Transaction, suite: str | None = None, before: datetime | None = None, limit: int = 50
) -> list[Run]:
    """The latest first."""
    return store.listed(tx, ctx.workspace, suite, before, limit)


def progresses(ctx: Context, tx: Transaction, of: Sequence[Run]) -> dict[str, Progress]:
    """How far each of these runs is, by id."""
    return store.progresses(tx, ctx.workspace, of)


def verdict_of(found: Run) -> Verdict | None:
    """The verdict that was kept; None before its end, and of a run that was cancelled."""
    return msgspec.json.decode(found.verdict, type=Verdict) if found.verdict else None


def suite_of(ctx: Context, tx: Transaction, found: Run) -> Suite:
    """The version that the run asks."""
    suite = suite_store.suite(tx, ctx.workspace, found.suite, found.version)
    assert suite is not None, "a version that a run names is never removed"
    return suite


def answers(ctx: Context, tx: Transaction, found: Run, *, holdouts: bool) -> Iterator[Answered]:
    """Every case with its answers, failures first, then what is unknown. Without `holdouts` their content is left out."""
    by_case: dict[str, list[Graded]] = {}
    for one in store.graded(tx, ctx.workspace, found.id):
        by_case.setdefault(one.case, []).append(one)
    order = {"failed": 0, "unknown": 1, "waiting": 2, "passed": 3}
    all_of = [Answered(case, tuple(by_case.get(case.id, ()))) for case in suite_of(ctx, tx, found).cases]
    for answered in sorted(all_of, key=lambda one: order[one.standing]):
        yield answered if holdouts or not answered.case.holdout else answered.without_content()


def answer(ctx: Context, tx: Transaction, found: Run, case: str, *, holdouts: bool) -> Answered:
    """One case with its answers. Raises NotFound."""
    wanted = next((one for one in suite_of(ctx, tx, found).cases if one.id == case), None)
    if wanted is None:
        raise NotFound("the suite of this run has no such case")
    answered = Answered(wanted, tuple(store.one(tx, ctx.workspace, found.id, case)))
    return answered if holdouts or not wanted.holdout else answered.without_content()


def hidden(case: Case) -> Case:
    """A case without what it asks and expects."""
    return Case(
        case.id,
        CaseInput(),
        (),
        segments=case.segments,
        criticality=case.criticality,
        holdout=True,
    )


def _without_content(one: Graded) -> Graded:
    error = "an error" if one.answer.error else ""
    return replace(
        one,
        answer=replace(one.answer, text="", refusal="", tool_calls=(), error=error),
        grades=tuple(
            Grade(grade.grader, grade.version, grade.score, grade.passed, HIDDEN) for grade in one.grades
        ),
    )


def _left(found: Run, progress: Progress, now: datetime) -> timedelta | None:
    """By the pace of what was answered: (now - start) / done for each that is left."""
    asked = progress.done - progress.reused
    if found.state not in ACTIVE or found.started_at is None or asked <= 0 or progress.first_at is None:
        return None
    since = max((now - found.started_at).total_seconds(), 0.001)
    return timedelta(seconds=since / progress.done * (progress.total - progress.done))
