"""Metrics equal a recount of the calls by other means, at every moment of a store that changes under them."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.jobs.rollups import SETTLE_MS, Rollups
from holdfast.telemetry.model import (
    MetricQuery,
    Step,
    TimeRange,
)
from holdfast.telemetry.reads import configurations as observed
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.rules.cover import Piece
from holdfast.telemetry.store import configurations, erasing, rollups
from holdfast.telemetry.store.calls import CallFilter
from holdfast.telemetry.store.spans import nanoseconds
from telemetry.recounted import NOON, World

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
        world.check(*queries(world.now))
    assert world.columns.everywhere("SELECT count() > 1000 FROM rollups")[0][0]


def test_what_is_asked_together_is_as_if_it_were_asked_alone(world: World) -> None:
    """Windows that begin within one minute, other steps, dimensions and figures, some of other calls."""
    world.now = world.now.replace(second=50)
    world.store([world.call(n, world.now - timedelta(seconds=37 * n)) for n in range(400)])
    world.pass_by(seconds=SETTLE_MS / 1000 + 1)
    world.job.turn()
    world.store([world.call(400 + n, world.now + timedelta(seconds=9 - 5 * n)) for n in range(60)])
    hour, now = timedelta(hours=1), world.now
    for start in (now - hour, now - hour - timedelta(seconds=7)):
        recent = MetricQuery(("calls", "latency_p95"), TimeRange(start, now), None, ("system",))
        asked = [
            recent,
            replace(
                recent,
                within=TimeRange(now - 4 * hour, now + hour),
                step=Step(3600),
                measures=("calls", "cost"),
            ),
            replace(recent, within=TimeRange(now - 4 * hour, now + hour), measures=EVERYTHING, group_by=()),
            replace(
                recent,
                within=TimeRange(now - 2 * hour, now),
                group_by=("tenant", "system"),
                measures=("cost",),
            ),
            replace(recent, step=Step(calendar="day", zone="Asia/Kolkata"), group_by=("model",)),
            replace(recent, equals={"system": ("shop",)}),
            replace(recent, within=TimeRange(now - hour / 60, now), step=Step(7), group_by=()),
        ]
        world.check(*asked)


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


def test_past_days_and_hours_are_read_once_until_something_in_them_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store([world.call(n, world.now - timedelta(hours=n)) for n in range(150)])
    world.pass_by(minutes=2)
    world.job.turn()
    read: list[str] = []
    rows = Columns.rows

    def counted(columns: Columns, workspace: str, query: Select) -> list[tuple[Any, ...]]:
        read.extend([query.table] if query.table == "rollups" else [])
        return rows(columns, workspace, query)

    monkeypatch.setattr(Columns, "rows", counted)

    def reads_of(**changed: Any) -> int:
        asked = MetricQuery(EVERYTHING, TimeRange(world.now - timedelta(days=5), world.now), **changed)
        read.clear()
        world.check(asked)
        return len(read)

    assert (reads_of(), reads_of()) == (3, 1)
    assert reads_of(equals={"system": ("shop",)}) == 3, "other calls are another question"
    world.store([world.call(200, world.now)])
    world.pass_by(minutes=2)
    world.job.turn()
    assert reads_of() == 1, "what came today changes no past day"
    world.store([world.call(201, world.now - timedelta(days=3))])
    assert reads_of() == 2, "a late call: its day is not read as it was"
    world.pass_by(minutes=2)
    world.job.turn()
    assert (reads_of(), reads_of()) == (3, 1)
    world.store([world.call(202, world.now - timedelta(days=3))], workspace="other")
    world.pass_by(minutes=2)
    world.job.turn()
    assert reads_of() == 1, "another workspace's late call changes nothing here"


@pytest.mark.parametrize(
    ("turns", "version", "end", "stands"),
    [
        (((7, None),), 7, 100, True),
        (((9, 300), (8, None), (7, 40)), 7, 300, True),
        (((9, 300), (8, None), (7, 40)), 7, 301, False),
        (((9, 300), (8, 200), (7, None)), 7, 300, False),
        (((9, None), (8, None)), 7, 100, False),
        (((9, None), (8, None)), 10, 100, False),
        ((), 7, 100, False),
    ],
)
def test_what_was_read_stands_while_no_turn_made_it_anew(
    turns: tuple[tuple[int, int | None], ...], version: int, end: int, stands: bool
) -> None:
    known = rollups.Known(rollups.State(turns[0][0] if turns else 0, 0, 0), (), turns)
    assert known.stands(version, end * 10**9) == stands


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
