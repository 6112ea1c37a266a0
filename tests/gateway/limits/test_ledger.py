"""What the account of one process grants, refuses, counts and remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.reservations import Ceiling, Entry, Granted, Kind, Refused, Reservation
from holdfast.kernel.errors import Conflict, NotFound

NOW = 1_800_000_000.0
ENDS = NOW + 86_400
Open = Callable[[], Ledger]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    """Opens the ledger; a second call stands for a kill and a start: nothing is written when one is let go."""
    opened: list[Ledger] = []

    def open_it() -> Ledger:
        for one in opened:
            one.close()
        opened.append(Ledger(tmp_path / "accounts"))
        return opened[-1]

    yield open_it
    for one in opened:
        one.close()


def usd(text: str) -> int:
    return units(Decimal(text))


def entry(
    cap: str, value: str = "acme", scope: Scope = Scope.TENANT, *, hard: bool = True, window: str = "d"
) -> Entry:
    return Entry(f"{scope}/{'hard' if hard else 'soft'}", scope, value, window, usd(cap), ENDS, hard)


def asked(id: str, amount: str | None, *entries: Entry, **rest: object) -> Reservation:
    return Reservation(id, None if amount is None else usd(amount), entries)._replace(**rest)


def spent(ledger: Ledger, one: Entry) -> tuple[Decimal, Decimal]:
    found = ledger.standing(one.key)
    assert found is not None
    return Decimal(found.spent).scaleb(-12), Decimal(found.reserved).scaleb(-12)


def test_a_bound_is_set_aside_and_replaced_by_the_cost(reopen: Open) -> None:
    ledger, day = reopen(), entry("1")
    assert ledger.reserve(asked("a", "0.6", day), NOW) == Granted()
    refused = ledger.reserve(asked("b", "0.5", day), NOW)
    assert refused == Refused(
        Kind.BUDGET, Scope.TENANT, "acme", Decimal(1), Decimal(0), Decimal("0.6"), ENDS, "tenant/hard"
    )
    settled = ledger.settle("a", Decimal("0.1"), NOW)
    assert (settled.amount, settled.assumed, settled.breach) == (Decimal("0.1"), False, None)
    assert spent(ledger, day) == (Decimal("0.1"), 0)
    assert isinstance(ledger.reserve(asked("b", "0.9", day), NOW), Granted)  # to the last unit
    assert isinstance(ledger.reserve(asked("c", "0.000000000001", day), NOW), Refused)
    ledger.release("b", NOW)
    assert spent(ledger, day) == (Decimal("0.1"), 0)


def test_all_scopes_or_none(reopen: Open) -> None:
    ledger = reopen()
    wide, narrow = entry("10", scope=Scope.WORKSPACE), entry("0.1", scope=Scope.USER)
    refused = ledger.reserve(asked("a", "0.5", wide, narrow), NOW)
    assert isinstance(refused, Refused) and refused.scope is Scope.USER
    assert ledger.standing(wide.key) is None
    over = Ceiling("l", Scope.KEY, "k", concurrency=0)
    assert isinstance(ledger.reserve(asked("a", "0.05", wide, narrow, ceilings=(over,)), NOW), Refused)
    assert ledger.outstanding() == 0 and ledger.standing(wide.key) is None
    assert isinstance(ledger.reserve(asked("a", "0.05", wide, narrow), NOW), Granted)


def test_values_and_windows_have_accounts_of_their_own(reopen: Open) -> None:
    ledger = reopen()
    for one in (entry("1"), entry("1", "other"), entry("1", window="e")):
        assert isinstance(ledger.reserve(asked(str(one), "1", one), NOW), Granted)
        assert isinstance(ledger.reserve(asked("more", "1", one), NOW), Refused)


def test_a_soft_budget_is_told_not_enforced(reopen: Open) -> None:
    ledger, soft = reopen(), entry("1", hard=False)
    assert ledger.reserve(asked("a", "1", soft), NOW) == Granted()
    assert ledger.reserve(asked("b", "1", soft), NOW) == Granted((soft,))
    assert ledger.reserve(asked("c", None, soft), NOW) == Granted((soft,))
    assert ledger.settle("c", Decimal(5), NOW).breach is None  # nothing was promised
    assert spent(ledger, soft) == (5, 2)


def test_what_has_no_bound_is_refused_under_a_hard_budget(reopen: Open) -> None:
    ledger, day = reopen(), entry("1")
    refused = ledger.reserve(asked("a", None, day), NOW)
    assert isinstance(refused, Refused) and (refused.kind, refused.resets_at) == (Kind.UNBOUNDED, None)
    foreign = ledger.reserve(asked("a", "0.1", day, currency="EUR"), NOW)
    assert isinstance(foreign, Refused) and foreign.kind is Kind.UNBOUNDED
    assert isinstance(ledger.reserve(asked("a", None), NOW), Granted)


def test_a_cost_that_never_came_counts_at_its_bound_and_says_so(reopen: Open) -> None:
    ledger, day = reopen(), entry("1")
    ledger.reserve(asked("a", "0.25", day), NOW)
    settled = ledger.settle("a", None, NOW)
    assert (settled.amount, settled.assumed) == (Decimal("0.25"), True)
    assert spent(ledger, day) == (Decimal("0.25"), 0)


def test_a_cost_above_its_bound_closes_the_scope_until_its_window_ends(reopen: Open) -> None:
    ledger, day, soft = reopen(), entry("100"), entry("100", hard=False)
    ledger.reserve(asked("a", "1", day, soft), NOW)
    ledger.reserve(asked("b", "1", day, soft), NOW)
    settled = ledger.settle("a", Decimal("1.000000000001"), NOW)
    assert settled.breach is not None
    assert (settled.breach.reserved, settled.breach.amount) == (Decimal(1), Decimal("1.000000000001"))
    assert settled.breach.closed == (day.key,)
    for _ in range(2):
        refused = ledger.reserve(asked("c", "1", day), NOW)
        assert isinstance(refused, Refused) and (refused.kind, refused.resets_at) == (Kind.CLOSED, ENDS)
        ledger = reopen()
    tomorrow = entry("100", window="next")
    ledger = reopen()
    assert isinstance(ledger.reserve(asked("d", "1", tomorrow), NOW), Granted)


def test_break_glass_lets_one_value_pass_while_it_holds(reopen: Open) -> None:
    ledger, day = reopen(), entry("1")
    lifted = day._replace(lifted=True)
    ledger.reserve(asked("a", "0.5", lifted), NOW)
    ledger.settle("a", Decimal(2), NOW)  # closed, and above
    assert ledger.reserve(asked("b", "1", lifted), NOW) == Granted((lifted,))
    assert ledger.reserve(asked("c", "1", entry("1", "other")), NOW) == Granted()
    assert isinstance(ledger.reserve(asked("d", "1", day), NOW), Refused)
    assert spent(ledger, day) == (2, 1)  # what passes is counted all the same


def test_an_extra_amount_is_the_cap_while_it_holds_and_says_when_it_was_needed(reopen: Open) -> None:
    ledger, more = reopen(), entry("3")._replace(extra=usd("2"))
    assert ledger.reserve(asked("a", "1", more), NOW) == Granted()
    assert ledger.reserve(asked("b", "1", more), NOW) == Granted((more,))
    assert isinstance(ledger.reserve(asked("c", "1.5", more), NOW), Refused)
    assert isinstance(ledger.reserve(asked("d", "0.1", entry("1")), NOW), Refused)


def test_after_a_kill_all_is_as_it_was_and_what_was_out_counts_at_its_bound(reopen: Open) -> None:
    ledger, day = reopen(), entry("10")
    ledger.reserve(asked("a", "1", day), NOW)
    ledger.settle("a", Decimal("0.125"), NOW)
    ledger.reserve(asked("b", "2", day, about=b"call b"), NOW)
    ledger.reserve(asked("batch", "3", day, about=b"batch", lasting=True), NOW)
    ledger.reserve(asked("c", "1", day), NOW)
    ledger.release("c", NOW)
    ledger = reopen()
    assert spent(ledger, day) == (Decimal("2.125"), 3)
    assert [tuple(one) for one in ledger.orphans()] == [("b", Decimal(2), b"call b")]
    ledger = reopen()  # killed once more before anybody was told
    assert [one.id for one in ledger.orphans()] == ["b"]
    assert spent(ledger, day) == (Decimal("2.125"), 3)
    ledger.told("b", Decimal("0.5"))
    assert spent(ledger, day) == (Decimal("0.625"), 3)
    ledger.settle("batch", Decimal(1), NOW)
    ledger = reopen()
    assert ledger.orphans() == ()
    assert spent(ledger, day) == (Decimal("1.625"), 0)
    with pytest.raises(NotFound):
        ledger.told("b")


def test_ids_are_reserved_once_and_settled_once(reopen: Open) -> None:
    ledger, day = reopen(), entry("10")
    ledger.reserve(asked("a", "1", day), NOW)
    with pytest.raises(Conflict):
        ledger.reserve(asked("a", "1", day), NOW)
    ledger.settle("a", Decimal(1), NOW)
    for end in (lambda: ledger.settle("a", Decimal(1), NOW), lambda: ledger.release("a", NOW)):
        with pytest.raises(NotFound):
            end()
    assert spent(ledger, day) == (1, 0)


def test_what_telemetry_counted_is_taken_over_where_it_is_more(reopen: Open) -> None:
    ledger, day = reopen(), entry("10")
    ledger.reserve(asked("a", "4", day), NOW)
    ledger.settle("a", Decimal(4), NOW)
    ledger.rebase({day.key: Decimal(3), ("no", "such", "one"): Decimal(1)})
    assert spent(ledger, day) == (4, 0)
    ledger.rebase({day.key: Decimal(7)})
    assert spent(reopen(), day) == (7, 0)


def test_a_lease_is_all_that_this_process_may_use(reopen: Open) -> None:
    ledger, day = reopen(), entry("10")
    ledger.lend(day, usd("2"))
    for _ in range(2):
        assert isinstance(ledger.reserve(asked("a", "3", day), NOW), Refused)
        assert isinstance(ledger.reserve(asked("b", "2", day), NOW), Granted)
        ledger.release("b", NOW)
        ledger = reopen()
    ledger.lend(day, None)
    assert isinstance(ledger.reserve(asked("a", "3", day), NOW), Granted)
    ledger.lend(day, None, closed=True)
    refused = ledger.reserve(asked("c", "3", day), NOW)
    assert isinstance(refused, Refused) and refused.kind is Kind.CLOSED


def test_requests_and_tokens_per_minute(reopen: Open) -> None:
    ledger = reopen()
    limit = Ceiling("l", Scope.KEY, "k", requests_per_minute=3, tokens_per_minute=100)
    ask = Reservation("a", 0, ceilings=(limit,), tokens=60)
    assert isinstance(ledger.reserve(ask, NOW), Granted)
    assert ledger.reserve(ask._replace(id="b"), NOW + 1) == Refused(
        Kind.TOKENS, Scope.KEY, "k", Decimal(100), Decimal(60), Decimal(60), NOW + 61, "l"
    )
    ledger.settle("a", Decimal(0), NOW + 2, tokens=10)
    assert isinstance(ledger.reserve(ask._replace(id="b"), NOW + 2), Granted)
    assert isinstance(ledger.reserve(ask._replace(id="c", tokens=0), NOW + 3), Granted)
    refused = ledger.reserve(ask._replace(id="d", tokens=0), NOW + 4)
    assert isinstance(refused, Refused) and (refused.kind, refused.resets_at) == (Kind.REQUESTS, NOW + 61)
    ledger.release("c", NOW + 5)  # never sent: its place is free again
    assert isinstance(ledger.reserve(ask._replace(id="d", tokens=0), NOW + 5), Granted)
    too_many = ledger.reserve(ask._replace(id="e", tokens=101), NOW + 500)
    assert isinstance(too_many, Refused) and too_many.resets_at is None
    assert isinstance(ledger.reserve(ask._replace(id="f"), NOW + 500), Granted)


def test_concurrency(reopen: Open) -> None:
    ledger = reopen()
    limit = Ceiling("l", Scope.KEY, "k", concurrency=2)
    ask = Reservation("a", 0, ceilings=(limit,))
    for id in ("a", "b"):
        assert isinstance(ledger.reserve(ask._replace(id=id), NOW), Granted)
    refused = ledger.reserve(ask._replace(id="c"), NOW)
    assert refused == Refused(Kind.CONCURRENCY, Scope.KEY, "k", Decimal(2), Decimal(0), Decimal(2), None, "l")
    other = limit._replace(value="other")
    assert isinstance(ledger.reserve(ask._replace(id="d", ceilings=(other,)), NOW), Granted)
    ledger.settle("a", None, NOW)
    assert isinstance(ledger.reserve(ask._replace(id="c"), NOW), Granted)
    ledger.release("b", NOW)
    assert isinstance(ledger.reserve(ask._replace(id="e"), NOW), Granted)


def test_a_run_has_so_many_steps_and_so_much_money_whatever_happens_to_the_process(reopen: Open) -> None:
    ledger = reopen()
    steps = Entry("l", Scope.RUN, "r1", "run-steps", 3, ENDS, True, Kind.RUN_STEPS)
    cost = Entry("l", Scope.RUN, "r1", "run", usd("1"), ENDS, True, Kind.RUN_COST)
    assert isinstance(ledger.reserve(asked("a", "0.4", steps, cost), NOW), Granted)
    ledger.settle("a", Decimal("0.3"), NOW)
    ledger.reserve(asked("x", "0.1", steps, cost), NOW)
    ledger.release("x", NOW)  # no step was taken
    ledger = reopen()
    refused = ledger.reserve(asked("b", "0.8", steps, cost), NOW)
    assert refused == Refused(
        Kind.RUN_COST, Scope.RUN, "r1", Decimal(1), Decimal("0.3"), Decimal(0), None, "l"
    )
    for id in ("b", "c"):
        assert isinstance(ledger.reserve(asked(id, "0.1", steps, cost), NOW), Granted)
        ledger.settle(id, Decimal("0.1"), NOW)
    refused = ledger.reserve(asked("d", "0.1", steps, cost), NOW)
    assert refused == Refused(Kind.RUN_STEPS, Scope.RUN, "r1", Decimal(3), Decimal(3), Decimal(0), None, "l")
    assert isinstance(ledger.reserve(asked("d", "0.1", steps._replace(value="r2")), NOW), Granted)


def test_an_agent_that_repeats_itself_is_stopped(reopen: Open) -> None:
    ledger = reopen()
    limit = Ceiling("l", Scope.RUN, "r1", same_tool_calls=2)
    ask = Reservation("a", 0, ceilings=(limit,), calls=(b"same",))
    for number in range(2):
        assert isinstance(ledger.reserve(ask._replace(id=str(number)), NOW), Granted)
        assert isinstance(
            ledger.reserve(ask._replace(id=f"o{number}", calls=(str(number).encode(),)), NOW), Granted
        )
    refused = ledger.reserve(ask._replace(id="x"), NOW)
    assert refused == Refused(Kind.LOOP, Scope.RUN, "r1", Decimal(2), Decimal(3), Decimal(0), None, "l")
    twice = ask._replace(id="y", calls=(b"new",) * 3)
    assert isinstance(ledger.reserve(twice, NOW), Refused)
    assert isinstance(
        ledger.reserve(ask._replace(id="z", ceilings=(limit._replace(value="r2"),)), NOW), Granted
    )


def test_compaction_keeps_what_counts_and_forgets_what_is_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, compact_at=2_000)
    old = entry("10", window="yesterday")._replace(ends=NOW - 1)
    late = entry("10", "late", window="yesterday")._replace(ends=NOW - 1)
    now = entry("10")
    ledger.reserve(asked("old", "1", old), NOW - 5)
    ledger.settle("old", Decimal(1), NOW - 5)
    ledger.reserve(asked("late", "1", late), NOW - 5)
    for number in range(100):
        ledger.reserve(asked(str(number), "0.01", now), NOW)
        ledger.settle(str(number), Decimal("0.001"), NOW)
    assert ledger.standing(old.key) is None
    assert spent(ledger, late) == (0, 1)  # still out, whatever the day
    ledger.settle("late", Decimal(1), NOW)
    ledger.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 8_000
    ledger = Ledger(tmp_path)
    assert spent(ledger, now) == (Decimal("0.1"), 0)
    ledger.close()
