"""The JSON door of triage: ask for one, follow it, read what it found, decide what it is unsure of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.feedback.actions import triage as actions
from holdfast.feedback.reads import triage as reads
from holdfast.feedback.rules.failures import Mode
from holdfast.feedback.states import Category, Placed, Triage, TriageState
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(
    prefix="/api/v1/feedback-triage", tags=["feedback"], responses=problems(401, 403, 404, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
ModeName = Literal["wrong fact", "missing info", "refusal", "too long", "tone", "format", "slow", "other"]
Id = Annotated[str, Field(max_length=100)]


class TriageIn(BaseModel):
    """How far back to go."""

    model_config = ConfigDict(extra="forbid")

    weeks: Annotated[int, Field(ge=1, le=actions.MOST_WEEKS)] = actions.WEEKS


class TriageOut(BaseModel):
    """A triage and how far it is. `summary` is what it found; null before its end. `seconds_left` is an estimate."""

    id: str
    week: str
    weeks: int
    state: TriageState
    phase: str
    done: int
    total: int
    note: str
    created_at: str
    created_by: str
    started_at: str | None
    finished_at: str | None
    seconds_left: float | None
    summary: dict[str, Any] | None


class CategoryOut(BaseModel):
    """A category; `named_by` is empty where its name is its keywords."""

    id: str
    name: str
    named_by: str
    keywords: list[str]
    medoid: str
    made_at: str
    seen_at: str


class PlacedOut(BaseModel):
    """Where an item was put. `confidence` null: too few were confirmed to make a probability of the score."""

    item: str
    category: str | None
    sureness: float
    mode: str
    score: float
    confidence: float | None
    first: str
    said_category: str | None
    said_mode: str | None
    said_by: str | None
    said_at: str | None

    @classmethod
    def of(cls, one: Placed) -> PlacedOut:
        """As it is."""
        values = {name: getattr(one, name) for name in cls.model_fields}
        return cls(**{**values, "said_at": iso(one.said_at) if one.said_at else None})


class ReviewOut(PlacedOut):
    """An item to look at. `copies` say the same, itself among them; `comment` is null without the permission `content`."""

    comment: str | None
    copies: int


class DecisionIn(BaseModel):
    """What a person decides. `category` null: of no category."""

    model_config = ConfigDict(extra="forbid")

    category: Annotated[str | None, Field(max_length=40)] = None
    mode: ModeName


class DecisionOut(BaseModel):
    """The item as it stands, and how many say the same and were decided with it."""

    placed: PlacedOut
    items: int


class NameIn(BaseModel):
    """What to call a category."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=actions.LONGEST_NAME)]


@router.post("", status_code=201)
def ask(request: Request, by: Operator, body: TriageIn) -> TriageOut:
    """Has a triage begin; where one is under way, that one is given back."""
    with services(request).database.transaction() as tx:
        return _out(by, actions.ask(by.ctx, tx, body.weeks))


@router.get("")
def listed(request: Request, by: Reader, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> list[TriageOut]:
    """Triages, the latest first, without what they found."""
    with services(request).database.reading() as tx:
        return [_out(by, one, whole=False) for one in reads.triages(by.ctx, tx, limit)]


@router.get("/review")
def review(
    request: Request,
    by: Reader,
    category: Annotated[str | None, Field(max_length=40)] = None,
    mode: ModeName | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 20,
) -> list[ReviewOut]:
    """What people should look at next, the least sure first, copies left out; words with `content` alone."""
    words = by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere
    with services(request).database.reading() as tx:
        found = reads.unsure(by.ctx, tx, limit, category=category, mode=mode)
    return [
        ReviewOut(
            **PlacedOut.of(one.placed).model_dump(),
            comment=one.item.comment if words else None,
            copies=one.copies,
        )
        for one in found
    ]


@router.get("/categories")
def categories(request: Request, by: Reader) -> list[CategoryOut]:
    """Every category that a triage made, the oldest first."""
    with services(request).database.reading() as tx:
        return [_category(one) for one in reads.categories(by.ctx, tx).values()]


@router.post("/categories/{category}/name", status_code=204)
def rename(request: Request, by: Operator, category: Id, body: NameIn) -> None:
    """Calls a category something; triages leave that as it is."""
    with services(request).database.transaction() as tx:
        actions.rename(by.ctx, tx, category, body.name)


@router.get("/items/{feedback}")
def placed(request: Request, by: Reader, feedback: Id) -> PlacedOut:
    """Where an item was put."""
    with services(request).database.reading() as tx:
        return PlacedOut.of(reads.placed(by.ctx, tx, feedback))


@router.post("/items/{feedback}")
def decide(request: Request, by: Operator, feedback: Id, body: DecisionIn) -> DecisionOut:
    """Decides of an item and of all that say the same; it holds against every triage to come."""
    with services(request).database.transaction() as tx:
        found, count = actions.review(by.ctx, tx, feedback, category=body.category, mode=Mode(body.mode))
    return DecisionOut(placed=PlacedOut.of(found), items=count)


@router.get("/{triage}")
def one(request: Request, by: Reader, triage: Id) -> TriageOut:
    """One triage: how far it is, and what it found."""
    with services(request).database.reading() as tx:
        return _out(by, reads.triage(by.ctx, tx, triage))


def _out(by: Caller, found: Triage, *, whole: bool = True) -> TriageOut:
    values = {name: getattr(found, name) for name in TriageOut.model_fields if hasattr(found, name)}
    for name in ("created_at", "started_at", "finished_at"):
        values[name] = iso(values[name]) if values[name] else None
    left = reads.left(found, by.ctx)
    values |= {"week": found.week.isoformat(), "seconds_left": left.total_seconds() if left else None}
    summary = reads.summary_of(found) if whole else None
    return TriageOut(**{**values, "summary": msgspec.to_builtins(summary) if summary else None})


def _category(one: Category) -> CategoryOut:
    return CategoryOut(
        id=one.id,
        name=one.name,
        named_by=one.named_by,
        keywords=list(one.keywords),
        medoid=one.medoid,
        made_at=iso(one.made_at),
        seen_at=iso(one.seen_at),
    )
