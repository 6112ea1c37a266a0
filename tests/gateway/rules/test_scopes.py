"""Which budgets and limits a request counts against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from holdfast.gateway.model import (
    Budget,
    Configuration,
    Dimensions,
    Lift,
    Lifted,
    Limit,
    Period,
    Scope,
    Workspace,
)
from holdfast.gateway.rules.reservations import Ceiling, Entry, Kind
from holdfast.gateway.rules.scopes import RUN_KEPT, LimitBook, budget_id, scope_values

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def book(*budgets: Budget, limits: tuple[Limit, ...] = (), lifts: tuple[Lift, ...] = ()) -> LimitBook:
    configuration = Configuration(budgets=budgets, limits=limits)
    return LimitBook(
        Workspace(
            id="ws",
            slug="w",
            time_zone="Europe/Berlin",
            version=1,
            configuration=configuration,
            lifts=lifts,
        )
    )


def lift(value: str, *, extra: str | None = None, what: Lifted = Lifted.BUDGET) -> Lift:
    """Over a tenant, for a minute."""
    return Lift(
        id="lift_1",
        workspace="ws",
        what=what,
        scope=Scope.TENANT,
        value=value,
        until=AT + timedelta(minutes=1),
        extra=None if extra is None else Decimal(extra),
        person="Ann",
        reason="the fair",
        made_at=AT,
        made_by="mem_1",
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
    assert book(limits=limits).ceilings(VALUES, AT) == (
        Ceiling("ws/key/", Scope.KEY, "key_1", 5, 100, 4),
        Ceiling("ws/key/key_1", Scope.KEY, "key_1", None, None, 2),
        Ceiling("ws/run//calls", Scope.RUN, "r1", same_tool_calls=3),
    )


def test_a_lift_is_over_its_scope_and_value_and_ends_by_the_clock_alone() -> None:
    hard = Budget(scope=Scope.TENANT, amount=Decimal(5))
    soft = Budget(scope=Scope.TENANT, amount=Decimal(1), hard=False)
    other = Budget(scope=Scope.SYSTEM, amount=Decimal(1))

    def said(*lifts: Lift, at: datetime = AT) -> list[tuple[bool, int, int]]:
        found = book(hard, soft, other, lifts=lifts).entries(VALUES, at)
        return [(one.lifted, one.cap // 10**12, one.extra // 10**12) for one in found]

    none = [(False, 5, 0), (False, 1, 0), (False, 1, 0)]
    assert said() == said(lift("other")) == none
    assert said(lift("acme")) == said(lift("")) == [(True, 5, 0), *none[1:]]
    assert said(lift("acme", extra="3"), lift("", extra="2")) == [(False, 8, 3), *none[1:]]
    assert said(lift("acme", extra="3"), lift("")) == [(True, 5, 0), *none[1:]]
    assert said(lift("acme"), at=AT + timedelta(seconds=59)) != none
    assert said(lift("acme"), at=AT + timedelta(seconds=60)) == none
    assert said(lift("acme", what=Lifted.LIMIT)) == none


def test_a_lifted_limit_is_no_ceiling_and_lets_runs_go_on() -> None:
    limits = (Limit(scope=Scope.TENANT, requests_per_minute=1), Limit(scope=Scope.TENANT, run_steps=1))
    made = book(limits=limits, lifts=(lift("acme", what=Lifted.LIMIT),))
    assert made.ceilings(VALUES, AT) == ()
    assert [one.lifted for one in made.entries(VALUES, AT)] == [True]
    later = AT + timedelta(minutes=1)
    assert len(made.ceilings(VALUES, later)) == 1
    assert [one.lifted for one in made.entries(VALUES, later)] == [False]


def test_what_applies_is_remembered_no_longer_than_it_holds() -> None:
    daily = Budget(scope=Scope.TENANT, amount=Decimal(5), period=Period.DAY)
    monthly = Budget(scope=Scope.WORKSPACE, amount=Decimal(9), period=Period.MONTH)
    rates = Limit(scope=Scope.KEY, requests_per_minute=7)
    steps = Limit(scope=Scope.TENANT, run_steps=3)
    lifts = (lift("acme", extra="2"),)
    once = AT.timestamp()
    day, run = Dimensions(tenant="acme"), Dimensions(tenant="acme", run="r1")
    for given in ((), lifts):
        made = book(daily, monthly, limits=(rates, steps), lifts=given)
        for after in (0, 1, 90, 86_400, 30, 40 * 86_400, 0):
            for said in (day, run, Dimensions(), day):
                at = datetime.fromtimestamp(once + after, UTC)
                values = scope_values("ws", "key_1", "gpt-5", said)
                found = made.applied("key_1", "gpt-5", said, once + after)
                assert found.entries == made.entries(values, at)
                assert found.ceilings == made.ceilings(values, at)
    plain = book(daily)
    assert plain.applied("k", "m", day, once) is plain.applied("k", "m", day, once + 1)
