"""Samples of calls: the same seed draws the same calls, each call as likely as any other, and sizes are exact."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid
from holdfast.platform.access.model import Reach
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import Call, Facts, Kind, TimeRange
from holdfast.telemetry.reads import calls as calls_read
from holdfast.telemetry.reads import samples
from holdfast.telemetry.store import counted
from holdfast.telemetry.store.calls import CallFilter
from holdfast.telemetry.store.counted import CallRow

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
WITHIN = TimeRange(NOON, NOON + timedelta(hours=1))
EVERY = CallFilter(WITHIN, {})


def put(
    columns: Columns,
    workspace: str,
    routes: list[str],
    *,
    at: datetime = NOON,
    first: int = 0,
    version: int = 1,
) -> None:
    """One call for each route given, a second apart."""
    rows = []
    for number, route in enumerate(routes, first):
        facts = Facts(Kind.INFERENCE, "test", route=route or None, system="shop", refusal=number % 2 == 0)
        start = (int(at.timestamp()) + number % 3000) * 10**9
        ids = f"{number:016x}", f"{number // 2:032x}"
        made = Call(ids[0], ids[1], ids[0], start, 1, False, facts, None, (ids[0],), version)
        rows.append(CallRow(workspace, made, False, 0, 2_000_000_000))
    counted.insert(columns, rows)


def ids(found: samples.Sample) -> list[str]:
    return [call["id"] for one in found.strata for call in one.calls]


def expected(numbers: range, seed: str) -> list[str]:
    """The order of drawing, reckoned here."""

    def place(number: int) -> str:
        return hashlib.sha256(f"{seed}\0{number // 2:032x}\0{number:016x}".encode()).hexdigest()

    return [f"{number:016x}" for number in sorted(numbers, key=place)]


def test_the_same_seed_draws_the_same_calls(columns: Columns) -> None:
    put(columns, "w", ["a"] * 60 + ["b"] * 7 + [""] * 3)
    put(columns, "other", ["a"] * 500)
    order = expected(range(70), "s1")
    found = samples.sample(columns, "w", EVERY, 20, "s1")
    assert ids(found) == order[:20] and (found.population, found.drawn, found.short) == (70, 20, False)
    assert found.strata[0].weight == 3.5
    assert ids(samples.sample(columns, "w", EVERY, 5, "s1")) == order[:5]
    assert ids(samples.sample(columns, "w", EVERY, 20, "s2")) != order[:20]
    put(columns, "w", ["a"] * 900, at=NOON + timedelta(hours=2), first=1000)
    put(columns, "w", ["a"] * 60, version=2)
    assert ids(samples.sample(columns, "w", EVERY, 20, "s1")) == order[:20], "what is outside, or came again"
    everything = samples.sample(columns, "w", EVERY, 200, "s1")
    assert (ids(everything), everything.short) == (order, True)
    by = samples.sample(columns, "w", EVERY, 5, "s1", by="route")
    assert [(one.value, one.population, len(one.calls)) for one in by.strata] == [
        ("a", 60, 5),
        ("b", 7, 5),
        ("", 3, 3),
    ]
    assert by.short and by.strata[2].weight == 1.0
    for one, numbers in zip(by.strata, (range(60), range(60, 67), range(67, 70)), strict=True):
        assert [call["id"] for call in one.calls] == expected(numbers, "s1")[:5]
    flagged = samples.sample(columns, "w", EVERY, 3, "s1", by="refusal")
    assert {one.value: one.population for one in flagged.strata} == {"true": 35, "false": 35}


@pytest.fixture(scope="module")
def store() -> Iterator[Columns]:
    with tempfile.TemporaryDirectory() as folder:
        made = Columns(f"chdb://{Path(folder) / 'columns'}")
        yield made
        made.close()


_workspaces = count()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["", "a", "b", "it's \\ odd"]), max_size=40),
    st.integers(1, 12),
    st.text(min_size=1, max_size=20),
    st.sampled_from(["", "route"]),
)
def test_strata_hold_all_calls_and_draw_from_their_own(
    store: Columns, routes: list[str], n: int, seed: str, by: str
) -> None:
    workspace = f"w{next(_workspaces)}"
    put(store, workspace, routes)
    found = samples.sample(store, workspace, EVERY, n, seed, by=by)
    sizes = Counter(routes) if by else Counter({"": len(routes)})
    assert {one.value: one.population for one in found.strata} == +sizes
    for one in found.strata:
        assert len(one.calls) == min(n, one.population)
        assert len({call["id"] for call in one.calls}) == len(one.calls)
        assert not by or {call["route"] or "" for call in one.calls} == {one.value}
    assert found.short is (not routes or any(size < n for size in sizes.values()))
    assert samples.sample(store, workspace, EVERY, n, seed, by=by) == found
    put(store, workspace, ["a"], first=10_000)
    joined = samples.sample(store, workspace, EVERY, n, seed)
    before = samples.sample(store, workspace, replaced(10_000), n, seed)
    assert len(set(ids(before)) - set(ids(joined))) <= 1, "one call more displaces one at most"


def replaced(number: int) -> CallFilter:
    """All calls but one: those of the seconds before and after it."""
    at = NOON + timedelta(seconds=number % 3000)
    return CallFilter(TimeRange(NOON, at), {})


def test_each_call_is_drawn_as_often_as_any_other(store: Columns) -> None:
    """1,000 seeds that draw 10 of 50 calls: chi-square against equal shares (Pearson 1900), corrected for drawing
    without replacement by the factor (N - 1) / (N - n)."""
    put(store, "uniform", ["a"] * 50)
    seen: Counter[str] = Counter()
    for seed in range(1000):
        seen.update(ids(samples.sample(store, "uniform", EVERY, 10, f"seed {seed}")))
    share = 1000 * 10 / 50
    statistic = sum((seen[f"{n:016x}"] - share) ** 2 / share for n in range(50)) * (50 - 1) / (50 - 10)
    assert 23.9 < statistic < 85.4, "the 0.1 % and 99.9 % points of chi-square with 49 degrees of freedom"


def test_a_reader_draws_from_what_they_may_see(store: Columns) -> None:
    put(store, "reach", ["a"] * 4)
    narrowed = calls_read.reachable(EVERY, Reach((("shop", ""),)), None)
    assert samples.sample(store, "reach", narrowed, 9, "s").population == 4
    narrowed = calls_read.reachable(EVERY, Reach((("desk", ""),)), None)
    assert samples.sample(store, "reach", narrowed, 9, "s").population == 0


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 10_001}, {"seed": ""}, {"seed": "x" * 201}, {"by": "price"}, {"by": "quality"}]
)
def test_what_cannot_be_drawn_is_refused(store: Columns, wrong: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"n": 3, "seed": "s", **wrong}
    with pytest.raises(Invalid):
        samples.sample(store, "uniform", EVERY, asked.pop("n"), asked.pop("seed"), **asked)


def test_too_many_strata_are_refused(store: Columns) -> None:
    put(store, "many", [f"r{number}" for number in range(1100)])
    with pytest.raises(Invalid, match="more than 1000 values"):
        samples.sample(store, "many", EVERY, 1, "s", by="route")
