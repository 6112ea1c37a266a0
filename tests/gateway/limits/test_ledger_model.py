"""The ledger beside a plain model of it, through any order of reserving, settling, releasing and being killed."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.reservations import Entry, Granted, Key, Refused, Reservation

SCOPES = ((Scope.WORKSPACE, "w"), (Scope.TENANT, "a"), (Scope.TENANT, "b"), (Scope.USER, "u"))
NOW = 1_800_000_000.0
ENDS = NOW + 10**6
AMOUNT = st.integers(0, 400)


def usd(count: int) -> Decimal:
    return Decimal(count).scaleb(-12)


class Beside(RuleBasedStateMachine):
    """Amounts are a few hundred of the smallest units, so that budgets run out."""

    @initialize(
        caps=st.tuples(*(st.integers(0, 1_000) for _ in SCOPES)), soft=st.booleans(), small=st.booleans()
    )
    def start(self, caps: tuple[int, ...], soft: bool, small: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-ledger-"))
        self.compact_at = 600 if small else 10**6
        self.entries = [
            Entry(f"b/{scope}", scope, value, "m", cap, ENDS, hard=not (soft and index == 0))
            for index, ((scope, value), cap) in enumerate(zip(SCOPES, caps, strict=True))
        ]
        self.ledger = Ledger(self.folder, compact_at=self.compact_at)
        self.spent: dict[Key, int] = {entry.key: 0 for entry in self.entries}
        self.out: dict[str, tuple[int, tuple[Entry, ...], bool]] = {}
        self.orphans: dict[str, tuple[int, tuple[Entry, ...]]] = {}
        self.closed: set[Key] = set()
        self.excess: dict[Key, int] = {entry.key: 0 for entry in self.entries}
        self.number = 0

    def reserved(self, key: Key) -> int:
        return sum(
            amount for amount, entries, _ in self.out.values() if any(one.key == key for one in entries)
        )

    @rule(amount=AMOUNT, which=st.sets(st.integers(0, len(SCOPES) - 1)), lasting=st.booleans())
    def reserve(self, amount: int, which: set[int], lasting: bool) -> None:
        self.number += 1
        id = f"call_{self.number}"
        entries = tuple(self.entries[index] for index in sorted(which))
        over = [one for one in entries if self.spent[one.key] + self.reserved(one.key) + amount > one.cap]
        shut = [one for one in entries if one.hard and (one in over or one.key in self.closed)]
        answer = self.ledger.reserve(
            Reservation(id, amount, entries, about=id.encode(), lasting=lasting), NOW
        )
        if shut:
            assert isinstance(answer, Refused)
            assert (answer.scope, answer.value) == (shut[0].scope, shut[0].value)
            assert answer.spent == usd(self.spent[shut[0].key])
            assert answer.reserved == usd(self.reserved(shut[0].key))
        else:
            assert answer == Granted(tuple(over))
            self.out[id] = amount, entries, lasting

    @precondition(lambda self: self.out)
    @rule(data=st.data(), share=st.integers(0, 100))
    def settle(self, data: st.DataObject, share: int) -> None:
        id = data.draw(st.sampled_from(sorted(self.out)))
        amount, entries, _ = self.out.pop(id)
        cost = amount * share // 100
        assert self.ledger.settle(id, usd(cost), NOW) == (usd(cost), False, None)
        for one in entries:
            self.spent[one.key] += cost

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def settle_unknown(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.out)))
        amount, entries, _ = self.out.pop(id)
        assert self.ledger.settle(id, None, NOW) == (usd(amount), True, None)
        for one in entries:
            self.spent[one.key] += amount

    @precondition(lambda self: self.out)
    @rule(data=st.data(), more=st.integers(1, 50))
    def settle_above(self, data: st.DataObject, more: int) -> None:
        id = data.draw(st.sampled_from(sorted(self.out)))
        amount, entries, _ = self.out.pop(id)
        breach = self.ledger.settle(id, usd(amount + more), NOW).breach
        assert breach is not None
        assert breach[:3] == (id, usd(amount), usd(amount + more))
        assert set(breach.closed) == {one.key for one in entries if one.hard}
        self.closed |= set(breach.closed)
        for one in entries:
            self.spent[one.key] += amount + more
            self.excess[one.key] += more

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.out)))
        del self.out[id]
        self.ledger.release(id, NOW)

    @rule(torn=st.binary(max_size=20))
    def kill(self, torn: bytes) -> None:
        """Letting go writes nothing, so the folder is as a kill leaves it; `torn` is a record that was cut off."""
        self.ledger.close()
        journal = next(self.folder.glob("journal-*"))
        with journal.open("ab") as file:
            file.write(b"\x00\x00\x01\x00" + torn if torn else b"")
        self.ledger = Ledger(self.folder, compact_at=self.compact_at)
        for id, (amount, entries, lasting) in list(self.out.items()):
            if not lasting:
                del self.out[id]
                self.orphans[id] = amount, entries
                for one in entries:
                    self.spent[one.key] += amount

    @precondition(lambda self: self.orphans)
    @rule(data=st.data(), share=st.none() | st.integers(0, 100))
    def tell(self, data: st.DataObject, share: int | None) -> None:
        id = data.draw(st.sampled_from(sorted(self.orphans)))
        amount, entries = self.orphans.pop(id)
        cost = amount if share is None else amount * share // 100
        self.ledger.told(id, None if share is None else usd(cost))
        for one in entries:
            self.spent[one.key] += cost - amount

    @invariant()
    def sums_are_equal_to_the_last_unit(self) -> None:
        for one in self.entries:
            found = self.ledger.standing(one.key)
            figures = (0, 0, False) if found is None else (found.spent, found.reserved, found.closed)
            assert figures == (self.spent[one.key], self.reserved(one.key), one.key in self.closed)
        assert self.ledger.outstanding() == len(self.out)
        told = {one.id: (one.amount, one.about) for one in self.ledger.orphans()}
        assert told == {id: (usd(amount), id.encode()) for id, (amount, _) in self.orphans.items()}

    @invariant()
    def no_hard_budget_is_exceeded_but_by_recorded_breaches(self) -> None:
        for one in self.entries:
            found = self.ledger.standing(one.key)
            if one.hard and found is not None:
                assert found.spent + found.reserved <= one.cap + self.excess[one.key]

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.folder)


Beside.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedgerBesideItsModel = Beside.TestCase
