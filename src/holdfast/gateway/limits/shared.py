"""Budgets that several gateways share through Redis, without asking it for each request.

Each gateway holds a lease of every hard budget that it meets: an amount that Redis has counted as granted to it, in that
window, for good or until it gives some back. The gateway grants requests from its lease by itself (its `Ledger` refuses
what the lease does not cover) and asks Redis for more when it runs out. Since all leases together never exceed the budget
(`rules.leases`), neither does what is spent, whoever sees whom. What is spent is never sent anywhere: it is part of a lease.

* **Redis away.** Each gateway keeps to its lease. Nothing more is granted until Redis is back.
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
  and that then stayed away for longer than `patience` while alive and serving. For so long its last lease counts twice.
* **Soft budgets** are not leased: each gateway tells every second what it counted, and adds what the others did.
* **Rates and concurrency** are parted evenly among the gateways that are alive (at least 1 each), without Redis being asked
  for each request; repeated tool calls are counted by each gateway for itself.

Redis must not evict keys (`maxmemory-policy noeviction`, its default), and a cluster of several primaries is not supported.
One event loop; several requests may be in `reserve` at once. The names of accounts are hashed: no user's or tenant's name
goes to Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.limits.places import Place, Row, load, save
from holdfast.gateway.limits.scripts import LEASE, LEAVE, REGISTER
from holdfast.gateway.rules.leases import in_units, rounded_down, rounded_up
from holdfast.gateway.rules.reservations import Granted, Refused, Reservation, Settled

GRACE = 3.0
PATIENCE = 60.0
ALIVE = 5.0
"""Seconds after which a gateway that says nothing is no longer counted when leases and rates are parted."""
FORGOTTEN = 86_400.0
"""Seconds after which it is no longer expected; what it was granted stays counted."""
IDLE = 10.0
"""Seconds after which a lease that nothing was asked of is given back."""
WANTED = 3.0
"""Seconds for which gateways give back what lies idle after another was refused for want of it."""
EVERY = 1.0
"""Seconds from one turn of the loop to the next."""
AT_ONCE = 200
"""Accounts in one call."""


def connect(url: str, timeout: float = 0.5) -> Redis:
    """A client for `Shared`: a request that needs more waits at most about twice `timeout` seconds for it."""
    once = Retry(NoBackoff(), 1)  # a connection that the server closed meanwhile
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=once)


class Shared:
    """A `Ledger` whose hard budgets are leased from Redis. `gateway` is this gateway's name, the same after a restart.

    `clock` gives Unix seconds. `redis` is as `connect` makes it: it answers in bytes, soon or not at all.
    """

    def __init__(
        self,
        ledger: Ledger,
        redis: Redis,
        gateway: str,
        folder: Path,
        clock: Callable[[], float],
        *,
        grace: float = GRACE,
        patience: float = PATIENCE,
    ) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._file = folder / "others"
        self._clock = clock
        self._times = (int(grace * 1000), int(patience * 1000), int(ALIVE * 1000), int(FORGOTTEN * 1000))
        self._redis = redis
        self._lease = redis.register_script(LEASE)
        self._register = redis.register_script(REGISTER)
        self._leave = redis.register_script(LEAVE)
        self._places = load(self._file, ledger)
        self.away = False  # whether the last call to Redis failed
        self._retry_at = 0.0  # until then no request waits for it

    async def reserve(self, asked: Reservation, now: float) -> Granted | Refused:
        """As `Ledger.reserve`; asks Redis for more where the leases do not cover the request."""
        if not asked.entries:
            return self._ledger.reserve(asked, now)
        place = self._place(asked.entries[0].budget.partition("/")[0])
        for entry in asked.entries:
            place.entries[entry.key] = entry
            place.touched[entry.key] = now
        if self._ledger.short(asked, now):
            async with place.lock:
                for _ in range(3):  # another request may take what came for this one
                    short = self._ledger.short(asked, now)
                    if not short or place.is_dry(short, now) or self._retry_at > self._clock():
                        break
                    if not await self._ask(place, [Row(entry, need=need) for entry, need in short]):
                        break
        return self._ledger.reserve(place.parted(asked), now)

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
                await self._call(self._leave, place.keys, [self._gateway])
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
        """One call of the lease script, with registering where Redis does not know this gateway. False: away."""
        answer = None
        for _ in range(3):
            answer = await self._call(
                self._lease, [*place.keys, *place.names(rows)], self._arguments(place, rows)
            )
            if answer is None or answer[0] == b"ok":
                break
            if answer[0] == b"stale":
                place.passed(int(answer[1]))
            elif not await self._introduce(place):
                return False
        if answer is None or answer[0] != b"ok":
            return False
        place.heard(answer)
        now = self._clock()
        for row, (mine, closed, wanted, told) in zip(rows, answer[4:], strict=True):
            self._take(place, row, int(mine), closed == b"1", int(wanted), told, now)
        return True

    def _take(
        self, place: Place, row: Row, mine: int, closed: bool, wanted: int, told: list[bytes], now: float
    ) -> None:
        """What Redis said of one account becomes what this gateway knows of it."""
        entry = row.entry
        lacked = mine < row.least(self._ledger) + rounded_up(row.need, entry.kind)
        others = place.learn(entry, told)
        if entry.hard:
            self._ledger.lend(entry, in_units(mine, entry.kind), closed=closed)
        self._ledger.elsewhere(entry.key, in_units(others, entry.kind))
        if 0 <= wanted < WANTED * 1000:
            place.wanted[entry.key] = now
        if row.need and lacked:
            place.dry[entry.key] = now + EVERY / 2, row.need

    def _arguments(self, place: Place, rows: list[Row]) -> list[str | int]:
        given: list[str | int] = [self._gateway, place.next_number(self._clock()), *self._times]
        for row in rows:
            entry = row.entry
            given += [
                "" if row.give is None else row.give,
                row.least(self._ledger),
                rounded_up(row.need, entry.kind),
                rounded_down(entry.cap, entry.kind),
                place.expiry(entry.ends),
                "1" if row.closed else "0",
            ]
        return given

    async def _introduce(self, place: Place) -> bool:
        """Registers: tells Redis of all leases that this gateway holds and of those that it saw others hold."""
        known = place.known(self._ledger, self._gateway, self._clock())
        roster = sorted(place.roster)
        for start in range(0, max(len(known), 1), AT_ONCE):
            part = known[start : start + AT_ONCE]
            last = start + AT_ONCE >= len(known)
            arguments: list[str | int] = [
                self._gateway,
                place.next_number(self._clock()),
                "1" if last else "0",
                len(roster),
                *roster,
            ]
            for _, ends, pairs in part:
                arguments += [place.expiry(ends), len(pairs), *(one for pair in pairs for one in pair)]
            answer = await self._call(
                self._register, [*place.keys, *(name for name, _, _ in part)], arguments
            )
            if answer is not None and answer[0] == b"stale":
                place.passed(int(answer[1]))
            if answer is None or answer[0] != b"ok":
                return False
        return True

    async def _call(
        self, script: Callable[..., Any], keys: Iterable[str], arguments: Iterable[str | int]
    ) -> Any | None:
        """What a script answered; None where Redis is away."""
        try:
            answer = await cast("Awaitable[Any]", script(keys=list(keys), args=list(arguments)))
        except (RedisError, OSError, TimeoutError):
            self.away = True
            self._retry_at = self._clock() + EVERY
            return None
        self.away = False
        self._retry_at = 0.0
        return answer
