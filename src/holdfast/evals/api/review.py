"""The JSON door of review: the policy, the queue, claims and decisions, reports, and rates."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import review as actions
from holdfast.evals.reads import review as reads
from holdfast.evals.reads import review_judges
from holdfast.evals.rules.online import in_force, read_policy
from holdfast.evals.rules.review import CallRef, Decision, Dimension, KeptPolicy, Severity, State
from holdfast.kernel.errors import NotFound
from holdfast.kernel.page import decode_cursor, encode_cursor
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.storage.sql import Transaction
from holdfast.telemetry.reads import arrivals

router = APIRouter(prefix="/api/v1/review", tags=["review"], responses=problems(401, 403, 404, 409, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
ItemId = Annotated[str, Field(max_length=40)]
Note = Annotated[str, Field(max_length=actions.MAX_NOTE)]
Route = Annotated[str | None, Query(max_length=200, description="Of this route alone.")]
Hours = Annotated[int, Query(ge=1, le=24 * 90, description="Up to now.")]


class PolicyIn(BaseModel):
    """A policy, and the version that it takes the place of."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0, le=1 << 53, description="The one in force; 0: none was set.")]
    note: Note = ""
    policy: Annotated[dict[str, Any], Body(description="As `GET` shows it.")]


class PolicyOut(BaseModel):
    """The policy in force, and every rule that it puts in force."""

    version: int
    policy: dict[str, Any]
    rules: list[dict[str, Any]]
    changed_at: str | None
    author: str
    note: str

    @classmethod
    def of(cls, kept: KeptPolicy) -> PolicyOut:
        """As it is."""
        return cls(
            version=kept.version,
            policy=msgspec.to_builtins(kept.policy),
            rules=[msgspec.to_builtins(one) | {"version": one.version} for one in in_force(kept.policy)],
            changed_at=None if kept.changed_at is None else iso(kept.changed_at),
            author=kept.author,
            note=kept.note,
        )


class ItemOut(BaseModel):
    """An item: where the call is, what was found in it, what people said. What was said in the call is in its trace."""

    id: str
    trace_id: str
    call_id: str
    system: str
    environment: str
    route: str
    why: str
    state: State
    dimensions: list[Dimension]
    severity: Severity
    confidence: float
    inclusion: float
    two_look: bool
    opened_at: str
    due_at: str
    started_at: str
    holder: str
    decided_at: str | None
    findings: list[dict[str, Any]]
    decisions: list[dict[str, Any]]

    @classmethod
    def of(cls, opened: reads.Opened) -> ItemOut:
        """As it is."""
        one = opened.item
        return cls(
            id=one.id,
            trace_id=one.call.trace,
            call_id=one.call.id,
            system=one.call.system,
            environment=one.call.environment,
            route=one.call.route,
            why=one.why.value,
            state=one.state,
            dimensions=list(one.dimensions),
            severity=one.severity,
            confidence=one.confidence,
            inclusion=one.inclusion,
            two_look=one.double,
            opened_at=iso(one.opened_at),
            due_at=iso(one.due_at),
            started_at=iso(one.call.started_at),
            holder=one.holder,
            decided_at=None if one.decided_at is None else iso(one.decided_at),
            findings=[asdict(each) for each in opened.found],
            decisions=[asdict(each) | {"at": iso(each.at)} for each in opened.votes],
        )


class QueueOut(BaseModel):
    """Items, what presses most first."""

    items: list[ItemOut]
    next_cursor: str | None


class DecisionIn(BaseModel):
    """What a person says of each dimension of an item."""

    model_config = ConfigDict(extra="forbid")

    decisions: Annotated[dict[Dimension, Decision], Field(max_length=6)]
    note: Note = ""


class AssignIn(BaseModel):
    """To whom."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, Field(min_length=1, max_length=200, description="A member's id.")]


class ReportIn(BaseModel):
    """A call that somebody wants looked at."""

    model_config = ConfigDict(extra="forbid")

    trace_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    call_id: Annotated[str, Field(min_length=1, max_length=100)]
    dimension: Dimension
    severity: Severity = Severity.MEDIUM


class RatesOut(BaseModel):
    """How each dimension stood, how people's work stands, and how far the job is."""

    start: str
    end: str
    rates: list[dict[str, Any]]
    judges: list[dict[str, Any]]
    work: dict[str, Any]
    standing: dict[str, Any]


@router.get("/policy")
def policy(request: Request, by: Reader) -> PolicyOut:
    """The policy in force; version 0 is what holds where none was set."""
    with services(request).database.reading() as tx:
        return PolicyOut.of(reads.policy(by.ctx, tx))


@router.put("/policy")
def put_policy(request: Request, by: Admin, asked: PolicyIn) -> PolicyOut:
    """Puts a policy in force. 409 where another was meanwhile."""
    made = read_policy(asked.policy)
    with services(request).database.transaction() as tx:
        return PolicyOut.of(actions.put_policy(by.ctx, tx, made, asked.version, asked.note))


@router.get("/items")
def items(
    request: Request,
    by: Reader,
    state: Literal["waiting", "open", "claimed", "decided"] = "waiting",
    dimension: Dimension | None = None,
    route: Route = None,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QueueOut:
    """The queue."""
    after = None
    if cursor:
        priority, last = decode_cursor(cursor, (int, str))
        after = (int(priority) % (1 << 31), str(last))
    states = reads.WAITING if state == "waiting" else (State(state),)
    with services(request).database.reading() as tx:
        found = reads.queue(by.ctx, tx, states, dimension, route, after, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    last_one = found[-1].item if more else None
    return QueueOut(
        items=[ItemOut.of(one) for one in found],
        next_cursor=None if last_one is None else encode_cursor(last_one.priority, last_one.id),
    )


@router.get("/items/{item}")
def item(request: Request, by: Reader, item: ItemId) -> ItemOut:
    """One item."""
    with services(request).database.reading() as tx:
        return ItemOut.of(reads.item(by.ctx, tx, item))


@router.post("/items/{item}/claim")
def claim(request: Request, by: Operator, item: ItemId) -> ItemOut:
    """Takes it for half an hour. 409 where somebody else has it."""
    with services(request).database.transaction() as tx:
        actions.claim(by.ctx, tx, item)
        return _now(by, tx, item)


@router.post("/items/{item}/release")
def release(request: Request, by: Operator, item: ItemId) -> ItemOut:
    """Gives a claim back."""
    with services(request).database.transaction() as tx:
        actions.release(by.ctx, tx, item)
        return _now(by, tx, item)


@router.post("/items/{item}/assign")
def assign(request: Request, by: Operator, item: ItemId, asked: AssignIn) -> ItemOut:
    """Gives it to somebody."""
    with services(request).database.transaction() as tx:
        actions.assign(by.ctx, tx, item, asked.to)
        return _now(by, tx, item)


@router.post("/items/{item}/decide")
def decide(request: Request, by: Operator, item: ItemId, asked: DecisionIn) -> ItemOut:
    """Decides each of its dimensions. 409 where somebody else has it, or it is decided."""
    with services(request).database.transaction() as tx:
        actions.decide(by.ctx, tx, item, asked.decisions, asked.note)
        return _now(by, tx, item)


@router.post("/reports", status_code=201)
def report(request: Request, by: Operator, asked: ReportIn) -> ItemOut:
    """Puts a call into the queue, or adds to its item."""
    found = services(request)
    one = arrivals.call(found.columns, by.ctx.workspace, asked.trace_id, asked.call_id)
    if one is None:
        raise NotFound("there is no such call in this workspace")
    call = CallRef(one.trace_id, one.id, one.system, one.environment, one.route, one.started_at)
    with found.database.transaction() as tx:
        made = actions.flag(by.ctx, tx, call, asked.dimension, by="report", severity=asked.severity)
        return _now(by, tx, made.id)


@router.get("/rates")
def rates(request: Request, by: Reader, hours: Hours = 24 * 7, route: Route = None) -> RatesOut:
    """Flag rates by dimension with what people said of them, how their work stands, and how far the job is."""
    end = by.ctx.now
    start = end - timedelta(hours=hours)
    step = timedelta(hours=1) if hours <= 72 else timedelta(days=1)
    with services(request).database.reading() as tx:
        found = reads.rates(by.ctx, tx, start, end, route, step)
        judges = review_judges.judge_rates(by.ctx, tx, reads.policy(by.ctx, tx).policy, start, end, route)
        work, standing = reads.work(by.ctx, tx, start, end), reads.standing(by.ctx, tx)
    return RatesOut(
        start=iso(start),
        end=iso(end),
        rates=[
            asdict(one) | {"series": [[iso(at), flagged, judged] for at, flagged, judged in one.series]}
            for one in found
        ],
        judges=[asdict(one) for one in judges],
        work=asdict(work),
        standing=asdict(standing)
        | {"turned_at": None if standing.turned_at is None else iso(standing.turned_at)},
    )


def _now(by: Caller, tx: Transaction, id: str) -> ItemOut:
    return ItemOut.of(reads.item(by.ctx, tx, id))
