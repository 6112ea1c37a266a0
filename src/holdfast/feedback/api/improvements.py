"""The JSON door of improvements."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.feedback.actions import improvements as actions
from holdfast.feedback.model import Effect, Improvement, Stage, Window
from holdfast.feedback.reads import improvements as reads
from holdfast.feedback.rules import improving as rules
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

ANSWERS = problems(401, 403, 404, 409, 422, 503)
router = APIRouter(prefix="/api/v1/improvements", tags=["improvements"], responses=ANSWERS)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Id = Annotated[str, Field(max_length=40)]
Line = Annotated[str, Field(max_length=rules.MAX_REF)]
Text = Annotated[str, Field(max_length=rules.MAX_TEXT)]
Instant = Annotated[str, Field(max_length=40)]


class ImprovementIn(BaseModel):
    """What is to become better. `category`: `label:…`; `change_ref`: a release, a commit, a ticket."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(max_length=rules.MAX_TITLE)]
    owner: Annotated[str, Field(max_length=200)] = ""
    hypothesis: Text = ""
    category: Line = ""
    change_ref: Line = ""


class MeasureIn(BaseModel):
    """Two runs of one suite, and two windows of feedback that are over."""

    model_config = ConfigDict(extra="forbid")

    before_run: Id
    after_run: Id
    before_from: Instant
    before_to: Instant
    after_from: Instant
    after_to: Instant


class NoteIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    note: Text = ""


class EffectOut(BaseModel):
    """After less before, with its 95 % interval; `better` is null where the interval holds 0."""

    before: float
    after: float
    difference: float
    low: float
    high: float
    better: bool | None
    words: str

    @classmethod
    def of(cls, one: Effect | None) -> EffectOut | None:
        """As it is kept."""
        if one is None:
            return None
        return cls(**{name: getattr(one, name) for name in Effect.__dataclass_fields__})


class MeasurementOut(BaseModel):
    """What was measured; null what could not be, and `lacks` says why."""

    before_run: str
    after_run: str
    before_from: str
    before_to: str
    after_from: str
    after_to: str
    suite: EffectOut | None
    feedback: EffectOut | None
    lacks: list[str]
    measured_at: str


class ImprovementOut(BaseModel):
    """An improvement as it stands."""

    id: str
    title: str
    owner: str | None
    hypothesis: str | None
    category: str | None
    change_ref: str | None
    stage: Stage
    measurement: MeasurementOut | None
    note: str | None
    created_at: str
    created_by: str
    changed_at: str
    closed_at: str | None

    @classmethod
    def of(cls, one: Improvement) -> ImprovementOut:
        """As it is kept."""
        told = one.measurement
        measured = None
        if told is not None:
            measured = MeasurementOut(
                before_run=told.before_run,
                after_run=told.after_run,
                before_from=iso(told.before.start),
                before_to=iso(told.before.end),
                after_from=iso(told.after.start),
                after_to=iso(told.after.end),
                suite=EffectOut.of(told.suite),
                feedback=EffectOut.of(told.feedback),
                lacks=list(told.lacks),
                measured_at=iso(told.measured_at),
            )
        return cls(
            id=one.id,
            title=one.title,
            owner=one.owner or None,
            hypothesis=one.hypothesis or None,
            category=one.category or None,
            change_ref=one.change_ref or None,
            stage=one.stage,
            measurement=measured,
            note=one.note or None,
            created_at=iso(one.created_at),
            created_by=one.created_by,
            changed_at=iso(one.changed_at),
            closed_at=iso(one.closed_at) if one.closed_at else None,
        )


@router.post("", status_code=201)
def propose_improvement(request: Request, by: Operator, body: ImprovementIn) -> ImprovementOut:
    """Proposes one."""
    with services(request).database.transaction() as tx:
        return ImprovementOut.of(actions.propose(by.ctx, tx, **body.model_dump()))


@router.get("")
def list_improvements(
    request: Request, by: Reader, stage: Annotated[list[Stage] | None, Query(max_length=5)] = None
) -> list[ImprovementOut]:
    """Improvements, the latest first."""
    with services(request).database.reading() as tx:
        return [ImprovementOut.of(one) for one in reads.improvements(by.ctx, tx, tuple(stage or ()))]


@router.get("/{improvement}")
def read_improvement(request: Request, by: Reader, improvement: Id) -> ImprovementOut:
    """One."""
    with services(request).database.reading() as tx:
        return ImprovementOut.of(reads.improvement(by.ctx, tx, improvement))


@router.put("/{improvement}")
def change_improvement(
    request: Request, by: Operator, improvement: Id, body: ImprovementIn
) -> ImprovementOut:
    """Writes it anew; another category or change needs measuring anew."""
    with services(request).database.transaction() as tx:
        return ImprovementOut.of(actions.change(by.ctx, tx, improvement, **body.model_dump()))


@router.post("/{improvement}/start")
def start_improvement(request: Request, by: Operator, improvement: Id) -> ImprovementOut:
    """It is worked on. 422 says what is missing for that."""
    with services(request).database.transaction() as tx:
        return ImprovementOut.of(actions.start(by.ctx, tx, improvement))


@router.post("/{improvement}/measure")
def measure_improvement(request: Request, by: Operator, improvement: Id, body: MeasureIn) -> ImprovementOut:
    """Measures it on a suite and on its category of feedback."""
    before = Window(
        parse_instant(body.before_from, "before_from"), parse_instant(body.before_to, "before_to")
    )
    after = Window(parse_instant(body.after_from, "after_from"), parse_instant(body.after_to, "after_to"))
    with services(request).database.transaction() as tx:
        found = actions.measure(
            by.ctx,
            tx,
            improvement,
            before_run=body.before_run,
            after_run=body.after_run,
            before=before,
            after=after,
        )
        return ImprovementOut.of(found)


@router.post("/{improvement}/close")
def close_improvement(request: Request, by: Operator, improvement: Id, body: NoteIn) -> ImprovementOut:
    """Closes it with its measurement. 422 says what is missing for that."""
    with services(request).database.transaction() as tx:
        return ImprovementOut.of(actions.close(by.ctx, tx, improvement, body.note))


@router.post("/{improvement}/drop")
def drop_improvement(request: Request, by: Operator, improvement: Id, body: NoteIn) -> ImprovementOut:
    """Gives it up; `note` says why."""
    with services(request).database.transaction() as tx:
        return ImprovementOut.of(actions.drop(by.ctx, tx, improvement, body.note))
