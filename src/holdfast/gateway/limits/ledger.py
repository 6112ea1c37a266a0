"""The account of one process: what budgets have left while requests are under way.

Before a request is sent its bound is set aside in every budget at once, or in none; afterwards what it really cost takes
the bound's place. Both are one write to a journal (`journal`), so that a killed process forgets nothing: when its folder
is opened again, what was spent is what it was, and what was set aside counts at its bound until told better (`told`).

For one event loop: no method waits, and none may be called from two threads. All amounts inside are whole numbers of
10^-12, so sums are exact. Instants are Unix seconds and always given.

Rates, concurrency and repeated calls live in memory: a restart begins them anew. Spending and steps of runs do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

import msgspec

from holdfast.gateway.limits.journal import Journal
from holdfast.gateway.limits.meters import Meter, against
from holdfast.gateway.limits.state import (
    COUNTED,
    LENT,
    RELEASED,
    RESERVED,
    SETTLED,
    TOLD,
    Account,
    Held,
    State,
)
from holdfast.gateway.rules.amounts import money, units
from holdfast.gateway.rules.reservations import (
    Breach,
    Ceiling,
    Entry,
    Granted,
    Key,
    Kind,
    Orphan,
    Refused,
    Reservation,
    Settled,
    Standing,
)
from holdfast.kernel.errors import Conflict, NotFound, Unavailable

COMPACT_AT = 16 * 1024 * 1024
"""Bytes of journal after which the whole state is written in its place."""
IDLE = 3600.0
"""Seconds after which a meter that nothing runs under is forgotten, and with it the calls that a run repeated."""

_GRANTED = Granted()
_STEPS = Kind.RUN_STEPS  # to look up a member of an enumeration takes a microsecond
_handle = attrgetter("handle")
_encode = msgspec.msgpack.Encoder().encode


class Ledger:
    """Budgets and limits of one process, kept in `folder`. Raises as `Journal` does."""

    def __init__(self, folder: Path, *, compact_at: int = COMPACT_AT) -> None:
        self._compact_at = compact_at
        self._meters: dict[tuple[str, str], Meter] = {}
        self._behind = False  # something was done that the journal could not take
        self._journal = Journal(folder)
        self._state = State()
        if self._journal.state is not None:
            self._state.load(self._journal.state)
        for record in self._journal.records:
            self._state.repeat(record)
        self._journal.state, self._journal.records = None, []
        self._state.orphan()
        try:
            self._journal.compact(self._state.dump())
        except Unavailable:
            self.close()
            raise

    @property
    def torn(self) -> int:
        """Bytes at the journal's end that were cut off when it was opened: a record that a kill tore."""
        return self._journal.torn

    def orphans(self) -> tuple[Orphan, ...]:
        """What processes before this one had reserved when they died; each until it is `told`."""
        return tuple(self._state.waiting())

    def told(self, id: str, amount: Decimal | None = None) -> None:
        """The orphan `id` is recorded. `amount`, where its record says what it really cost, replaces its bound.

        Raises NotFound where there is no such orphan.
        """
        if id not in self._state.orphans:
            raise NotFound(f"there is no orphan {id}")
        cost = None if amount is None else units(amount)
        self._journal.append(_encode((TOLD, id, cost)))
        self._state.told(id, cost)

    def reserve(self, asked: Reservation, now: float) -> Granted | Refused:
        """Sets the request's bound aside in all of its budgets and counts it in all of its limits, or in none.

        Raises Conflict where the id is reserved already, Unavailable where the journal cannot take it (nothing is
        reserved then, and nothing may be sent).
        """
        state = self._state
        if asked.id in state.held:
            raise Conflict(f"{asked.id} is reserved already")
        refused, crossed = self._over(asked)
        if refused is not None:
            return refused
        meters = []
        for ceiling in asked.ceilings:
            meter = self._meters.get((ceiling.limit, ceiling.value))
            if meter is None:
                meter = self._meters[(ceiling.limit, ceiling.value)] = Meter()
            refused = against(ceiling, meter, asked, now)
            if refused is not None:
                return refused
            meters.append(meter)
        self._hold(asked, meters, now)
        return Granted(tuple(crossed)) if crossed else _GRANTED

    def _over(self, asked: Reservation) -> tuple[Refused | None, list[Entry]]:
        """The first hard budget that stands against the request; and what it takes above its amount all the same."""
        accounts = self._state.accounts
        crossed: list[Entry] = []
        amount = asked.amount
        for entry in asked.entries:
            account = accounts.get((entry.budget, entry.value, entry.window))
            cap = entry.cap
            used = 0
            if account is not None:
                used = account.spent + account.reserved
                if not entry.hard:
                    used += account.elsewhere
                elif account.lease is not None and account.lease < cap:
                    cap = account.lease
            steps = entry.kind is _STEPS
            boundless = not steps and (amount is None or entry.currency != asked.currency)
            fits = used + (1 if steps else amount or 0) <= cap and not boundless
            if fits and not (account is not None and account.closed):
                if entry.extra and _needs_extra(entry, account, amount or 0):
                    crossed.append(entry)
                continue
            if entry.hard and not entry.lifted:
                kind = (
                    Kind.CLOSED if account and account.closed else Kind.UNBOUNDED if boundless else entry.kind
                )
                return _refusal(kind, entry, account), crossed
            crossed.append(entry)
        return None, crossed

    def _hold(self, asked: Reservation, meters: list[Meter], now: float) -> None:
        state = self._state
        records = []
        made: list[Account] = []
        hard: list[Account] = []
        soft: list[Account] = []
        steps: list[Account] = []
        for entry in asked.entries:
            account, defined = state.account(entry)
            if defined is not None:
                records.append(defined)
                made.append(account)
            elif account.ends < entry.ends:
                account.ends = entry.ends  # a run that goes on
            if entry.kind is _STEPS:
                steps.append(account)
            elif entry.currency == asked.currency:
                (hard if entry.hard else soft).append(account)
        handles = [list(map(_handle, group)) for group in (hard, soft, steps)]
        records.append(_encode((RESERVED, asked.id, asked.amount, *handles, asked.about, asked.lasting)))
        self._journal.append(*records)
        for account in made:
            state.keep(account)
        held = Held(asked.amount, hard, soft, steps, asked.about, asked.lasting, asked.tokens)
        state.reserve(asked.id, held)
        if meters:
            held.meters = [
                (meter, *meter.begin(ceiling, asked, now))
                for ceiling, meter in zip(asked.ceilings, meters, strict=True)
            ]

    def settle(self, id: str, amount: Decimal | None, now: float, *, tokens: int | None = None) -> Settled:
        """The request is over and cost `amount`; None: that never became known, so it counts at its bound.

        An amount above the bound closes the hard budgets of the request until their windows end, and says so.
        `tokens` (input and output) corrects the token rate. Raises NotFound where `id` is not reserved.
        """
        held = self._state.held.get(id)
        if held is None:
            raise NotFound(f"{id} is not reserved")
        bound = held.amount
        cost = (bound or 0) if amount is None else units(amount)
        above = bound is not None and cost > bound
        self._note(_encode((SETTLED, id, cost, above)))
        self._state.settle(id, cost, above)
        for meter, _, second in held.meters:
            meter.running -= 1
            if tokens is not None and second:
                meter.tokens.correct(second, tokens - held.tokens)
        if self._behind or self._journal.size > self._compact_at:
            self._compact(now)
        if not above:
            return Settled(money(cost), amount is None)
        closed = tuple(account.key for account in held.hard)
        return Settled(money(cost), False, Breach(id, money(bound or 0), money(cost), closed))

    def release(self, id: str, now: float) -> None:
        """Nothing was sent: gives everything back, its place in the rates included. Raises NotFound."""
        if id not in self._state.held:
            raise NotFound(f"{id} is not reserved")
        self._note(_encode((RELEASED, id)))
        held = self._state.release(id)
        for meter, requests, tokens in held.meters:
            meter.running -= 1
            meter.requests.correct(requests, -1)
            meter.tokens.correct(tokens, -held.tokens)
        if self._behind:
            self._compact(now)

    def rebase(self, spent: Mapping[Key, Decimal]) -> None:
        """Telemetry counted these amounts. An account that knew of less takes them over; one that knew of more keeps
        its own, because what it counted may not have arrived there yet. Accounts that are not here are left out."""
        for key, amount in spent.items():
            account = self._state.accounts.get(key)
            counted = units(amount)
            if account is not None and account.kind is not Kind.RUN_STEPS and counted > account.spent:
                self._journal.append(_encode((COUNTED, account.handle, counted)))
                account.spent = counted

    def lend(self, entry: Entry, lease: int | None, *, closed: bool = False) -> None:
        """Of a shared budget this process may use `lease` in all, in its window (None: all). `closed`: elsewhere."""
        account, defined = self._state.account(entry)
        closes = account.closed or closed
        if defined is None and (account.lease, account.closed) == (lease, closes):
            return
        record = _encode((LENT, account.handle, lease, closes))
        self._journal.append(*((defined, record) if defined is not None else (record,)))
        if defined is not None:
            self._state.keep(account)
        account.lease, account.closed = lease, closes

    def short(self, asked: Reservation) -> list[tuple[Entry, int]]:
        """Hard budgets of which this process's lease does not cover the request, and how many units it lacks beyond its
        lease, or beyond what is used where that is more."""
        found = []
        for entry in asked.entries:
            if not entry.hard:
                continue
            account = self._state.accounts.get((entry.budget, entry.value, entry.window))
            need = 1 if entry.kind is Kind.RUN_STEPS else asked.amount or 0
            if account is not None:
                used = account.spent + account.reserved
                need += used - max(account.lease or 0, used)
            if need > 0:
                found.append((entry, need))
        return found

    def elsewhere(self, key: Key, held: int) -> None:
        """Other gateways hold `held` units of an account; counted beside what is spent here where it is soft."""
        account = self._state.accounts.get(key)
        if account is not None:
            account.elsewhere = held

    def standing(self, key: Key) -> Standing | None:
        """Where one account stands; None: nothing was ever counted in it."""
        account = self._state.accounts.get(key)
        return None if account is None else account.standing()

    def standings(self) -> Iterator[Standing]:
        """All accounts of windows that may still be open."""
        for account in self._state.accounts.values():
            yield account.standing()

    def metered(self, ceiling: Ceiling, now: float) -> tuple[int, int, int] | None:
        """Requests and tokens of the last minute, and requests that run; None: nothing lately."""
        meter = self._meters.get((ceiling.limit, ceiling.value))
        if meter is None:
            return None
        return meter.requests.total(now), meter.tokens.total(now), meter.running

    def outstanding(self) -> int:
        """How many reservations are neither settled nor released."""
        return len(self._state.held)

    def _note(self, record: bytes) -> None:
        """Writes what can no longer be undone. Where the disk is full the account goes on in memory: read back without
        this record it would count more, never less; the next settlement tries to write the whole state."""
        try:
            self._journal.append(record)
        except Unavailable:
            self._behind = True

    def _compact(self, now: float) -> None:
        self._state.prune(now)
        for key, meter in list(self._meters.items()):
            if not meter.running and meter.used < now - IDLE:
                del self._meters[key]
        try:
            self._journal.compact(self._state.dump())
        except Unavailable:
            self._behind = True
        else:
            self._behind = False

    def close(self) -> None:
        """Lets go of the folder. What is reserved stays so, and is an orphan when it is opened again."""
        self._journal.close()


def _needs_extra(entry: Entry, account: Account | None, amount: int) -> bool:
    """Whether a request fits only by what a lift added. What other gateways hold counts as used."""
    used = 0 if account is None else account.spent + account.reserved + account.elsewhere
    return used + (1 if entry.kind is Kind.RUN_STEPS else amount) > entry.cap - entry.extra


def _refusal(kind: Kind, entry: Entry, account: Account | None) -> Refused:
    spent, reserved = (0, 0) if account is None else (account.spent + account.elsewhere, account.reserved)
    resets = None if entry.kind in (Kind.RUN_COST, Kind.RUN_STEPS) or kind is Kind.UNBOUNDED else entry.ends
    if entry.kind is Kind.RUN_STEPS:
        figures = Decimal(entry.cap), Decimal(spent), Decimal(reserved)
    else:
        figures = money(entry.cap), money(spent), money(reserved)
    return Refused(kind, entry.scope, entry.value, *figures, resets, entry.budget)
