"""The JSON door of judges: read, checked against their labels; and of what people say of answers."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import grading
from holdfast.evals.actions import judges as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.reads import grading as grading_reads
from holdfast.evals.reads import judges as reads
from holdfast.evals.reads import runs as run_reads
from holdfast.evals.rules.judging import Judge, KeptJudge, Kind, question
from holdfast.evals.states import RunState
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(prefix="/api/v1/evals", tags=["evals"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Name = Annotated[str, Field(max_length=100)]
Number = Annotated[int, Field(ge=1, le=1 << 53)]
Id = Annotated[str, Field(max_length=40)]


class JudgeHead(BaseModel):
    """A version without its rubric. `asks`: hash of what can change a grade; `labels`: how many people have given."""

    name: str
    version: int
    kind: Kind
    hash: str
    asks: str
    description: str
    labels: int
    created_at: str
    author: str
    note: str

    @classmethod
    def of(cls, one: KeptJudge) -> JudgeHead:
        """As it is kept."""
        values = {name: getattr(one, name) for name in cls.model_fields if name != "created_at"}
        return cls(**values, created_at=iso(one.created_at))


class JudgeOut(BaseModel):
    """A version with all that it says: `judge`."""

    name: str
    version: int
    judge: dict[str, Any]


class CheckOut(BaseModel):
    """A judge asked about its labelled answers; `health` when all are."""

    id: str
    judge: str
    version: int
    state: RunState
    note: str
    created_at: str
    created_by: str
    finished_at: str | None
    done: int
    labels: int
    cost_usd: str
    unpriced: int
    health: dict[str, Any] | None

    @classmethod
    def of(cls, one: reads.Checked) -> CheckOut:
        """As it is."""
        check = one.check
        return cls(
            id=check.id,
            judge=check.judge,
            version=check.version,
            state=check.state,
            note=check.note,
            created_at=iso(check.created_at),
            created_by=check.created_by,
            finished_at=None if check.finished_at is None else iso(check.finished_at),
            done=one.done,
            labels=one.labels,
            cost_usd=format(one.cost, "f"),
            unpriced=one.unpriced,
            health=None if one.health is None else msgspec.to_builtins(one.health),
        )


class ToGradeOut(BaseModel):
    """An answer that a person is to grade: `why` is `waits` or `label`. `steps` 1: 0 or 1; n: in steps of 1/n."""

    case: str
    repeat: int
    expectation: str
    why: grading_reads.Why
    question: str
    answer: str
    other: str
    reference: str
    rubric: str
    steps: int


class GradeIn(BaseModel):
    """What you say of an answer: 0 to 1, or null where it cannot be told."""

    model_config = ConfigDict(extra="forbid")

    case: Annotated[str, Field(max_length=200)]
    repeat: Annotated[int, Field(ge=0, le=1000)] = 0
    expectation: Annotated[str, Field(max_length=200)]
    score: Annotated[float | None, Field(ge=0, le=1)]
    note: Annotated[str, Field(max_length=grading.MAX_NOTE)] = ""


class GradedOut(BaseModel):
    """The run's verdict as it is now."""

    run: str
    verdict: dict[str, Any] | None


@router.get("/judges")
def list_judges(request: Request, by: Reader) -> list[JudgeHead]:
    """Every judge as it is in force, by name."""
    with services(request).database.reading() as tx:
        return [JudgeHead.of(one) for one in reads.latest(by.ctx, tx)]


@router.get("/judges/{judge}")
def get_judge(request: Request, by: Reader, judge: Name, version: Number | None = None) -> JudgeOut:
    """A version of a judge with its rubric and labels, the latest where none is named."""
    with services(request).database.reading() as tx:
        found: Judge = reads.judge(by.ctx, tx, judge, version)
    return JudgeOut(name=found.name, version=found.version, judge=msgspec.to_builtins(found))


@router.get("/judges/{judge}/versions")
def list_judge_versions(request: Request, by: Reader, judge: Name) -> list[JudgeHead]:
    """The versions, the latest first."""
    with services(request).database.reading() as tx:
        return [JudgeHead.of(one) for one in reads.versions(by.ctx, tx, judge)]


@router.get("/judges/{judge}/checks")
def list_checks(request: Request, by: Reader, judge: Name) -> list[CheckOut]:
    """The latest checks with what they show: agreement, bias, order, length, and drift since the one before."""
    with services(request).database.reading() as tx:
        reads.versions(by.ctx, tx, judge)
        return [CheckOut.of(one) for one in reads.checks(by.ctx, tx, judge)]


@router.post("/judges/{judge}/checks", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def make_check(request: Request, by: Operator, judge: Name) -> CheckOut:
    """Has the judge asked about all of its labelled answers. It costs what its questions cost."""
    with services(request).database.transaction() as tx:
        made = actions.check(by.ctx, tx, judge)
        return CheckOut.of(reads.checked(by.ctx, tx, made))


@router.get("/checks/{check}")
def get_check(request: Request, by: Reader, check: Id) -> CheckOut:
    """One check: how far it is, and when it is over what it shows."""
    with services(request).database.reading() as tx:
        return CheckOut.of(reads.check(by.ctx, tx, check))


@router.get("/runs/{run}/to-grade")
def list_to_grade(
    request: Request, by: Operator, run: Id, limit: Annotated[int, Field(ge=1, le=1000)] = 100
) -> list[ToGradeOut]:
    """What people are to grade next, without what a judge says of it. Holdout cases only for administrators."""
    with services(request).database.reading() as tx:
        asked = run_reads.run(by.ctx, tx, run).run
        found = grading_reads.to_grade(by.ctx, tx, asked, holdouts=sees_holdouts(by))[:limit]
    return [
        ToGradeOut(
            case=one.case.id,
            repeat=one.repeat,
            expectation=one.expectation,
            why=one.why,
            question=question(one.case),
            answer=one.answer.text,
            other=one.other,
            reference=one.reference,
            rubric=one.rubric,
            steps=one.steps,
        )
        for one in found
    ]


@router.post("/runs/{run}/grades", responses=problems(401, 403, 404, 409, 422, 503))
def grade_answer(request: Request, by: Operator, run: Id, body: GradeIn) -> GradedOut:
    """Keeps what you say of an answer, and works out the run's verdict anew. Said again, it corrects what you said."""
    with services(request).database.transaction() as tx:
        done = grading.grade(
            by.ctx, tx, run, body.case, body.repeat, body.expectation, body.score, body.note,
            holdouts=sees_holdouts(by),
        )  # fmt: skip
    verdict = run_reads.verdict_of(done)
    return GradedOut(run=done.id, verdict=None if verdict is None else msgspec.to_builtins(verdict))
