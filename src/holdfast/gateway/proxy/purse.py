"""Money and limits around each try: its bound is set aside before it is sent, and what it cost takes the bound's place."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from holdfast.gateway.dialects.speech import Asked
from holdfast.gateway.limits.file_counter import FileCounter
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.limits.redis_counter import RedisCounter, connect
from holdfast.gateway.limits.shared import Shared
from holdfast.gateway.model import Workspace
from holdfast.gateway.proxy.accounts import Accounts, Told
from holdfast.gateway.proxy.records import Record, encode
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.bound import Bound, bound
from holdfast.gateway.rules.inputs import Unbounded, input_bound
from holdfast.gateway.rules.loops import latest_calls
from holdfast.gateway.rules.reservations import (
    Ceiling,
    Entry,
    Granted,
    Kind,
    Refused,
    Reservation,
    Settled,
)
from holdfast.gateway.rules.resolving import Decision, Step
from holdfast.gateway.rules.scopes import LimitBook
from holdfast.kernel.errors import Conflict, HoldfastError, NotFound
from holdfast.platform.secrets.references import operator_secret
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

Settler = Ledger | Shared

SLOTS = 100
"""Workers of one machine that may be alive at once, those that are draining included."""
PASSED = (
    "what is passed through whole (audio, images, legacy completions) has none; use /v1/chat/completions, /v1/responses or"
    " /v1/messages, or a soft budget"
)
_MONEY = (Kind.BUDGET, Kind.RUN_COST, Kind.CLOSED, Kind.UNBOUNDED)
_WORDS = {
    Kind.BUDGET: "the budget of {scope} {value} is used up: {spent} spent and {reserved} reserved of {limit}",
    Kind.RUN_COST: "the run {value} may cost {limit} at most: {spent} spent and {reserved} reserved",
    Kind.CLOSED: "the budget of {scope} {value} is closed: a call cost more than could be foreseen",
    Kind.SHARE: "this gateway's share of the budget of {scope} {value} is used up, and no more can be had now ({spent} spent"
    " and {reserved} reserved of {limit} are known of); ask again",
    Kind.UNBOUNDED: "under the hard budget of {scope} {value} a request needs a bound on its cost: {reason}",
    Kind.RUN_STEPS: "the run {value} may take {limit} steps at most",
    Kind.LOOP: "the run {value} repeats the same tool call with the same arguments more than {limit} times",
    Kind.REQUESTS: "{scope} {value} may ask {limit} times a minute",
    Kind.TOKENS: "{scope} {value} may use {limit} tokens a minute",
    Kind.CONCURRENCY: "{scope} {value} may have {limit} requests under way",
}


class Held(NamedTuple):
    """What is set aside for one try. `bound` None: none could be stated, and no hard budget asked for one."""

    id: str
    bound: Bound | None


class OverLimit(HoldfastError):
    """A budget or limit stands against the request: 402 for money, 503 where only the shared count is away, else 429."""

    title = "Limit reached"

    def __init__(self, refused: Refused, reason: str, now: float) -> None:
        wait = None if refused.resets_at is None else max(1, int(refused.resets_at - now))
        words = _WORDS[refused.kind].format(
            scope=refused.scope,
            value=refused.value,
            limit=f"{refused.limit.normalize():f}",
            spent=f"{refused.spent.normalize():f}",
            reserved=f"{refused.reserved.normalize():f}",
            reason=reason,
        )
        super().__init__(words, where=str(refused.scope), retry_after=wait)
        self.status = 402 if refused.kind in _MONEY else 503 if refused.kind is Kind.SHARE else 429
        self.refused = refused

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The same for programs. A client library is told not to come back where waiting does not help."""
        refused = self.refused
        made = {
            "x-holdfast-limit-kind": str(refused.kind),
            "x-holdfast-limit-scope": f"{refused.scope}={refused.value}".encode("ascii", "replace").decode(),
            "x-holdfast-limit": f"{refused.limit:f}",
            "x-holdfast-limit-spent": f"{refused.spent:f}",
            "x-holdfast-limit-reserved": f"{refused.reserved:f}",
        }
        if refused.resets_at is not None:
            made["x-holdfast-limit-resets-at"] = datetime.fromtimestamp(refused.resets_at, UTC).isoformat()
        if refused.kind in (*_MONEY, Kind.RUN_STEPS, Kind.LOOP):
            made["x-should-retry"] = "false"
        return [(name.encode(), value.encode()) for name, value in made.items()]


class Purse:
    """The accounts of one worker, shared with others where there are any."""

    def __init__(self, settings: Settings, folder: Path, number: int) -> None:
        """Raises Conflict, Unavailable as the ledger does."""
        self._folder = folder / "accounts"
        self._ledger, slot = _open(self._folder, number)
        self._slot = slot
        name = f"{(folder / 'id').read_text() if (folder / 'id').exists() else 'gw'}/{slot}"
        url = operator_secret(settings, settings.redis_url.get_secret_value())
        self._shared: Shared | None = None
        home = self._folder / str(slot)
        if url:
            counter = RedisCounter(connect(url), name, time.time)
            self._shared = Shared(self._ledger, counter, name, home, time.time)
        elif settings.gateway_workers > 1:
            file = FileCounter(self._folder / "shared", name, time.time)
            self._shared = Shared(self._ledger, file, name, home, time.time)
        self._books: dict[str, tuple[Workspace, LimitBook]] = {}
        self._accounts = Accounts(self._ledger)

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps the accounts in step with those of the others until `stop` is set."""
        if self._shared is not None:
            await self._shared.run(stop)

    def orphans(self) -> list[tuple[str, Decimal, Record]]:
        """Calls that a process before this one had sent when it died: their ids, bounds and records, until `told`."""
        found = []
        for orphan in self._ledger.orphans():
            try:
                record = msgspec.msgpack.decode(orphan.about, type=Record)
            except msgspec.DecodeError:
                log.error("a reservation of %s that a killed process left cannot be read", orphan.amount)
                continue
            found.append((orphan.id, orphan.amount, record))
        return found

    def lends(self, workspaces: Iterable[str]) -> bool:
        """Whether requests under hard budgets can be granted: what is shared with others must be lent first."""
        return self._shared is None or all(self._shared.lends(one) for one in workspaces)

    def meet(self, workspaces: Iterable[str]) -> None:
        """These workspaces are served here: their accounts are shared before a request has to wait for it."""
        if self._shared is not None:
            self._shared.meet(workspaces)

    def told(self, id: str, amount: Decimal | None = None) -> None:
        """An orphan is recorded; `amount` is what its record says."""
        self._ledger.told(id, amount)

    async def reserve(
        self, decision: Decision, step: Step, record: Record, asked: Asked, body: bytes, number: int
    ) -> Held | None:
        """Sets a try's bound aside; None where no budget or limit is over it. Raises OverLimit.

        `asked` is what `body`, as it goes upstream, says. Rates and ceilings count a call's first try alone (`number` 1).
        """
        book = self._book(decision.workspace)
        if book is None or record.shadow_of or not record.operation:
            return None
        now, first = time.time(), number == 1
        applied = book.applied(record.key, step.model, record.dimensions, now)
        entries, ceilings = applied.entries, applied.ceilings if first else ()
        if not entries and not ceilings:
            return None
        if not first:
            entries = tuple(one for one in entries if one.kind is not Kind.RUN_STEPS)
        read = msgspec.json.decode(body)
        most = self._bound(decision, step, asked, read, len(body))
        calls = latest_calls(read, step.upstream.dialect) if _loops(ceilings) else ()
        held = Held(f"{record.span_id.hex()}.{number}", most if isinstance(most, Bound) else None)
        reservation = Reservation(
            held.id,
            units(held.bound.amount) if held.bound else None,
            entries,
            ceilings,
            held.bound.tokens_in + held.bound.tokens_out if held.bound else len(body),
            calls,
            encode(record) if len(record.request) < 4096 else encode(_light(record)),
            currency=held.bound.currency if held.bound else "USD",
        )
        said = await self._ask(reservation, now)
        if isinstance(said, Refused):
            raise OverLimit(said, most.reason if isinstance(most, Unbounded) else "", now)
        self._granted(record, said, entries, ceilings)
        return held

    async def reserve_passed(self, decision: Decision, step: Step, record: Record) -> Held | None:
        """Counts a request that is passed through whole. Nothing bounds its cost, so no hard budget lets it pass; None
        where no budget or limit is over it. Raises OverLimit.
        """
        book = self._book(decision.workspace)
        if book is None or not record.operation:
            return None
        now = time.time()
        entries, ceilings, *_ = book.applied(record.key, step.model, record.dimensions, now)
        if not entries and not ceilings:
            return None
        held = Held(f"{record.span_id.hex()}.1", None)
        rates = decision.workspace.rates_of(step.name, step.model)
        currency = rates.currency if rates else "USD"
        reservation = Reservation(held.id, None, entries, ceilings, 0, (), encode(record), currency=currency)
        said = await self._ask(reservation, now)
        if isinstance(said, Refused):
            raise OverLimit(said, PASSED, now)
        self._granted(record, said, entries, ceilings)
        return held

    def _granted(
        self, record: Record, said: Granted, entries: Iterable[Entry], ceilings: Iterable[Ceiling] = ()
    ) -> None:
        if said.crossed:
            record.lifted = tuple(f"{one.scope}={one.value}" for one in said.crossed if one.hard)
        self._accounts.met(entries, ceilings)

    @property
    def slot(self) -> int:
        """Whose accounts these are; batches belong to them."""
        return self._slot

    async def reserve_batch(
        self, decision: Decision, record: Record, id: str, most: Bound | Unbounded, model: str
    ) -> bool:
        """Sets a batch's bound aside until it is settled, however long and over however many restarts; whether there is a
        budget over it. Raises OverLimit.
        """
        book = self._book(decision.workspace)
        if book is None:
            return False
        now = time.time()
        entries = book.applied(record.key, model, record.dimensions, now).entries
        if not entries:
            return False
        known = most if isinstance(most, Bound) else None
        reservation = Reservation(
            id,
            units(known.amount) if known else None,
            entries,
            lasting=True,
            currency=known.currency if known else "USD",
        )
        said = await self._ask(reservation, now)
        if isinstance(said, Refused):
            raise OverLimit(said, most.reason if isinstance(most, Unbounded) else "", now)
        self._granted(record, said, entries)
        return True

    def settle_batch(self, settler: Settler, id: str, amount: Decimal | None) -> None:
        """A batch cost `amount`; None: that never became known, so it counts at its bound. Nothing where it has none."""
        try:
            self._closed(settler.settle(id, amount, time.time()))
        except NotFound:
            return

    def abandoned(self, slot: int) -> bool:
        """Whether no worker has the accounts of this slot open."""
        try:
            lock = os.open(self._folder / str(slot) / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(lock)
        return True

    @contextmanager
    def owning(self, slot: int) -> Iterator[Settler | None]:
        """The accounts of a slot while nobody else has them: this worker's own, or those of one that no longer runs; None
        where another worker keeps them.
        """
        if slot == self._slot:
            yield self._shared or self._ledger
            return
        try:
            ledger = Ledger(self._folder / str(slot))
        except Conflict:
            yield None
            return
        try:
            yield ledger
        finally:
            ledger.close()

    def told_of(self, workspaces: Mapping[str, Workspace]) -> Told:
        """What this process tells the core of its budgets and limits."""
        books = {id: book for id, one in workspaces.items() if (book := self._book(one)) is not None}
        return self._accounts.told(books, time.time())

    async def _ask(self, reservation: Reservation, now: float) -> Granted | Refused:
        if self._shared is not None:
            return await self._shared.reserve(reservation, now)
        return self._ledger.reserve(reservation, now)

    def _bound(
        self, decision: Decision, step: Step, asked: Asked, body: Mapping[str, Any], size: int
    ) -> Bound | Unbounded:
        rates = decision.workspace.rates_of(step.name, step.model)
        read = input_bound(body, size, step.upstream.dialect, step.model)
        return bound(read, asked.max_output, rates, choices=asked.choices)

    def settle(self, held: Held, amount: Decimal | None, tokens: int | None) -> None:
        """The try cost `amount`; None: that never became known, so it counts at its bound."""
        account = self._shared or self._ledger
        self._closed(account.settle(held.id, amount, time.time(), tokens=tokens))

    def _closed(self, settled: Settled) -> None:
        if settled.breach is not None:
            log.error(
                "a call cost %s where %s was the most that could be foreseen; its hard budgets are closed",
                settled.breach.amount,
                settled.breach.reserved,
            )

    def release(self, held: Held) -> None:
        """The try was not billed."""
        (self._shared or self._ledger).release(held.id, time.time())

    def close(self) -> None:
        """Closes the journal."""
        self._ledger.close()

    def _book(self, workspace: Workspace) -> LimitBook | None:
        configuration = workspace.configuration
        if not configuration.budgets and not configuration.limits:
            return None
        known = self._books.get(workspace.id)
        if known is None or known[0] is not workspace:
            known = self._books[workspace.id] = workspace, LimitBook(workspace)
        return known[1]


def _loops(ceilings: tuple[object, ...]) -> bool:
    return any(getattr(one, "same_tool_calls", None) is not None for one in ceilings)


def _light(record: Record) -> Record:
    """Without what was said: a reservation is written for each try."""
    light = msgspec.structs.replace(record)
    light.request = b""
    return light


def _open(folder: Path, number: int) -> tuple[Ledger, int]:
    """The accounts of a free slot: a worker's own, or the next where one that is being stopped still has that open."""
    for slot in range(number, SLOTS):
        try:
            return Ledger(folder / str(slot)), slot
        except Conflict:
            continue
    raise Conflict(f"other processes keep all accounts in {folder}")
