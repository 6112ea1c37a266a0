"""Releases compared by their live calls: sums are what a recount says, and who was assigned before is not counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from holdfast.pricing.model import Charge
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import Call, Facts, Kind, TimeRange
from holdfast.telemetry.reads import compared
from holdfast.telemetry.store import counted
from holdfast.telemetry.store.counted import CallRow

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
WITHIN = TimeRange(NOON, NOON + timedelta(hours=1))
STICKY = ("session", "user", "tenant")


class Calls:
    """Puts calls in, a second apart unless said otherwise."""

    def __init__(self, columns: Columns) -> None:
        self.columns, self.number = columns, 0

    def put(
        self,
        release: str,
        *,
        error: bool = False,
        ms: float = 100.0,
        at: datetime | None = None,
        attempt: bool = False,
        workspace: str = "w",
        again: bool = False,
        cost: str = "",
        **facts: Any,
    ) -> None:
        self.number += 0 if again else 1
        ids = f"{self.number:016x}", f"{self.number:032x}"
        said = {"route": "chat", "system": "shop", "environment": "production"} | facts
        of = Facts(Kind.INFERENCE, "test", release=release, **said)
        start = int((at or NOON + timedelta(seconds=self.number)).timestamp()) * 10**9
        made = Call(
            ids[0],
            ids[1],
            ids[0],
            start,
            int(ms * 1e6),
            error,
            of,
            Charge(Decimal(cost), "USD", None, None, "gateway", {}) if cost else None,
            (ids[0],),
            2 if again else 1,
            attempt=attempt,
        )
        counted.insert(self.columns, [CallRow(workspace, made, False, 0, 2_000_000_000)])


@pytest.fixture
def calls(columns: Columns) -> Calls:
    return Calls(columns)


def sums(calls: Calls) -> dict[str, compared.Sums]:
    return compared.sums(calls.columns, "w", "chat", ["old", "new"], WITHIN, "evaluation")


def test_each_release_has_the_sums_of_its_own_calls(calls: Calls) -> None:
    for ms in (100.0, 200.0, 300.0):
        calls.put("old", ms=ms, finish_reasons=("stop",))
    calls.put("old", error=True, ms=5000.0)
    calls.put("new", ms=50.0, refusal=True, finish_reasons=("length",))
    calls.put("new", ms=70.0, refusal=False)
    found = sums(calls)
    old, new = found["old"], found["new"]
    assert (old.calls, old.errors, old.latency) == (4, 1, (3, 600.0, 140_000.0))
    assert (old.refused, old.cut) == ((0, 0), (3, 0))
    assert (new.calls, new.errors, new.latency) == (2, 0, (2, 120.0, 7_400.0))
    assert (new.refused, new.cut) == ((2, 1), (1, 1))
    assert (old.cost, old.currencies) == ((0, 0.0, 0.0), ())
    assert old.first_at == NOON + timedelta(seconds=1) and old.last_at == NOON + timedelta(seconds=4)


def test_what_is_no_live_call_of_the_route_is_left_out(calls: Calls) -> None:
    calls.put("new")
    calls.put("new", again=True)
    calls.put("new", environment="evaluation")
    calls.put("new", route="other")
    calls.put("new", attempt=True)
    calls.put("new", cache_hit=True)
    calls.put("new", at=NOON - timedelta(seconds=1))
    calls.put("new", at=NOON + timedelta(hours=1))
    calls.put("new", workspace="neighbour")
    calls.put("third")
    assert {name: one.calls for name, one in sums(calls).items()} == {"new": 1}


def test_the_longest_row_of_failures_is_found(calls: Calls) -> None:
    for error in (True, True, False, True, True, True, False, True):
        calls.put("new", error=error)
    assert compared.longest_row(calls.columns, "w", "chat", "new", WITHIN, "evaluation") == 3
    assert compared.longest_row(calls.columns, "w", "chat", "old", WITHIN, "evaluation") == 0


def test_units_are_who_began_within_the_span(calls: Calls) -> None:
    calls.put("old", user="ann", at=NOON - timedelta(minutes=5))
    calls.put("old", user="ann")
    calls.put("old", user="ben")
    calls.put("old", user="ben")
    calls.put("new", user="cleo", session="s1")
    calls.put("new", user="cleo", session="s2")
    calls.put("old", user="dan")
    calls.put("new", user="dan")
    calls.put("new")
    calls.put("new")
    found = compared.units(calls.columns, "w", "chat", ["old", "new"], WITHIN, "evaluation", STICKY)
    assert found.by_release == {"old": 2, "new": 5}, "ben and dan; two sessions, dan, and two of their own"
    assert found.met_both == 1
    by_user = compared.units(calls.columns, "w", "chat", ["old", "new"], WITHIN, "evaluation", ("user",))
    assert by_user.by_release["new"] == 4


def test_costs_are_of_the_calls_whose_cost_is_known(calls: Calls) -> None:
    calls.put("new", cost="0.5")
    calls.put("new", cost="0.25")
    calls.put("new")
    found = sums(calls)["new"]
    assert (found.cost, found.currencies) == ((2, 0.75, 0.3125), ("USD",))
