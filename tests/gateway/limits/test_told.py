"""What one process tells of its accounts: the fullest, what people must hear of, and all of it again after a kill."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.model import Budget, Configuration, Limit, Period, Scope, Workspace
from holdfast.gateway.proxy.accounts import EVENTS, SHOWN, Accounts, Told
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.reservations import Granted, Reservation
from holdfast.gateway.rules.scopes import LimitBook

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW = AT.timestamp()


def book(**parts: Any) -> LimitBook:
    return LimitBook(
        Workspace(id="ws", slug="w", time_zone="UTC", version=1, configuration=Configuration(**parts))
    )


def budgets(amount: str = "10", *, hard: bool = True) -> LimitBook:
    return book(
        budgets=(Budget(scope=Scope.TENANT, amount=Decimal(amount), period=Period.DAY, hard=hard),),
        limits=(Limit(scope=Scope.TENANT, requests_per_minute=100, concurrency=10),),
    )


class Process:
    """A ledger and its accounts; asking for another one is a kill and a start."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder)
        self.accounts = Accounts(self.ledger)
        self.number = 0

    def spend(
        self, book: LimitBook, tenant: str, cost: str, bound: str | None = None, *, settle: bool = True
    ) -> str:
        self.number += 1
        id = f"call_{self.number}"
        values = {Scope.TENANT: tenant}
        entries, ceilings = book.entries(values, AT), book.ceilings(values, AT)
        asked = Reservation(id, units(Decimal(bound or cost)), entries, ceilings)
        assert isinstance(self.ledger.reserve(asked, NOW), Granted)
        self.accounts.met(entries, ceilings)
        if settle:
            self.ledger.settle(id, Decimal(cost), NOW)
        return id

    def told(self, book: LimitBook, now: float = NOW) -> Told:
        return self.accounts.told({"ws": book}, now)


def test_what_is_spent_and_reserved_and_of_a_limit_used(tmp_path: Path) -> None:
    one, made = Process(tmp_path), budgets()
    one.spend(made, "acme", "1.5", "2")
    id = one.spend(made, "acme", "1", "2", settle=False)
    [told] = one.told(made).budgets
    assert (told.value, told.window, told.spent, told.reserved) == ("acme", "2026-11-22", Decimal("1.5"), 2)
    assert (told.amount, told.ends, told.period) == (10, datetime(2026, 11, 23, tzinfo=UTC), "day")
    [limit] = one.told(made).limits
    assert (limit.requests, limit.running, limit.requests_per_minute) == (2, 1, 100)
    one.ledger.settle(id, Decimal(1), NOW)
    [told] = one.told(made).budgets
    assert (told.spent, told.reserved) == (Decimal("2.5"), 0)  # though nothing more was asked
    [told] = one.told(budgets("20")).budgets
    assert told.amount == 20  # another amount is told without a request
    assert one.told(book()).budgets == ()
    assert one.told(budgets(), NOW + 200).limits == ()


def test_the_fullest_are_told_and_that_others_are_left_out(tmp_path: Path) -> None:
    one, made = Process(tmp_path), budgets("1000")
    for number in range(12 * SHOWN):
        one.spend(made, f"t{number}", str(number + 1))
    told = one.told(made)
    assert [state.value for state in told.budgets] == [
        f"t{number}" for number in reversed(range(11 * SHOWN, 12 * SHOWN))
    ]
    assert told.cut == ("ws",)
    assert len(one.told(made, NOW + 86_400).budgets) == 0


def test_what_must_be_told_is_told_until_well_after_its_window_and_after_a_kill(tmp_path: Path) -> None:
    one, soft = Process(tmp_path), budgets(hard=False)
    one.spend(soft, "acme", "10")
    assert one.told(soft).events == ()
    one.spend(soft, "acme", "1")
    one.ledger.close()
    two = Process(tmp_path)
    for now in (NOW, NOW + 86_400):
        [told] = two.told(soft, now).events
        assert (told.event, told.value, told.spent) == ("crossed", "acme", 11)
    assert two.told(soft, NOW + 3 * 86_400).events == ()


def test_a_breach_is_told(tmp_path: Path) -> None:
    one, made = Process(tmp_path), budgets()
    one.spend(made, "acme", "3", "1")
    [told] = one.told(made).events
    assert (told.event, told.closed) == ("breached", True)


def test_of_very_many_all_have_their_turn(tmp_path: Path) -> None:
    one, soft = Process(tmp_path), budgets("1", hard=False)
    for number in range(2 * EVENTS):
        one.spend(soft, f"t{number}", "2")
    seen: set[str] = set()
    for _ in range(60):
        told = one.told(soft).events
        assert len(told) == EVENTS
        seen |= {state.value for state in told}
    assert len(seen) == 2 * EVENTS
