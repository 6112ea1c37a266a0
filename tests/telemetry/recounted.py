"""Calls counted again by plain Python, beside a store that is asked for their metrics."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from holdfast.pricing.model import Charge, Usage
from holdfast.storage.columns import Columns
from holdfast.telemetry.jobs.rollups import Rollups
from holdfast.telemetry.model import (
    Call,
    ErrorClass,
    Facts,
    Kind,
    MetricAnswer,
    MetricQuery,
    MetricRow,
    Step,
)
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.rules.histogram import RELATIVE_ERROR
from holdfast.telemetry.store import counted
from holdfast.telemetry.store.counted import CallRow

NOON = datetime(2026, 11, 21, 12, 0, 20, tzinfo=UTC)
FAR = 2_000_000_000


class World:
    """A store and what must be in it: calls by their key, and a clock that only goes forward."""

    def __init__(self, columns: Columns, seed: int = 1) -> None:
        self.columns = columns
        self.random = random.Random(seed)
        self.now = NOON
        self.version = 1
        self.calls: dict[tuple[str, int, str], Call] = {}
        self.job = Rollups(columns, lambda: self.now)

    def call(self, number: int, at: datetime) -> Call:
        """A call of any kind, its costs of 15 places."""
        pick = self.random
        failed = pick.random() < 0.2
        facts = Facts(
            kind=pick.choice([Kind.INFERENCE, Kind.INFERENCE, Kind.EMBEDDINGS]),
            convention="test",
            system=pick.choice(["shop", "desk", None]),
            environment="production",
            route=pick.choice(["answer", "sort", None]),
            tenant=pick.choice(["acme", "it's \\ \0odd", None]),
            user=pick.choice(["ann", "bob", None]),
            session=pick.choice(["s1", "s2", None]),
            provider="openai",
            request_model="gpt-4o",
            response_model=None if failed else "gpt-4o-2024-08-06",
            error_class=pick.choice([ErrorClass.RATE_LIMIT, ErrorClass.TIMEOUT]) if failed else None,
            ttft_ms=pick.choice([None, 0.0, 12.5, 480.0]),
            finish_reasons=() if failed else (pick.choice(["stop", "length"]),),
            refusal=pick.choice([None, False, True]),
            usage=None
            if failed
            else Usage(
                input_uncached=pick.randrange(4000),
                input_cache_read=pick.choice([None, 0, 600]),
                output=pick.randrange(800),
            ),
        )
        amount = Decimal(pick.randrange(10**12)).scaleb(-15)
        charge = None if failed else Charge(amount, pick.choice(["USD", "EUR"]), "p", None, "price-book", {})
        start = int(at.timestamp()) * 10**9 + pick.randrange(10**9)
        return Call(
            id=f"{number:016x}",
            trace_id=f"{number // 3:032x}",
            span_id=f"{number:016x}",
            start_ns=start,
            duration_ns=pick.choice([0, pick.randrange(1, 90 * 10**9)]),
            error=failed,
            facts=facts,
            charge=charge,
            observations=(f"{number:016x}",),
            sequence=0,
            configuration=pick.choice(["c1", "c2", "c3", ""]),
        )

    def store(self, calls: list[Call], *, gone: list[Call] = [], workspace: str = "ws") -> None:  # noqa: B006
        """Writes calls, and takes others away, as the counter does."""
        self.version += 1
        received = int(self.now.timestamp() * 1000)
        rows = [
            CallRow(workspace, one._replace(sequence=self.version), False, received, FAR) for one in calls
        ]
        rows += [CallRow(workspace, one._replace(sequence=self.version), True, received, FAR) for one in gone]
        counted.insert(self.columns, rows)
        for one in calls:
            self.calls[workspace, one.start_ns, one.id] = one
        for one in gone:
            self.calls.pop((workspace, one.start_ns, one.id), None)

    def pass_by(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def chosen(self, asked: MetricQuery, workspace: str = "ws") -> dict[tuple[Any, ...], list[Call]]:
        """The calls of a query by its key, recounted here."""
        found: dict[tuple[Any, ...], list[Call]] = {}
        for (owner, start_ns, _), call in self.calls.items():
            at = datetime.fromtimestamp(start_ns // 10**9, UTC)
            if owner != workspace or not asked.within.start <= at < asked.within.end:
                continue
            if any(dimension(call, name) not in allowed for name, allowed in asked.equals.items()):
                continue
            key = (begin(asked.step, at), tuple(dimension(call, name) for name in asked.group_by))
            found.setdefault(key, []).append(call)
        return found

    def check(self, *asked: MetricQuery) -> list[MetricRow]:
        """Asks, all at once, and compares every value with the recount; the rows of the first answer."""
        first, *_ = map(self.agreed, asked, metrics.answers(self.columns, "ws", asked))
        return first

    def agreed(self, asked: MetricQuery, answer: MetricAnswer) -> list[MetricRow]:
        expected = self.chosen(asked)
        assert {(row.start, row.group) for row in answer.rows} == set(expected)
        for row in answer.rows:
            calls = expected[row.start, row.group]
            for name, value in row.values.items():
                assert same(value, recount(name, calls)), (name, row, recount(name, calls))
        return answer.rows


def dimension(call: Call, name: str) -> str:
    if name == "model":
        return call.facts.response_model or call.facts.request_model or ""
    if name == "finish_reason":
        return call.facts.finish_reasons[0] if call.facts.finish_reasons else ""
    if name == "status":
        return "error" if call.error else "ok"
    return str(getattr(call.facts, name) or "")


def begin(step: Step | None, at: datetime) -> datetime | None:
    if step is None:
        return None
    if not step.calendar:
        return datetime.fromtimestamp(int(at.timestamp()) // step.seconds * step.seconds, UTC)
    local = at.astimezone(ZoneInfo(step.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    if step.calendar == "week":
        local -= timedelta(days=local.weekday())
    if step.calendar == "month":
        local = local.replace(day=1)
    return local.astimezone(UTC)


def money(calls: list[Call]) -> dict[str, Decimal]:
    made: dict[str, Decimal] = {}
    for call in calls:
        if call.charge is not None and call.charge.amount is not None:
            made[call.charge.currency] = made.get(call.charge.currency, Decimal(0)) + call.charge.amount
    return made


def rank(values: list[float], q: float) -> float | None:
    return sorted(values)[max(math.ceil(q * len(values)), 1) - 1] if values else None


def recount(name: str, calls: list[Call]) -> Any:
    """A measure by plain reckoning."""
    usages = [call.facts.usage for call in calls if call.facts.usage is not None]
    told = [call for call in calls if call.facts.refusal is not None]
    match name:
        case "calls":
            return len(calls)
        case "errors":
            return sum(call.error for call in calls)
        case "errors_timeout":
            return sum(call.facts.error_class is ErrorClass.TIMEOUT for call in calls)
        case "throttled":
            return sum(call.facts.error_class is ErrorClass.RATE_LIMIT for call in calls)
        case "cost":
            return money(calls)
        case "unpriced":
            return sum(call.charge is None for call in calls)
        case "usage_unknown":
            return sum(call.facts.usage is None or call.facts.usage.input_total is None for call in calls)
        case "ttft_known":
            return sum(call.facts.ttft_ms is not None for call in calls)
        case "cost_per_call":
            priced = sum(call.charge is not None for call in calls)
            return {currency: amount / priced for currency, amount in money(calls).items()}
        case "input_tokens":
            return sum(one.input_total or 0 for one in usages) if usages else None
        case "output_tokens":
            return sum(one.output or 0 for one in usages) if usages else None
        case "input_cache_read_tokens":
            read = [one.input_cache_read for one in usages if one.input_cache_read is not None]
            return sum(read) if read else None
        case "latency_p95":
            return rank([call.duration_ns / 1e6 for call in calls], 0.95)
        case "ttft_p50":
            return rank([call.facts.ttft_ms for call in calls if call.facts.ttft_ms is not None], 0.5)
        case "refusal_rate":
            return sum(bool(call.facts.refusal) for call in told) / len(told) if told else None
        case "finish_reasons":
            reasons = [reason for call in calls for reason in call.facts.finish_reasons]
            return {reason: reasons.count(reason) for reason in set(reasons)}
        case "users":
            return len({call.facts.user for call in calls} - {None})
        case "cost_per_session":
            of_one = [call for call in calls if call.facts.session]
            n = len({call.facts.session for call in of_one})
            return {currency: amount / n for currency, amount in money(of_one).items()} if n else {}
        case "transactions":
            return len({call.trace_id for call in calls})
    raise KeyError(name)


def same(found: Any, expected: Any) -> bool:
    """Equal to the last unit; a quantile within its stated error."""
    if isinstance(expected, float) and isinstance(found, float):
        return found == pytest.approx(expected, rel=RELATIVE_ERROR + 1e-9)
    return bool(found == expected)
