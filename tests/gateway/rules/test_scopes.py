"""Which budgets and limits a request counts against."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from holdfast.gateway.model import Budget, Configuration, Dimensions, Limit, Period, Scope, Workspace
from holdfast.gateway.rules.reservations import Ceiling, Entry, Kind
from holdfast.gateway.rules.scopes import RUN_KEPT, LimitBook, budget_id, scope_values

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def book(*budgets: Budget, limits: tuple[Limit, ...] = ()) -> LimitBook:
    configuration = Configuration(budgets=budgets, limits=limits)
    return LimitBook(
        Workspace(id="ws", slug="w", time_zone="Europe/Berlin", version=1, configuration=configuration)
    )


VALUES = scope_values("ws", "key_1", "gpt-5", Dimensions(system="shop", tenant="acme", run="r1"))


def test_a_request_has_the_values_that_it_says() -> None:
    assert VALUES == {
        Scope.WORKSPACE: "ws",
        Scope.SYSTEM: "shop",
        Scope.TENANT: "acme",
        Scope.KEY: "key_1",
        Scope.MODEL: "gpt-5",
        Scope.RUN: "r1",
    }


def test_a_budget_applies_to_each_value_or_to_those_it_names() -> None:
    every = Budget(scope=Scope.TENANT, amount=Decimal(5), period=Period.DAY)
    one = Budget(scope=Scope.TENANT, amount=Decimal(1), only=("acme",), hard=False)
    other = Budget(scope=Scope.TENANT, amount=Decimal(1), only=("other",))
    unsaid = Budget(scope=Scope.USER, amount=Decimal(1))
    ends = datetime(2026, 11, 23, 23, 0, tzinfo=UTC).timestamp()
    month = datetime(2026, 11, 30, 23, 0, tzinfo=UTC).timestamp()
    assert book(every, one, other, unsaid).entries(VALUES, AT) == (
        Entry(budget_id("ws", every), Scope.TENANT, "acme", "2026-11-23", 5 * 10**12, ends),
        Entry(budget_id("ws", one), Scope.TENANT, "acme", "2026-11", 10**12, month, hard=False),
    )


def test_a_budget_stays_the_same_when_its_amount_changes_and_no_other() -> None:
    budget = Budget(scope=Scope.TENANT, amount=Decimal(5), only=("b", "a"))
    others = (
        Budget(scope=Scope.USER, amount=Decimal(5), only=("b", "a")),
        Budget(scope=Scope.TENANT, amount=Decimal(5), only=("a",)),
        Budget(scope=Scope.TENANT, amount=Decimal(5), only=("b", "a"), period=Period.DAY),
        Budget(scope=Scope.TENANT, amount=Decimal(5), only=("b", "a"), hard=False),
        Budget(scope=Scope.TENANT, amount=Decimal(5), only=("b", "a"), currency="EUR"),
    )
    same = Budget(scope=Scope.TENANT, amount=Decimal(9), only=("a", "b"))
    assert budget_id("ws", budget) == budget_id("ws", same) != budget_id("ws2", budget)
    assert len({budget_id("ws", one) for one in (budget, *others)}) == 6


def test_of_two_amounts_over_the_same_the_lower_holds() -> None:
    high, low = (Budget(scope=Scope.KEY, amount=Decimal(amount)) for amount in (7, 3))
    assert [one.cap for one in book(high, low).entries(VALUES, AT)] == [3 * 10**12]
    assert [one.cap for one in book(low, high).entries(VALUES, AT)] == [3 * 10**12]


def test_a_run_has_accounts_that_no_calendar_ends() -> None:
    limits = (Limit(scope=Scope.RUN, run_cost=Decimal("0.5"), run_steps=9),)
    ends = AT.timestamp() + RUN_KEPT
    assert book(limits=limits).entries(VALUES, AT) == (
        Entry("ws/run/", Scope.RUN, "r1", "run", 5 * 10**11, ends, True, Kind.RUN_COST),
        Entry("ws/run/", Scope.RUN, "r1", "run-steps", 9, ends, True, Kind.RUN_STEPS),
    )
    assert book(limits=limits).entries({Scope.WORKSPACE: "ws"}, AT) == ()
    by_system = (Limit(scope=Scope.SYSTEM, only=("shop",), run_steps=4),)  # each run of this system
    assert [one.value for one in book(limits=by_system).entries(VALUES, AT)] == ["r1"]


def test_limits_over_the_same_values_are_one() -> None:
    limits = (
        Limit(scope=Scope.KEY, requests_per_minute=9, concurrency=4),
        Limit(scope=Scope.KEY, requests_per_minute=5, tokens_per_minute=100),
        Limit(scope=Scope.KEY, only=("key_1",), concurrency=2),
        Limit(scope=Scope.RUN, same_tool_calls=3),
        Limit(scope=Scope.USER, concurrency=1),
    )
    assert book(limits=limits).ceilings(VALUES) == (
        Ceiling("ws/key/", Scope.KEY, "key_1", 5, 100, 4),
        Ceiling("ws/key/key_1", Scope.KEY, "key_1", None, None, 2),
        Ceiling("ws/run//calls", Scope.RUN, "r1", same_tool_calls=3),
    )
