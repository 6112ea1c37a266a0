"""The JSON door of coverage: have a map begin, follow it, read what it found."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import coverage as actions
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.reads import coverage as reads
from holdfast.evals.reads import suites
from holdfast.evals.states import CoverageMap, MapState
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(prefix="/api/v1/evals/suites", tags=["evals"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]


class CoverageIn(BaseModel):
    """How far back calls are looked at."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=actions.MOST_DAYS)] = actions.DAYS


class MapOut(BaseModel):
    """A map of coverage and how far it is. `version` is the suite's that it holds against the calls; 0: it waits."""

    id: str
    suite: str
    version: int
    start: str
    end: str
    state: MapState
    phase: str
    done: int
    total: int
    note: str
    created_at: str
    created_by: str
    started_at: str | None
    finished_at: str | None
    seconds_left: Annotated[float | None, Field(description="An estimate.")]


class ShareOut(BaseModel):
    """A share of traffic with its 95 % interval; null: there is nothing to tell it from."""

    value: float | None
    low: float | None
    high: float | None


class RefOut(BaseModel):
    """Where a call is."""

    trace: str
    call: str


class GroupOut(BaseModel):
    """Questions that mean the same. `refs`: calls that ask it, the most typical first. `cases`: those that cover it.

    `keywords` is null without the permission `content`. `score` is of its cases in the latest run; null: not known.
    """

    number: int
    calls: int
    share: float
    covered: bool
    keywords: list[str] | None
    refs: list[RefOut]
    cases: list[str]
    hidden_cases: Annotated[int, Field(description="Holdout cases, which only admins see by name.")]
    score: float | None
    x: float
    y: float


class FoundOut(BaseModel):
    """What a map found. Shares are of the traffic whose questions are known.

    `blind`: the share of traffic of systems that keep no questions. `unseen`: the estimated share of questions of a kind
    that the sample has none of, `unseen_high` its upper 95 % bound.
    """

    traffic: int
    drawn: int
    read: int
    blind: float
    cases: int
    uncovered: ShareOut
    unclustered: ShareOut
    unseen: float | None
    unseen_high: float | None
    groups: list[GroupOut]
    apart: Annotated[list[str], Field(description="Cases that belong to no group.")]


class HeadlineOut(BaseModel):
    """The latest run's score weighted by what is asked; `unknown` is the share of traffic no graded case speaks for."""

    run: str
    value: float
    low: float
    high: float
    unknown: float
    plain: float
    cases: int
    groups: int
    stratified: bool


class CoverageOut(BaseModel):
    """Coverage of a suite: the map that is under way, the latest that is done, and what that one found."""

    active: MapOut | None
    last: MapOut | None
    failed: Annotated[str, Field(description="Why the newest map failed; empty: it did not.")]
    found: FoundOut | None
    headline: HeadlineOut | None


@router.post("/{suite}/coverage", status_code=201)
def ask(request: Request, by: Operator, suite: str, body: CoverageIn) -> MapOut:
    """Has a map of coverage begin; where one is under way, that one is given back. Anew each week from then on."""
    with services(request).database.transaction() as tx:
        return _map(by, actions.ask(by.ctx, tx, suite, body.days))


@router.get("/{suite}/coverage")
def coverage(request: Request, by: Reader, suite: str) -> CoverageOut:
    """How much of what production asks the suite covers; the words of questions with `content` alone."""
    with services(request).database.reading() as tx:
        stands = reads.standing(by.ctx, tx, suite)
        hidden = set()
        if not sees_holdouts(by):
            hidden = {one.id for one in suites.suite(by.ctx, tx, suite).suite.cases if one.holdout}
    words = by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere
    return CoverageOut(
        active=_map(by, stands.active) if stands.active else None,
        last=_map(by, stands.last) if stands.last else None,
        failed=stands.failed,
        found=_found(stands, hidden, words=words),
        headline=HeadlineOut(run=stands.run.id, **asdict(stands.headline))
        if stands.headline and stands.run
        else None,
    )


def _map(by: Caller, one: CoverageMap) -> MapOut:
    values: dict[str, Any] = {name: getattr(one, name, None) for name in MapOut.model_fields}
    for name in ("start", "end", "created_at", "started_at", "finished_at"):
        values[name] = iso(values[name]) if values[name] else None
    left = reads.left(one, by.ctx)
    return MapOut(**{**values, "seconds_left": left.total_seconds() if left else None})


def _found(stands: reads.Standing, hidden: set[str], *, words: bool) -> FoundOut | None:
    if stands.found is None:
        return None
    values = asdict(stands.found)
    values["apart"] = [one.id for one in stands.found.apart if one.id not in hidden]
    values["groups"] = [
        asdict(one)
        | {
            "covered": one.covered,
            "keywords": list(one.keywords) if words else None,
            "cases": [case.id for case in one.cases if case.id not in hidden],
            "hidden_cases": sum(case.id in hidden for case in one.cases),
            "score": stands.scores.get(one.number),
        }
        for one in stands.found.groups
    ]
    return FoundOut(**values)
