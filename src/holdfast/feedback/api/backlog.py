"""The JSON door of backlogs: files taken in, and what to do about them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.feedback.actions import backlog as actions
from holdfast.feedback.api.items import taking
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(prefix="/api/v1/feedback", tags=["feedback"], responses=problems(401, 403, 404, 422, 503))
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]


class ImportIn(BaseModel):
    """A file. `columns`: our field → theirs; what is no field becomes metadata. `scale`: scores run from 1 to this."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl"]
    file: Annotated[str, Field(max_length=300, description="Its name, for what is told of it.")]
    text: str
    columns: Annotated[dict[str, str], Field(max_length=100)] = Field(default_factory=dict)
    scale: Annotated[int | None, Field(ge=2, le=100)] = None
    dry_run: bool = False


class StepOut(BaseModel):
    """One group of what is open, with what to do. `weight` is items times severity; an empty `label`: nobody sorted it."""

    label: str
    items: int
    severity: float
    weight: float
    corrected: int
    owner: str | None
    next: str


class ImportOut(BaseModel):
    """What became of a file, and what to do about all that is open. `known` were there before."""

    rows: int
    added: int
    known: int
    copies: int
    behaviour: int
    plan: list[StepOut]


@router.post("/imports", responses=problems(401, 403, 404, 409, 422, 503))
def import_feedback(request: Request, by: Operator, body: ImportIn) -> ImportOut:
    """Takes a backlog in: every fault with its line, or all of it. With `dry_run` nothing is kept."""
    read = actions.read(by.ctx, body.file, body.text, body.format, body.columns, body.scale)
    done = actions.take(taking(request), by.ctx, read, file=body.file, dry_run=body.dry_run)
    return ImportOut(
        rows=done.rows,
        added=done.added,
        known=done.known,
        copies=done.copies,
        behaviour=done.behaviour,
        plan=_plan(request, by),
    )


@router.get("/plan")
def feedback_plan(request: Request, by: Reader) -> list[StepOut]:
    """What to do about what is open: by category, else by label, the heaviest groups first."""
    return _plan(request, by)


def _plan(request: Request, by: Caller) -> list[StepOut]:
    with services(request).database.reading() as tx:
        found = actions.planned(by.ctx, tx)
    return [
        StepOut(
            label=one.group,
            items=one.items,
            severity=round(one.severity, 4),
            weight=round(one.weight, 4),
            corrected=one.corrected,
            owner=one.owner or None,
            next=one.next,
        )
        for one in found
    ]
