"""Budgets that several gateways share through Redis (workers of one machine: a file), not asking it for each request.

Each gateway holds a lease of every hard budget that it meets: an amount that Redis has counted as granted to it, in that
window, for good or until it gives some back. The gateway grants requests from its lease by itself (its `Ledger` refuses
what the lease does not cover) and asks Redis for more when it runs out. Since all leases together never exceed the budget
(`rules.leases`), neither does what is spent, whoever sees whom. What is spent is never sent anywhere: it is part of a lease.

* **Redis away.** Each gateway keeps to its lease. Nothing more is granted until Redis is back, and a request that would
  fit the budget as far as this gateway knows is told so (`Kind.SHARE`), not that the budget is used up.
* **A gateway dies.** Its lease stays counted as granted. Started again on its folder it knows its lease and what was
  spent of it, and gives the rest back. Never started again, the unspent rest of its lease (about 64 requests' worth) is
  lost to the budget until the window ends: too strict, never too lax.
* **A reply is lost.** A grant that never arrived is counted and unused; the next reply tells of it. What is given back is
  first taken from the lease here. Calls carry rising numbers, so that one which was delayed on its way undoes nothing.
* **Redis restarts**, empty or with an older state from disk, or another server takes its place: its run id differs from the
  one that its state was built for, and every script refuses to grant until the gateway has registered: with its own
  leases, and with what it last saw of the others'. Redis keeps the highest of all it is told. It lends again once every
  gateway that any of them knew has registered, but not before `grace` has passed (three turns of the loop by which
  the living notice); after `patience` it no longer waits for the missing, whose leases count as last seen by the others.
  What remains uncovered: a gateway that took a lease in the second before Redis lost its memory, unseen by any other,
  and then stayed away for longer than `patience`; and a Redis that lost its memory while nobody is left who remembers.
  Until the gateway is back its last lease is then lent twice.
* **Soft budgets** are not leased: each gateway tells every second what it counted, and adds what the others did.
* **Rates and concurrency** are parted evenly among the gateways that are alive (at least 1 each), without Redis being asked
  for each request; repeated tool calls are counted by each gateway for itself.

Redis must not evict keys (`maxmemory-policy noeviction`, its default), and a cluster of several primaries is not supported.
One event loop; several requests may be in `reserve` at once. The names of accounts are hashed: no user's or tenant's name
goes to Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from holdfast.gateway.limits.counters import Ask, Counter, Told
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.limits.places import Place, Row, load, save
from holdfast.gateway.rules.amounts import money
from holdfast.gateway.rules.leases import in_units, rounded_down, rounded_up
from holdfast.gateway.rules.reservations import Granted, Kind, Refused, Reservation, Settled

IDLE = 10.0
"""Seconds after which a lease that nothing was asked of is given back."""
WANTED = 3.0
"""Seconds for which what lies idle is given back after another gateway was refused for want of it."""
EVERY = 1.0
"""Seconds from one turn of the loop to the next."""
AT_ONCE = 200
"""Accounts in one call."""


class Shared:
    """A `Ledger` whose hard budgets are leased from a counter. `gateway` is this gateway's name, the same after a restart.

    `folder` is the ledger's, or another of this gateway's own; `clock` gives Unix seconds.
    """

    def __init__(
        self, ledger: Ledger, counter: Counter, gateway: str, folder: Path, clock: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._counter = counter
        self._gateway = gateway
        self._file = folder / "others"
        self._clock = clock
        self._places = load(self._file, ledger)

    @property
    def away(self) -> bool:
        """Whether the counter did not answer when it was last asked."""
        return self._counter.away

    async def reserve(self, asked: Reservation, now: float) -> Granted | Refused:
        """As `Ledger.reserve`; asks Redis for more where the leases do not cover the request."""
        if not asked.entries:
            return self._ledger.reserve(asked, now)
        place = self._place(asked.entries[0].budget.partition("/")[0])
        second = now // 1
        touched = place.touched
        for entry in asked.entries:
            key = entry.budget, entry.value, entry.window
            if touched.get(key) != second:
                place.entries[key] = entry
                touched[key] = second
        if self._ledger.short(asked):
            async with place.lock:
                for _ in range(3):  # another request may take what came for this one
                    short = self._ledger.short(asked)
                    if not short or place.is_dry(short, now) or self._counter.retry_at > self._clock():
                        break
                    if not await self._ask(place, [Row(entry, need=need) for entry, need in short]):
                        break
        said = self._ledger.reserve(place.parted(asked), now)
        if isinstance(said, Refused) and not self.lends(place.workspace) and _fits(asked, said):
            return said._replace(kind=Kind.SHARE, resets_at=now + EVERY)
        return said

    def settle(self, id: str, amount: Decimal | None, now: float, *, tokens: int | None = None) -> Settled:
        """As `Ledger.settle`. What a breach closes is closed for the other gateways within a turn of the loop."""
        settled = self._ledger.settle(id, amount, now, tokens=tokens)
        if settled.breach is not None:
            for key in settled.breach.closed:
                self._place(key[0].partition("/")[0]).touched[key] = now
        return settled

    def release(self, id: str, now: float) -> None:
        """As `Ledger.release`."""
        self._ledger.release(id, now)

    def lends(self, workspace: str) -> bool:
        """Whether Redis lends of this workspace's budgets, as of the last that was heard of it."""
        return self._place(workspace).lends and not self.away

    def meet(self, workspaces: Iterable[str]) -> None:
        """These workspaces are served here: the next turn registers for them, before a request has to wait for it."""
        for workspace in workspaces:
            self._place(workspace)

    async def turn(self) -> None:
        """One turn of the loop: says what was counted, gives back what lies idle, learns what others hold."""
        now = self._clock()
        for place in list(self._places.values()):
            async with place.lock:
                rows = self._rows(place, now)
                for start in range(0, max(len(rows), 1), AT_ONCE):
                    if not await self._ask(place, rows[start : start + AT_ONCE]):
                        break
            if self.away:
                break
        save(self._file, self._places, now)

    async def run(self, stop: asyncio.Event) -> None:
        """Turns until `stop` is set, then gives back what is idle and says goodbye."""
        while not stop.is_set():
            await self.turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY)
        await self.leave()

    async def leave(self) -> None:
        """Gives back all that is not spent or reserved, and is no longer expected."""
        for place in self._places.values():
            async with place.lock:
                place.touched.clear()
                rows = self._rows(place, self._clock())
                if rows and not await self._ask(place, rows):
                    continue
                await self._counter.leave(place.workspace)
        save(self._file, self._places, self._clock())

    def _place(self, workspace: str) -> Place:
        found = self._places.get(workspace)
        if found is None:
            found = self._places[workspace] = Place(workspace)
        return found

    def _rows(self, place: Place, now: float) -> list[Row]:
        """What this turn says of each account: less of a lease that lies idle, else what is used of it."""
        rows = []
        for key, entry in list(place.entries.items()):
            standing = self._ledger.standing(key)
            idle = now - place.touched.get(key, 0.0) > IDLE
            if standing is None or entry.ends < now:
                place.forget(key)
                continue
            used = rounded_up(standing.spent + standing.reserved, entry.kind)
            give: int | None = None
            if standing.lease is not None and rounded_up(standing.lease, entry.kind) > used:
                if idle or place.wanted.get(key, 0.0) > now - WANTED:
                    self._ledger.lend(entry, in_units(used, entry.kind))  # first here, then there
                    give = used
            elif idle and not standing.reserved:
                place.forget(key)  # after it was told once more
            rows.append(Row(entry, give=give, closed=standing.closed))
        return rows

    async def _ask(self, place: Place, rows: list[Row]) -> bool:
        """Tells the counter of these accounts and asks for what they need. False: it is away."""
        asks = [self._said(place, row) for row in rows]
        heard = await self._counter.ask(
            place.workspace,
            sorted(place.roster),
            asks,
            lambda: place.known(self._ledger, self._gateway, self._clock()),
        )
        if heard is None:
            return False
        place.heard(heard)
        now = self._clock()
        for row, told in zip(rows, heard.told, strict=True):
            self._take(place, row, told, now)
        return True

    def _said(self, place: Place, row: Row) -> Ask:
        entry = row.entry
        return Ask(
            place.name(entry.key),
            row.least(self._ledger),
            rounded_up(row.need, entry.kind),
            row.give,
            rounded_down(entry.cap, entry.kind),
            entry.ends,
            row.closed,
        )

    def _take(self, place: Place, row: Row, told: Told, now: float) -> None:
        """What the counter said of one account becomes what this gateway knows of it."""
        entry = row.entry
        lacked = told.mine < row.least(self._ledger) + rounded_up(row.need, entry.kind)
        others = place.learn(entry, told.others)
        if entry.hard:
            self._ledger.lend(entry, in_units(told.mine, entry.kind), closed=told.closed)
        self._ledger.elsewhere(entry.key, in_units(others, entry.kind))
        if told.wanted:
            place.wanted[entry.key] = now
        if row.need and lacked:
            place.dry[entry.key] = now + EVERY / 2, row.need


def _fits(asked: Reservation, refused: Refused) -> bool:
    """Whether what is known to be used of the budget that stands against a request leaves room for it."""
    if refused.kind is Kind.RUN_STEPS:
        need = Decimal(1)
    elif refused.kind in (Kind.BUDGET, Kind.RUN_COST):
        need = money(asked.amount or 0)
    else:
        return False
    return refused.spent + refused.reserved + need <= refused.limit
