"""Money and limits around each try: its bound is set aside before it is sent, and what it cost takes the bound's place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
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
from holdfast.gateway.proxy.records import Record, encode
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.bound import Bound, bound
from holdfast.gateway.rules.inputs import Unbounded, input_bound
from holdfast.gateway.rules.loops import latest_calls
from holdfast.gateway.rules.reservations import Granted, Kind, Refused, Reservation
from holdfast.gateway.rules.resolving import Decision, Step
from holdfast.gateway.rules.scopes import LimitBook, scope_values
from holdfast.kernel.errors import Conflict, HoldfastError
from holdfast.platform.secrets.references import operator_secret
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

SLOTS = 100
"""Workers of one machine that may be alive at once, those that are draining included."""
_MONEY = (Kind.BUDGET, Kind.RUN_COST, Kind.CLOSED, Kind.UNBOUNDED)
_WORDS = {
    Kind.BUDGET: "the budget of {scope} {value} is used up: {spent} spent and {reserved} reserved of {limit}",
    Kind.RUN_COST: "the run {value} may cost {limit} at most: {spent} spent and {reserved} reserved",
    Kind.CLOSED: "the budget of {scope} {value} is closed: a call cost more than could be foreseen",
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
    """A budget or limit stands against the request: 402 for money, 429 for the rest."""

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
        self.status = 402 if refused.kind in _MONEY else 429
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
        self._ledger, slot = _open(folder / "accounts", number)
        name = f"{(folder / 'id').read_text() if (folder / 'id').exists() else 'gw'}/{slot}"
        url = operator_secret(settings, settings.redis_url.get_secret_value())
        self._shared: Shared | None = None
        home = folder / "accounts" / str(slot)
        if url:
            counter = RedisCounter(connect(url), name, time.time)
            self._shared = Shared(self._ledger, counter, name, home, time.time)
        elif settings.gateway_workers > 1:
            file = FileCounter(folder / "accounts" / "shared", name, time.time)
            self._shared = Shared(self._ledger, file, name, home, time.time)
        self._books: dict[str, tuple[Workspace, LimitBook]] = {}

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

    def meet(self, workspaces: Iterable[str]) -> None:
        """These workspaces are served here: their accounts are shared before a request has to wait for it."""
        if self._shared is not None:
            self._shared.meet(workspaces)

    def told(self, id: str, amount: Decimal | None = None) -> None:
        """An orphan is recorded; `amount` is what its record says."""
        self._ledger.told(id, amount)

    async def reserve(
        self, decision: Decision, step: Step, record: Record, asked: Asked, body: bytes, first: bool
    ) -> Held | None:
        """Sets a try's bound aside; None where no budget or limit is over it. Raises OverLimit.

        `asked` is what `body`, as it goes upstream, says. Rates and ceilings count a call's `first` try alone.
        """
        book = self._book(decision.workspace)
        if book is None or record.shadow_of or not record.operation:
            return None
        now = time.time()
        values = scope_values(decision.workspace.id, record.key, step.model, record.dimensions)
        entries = book.entries(values, datetime.fromtimestamp(now, UTC))
        ceilings = book.ceilings(values) if first else ()
        if not entries and not ceilings:
            return None
        if not first:
            entries = tuple(one for one in entries if one.kind is not Kind.RUN_STEPS)
        read = msgspec.json.decode(body)
        most = self._bound(decision, step, asked, read, len(body))
        calls = latest_calls(read, step.upstream.dialect) if _loops(ceilings) else ()
        held = Held(
            f"{record.span_id.hex()}.{len(record.attempts)}", most if isinstance(most, Bound) else None
        )
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
        for entry in said.crossed:
            log.warning("soft budget %s over %s %s is crossed", entry.budget, entry.scope, entry.value)
        return held

    async def _ask(self, reservation: Reservation, now: float) -> Granted | Refused:
        if self._shared is not None:
            return await self._shared.reserve(reservation, now)
        return self._ledger.reserve(reservation, now)

    def _bound(
        self, decision: Decision, step: Step, asked: Asked, body: Mapping[str, Any], size: int
    ) -> Bound | Unbounded:
        rates = decision.workspace.rates.get(step.name, {}).get(step.model)
        read = input_bound(body, size, step.upstream.dialect, step.model)
        return bound(read, asked.max_output, rates, choices=asked.choices)

    def settle(self, held: Held, amount: Decimal | None, tokens: int | None) -> None:
        """The try cost `amount`; None: that never became known, so it counts at its bound."""
        account = self._shared or self._ledger
        settled = account.settle(held.id, amount, time.time(), tokens=tokens)
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
