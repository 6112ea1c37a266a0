"""What the account of one process holds, and how it is read back: by the same code that changes it while it lives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from holdfast.gateway.limits.meters import Meter
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.amounts import money
from holdfast.gateway.rules.reservations import Entry, Key, Kind, Orphan, Standing

DEFINED, RESERVED, SETTLED, RELEASED, COUNTED, LENT, TOLD = range(7)
"""What a record of the journal says; its first field."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_FORM = 1


class Account:
    """One budget over one value in one window: units of 10^-12, or steps."""

    __slots__ = (
        "budget",
        "closed",
        "elsewhere",
        "ends",
        "handle",
        "kind",
        "lease",
        "reserved",
        "scope",
        "spent",
        "value",
        "window",
    )

    def __init__(
        self, handle: int, budget: str, scope: str, value: str, window: str, kind: str, ends: float
    ) -> None:
        self.handle = handle
        self.budget = budget
        self.scope = Scope(scope)
        self.value = value
        self.window = window
        self.kind = Kind(kind)
        self.ends = ends
        self.spent = 0
        self.reserved = 0
        self.closed = False
        self.lease: int | None = None
        self.elsewhere = 0  # what other gateways hold of it, as far as is known; not kept

    @property
    def key(self) -> Key:
        return self.budget, self.value, self.window

    def definition(self) -> tuple[Any, ...]:
        return self.handle, self.budget, self.scope, self.value, self.window, self.kind, self.ends

    def standing(self) -> Standing:
        return Standing(
            self.key,
            self.scope,
            self.kind,
            self.ends,
            self.spent,
            self.reserved,
            self.closed,
            self.lease,
            self.elsewhere,
        )


class Held:
    """A reservation that is not settled. `meters` with what `Meter.begin` said."""

    __slots__ = ("about", "amount", "hard", "lasting", "meters", "soft", "steps", "tokens")

    def __init__(
        self,
        amount: int | None,
        hard: Sequence[Account],
        soft: Sequence[Account],
        steps: Sequence[Account],
        about: bytes,
        lasting: bool,
        tokens: int = 0,
    ) -> None:
        self.amount = amount
        self.hard = hard
        self.soft = soft
        self.steps = steps
        self.about = about
        self.lasting = lasting
        self.tokens = tokens
        self.meters: Sequence[tuple[Meter, int, int]] = ()


class State:
    """All accounts and reservations of one process; every change goes through a method that a record can repeat."""

    def __init__(self) -> None:
        self.accounts: dict[Key, Account] = {}
        self.held: dict[str, Held] = {}
        self.orphans: dict[str, tuple[int, bytes, list[Account]]] = {}
        self._handles: dict[int, Account] = {}
        self._next = 1

    def account(self, entry: Entry) -> tuple[Account, bytes | None]:
        """The account of `entry`, and the record that defines it where it is new; it is not yet `kept`."""
        found = self.accounts.get((entry.budget, entry.value, entry.window))
        if found is not None:
            return found, None
        made = Account(self._next, *entry[:4], entry.kind, entry.ends)
        self._next += 1
        return made, _encode((DEFINED, *made.definition()))

    def keep(self, account: Account) -> None:
        self.accounts[account.key] = self._handles[account.handle] = account

    def reserve(self, id: str, held: Held) -> None:
        if held.amount:
            for account in held.hard:
                account.reserved += held.amount
            for account in held.soft:
                account.reserved += held.amount
        for account in held.steps:
            account.spent += 1
        self.held[id] = held

    def settle(self, id: str, amount: int, close: bool) -> Held:
        held = self.held.pop(id)
        bound = held.amount or 0
        for account in held.hard:
            account.reserved -= bound
            account.spent += amount
            account.closed = account.closed or close
        for account in held.soft:
            account.reserved -= bound
            account.spent += amount
        return held

    def release(self, id: str) -> Held:
        held = self.settle(id, 0, False)
        for account in held.steps:
            account.spent -= 1
        return held

    def orphan(self) -> None:
        """What a dead process had out counts at its bound; lasting reservations stay out."""
        for id, held in list(self.held.items()):
            if not held.lasting:
                amount = held.amount or 0
                self.settle(id, amount, False)
                self.orphans[id] = amount, held.about, [*held.hard, *held.soft]

    def told(self, id: str, amount: int | None) -> None:
        """An orphan is dealt with, and cost `amount` where that is known."""
        assumed, _, accounts = self.orphans.pop(id)
        if amount is not None:
            for account in accounts:
                account.spent += amount - assumed

    def prune(self, now: float) -> None:
        """Forgets accounts whose window is over and nothing is reserved in."""
        busy = {account for _, _, accounts in self.orphans.values() for account in accounts}
        for held in self.held.values():
            busy.update(held.hard, held.soft, held.steps)
        for key, account in list(self.accounts.items()):
            if account.ends < now and account not in busy:
                del self.accounts[key]
                del self._handles[account.handle]

    def repeat(self, record: bytes) -> None:
        """Does again what a record of the journal says was done."""
        what, *rest = _decode(record)
        if what == DEFINED:
            account = Account(*rest)
            self._next = max(self._next, account.handle + 1)
            self.keep(account)
        elif what == RESERVED:
            id, amount, hard, soft, steps, about, lasting = rest
            self.reserve(id, Held(amount, self._of(hard), self._of(soft), self._of(steps), about, lasting))
        elif what == SETTLED:
            self.settle(*rest)
        elif what == RELEASED:
            self.release(*rest)
        elif what == COUNTED:
            self._handles[rest[0]].spent = rest[1]
        elif what == LENT:
            self._handles[rest[0]].lease, self._handles[rest[0]].closed = rest[1:]
        elif what == TOLD:
            self.told(*rest)

    def _of(self, handles: Sequence[int]) -> list[Account]:
        return [self._handles[handle] for handle in handles]

    def dump(self) -> bytes:
        """The whole state; `load` reads it."""
        accounts = [
            (*one.definition(), one.spent, one.reserved, one.closed, one.lease)
            for one in self.accounts.values()
        ]
        held = [
            (id, one.amount, *_handles(one.hard, one.soft, one.steps), one.about, one.lasting)
            for id, one in self.held.items()
        ]
        orphans = [(id, amount, about, *_handles(owed)) for id, (amount, about, owed) in self.orphans.items()]
        return _encode((_FORM, self._next, accounts, held, orphans))

    def load(self, state: bytes) -> None:
        _, self._next, accounts, held, orphans = _decode(state)
        for *definition, spent, reserved, closed, lease in accounts:
            account = Account(*definition)
            account.spent, account.reserved, account.closed, account.lease = spent, reserved, closed, lease
            self.keep(account)
        for id, amount, hard, soft, steps, about, lasting in held:
            self.held[id] = Held(amount, self._of(hard), self._of(soft), self._of(steps), about, lasting)
        self.orphans = {id: (amount, about, self._of(owed)) for id, amount, about, owed in orphans}

    def waiting(self) -> Iterator[Orphan]:
        for id, (amount, about, _) in self.orphans.items():
            yield Orphan(id, money(amount), about)


def _handles(*groups: Sequence[Account]) -> list[list[int]]:
    return [[account.handle for account in group] for group in groups]
