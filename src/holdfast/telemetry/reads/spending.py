"""Answers about money: totals, their past, by step, by any dimension, and what has no price. One currency is never added
to another.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricAnswer, MetricQuery, MetricRow, Step, TimeRange
from holdfast.telemetry.reads import metrics, panels
from holdfast.telemetry.rules import panels as rules

TOTALS = (
    "calls",
    "attempts",
    "cost",
    "cost_per_call",
    "unpriced",
    "unpriced_rate",
    "reported_cost_calls",
    "input_tokens",
    "input_uncached_tokens",
    "input_cache_read_tokens",
    "input_cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "prompt_cache_hit_rate",
    "prompt_cache_token_rate",
)
PER_GROUP = (
    "calls",
    "cost",
    "cost_per_call",
    "unpriced",
    "reported_cost_calls",
    "input_tokens",
    "output_tokens",
    "prompt_cache_token_rate",
)
PER_WHOM = ("cost_per_session", "cost_per_user", "cost_per_transaction", "sessions", "users", "transactions")
MOST_GROUPS = 10_000
DRAWN = 6


@dataclass(frozen=True, slots=True)
class Group:
    """What one value of a dimension cost. `cost`, `before` and `share` are None where nothing is known of them."""

    value: str
    cost: Decimal | None
    before: Decimal | None
    share: float | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spending:
    """What a window cost. `total` and `past` are None without calls; `past` is of the window before, as long.

    `groups` are ranked by cost in `currency`, those of unknown cost last. `drawn` are the first of them, by step;
    `steps` is the whole by step.
    """

    currencies: tuple[str, ...]
    currency: str
    total: dict[str, Any] | None
    past: dict[str, Any] | None
    groups: list[Group]
    groups_there_are: int
    starts: list[datetime]
    steps: dict[datetime, Decimal]
    drawn: dict[str, dict[datetime, Decimal]]
    complete: bool
    unranked: bool = field(default=False)


def spending(
    columns: Columns,
    workspace: str,
    asked: MetricQuery,
    step: Step,
    by: str,
    currency: str = "",
    *,
    complete: bool = True,
) -> Spending:
    """What the calls of a filter cost in a window, by a dimension. `asked` says which calls; its measures do not count.

    Raises Invalid for a dimension that there is not, and for more groups than can be read.
    """
    length = asked.within.end - asked.within.start
    earlier = TimeRange(asked.within.start - length, asked.within.start)
    one = replace(asked, group_by=(), step=None, limit=1)
    grouped = replace(asked, group_by=(by,), step=None, limit=MOST_GROUPS)
    queries = (
        replace(one, measures=TOTALS),
        replace(one, measures=("cost", "cost_per_call", "calls", "unpriced"), within=earlier),
        replace(grouped, measures=PER_GROUP),
        replace(grouped, measures=("cost",), within=earlier),
        replace(one, measures=("cost",), step=step),
    )
    answers = metrics.answers(columns, workspace, queries)
    total, past = _only(answers[0]), _only(answers[1])
    amounts: dict[str, Decimal] = (total or {}).get("cost") or {}
    chosen = currency or max(amounts, key=lambda name: amounts[name], default="USD")
    groups = ranked(answers[2].rows, answers[3].rows, amounts.get(chosen), chosen)
    first = [(group.value,) for group in groups[:DRAWN] if group.cost is not None]
    drawn: dict[str, dict[datetime, Decimal]] = {group[0]: {} for group in first}
    if first and by != "finish_reason":  # whose groups overlap: nothing adds up
        narrowed = replace(grouped, measures=("cost",))
        for row in panels.stepped(columns, workspace, narrowed, step, first):
            amount = (row.values["cost"] or {}).get(chosen)
            if amount is not None and row.start is not None:
                drawn[row.group[0]][row.start] = amount
    steps = {
        row.start: row.values["cost"][chosen]
        for row in answers[4].rows
        if row.start is not None and chosen in (row.values["cost"] or {})
    }
    return Spending(
        tuple(sorted({*amounts, chosen}, key=lambda name: (name != chosen, name))),
        chosen,
        total,
        past,
        groups,
        answers[2].groups,
        rules.starts(step, asked.within),
        steps,
        drawn,
        complete,
        answers[2].groups > MOST_GROUPS,
    )


def ranked(
    rows: list[MetricRow], before: list[MetricRow], whole: Decimal | None, currency: str
) -> list[Group]:
    """Groups by what they cost in a currency, the dearest first, unknown last."""
    past = {row.group: (row.values["cost"] or {}).get(currency) for row in before}
    found = []
    for row in rows:
        cost = (row.values["cost"] or {}).get(currency)
        share = float(cost / whole) if cost is not None and whole else None
        found.append(Group(row.group[0], cost, past.get(row.group), share, row.values))
    return sorted(found, key=lambda one: (one.cost is None, -(one.cost or Decimal(0)), one.value))


@dataclass(frozen=True, slots=True)
class Details:
    """What takes longer to read: cost per session, user and transaction; calls without a price by (reason, model),
    the commonest first; cost by its source (`reported`, or whose price it is).
    """

    per_whom: dict[str, Any] | None
    unpriced: list[tuple[str, str, int]]
    sources: list[tuple[str, int, dict[str, Decimal]]]


def details(columns: Columns, workspace: str, asked: MetricQuery) -> Details:
    """The parts of a window's spending that are read from the calls themselves."""
    one = replace(asked, step=None, group_by=(), limit=1)
    queries = (
        replace(one, measures=PER_WHOM),
        replace(one, measures=("unpriced",), group_by=("cost_unknown_reason", "model"), limit=1000),
        replace(one, measures=("calls", "cost", "cost_per_call"), group_by=("cost_source",), limit=100),
    )
    whom, reasons, sources = metrics.answers(columns, workspace, queries)
    unpriced = [(row.group[0], row.group[1], int(row.values["unpriced"] or 0)) for row in reasons.rows]
    return Details(
        _only(whom),
        sorted((found for found in unpriced if found[2]), key=lambda found: (-found[2], found)),
        [(row.group[0], _priced(row), row.values["cost"]) for row in sources.rows if row.values["cost"]],
    )


def _priced(row: MetricRow) -> int:
    """How many requests of a group have a cost: what they cost by what each costs. All calls, where all were free."""
    cost: dict[str, Decimal] = row.values["cost"]
    for currency, amount in cost.items():
        if amount:
            count: int = round(amount / row.values["cost_per_call"][currency])
            return count
    return int(row.values["calls"])


def _only(answer: MetricAnswer) -> dict[str, Any] | None:
    return answer.rows[0].values if answer.rows else None
