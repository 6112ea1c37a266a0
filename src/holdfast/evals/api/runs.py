"""The JSON door of runs: make one, follow it, read its answers and its report."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import runs as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.reads import runs as reads
from holdfast.evals.rules import reports
from holdfast.evals.states import Graded, Run, RunState, Trigger
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(prefix="/api/v1/evals/runs", tags=["evals"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Name = Annotated[str, Field(max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]
RunId = Annotated[str, Field(max_length=40)]
Amount = Annotated[str, Field(max_length=30, pattern=r"^\d+(\.\d+)?$")]


class RunIn(BaseModel):
    """What to ask of what. Left out: as the suite says."""

    model_config = ConfigDict(extra="forbid")

    suite: Annotated[str, Field(max_length=100)]
    version: Annotated[int | None, Field(ge=1, le=1 << 53, description="Of the suite; null: the latest.")] = (
        None
    )
    release: Annotated[
        Name, Field(description="By its name in the gateway; empty: what answers the route.")
    ] = ""
    model: Annotated[Name, Field(description="Where the suite has no route and no release is named.")] = ""
    baseline: Annotated[
        str, Field(max_length=40, description="Id of a run of the same suite that is done.")
    ] = ""
    repeats: Annotated[int | None, Field(ge=1, le=actions.MOST_REPEATS)] = None
    least: Annotated[Share | None, Field(description="The least score of the suite.")] = None
    margin: Annotated[Share | None, Field(description="How much lower than the baseline it may be.")] = None
    seed: Annotated[int | None, Field(ge=0, lt=1 << 31)] = None
    concurrency: Annotated[int, Field(ge=1, le=actions.MOST_CONCURRENCY)] = 8
    max_cost: Annotated[Amount | None, Field(description="USD, a decimal text.")] = None
    reuse: Annotated[
        bool, Field(description="Whether answers of the last day to the same question count.")
    ] = True

    def wanted(self) -> actions.Wanted:
        """The run that this describes."""
        values = self.model_dump()
        values["max_cost"] = None if self.max_cost is None else Decimal(self.max_cost)
        return actions.Wanted(**values)


class RunHead(BaseModel):
    """A run as it was made, and its state."""

    id: str
    suite: str
    version: int
    suite_hash: str
    route: str
    release: str
    release_id: str
    model: str
    baseline: str
    bars: dict[str, Any]
    cases: int
    seed: int | None
    concurrency: int
    max_cost: str | None
    reuse: bool
    trigger: Trigger
    created_at: str
    created_by: str
    because: str
    state: RunState
    note: str
    started_at: str | None
    finished_at: str | None
    outcome: Literal["pass", "fail", "inconclusive"] | None

    @classmethod
    def of(cls, run: Run) -> RunHead:
        """As it is."""
        return cls(**_head(run))


class ProgressOut(BaseModel):
    """How far it is. `unpriced` answers have no known cost; `seconds_left` is an estimate."""

    done: int
    total: int
    passed: int
    failed: int
    unknown: int
    reused: int
    cost_usd: str
    unpriced: int
    seconds_left: float | None


class RunOut(RunHead):
    """A run with its progress and its verdict."""

    progress: ProgressOut
    verdict: dict[str, Any] | None


class AnswerOut(BaseModel):
    """One answer and its grades."""

    repeat: int
    score: float | None
    passed: bool | None
    reused: bool
    ended_at: str
    answer: dict[str, Any]
    grades: list[dict[str, Any]]

    @classmethod
    def of(cls, one: Graded) -> AnswerOut:
        """As it is."""
        return cls(
            repeat=one.repeat,
            score=one.score,
            passed=one.passed,
            reused=one.reused,
            ended_at=iso(one.ended_at),
            answer=_plain(one.answer),
            grades=[_plain(grade) for grade in one.grades],
        )


class CaseOut(BaseModel):
    """A case and the answers to it."""

    case: str
    standing: reads.Standing
    criticality: str
    segments: dict[str, str]
    holdout: bool
    answers: list[AnswerOut]

    @classmethod
    def of(cls, one: reads.Answered) -> CaseOut:
        """As it is."""
        return cls(
            case=one.case.id,
            standing=one.standing,
            criticality=one.case.criticality.value,
            segments=dict(one.case.segments),
            holdout=one.case.holdout,
            answers=[AnswerOut.of(answer) for answer in one.answers],
        )


@router.post("", status_code=201)
def make(request: Request, by: Operator, body: RunIn) -> RunHead:
    """Registers a run with its bars on the audit log, and has it begin. It costs what its questions cost."""
    with services(request).database.transaction() as tx:
        return RunHead.of(actions.register(by.ctx, tx, body.wanted()))


@router.get("")
def listed(
    request: Request,
    by: Reader,
    suite: Annotated[str | None, Field(max_length=100)] = None,
    before: datetime | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> list[RunHead]:
    """Runs, the latest first; `before`: made earlier than this."""
    with services(request).database.reading() as tx:
        return [RunHead.of(run) for run in reads.runs(by.ctx, tx, suite, _instant(before), limit)]


@router.get("/{run}")
def one(request: Request, by: Reader, run: RunId) -> RunOut:
    """One run: how far it is, what it cost so far, its verdict."""
    with services(request).database.reading() as tx:
        return _out(reads.run(by.ctx, tx, run))


@router.get("/{run}/cases")
def cases(
    request: Request,
    by: Reader,
    run: RunId,
    standing: reads.Standing | None = None,
) -> list[CaseOut]:
    """Its cases with their answers and grades, failures first. Of holdout cases only administrators see content."""
    with services(request).database.reading() as tx:
        asked = reads.run(by.ctx, tx, run).run
        found = reads.answers(by.ctx, tx, asked, holdouts=sees_holdouts(by))
        return [CaseOut.of(answered) for answered in found if standing in (None, answered.standing)]


@router.post("/{run}/cancel", responses=problems(409))
def cancel(request: Request, by: Operator, run: RunId) -> RunHead:
    """Ends it without a verdict. What was answered stays."""
    with services(request).database.transaction() as tx:
        return RunHead.of(actions.cancel(by.ctx, tx, run))


@router.get("/{run}/comparison")
def comparison(
    request: Request,
    by: Reader,
    run: RunId,
    baseline: Annotated[str, Field(max_length=40, description="Another run; needed.")] = "",
) -> dict[str, Any]:
    """The verdict that it would have, held against another run of the suite. Nothing is kept."""
    with services(request).database.reading() as tx:
        asked = reads.run(by.ctx, tx, run).run
        if not baseline:
            raise Invalid("say against which run: baseline=run_…", where="baseline")
        suite = reads.suite_of(by.ctx, tx, asked)
        found: dict[str, Any] = _plain(actions.verdict_of(by.ctx, tx, asked, suite, baseline))
        return found


@router.get(
    "/{run}/report",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {}, "application/xml": {}}, "description": "The report"}},
)
def report(
    request: Request,
    by: Reader,
    run: RunId,
    format: Literal["markdown", "junit"] = "markdown",
) -> Response:
    """Its report, for people or for CI."""
    with services(request).database.reading() as tx:
        shown = reads.run(by.ctx, tx, run)
        found = reads.answers(by.ctx, tx, shown.run, holdouts=sees_holdouts(by))
        asked = [reports.Asked(one.case, one.answers) for one in found]
    if format == "junit":
        text = reports.junit(shown.run, shown.verdict, asked)
        return Response(text, media_type="application/xml")
    text = reports.markdown(shown.run, shown.progress, shown.verdict, asked)
    return Response(text, media_type="text/markdown; charset=utf-8")


def _out(shown: reads.Shown) -> RunOut:
    progress = shown.progress
    return RunOut(
        **_head(shown.run),
        progress=ProgressOut(
            done=progress.done,
            total=progress.total,
            passed=progress.passed,
            failed=progress.failed,
            unknown=progress.unknown,
            reused=progress.reused,
            cost_usd=format(progress.cost, "f"),
            unpriced=progress.unpriced,
            seconds_left=None if shown.left is None else shown.left.total_seconds(),
        ),
        verdict=None if shown.verdict is None else _plain(shown.verdict),
    )


def _head(run: Run) -> dict[str, Any]:
    values = {
        name: getattr(run, name)
        for name in RunHead.model_fields
        if name not in ("outcome", "bars", "max_cost")
    }
    for name in ("created_at", "started_at", "finished_at"):
        values[name] = None if values[name] is None else iso(values[name])
    verdict = msgspec.json.decode(run.verdict) if run.verdict else None
    return values | {
        "bars": _plain(run.bars),
        "max_cost": None if run.max_cost is None else format(run.max_cost, "f"),
        "outcome": None if verdict is None else verdict["outcome"],
    }


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _instant(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise Invalid("say the offset too: 2026-01-01T00:00:00Z", where="before")
    return at
