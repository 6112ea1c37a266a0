"""Measures of tool calls, retrievals and agent runs equal a recount by other means, in a store that changes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import (
    ErrorClass,
    Facts,
    Kind,
    MetricAnswer,
    MetricQuery,
    MetricRow,
    Operation,
    Step,
    TimeRange,
)
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.reads.panels import Asked, Panel, plots
from holdfast.telemetry.rules.histogram import RELATIVE_ERROR
from holdfast.telemetry.rules.operation_measures import all_of
from holdfast.telemetry.store import operations
from holdfast.telemetry.store.operations import OperationRow
from telemetry.recounted import FAR, NOON, begin
from telemetry.recounted import World as Calls

DAY_NS = 86_400 * 10**9


class World:
    """A store and the operations that must be in it, by their key."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.random = random.Random(7)
        self.version = 1
        self.held: dict[tuple[str, int, str], Operation] = {}

    def operation(self, number: int) -> Operation:
        """One of any kind, of which some facts are unknown."""
        pick = self.random
        kind = pick.choice([Kind.TOOL, Kind.RETRIEVAL, Kind.AGENT])
        start = int((NOON - timedelta(days=3) * pick.random()).timestamp()) * 10**9 + pick.randrange(10**9)
        failed = pick.random() < 0.3
        facts = Facts(
            kind,
            "test",
            system=pick.choice(["shop", None]),
            environment="production",
            agent=pick.choice(["planner", None]),
            tenant=pick.choice(["acme", "it's \\ odd", None]),
            error_class=ErrorClass.TIMEOUT if failed else None,
        )
        if kind is Kind.TOOL:
            facts.tool_name = pick.choice(["search", "book", None])
        if kind is Kind.RETRIEVAL:
            facts.data_source = pick.choice(["handbook", None])
            facts.documents = pick.choice([None, 0, 0, 3, 8])
            facts.top_score = pick.choice([0.25, -1.5, 0.75]) if facts.documents else None
            facts.newest_ns = pick.choice([None, start - pick.randrange(90 * DAY_NS), start + 10**9])
            facts.cache_hit = pick.choice([None, False, True])
        shown = kind is Kind.AGENT and pick.random() < 0.7
        return Operation(
            id=f"{number:016x}",
            trace_id=f"{number // 3:032x}",
            start_ns=start,
            duration_ns=pick.choice([0, pick.randrange(1, 90 * 10**9)]),
            error=failed,
            facts=facts,
            observations=(f"{number:016x}",),
            scope="test",
            sequence=0,
            llm_calls=pick.randrange(1, 9) if shown else None,
            tool_calls=pick.randrange(5) if shown else None,
        )

    def store(self, kept: list[Operation], gone: list[Operation], workspace: str = "ws") -> None:
        """Writes some, and takes others away, as the counter does."""
        self.version += 1
        rows = [
            OperationRow(workspace, one._replace(sequence=self.version), deleted, 0, FAR)
            for some, deleted in ((kept, False), (gone, True))
            for one in some
        ]
        operations.insert(self.columns, rows)
        for one in gone:
            self.held.pop((workspace, one.start_ns, one.id), None)
        self.held |= {(workspace, one.start_ns, one.id): one for one in kept}

    def check(self, asked: MetricQuery) -> list[MetricRow]:
        """Asks, and compares every value with the recount."""
        expected: dict[tuple[Any, ...], list[Operation]] = {}
        for (owner, start_ns, _), one in self.held.items():
            at = datetime.fromtimestamp(start_ns // 10**9, UTC)
            if owner != "ws" or not asked.within.start <= at < asked.within.end:
                continue
            if any(dimension(one, name) not in allowed for name, allowed in asked.equals.items()):
                continue
            key = (begin(asked.step, at), tuple(dimension(one, name) for name in asked.group_by))
            expected.setdefault(key, []).append(one)
        answer = metrics.query(self.columns, "ws", asked)
        assert {(row.start, row.group) for row in answer.rows} == set(expected)
        for row in answer.rows:
            for name, value in row.values.items():
                right = recount(name, expected[row.start, row.group])
                assert same(name, value, right), (name, row, right)
        return answer.rows


def dimension(one: Operation, name: str) -> str:
    if name == "status":
        return "error" if one.error else "ok"
    if name == "cache_hit":
        return "" if one.facts.cache_hit is None else str(one.facts.cache_hit).lower()
    return str(getattr(one.facts, "tool_name" if name == "tool" else name) or "")


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def rank(values: list[float], q: float) -> float | None:
    return sorted(values)[max(ceil(q * len(values)), 1) - 1] if values else None


def recount(name: str, found: list[Operation]) -> Any:
    """A measure by plain reckoning; none of a kind seen: unknown."""
    head, _, what = name.partition("_")
    if name == "retrievals":
        head, what = "retrieval", "calls"
    kind = {"tool": Kind.TOOL, "agent": Kind.AGENT, "retrieval": Kind.RETRIEVAL}[head]
    some = [one for one in found if one.facts.kind is kind]
    shown = [one.llm_calls + (one.tool_calls or 0) for one in some if one.llm_calls is not None]
    told = [one.facts.documents for one in some if one.facts.documents is not None]
    scores = [one.facts.top_score for one in some if one.facts.top_score is not None]
    newest = [max(one.start_ns - one.facts.newest_ns, 0) for one in some if one.facts.newest_ns is not None]
    ages = [age / DAY_NS for age in newest]
    hits = [one.facts.cache_hit for one in some if one.facts.cache_hit is not None]
    if what.startswith("latency"):
        return rank([one.duration_ns / 1e6 for one in some], int(what[-2:]) / 100)
    return {
        "calls": len(some) or None,
        "runs": len(some) or None,
        "errors": sum(one.error for one in some) if some else None,
        "error_rate": mean([one.error for one in some]),
        "steps": sum(shown) if shown else None,
        "steps_known": len(shown) if some else None,
        "steps_per_run": mean(list(shown)),
        "steps_p50": rank(list(shown), 0.5),
        "steps_p95": rank(list(shown), 0.95),
        "documents": sum(told) if told else None,
        "documents_known": len(told) if some else None,
        "documents_mean": mean(list(told)),
        "empty": told.count(0) if told else None,
        "empty_rate": told.count(0) / len(told) if told else None,
        "top_score": mean(scores),
        "top_score_known": len(scores) if some else None,
        "staleness": mean(ages),
        "staleness_p50": rank(ages, 0.5),
        "staleness_p95": rank(ages, 0.95),
        "staleness_known": len(ages) if some else None,
        "cache_hit_rate": mean(list(hits)),
        "cache_known": len(hits) if some else None,
    }[what]


def same(name: str, found: Any, right: Any) -> bool:
    """Equal; a mean to rounding, a quantile of times within its stated error."""
    if not isinstance(right, float) or found is None:
        return bool(found == right)
    rough = name[-3:-1] in ("p5", "p9") and "steps" not in name
    return bool(found == pytest.approx(right, rel=RELATIVE_ERROR + 1e-9 if rough else 1e-6, abs=1e-6))


EVERYTHING = tuple(all_of())
WINDOW = TimeRange(NOON - timedelta(days=7), NOON)
PLAIN = MetricQuery(EVERYTHING, WINDOW)


@pytest.fixture
def world(columns: Columns) -> World:
    return World(columns)


def test_measures_equal_a_recount_whatever_happens(world: World) -> None:
    """Operations again, corrected, moved and taken away; another workspace beside."""
    pick = world.random
    number = 0
    for _ in range(2):
        number += 150
        fresh = [world.operation(n) for n in range(number - 150, number)]
        world.store(fresh, [])
        world.store([world.operation(10**6 + n) for n in range(5)], [], workspace="other")
        old = pick.sample(fresh, 60)
        world.store(old[:20], [])  # the same again
        corrected = [one._replace(duration_ns=5, llm_calls=2, tool_calls=0) for one in old[20:30]]
        world.store([one for one in corrected if one.facts.kind is Kind.AGENT], [])
        moved = [one._replace(start_ns=one.start_ns - pick.randrange(DAY_NS)) for one in old[30:45]]
        world.store(moved, old[30:45])
        world.store([], old[45:])
        odd = TimeRange(NOON - timedelta(days=2, minutes=17), NOON - timedelta(hours=2, seconds=11))
        for asked in (
            PLAIN,
            replace(PLAIN, within=odd, group_by=("system", "agent")),
            replace(PLAIN, group_by=("kind", "tool"), step=Step(86_400)),
            replace(PLAIN, group_by=("tenant",), equals={"data_source": ("handbook", "")}),
            replace(PLAIN, group_by=("cache_hit", "status"), equals={"kind": ("retrieval",)}),
            replace(PLAIN, step=Step(calendar="day", zone="Europe/Berlin"), equals={"cache_hit": ("",)}),
        ):
            assert world.check(asked)


def test_a_group_has_only_what_is_of_the_kind_that_is_asked_for(world: World) -> None:
    world.store([world.operation(n) for n in range(60)], [])
    rows = metrics.query(
        world.columns, "ws", MetricQuery(("tool_calls",), WINDOW, None, ("kind", "tool"))
    ).rows
    assert {row.group[0] for row in rows} == {"tool"}
    assert [row.values["tool_calls"] for row in rows] == sorted(
        (row.values["tool_calls"] for row in rows), reverse=True
    )


def test_beside_measures_of_calls(world: World) -> None:
    calls = Calls(world.columns)
    calls.store([calls.call(n, NOON - timedelta(hours=n + 1)) for n in range(40)])
    world.store([world.operation(n) for n in range(40)], [])
    asked = MetricQuery(("calls", "tool_calls", "errors", "agent_steps"), WINDOW, None, ("system",))
    answer = metrics.query(world.columns, "ws", asked)
    found = {row.group[0]: row.values for row in answer.rows}
    assert set(found) == {"shop", "desk", ""}
    for system, values in found.items():
        of = [one for one in world.held.values() if (one.facts.system or "") == system]
        assert values["tool_calls"] == recount("tool_calls", of)
        assert values["agent_steps"] == recount("agent_steps", of)
        assert values["calls"] == sum((one.facts.system or "") == system for one in calls.calls.values())
    assert found["desk"]["tool_calls"] is None, "none was seen there"
    assert answer.from_calls > 0
    assert answer.from_operations == 7 * 86_400


def test_it_is_said_what_was_read(world: World) -> None:
    def read(*measures: str) -> MetricAnswer:
        return metrics.query(world.columns, "ws", MetricQuery(measures, WINDOW))

    tools, calls = read("tool_calls"), read("calls")
    assert (tools.from_calls, tools.from_operations) == (0.0, 7 * 86_400)
    assert calls.from_operations == 0.0
    world.store([world.operation(1)._replace(facts=Facts(Kind.TOOL, "test"))], [])
    lone = read("calls", "tool_calls").rows
    assert [row.values for row in lone] == [{"calls": None, "tool_calls": 1}], (
        "no call in the window: no count"
    )


@pytest.mark.parametrize(
    ("measures", "group_by", "says"),
    [
        (("tool_calls",), ("model",), "'tool_calls' is about tool calls, retrievals or agent runs"),
        (("calls", "agent_runs"), ("provider",), "'agent_runs' is about tool calls"),
        (("calls", "tool_calls"), ("tool",), "'calls' is about calls, which have no dimension 'tool'"),
        (("cost",), ("data_source",), "'cost' is about calls"),
    ],
)
def test_dimensions_that_one_does_not_have_are_refused(
    world: World, measures: tuple[str, ...], group_by: tuple[str, ...], says: str
) -> None:
    for asked in (
        MetricQuery(measures, WINDOW, None, group_by),
        MetricQuery(measures, WINDOW, equals={group_by[0]: ("x",)}),
    ):
        with pytest.raises(Invalid, match=says) as refused:
            metrics.query(world.columns, "ws", asked)
        assert refused.value.where == "group_by"


def test_panels_of_operations_stand_beside_panels_of_calls(world: World) -> None:
    world.store([world.operation(n) for n in range(60)], [])
    panels = [
        Panel("a", "A", ("tool_calls", "tool_error_rate"), ("tool",)),
        Panel("b", "B", ("calls",), ("tool",)),
        Panel("c", "C", ("retrievals",), ("tool",)),
    ]
    tools, calls, searches = plots(
        world.columns, "ws", [Asked(one, WINDOW, Step(86_400), ()) for one in panels]
    )
    assert not tools.fault and set(tools.top) == {("search",), ("book",), ("",)}
    assert "no dimension 'tool'" in calls.fault
    assert searches.rows, "asked as one with the first"
