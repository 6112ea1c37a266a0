"""Metrics equal a recount of the calls by other means, at every moment of a store that changes under them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import Charge, Usage
from holdfast.storage.columns import Columns
from holdfast.telemetry.jobs.rollups import SETTLE_MS, Rollups
from holdfast.telemetry.model import Call, ErrorClass, Facts, Kind, MetricQuery, MetricRow, Step, TimeRange
from holdfast.telemetry.reads import configurations as observed
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.rules.cover import Piece
from holdfast.telemetry.rules.histogram import RELATIVE_ERROR
from holdfast.telemetry.store import configurations, counted, erasing, rollups
from holdfast.telemetry.store.calls import CallFilter
from holdfast.telemetry.store.counted import CallRow
from holdfast.telemetry.store.spans import nanoseconds

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

    def check(self, asked: MetricQuery) -> list[MetricRow]:
        """Asks, and compares every value with the recount."""
        answer = metrics.query(self.columns, "ws", asked)
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


EVERYTHING = (
    "calls", "errors", "errors_timeout", "throttled", "cost", "unpriced", "cost_per_call", "input_tokens",
    "output_tokens", "input_cache_read_tokens", "latency_p95", "ttft_p50", "refusal_rate", "finish_reasons",
    "usage_unknown", "ttft_known",
)  # fmt: skip
DISTINCT = ("users", "cost_per_session", "transactions")


@pytest.fixture
def world(columns: Columns) -> World:
    return World(columns)


def queries(now: datetime) -> list[MetricQuery]:
    """One window in every way that reads other buckets."""
    week = TimeRange(now - timedelta(days=7), now)
    odd = TimeRange(now - timedelta(days=3, minutes=17, seconds=5), now - timedelta(hours=2, seconds=11))
    plain = MetricQuery(EVERYTHING, week)
    return [
        plain,
        replace(plain, within=odd),
        replace(plain, group_by=("system", "route")),
        replace(plain, group_by=("tenant",), within=odd),
        replace(plain, group_by=("tenant", "model"), equals={"system": ("shop", "")}),
        replace(plain, group_by=("status", "user"), within=odd),
        replace(plain, step=Step(3600), group_by=("system",)),
        replace(plain, step=Step(300), within=TimeRange(now - timedelta(hours=5), now)),
        replace(plain, step=Step(7), within=TimeRange(now - timedelta(hours=1), now)),
        replace(plain, step=Step(calendar="day", zone="Europe/Berlin")),
        replace(plain, step=Step(calendar="day", zone="Asia/Kolkata"), group_by=("tenant",)),
        replace(plain, step=Step(calendar="week", zone="America/New_York")),
        replace(plain, step=Step(calendar="month", zone="UTC")),
        MetricQuery(DISTINCT, odd, group_by=("system",)),
    ]


@pytest.mark.slow
def test_metrics_equal_a_recount_whatever_happens(world: World) -> None:
    """Late calls, calls again, regrouped, moved, repriced and taken away, before and after buckets were made."""
    pick = world.random
    number = 0
    for round_ in range(5):
        fresh = []
        for _ in range(150):
            number += 1
            back = pick.choice([timedelta(minutes=2), timedelta(hours=6), timedelta(days=8)])
            fresh.append(world.call(number, world.now - back * pick.random()))
        world.store(fresh)
        held = list(world.calls.values())
        for old in pick.sample(held, min(30, len(held))):
            what = pick.randrange(4)
            if what == 0:  # the same again
                world.store([old])
            elif what == 1 and old.charge is not None:  # priced anew
                world.store([old._replace(charge=old.charge._replace(amount=Decimal(pick.randrange(9**9))))])
            elif what == 2:  # part of another call after all
                world.store([], gone=[old])
            else:  # its start corrected, across buckets
                moved = old._replace(start_ns=old.start_ns - pick.randrange(2 * 3600 * 10**9))
                world.store([moved], gone=[old])
        for asked in queries(world.now)[round_ % 2 :: 2]:
            world.check(asked)
        if round_ % 2:
            world.pass_by(minutes=pick.randrange(1, 90))
        world.job.turn()
        world.pass_by(seconds=pick.randrange(1, 40))
        for asked in queries(world.now):
            world.check(asked)
    assert world.columns.everywhere("SELECT count() > 1000 FROM rollups")[0][0]


def test_lives_of_configurations_are_the_same_from_stored_hours(world: World) -> None:
    pick = world.random
    for turn in range(4):
        calls = [world.call(n, world.now - timedelta(seconds=pick.randrange(90 * 3600))) for n in range(60)]
        world.store([one._replace(id=f"{turn}{one.id[1:]}") for one in calls])
        for hours, equals in ((96, {}), (40, {"system": ("shop", "")}), (30, {"tenant": ("acme",)}), (3, {})):
            filters = CallFilter(TimeRange(world.now - timedelta(hours=hours), world.now), equals)
            start, end = nanoseconds(filters.within.start), nanoseconds(filters.within.end)
            plain = configurations.lives(world.columns, "ws", filters, [Piece("", start, end)], [])
            at = metrics.moment(world.columns, "ws")
            assert observed.lives(world.columns, "ws", filters, at) == plain
            assert plain or hours == 3
        world.pass_by(minutes=pick.randrange(2, 50))
        world.job.turn()


def test_stored_buckets_answer_when_nothing_changes(world: World) -> None:
    world.store([world.call(n, world.now - timedelta(minutes=13 * n)) for n in range(300)])
    world.pass_by(seconds=2 * SETTLE_MS / 1000 + 1)
    world.job.turn()
    answer = metrics.query(
        world.columns, "ws", MetricQuery(("calls",), TimeRange(world.now - timedelta(days=2), world.now))
    )
    assert answer.from_calls <= SETTLE_MS / 1000 + 60 + 60, (
        "what is not settled, its minute, and the first one"
    )
    assert world.job.turn() == 0, "nothing is made again while nothing changes"


def test_buckets_really_are_read(world: World) -> None:
    """A defect planted in a stored bucket shows: so the checks above are not made of calls alone."""
    world.store([world.call(n, world.now - timedelta(hours=30)) for n in range(10)])
    world.pass_by(minutes=2)
    world.job.turn()
    world.columns.upkeep("ALTER TABLE rollups UPDATE calls = calls + 1 WHERE 1 SETTINGS mutations_sync = 2")
    asked = MetricQuery(("calls",), TimeRange(world.now - timedelta(days=3), world.now))
    with pytest.raises(AssertionError):
        world.check(asked)


def test_a_bucket_that_lost_all_its_calls_is_empty(world: World) -> None:
    calls = [world.call(n, world.now - timedelta(days=2)) for n in range(20)]
    world.store(calls)
    world.pass_by(minutes=5)
    world.job.turn()
    assert rollups.state(world.columns).version
    world.store([], gone=calls)
    world.pass_by(minutes=5)
    world.job.turn()
    assert world.check(MetricQuery(("calls",), TimeRange(world.now - timedelta(days=7), world.now))) == []


def test_what_no_longer_holds_is_swept_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.telemetry.jobs.rollups.SWEEP_AFTER_SECONDS", 0)
    calls = [world.call(n, world.now - timedelta(days=2)) for n in range(50)]
    for _ in range(3):
        world.store(calls)
        world.pass_by(minutes=3)
        world.job.turn()
    at, now = rollups.state(world.columns), time.time_ns()
    rows, old = rollups.fallen(world.columns, at, now)["ws"]
    assert old == rows * 2 // 3
    assert rollups.fallen(world.columns, at, at.version)["ws"] == (rows, rows // 3), (
        "somebody may still read them"
    )
    world.job.sweep()
    assert rollups.fallen(world.columns, at, now)["ws"] == (rows - old, 0)
    world.check(MetricQuery(EVERYTHING, TimeRange(world.now - timedelta(days=7), world.now)))


def test_an_erased_person_leaves_the_stored_figures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.telemetry.jobs.rollups.SWEEP_AFTER_SECONDS", 0)
    calls = [world.call(n, world.now - timedelta(days=2, hours=n % 5)) for n in range(30)]
    world.store(calls)
    world.pass_by(minutes=2)
    world.job.turn()
    world.pass_by(minutes=2)
    world.version += 1
    now_ms = int(world.now.timestamp() * 1000)
    traces = sorted({one.trace_id for one in calls if one.facts.tenant == "acme"})
    erasing.rewrite(
        world.columns, "ws", erasing.CALLS, traces, world.version, now_ms, lambda row: {**row, "tenant": ""}
    )
    for key, one in world.calls.items():
        if one.trace_id in traces:
            facts = copy(one.facts)
            facts.tenant = None
            world.calls[key] = one._replace(facts=facts)
    asked = MetricQuery(
        ("calls", "cost"), TimeRange(world.now - timedelta(days=7), world.now), None, ("tenant",)
    )
    assert "acme" not in {row.group[0] for row in world.check(asked)}
    world.pass_by(minutes=2)
    world.job.turn()
    world.pass_by(minutes=2)
    world.job.turn()
    world.check(asked)
    world.pass_by(days=1)
    world.job.turn()
    world.job.sweep()
    held = world.columns.everywhere("SELECT count() FROM rollups WHERE tenant = 'acme'")
    assert held == [(0,)], "not even in what no longer holds"


def test_a_workspace_sees_its_own_alone(world: World) -> None:
    world.store([world.call(n, world.now - timedelta(hours=3)) for n in range(40)])
    world.store([world.call(n, world.now - timedelta(hours=3)) for n in range(40, 47)], workspace="other")
    world.pass_by(minutes=3)
    world.job.turn()
    asked = MetricQuery(("calls",), TimeRange(world.now - timedelta(days=1), world.now))
    assert metrics.query(world.columns, "ws", asked).rows[0].values["calls"] == 40
    assert metrics.query(world.columns, "other", asked).rows[0].values["calls"] == 7
    assert metrics.query(world.columns, "none", asked).rows == []


def test_a_job_that_died_midway_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store([world.call(n, world.now - timedelta(hours=n)) for n in range(60)])
    world.pass_by(minutes=1)

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(rollups, "put_state", die)
        with pytest.raises(RuntimeError):
            world.job.turn()
    for asked in queries(world.now):
        world.check(asked)
    again = Rollups(world.columns, lambda: world.now)
    assert again.turn() > 60
    for asked in queries(world.now):
        world.check(asked)


def test_a_process_that_lost_its_turn_may_write_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stood still in the midst of a turn, and goes on when another has taken over: its rows never hold."""
    calls = [world.call(n, world.now - timedelta(hours=n)) for n in range(60)]
    world.store(calls)
    world.pass_by(minutes=1)
    world.job.turn()
    world.store(calls[:30])
    world.pass_by(minutes=2)
    put, make = rollups.put_state, rollups.make
    late: list[Callable[[], None]] = []
    with monkeypatch.context() as stood_still:
        stood_still.setattr(rollups, "make", lambda *given: late.append(lambda: make(*given)))
        stood_still.setattr(rollups, "put_state", lambda *given: late.append(lambda: put(*given)))
        world.job.turn()
    assert len(late) > 4
    other = Rollups(world.columns, lambda: world.now)
    assert other.turn() > 30
    for write in late:
        write()
    for _ in range(2):
        for asked in queries(world.now):
            world.check(asked)
        world.pass_by(minutes=1)
        other.turn()
    monkeypatch.setattr("holdfast.telemetry.jobs.rollups.SWEEP_AFTER_SECONDS", 0)
    world.pass_by(days=1)
    other.sweep()
    held = world.columns.everywhere("SELECT uniqExact(version) FROM rollups")
    assert held[0][0] <= 4, "neither the late rows nor what they would replace are kept"
    for asked in queries(world.now):
        world.check(asked)


def test_only_the_largest_groups_are_answered_and_it_is_said(world: World) -> None:
    world.store([world.call(n, world.now - timedelta(hours=1)) for n in range(60)])
    asked = MetricQuery(
        ("calls",), TimeRange(world.now - timedelta(days=1), world.now), None, ("tenant",), limit=1
    )
    answer = metrics.query(world.columns, "ws", asked)
    assert (len(answer.rows), answer.groups, answer.complete) == (1, 3, False)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"measures": ("speed",)}, "measure"),
        ({"measures": ()}, "measure"),
        ({"group_by": ("colour",)}, "group_by"),
        ({"group_by": ("system", "route", "tenant")}, "group_by"),
        ({"equals": {"colour": ("red",)}}, "group_by"),
        ({"step": Step(0)}, "step"),
        ({"step": Step(1)}, "step"),
        ({"step": Step(calendar="day", zone="Mars/Base'); DROP TABLE calls")}, "zone"),
        ({"within": TimeRange(NOON, NOON)}, "from"),
        ({"limit": 0}, "limit"),
    ],
)
def test_what_cannot_be_asked_is_refused(world: World, changed: dict[str, Any], where: str) -> None:
    good = MetricQuery(("calls",), TimeRange(NOON - timedelta(days=1), NOON))
    with pytest.raises(Invalid) as refused:
        metrics.query(world.columns, "ws", replace(good, **changed))
    assert refused.value.where == where
