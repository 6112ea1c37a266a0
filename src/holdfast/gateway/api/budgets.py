"""The JSON door of budgets and limits as they stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from holdfast.gateway.api.configuration import Reader
from holdfast.gateway.model import Configuration
from holdfast.gateway.reads import applied
from holdfast.gateway.reads import budgets as reads
from holdfast.gateway.reads.states import States
from holdfast.gateway.states import BudgetEvent
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import problems, services

router = APIRouter(
    prefix="/api/v1/gateway/budgets", tags=["gateway"], responses=problems(401, 403, 404, 422, 503)
)


class ValueOut(BaseModel):
    """A budget over one value of its scope. `at_least`: some of it was left out by a gateway that has many."""

    value: str
    window: str
    resets_at: str
    amount: str
    spent: str
    reserved: str
    closed: bool
    lifted: bool
    at_least: bool

    @classmethod
    def of(cls, one: reads.ValueNow) -> ValueOut:
        """As gateways said."""
        return cls(
            value=one.value,
            window=one.window,
            resets_at=iso(one.resets_at),
            amount=_text(one.amount),
            spent=_text(one.spent),
            reserved=_text(one.reserved),
            closed=one.closed,
            lifted=one.lifted,
            at_least=one.at_least,
        )


class BudgetOut(BaseModel):
    """A budget in force. `values` are the fullest; none: nothing is counted, or it is unknown where none reports."""

    scope: str
    only: list[str]
    amount: str
    currency: str
    period: str
    hard: bool
    values: list[ValueOut]


class UseOut(BaseModel):
    """What one value of a limit's scope uses now: requests and tokens of the last minute, requests that run."""

    value: str
    requests: int
    tokens: int
    running: int
    at_least: bool


class LimitOut(BaseModel):
    """A limit in force."""

    scope: str
    only: list[str]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrency: int | None
    values: list[UseOut]


class BudgetsOut(BaseModel):
    """`gateways` that report, as of when; 0: what is spent is unknown."""

    gateways: int
    as_of: str | None
    budgets: list[BudgetOut]
    limits: list[LimitOut]


class EventOut(BaseModel):
    """A soft budget was crossed, or a hard one breached and closed: told once for each value and window."""

    id: str
    kind: str
    scope: str
    value: str
    period: str
    window: str
    ends: str
    currency: str
    amount: str
    spent: str
    at: str

    @classmethod
    def of(cls, one: BudgetEvent) -> EventOut:
        """As it is kept."""
        return cls(
            id=one.id,
            kind=one.kind,
            scope=one.scope,
            value=one.value,
            period=one.period,
            window=one.window,
            ends=iso(one.ends),
            currency=one.currency,
            amount=_text(one.amount),
            spent=_text(one.spent),
            at=iso(one.at),
        )


@router.get("")
def get_budgets(request: Request, by: Reader) -> BudgetsOut:
    """Budgets and limits in force with what is spent, as the gateways say that reported in the last minute."""
    states: States = request.app.state.gateway_states
    with services(request).database.reading() as tx:
        current = applied.current(by.ctx, tx)
    configured = current.configuration if current else Configuration()
    found = reads.now(configured, states.all(), by.ctx.workspace)
    return BudgetsOut(
        gateways=found.gateways,
        as_of=iso(found.as_of) if found.as_of else None,
        budgets=[
            BudgetOut(
                scope=one.budget.scope,
                only=list(one.budget.only),
                amount=_text(one.budget.amount),
                currency=one.budget.currency,
                period=one.budget.period,
                hard=one.budget.hard,
                values=[ValueOut.of(value) for value in one.values],
            )
            for one in found.budgets
        ],
        limits=[
            LimitOut(
                scope=one.limit.scope,
                only=list(one.limit.only),
                requests_per_minute=one.limit.requests_per_minute,
                tokens_per_minute=one.limit.tokens_per_minute,
                concurrency=one.limit.concurrency,
                values=[
                    UseOut(
                        value=use.value,
                        requests=use.requests,
                        tokens=use.tokens,
                        running=use.running,
                        at_least=use.at_least,
                    )
                    for use in one.values
                ],
            )
            for one in found.limits
        ],
    )


@router.get("/events")
def list_events(
    request: Request, by: Reader, limit: Annotated[int, Field(ge=1, le=200)] = 50
) -> list[EventOut]:
    """What people were told of budgets, the latest first."""
    with services(request).database.reading() as tx:
        return [EventOut.of(one) for one in reads.events(by.ctx, tx, limit)]


def _text(amount: Decimal) -> str:
    """Without zeros at the end: 0.500000000000 -> 0.5."""
    return f"{amount.normalize():f}"
