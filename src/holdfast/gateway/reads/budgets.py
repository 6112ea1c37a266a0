"""Budgets and limits now: what is configured, beside what gateways say of it. What nobody says is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from holdfast.gateway import store
from holdfast.gateway.model import Budget, Configuration, Limit
from holdfast.gateway.rules.scopes import budget_id, limit_id
from holdfast.gateway.states import BudgetEvent, BudgetState, LimitState, State
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class ValueNow:
    """A budget over one value, over all gateways that report. `at_least`: one of them left out what is less full."""

    value: str
    window: str
    resets_at: datetime
    amount: Decimal
    spent: Decimal
    reserved: Decimal
    closed: bool
    lifted: bool
    at_least: bool

    @property
    def share(self) -> float:
        """Spent and reserved, of the amount."""
        return float((self.spent + self.reserved) / self.amount) if self.amount else 1.0


@dataclass(frozen=True, slots=True)
class BudgetNow:
    """A configured budget and the values that are fullest, the fullest first."""

    budget: Budget
    values: tuple[ValueNow, ...]


@dataclass(frozen=True, slots=True)
class UseNow:
    """A limit over one value: what counts now, over all gateways that report."""

    value: str
    requests: int
    tokens: int
    running: int
    at_least: bool


@dataclass(frozen=True, slots=True)
class LimitNow:
    """A configured limit and the values that use most of it."""

    limit: Limit
    values: tuple[UseNow, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """`gateways` that report, and when the one spoke that was heard longest ago; 0 and None: all of it is unknown."""

    gateways: int
    as_of: datetime | None
    budgets: tuple[BudgetNow, ...]
    limits: tuple[LimitNow, ...]


def now(configured: Configuration, states: Sequence[State], workspace: str) -> Now:
    """What stands of each budget and limit in force, as the processes say that were heard in the last minute."""
    by_budget: dict[str, dict[tuple[str, str], list[BudgetState]]] = {}
    by_limit: dict[str, dict[str, list[LimitState]]] = {}
    short = {state.id for state in states if workspace in state.cut}
    of: dict[tuple[str, ...], set[str]] = {}
    for state in sorted(states, key=lambda one: one.epoch, reverse=True):
        for one in state.budgets:
            if one.workspace == workspace:
                by_budget.setdefault(one.budget, {}).setdefault((one.value, one.window), []).append(one)
                of.setdefault((one.budget, one.value, one.window), set()).add(state.id)
        for use in state.limits:
            if use.workspace == workspace:
                by_limit.setdefault(use.limit, {}).setdefault(use.value, []).append(use)
                of.setdefault((use.limit, use.value), set()).add(state.id)
    budgets = []
    for budget in configured.budgets:
        id = budget_id(workspace, budget)
        values = [
            _value(found, bool(short - of[id, value, window]))
            for (value, window), found in by_budget.get(id, {}).items()
        ]
        budgets.append(BudgetNow(budget, tuple(sorted(values, key=lambda one: -one.share))))
    limits = []
    for limit in configured.limits:
        id = limit_id(workspace, limit)
        uses = [_use(used, bool(short - of[id, value])) for value, used in by_limit.get(id, {}).items()]
        limits.append(LimitNow(limit, tuple(sorted(uses, key=lambda one: (-one.requests, -one.running)))))
    as_of = min((state.at for state in states), default=None)
    return Now(len(states), as_of, tuple(budgets), tuple(limits))


def events(ctx: Context, tx: Transaction, limit: int = 20) -> list[BudgetEvent]:
    """What people were told of budgets, the latest first."""
    return store.last_events(tx, ctx.workspace, limit)


def _value(found: Sequence[BudgetState], at_least: bool) -> ValueNow:
    """The newest epoch comes first, and says the amount."""
    first = found[0]
    return ValueNow(
        first.value,
        first.window,
        first.ends,
        first.amount,
        sum((one.spent for one in found), Decimal(0)),
        sum((one.reserved for one in found), Decimal(0)),
        any(one.closed for one in found),
        first.lifted,
        at_least,
    )


def _use(found: Sequence[LimitState], at_least: bool) -> UseNow:
    return UseNow(
        found[0].value,
        sum(one.requests for one in found),
        sum(one.tokens for one in found),
        sum(one.running for one in found),
        at_least,
    )
