"""Figures recounted from the calls as they are known to be, with plain arithmetic, and compared with what is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.telemetry.model import MetricAnswer, MetricQuery, Step, TimeRange
from scenarios.day import Row, instant

MEASURES = (
    "calls", "attempts", "errors", "errors_timeout", "errors_rate_limit", "throttled", "cost", "unpriced",
    "reported_cost_calls", "cost_per_call", "input_tokens", "input_uncached_tokens", "input_cache_read_tokens",
    "output_tokens", "total_tokens", "usage_unknown", "finish_reasons",
)  # fmt: skip
DISTINCT = ("users", "sessions", "transactions", "cost_per_user")
Key = tuple[datetime | None, tuple[str, ...]]


def queries(day: datetime, now: datetime) -> list[MetricQuery]:
    """A day's windows, steps and groupings, of every kind of stored bucket and of none."""
    whole = TimeRange(day - timedelta(days=1), now + timedelta(minutes=1))
    odd = TimeRange(day + timedelta(hours=1, minutes=23, seconds=17), now - timedelta(minutes=7, seconds=3))
    lately = TimeRange(now - timedelta(hours=2, minutes=1), now)
    return [
        MetricQuery(MEASURES, whole),
        MetricQuery(MEASURES, odd, None, ("system", "route")),
        MetricQuery(MEASURES, whole, None, ("tenant", "model")),
        MetricQuery(MEASURES, odd, None, ("user",), {"system": ("shop", "desk")}),
        MetricQuery(MEASURES, odd, None, ("status", "error_class")),
        MetricQuery(MEASURES, whole, Step(3600), ("system",)),
        MetricQuery(MEASURES, odd, Step(3600), ("tenant",), {"route": ("answer", "")}),
        MetricQuery(MEASURES, lately, Step(300), ("provider",)),
        MetricQuery(MEASURES, lately, Step(60)),
        MetricQuery(MEASURES, whole, Step(calendar="day", zone="Europe/Berlin"), ("model",)),
        MetricQuery(MEASURES, whole, Step(calendar="day", zone="Asia/Kolkata"), ("system", "tenant")),
        MetricQuery(DISTINCT, odd, None, ("system",)),
    ]


def check(rows: Iterable[Row], asked: MetricQuery, answer: MetricAnswer) -> None:
    """Every figure of an answer is that of the recount, to the last unit, and none is missing."""
    expected: dict[Key, list[Row]] = {}
    for row in rows:
        at = instant(row.start_ns)
        if not asked.within.start <= at < asked.within.end:
            continue
        if any(dimension(row, name) not in allowed for name, allowed in asked.equals.items()):
            continue
        key = begin(asked.step, at), tuple(dimension(row, name) for name in asked.group_by)
        expected.setdefault(key, []).append(row)
    found = {(one.start, one.group): one.values for one in answer.rows}
    assert set(found) == set(expected), (asked, set(found) ^ set(expected))
    assert answer.complete
    for key, values in found.items():
        for name, value in values.items():
            wanted = RECOUNT[name](expected[key])
            assert value == wanted, (name, key, value, wanted, asked)


def dimension(row: Row, name: str) -> str:
    """A dimension as text; empty text is unknown."""
    match name:
        case "status":
            return "error" if row.error else "ok"
        case "error_class":
            return row.error
        case "system" | "model" | "provider":
            return str(getattr(row, name))
    return getattr(row.who, name) or ""


def begin(step: Step | None, at: datetime) -> datetime | None:
    """The start of the step that an instant is in."""
    if step is None:
        return None
    if not step.calendar:
        return datetime.fromtimestamp(int(at.timestamp()) // step.seconds * step.seconds, UTC)
    assert step.calendar == "day"
    local = at.astimezone(ZoneInfo(step.zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def money(rows: Iterable[Row]) -> dict[str, Decimal]:
    """Amounts by currency."""
    made: dict[str, Decimal] = {}
    for row in rows:
        if row.cost is not None:
            made[row.currency] = made.get(row.currency, Decimal(0)) + row.cost
    return made


def _each(amounts: dict[str, Decimal], n: int) -> dict[str, Decimal]:
    return {currency: amount / n for currency, amount in amounts.items()} if n else {}


def _known(values: Iterable[int | None]) -> int | None:
    told = [one for one in values if one is not None]
    return sum(told) if told else None


def _cached(row: Row) -> int:
    return (row.tokens.cached or 0) if row.tokens else 0


def _per_user(rows: list[Row]) -> dict[str, Decimal]:
    users = {row.who.user for row in rows if row.who.user}
    amounts = {row.currency: Decimal(0) for row in rows if row.cost is not None}
    return _each({**amounts, **money(row for row in rows if row.who.user)}, len(users))


RECOUNT: dict[str, Callable[[list[Row]], Any]] = {
    "calls": lambda rows: sum(not one.attempt for one in rows),
    "attempts": len,
    "errors": lambda rows: sum(bool(one.error) and not one.attempt for one in rows),
    "errors_timeout": lambda rows: sum(one.error == "timeout" and not one.attempt for one in rows),
    "errors_rate_limit": lambda rows: sum(one.error == "rate_limit" and not one.attempt for one in rows),
    "throttled": lambda rows: sum(one.error == "rate_limit" for one in rows),
    "cost": money,
    "unpriced": lambda rows: sum(one.cost is None for one in rows),
    "reported_cost_calls": lambda rows: sum(one.reported for one in rows),
    "cost_per_call": lambda rows: _each(money(rows), sum(one.cost is not None for one in rows)),
    "input_tokens": lambda rows: _known(one.tokens.input if one.tokens else None for one in rows),
    "input_uncached_tokens": lambda rows: _known(
        one.tokens.input - _cached(one) if one.tokens else None for one in rows
    ),
    "input_cache_read_tokens": lambda rows: _known(one.tokens.cached if one.tokens else None for one in rows),
    "output_tokens": lambda rows: _known(one.tokens.output if one.tokens else None for one in rows),
    "total_tokens": lambda rows: _known(
        one.tokens.input + (one.tokens.output or 0) if one.tokens else None for one in rows
    ),
    "usage_unknown": lambda rows: sum(one.tokens is None for one in rows),
    "finish_reasons": lambda rows: {"stop": n} if (n := sum(one.finished for one in rows)) else {},
    "users": lambda rows: len({one.who.user for one in rows} - {None}),
    "sessions": lambda rows: len({one.who.session for one in rows} - {None}),
    "transactions": lambda rows: len({one.trace for one in rows}),
    "cost_per_user": _per_user,
}


def check_list(rows: Iterable[Row], listed: list[dict[str, Any]]) -> None:
    """The calls themselves are those that were made: which, when, for whom, how many tokens, for how much."""
    expected = {(one.trace, one.id): one for one in rows}
    found = {(one["trace_id"], one["id"]): one for one in listed}
    assert len(found) == len(listed), "each once"
    assert set(found) == set(expected), set(found) ^ set(expected)
    amounts: dict[str, Decimal] = {}
    for key, call in found.items():
        want = expected[key]
        amount = None if call["cost_amount"] is None else Decimal(call["cost_amount"])
        model = call["response_model"] or call["request_model"]
        told = (model, call["system"], call["tenant"], call["user"], call["session"], call["status"])
        whose = (want.who.tenant, want.who.user, want.who.session)
        assert told == (want.model, want.system, *whose, "error" if want.error else "ok"), (call, want)
        assert (amount, call["cost_currency"] or "") == (want.cost, want.currency), (call, want)
        assert call["output_tokens"] == (want.tokens.output if want.tokens else None), (call, want)
        assert datetime.fromisoformat(call["started_at"]) == instant(want.start_ns), (call, want)
        if amount is not None:
            amounts[call["cost_currency"]] = amounts.get(call["cost_currency"], Decimal(0)) + amount
    assert amounts == money(expected.values())
