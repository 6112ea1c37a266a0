"""Open batches of a gateway: kept on its disk until each is settled, once, by what its results say.

One file for each, in the gateway's folder: it outlives the process, and belongs to the accounts in which the batch's bound
is set aside. The worker that has those accounts open looks after it; of a worker that no longer runs, any other one does.

A batch is settled by the owner of its accounts while it holds them: the records go into the spool, the bound makes room for
what it cost, the file goes. Killed in between, it is done again: records have ids of their own by which a second one is the
first, and a bound that is settled is not there any more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import msgspec

from holdfast.gateway.dialects import shelf
from holdfast.gateway.model import Dialect, Upstream, Workspace
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy import records, signing
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.proxy.response import Failure
from holdfast.gateway.proxy.snapshots import put
from holdfast.gateway.rules.batches import Lines, Most, Part, Results, Standing, standing
from holdfast.kernel.errors import HoldfastError
from holdfast.pricing.model import Rates, Usage

log = logging.getLogger("holdfast.gateway")

LOOK_SECONDS = 1.0
FORGOTTEN = 30 * 86_400.0
"""Seconds after which a vendor no longer has the results of a batch."""
_PATHS: Mapping[Dialect, tuple[str, str]] = {
    Dialect.OPENAI: ("/batches/{id}", "/files/{output}/content"),
    Dialect.ANTHROPIC: ("/messages/batches/{id}", "/messages/batches/{id}/results"),
}
"""Where a batch stands, and its results."""


class Open(msgspec.Struct, kw_only=True):
    """A batch that is not settled. `sent`: whether the vendor may have it; `id` is empty until it has answered."""

    name: str
    workspace: str
    upstream: str
    dialect: Dialect
    slot: int
    began: float
    record: bytes
    most: Most | None = None
    sent: bool = False
    id: str = ""


class _Later(Exception):
    """Nothing can be said now; it is looked at again."""


class Batches:
    """The open batches of one gateway, as one of its workers looks after them."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._gateway = gateway
        self._folder = folder
        self._looked: dict[str, float] = {}
        self._making: set[str] = set()

    def begin(self, record: Record, upstream: str, most: Most | None) -> Open:
        """A batch is about to be made."""
        light = msgspec.structs.replace(record, request=b"", operation="batch")
        one = Open(
            name=record.span_id.hex(),
            workspace=record.workspace,
            upstream=upstream,
            dialect=record.dialect,
            slot=self._gateway.purse.slot,
            began=record.started_ns / 1e9,
            record=records.encode(light),
            most=most,
        )
        self._making.add(one.name)
        self.keep(one)
        return one

    def keep(self, one: Open) -> None:
        """What is known of it now is on disk when this returns."""
        put(self._folder / one.name, msgspec.msgpack.encode(one))

    def made(self, one: Open, id: str) -> None:
        """The vendor has it, under this id."""
        one.id = id
        self.keep(one)
        self._making.discard(one.name)
        self._looked[one.name] = time.monotonic()

    def dropped(self, one: Open) -> None:
        """The vendor does not have it: what was set aside is given back."""
        with self._gateway.purse.owning(one.slot) as settler, suppress(HoldfastError):
            if settler is not None:
                settler.release(one.name, time.time())
        self._forget(one)

    def seen(self, workspace: str, id: str) -> None:
        """A client was told that a batch is over: it is settled now rather than when it is looked at next."""
        for one in self._all():
            if (one.workspace, one.id) == (workspace, id):
                (self._folder / f"{one.name}.due").touch()

    async def run(self) -> None:
        """Looks after open batches until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for one in self._all():
                try:
                    if self._is_due(one):
                        await self._look(one)
                except (HoldfastError, OSError, _Later) as error:
                    log.warning("batch %s is not settled yet: %s", one.id or one.name, error)
                except Exception:
                    log.exception("batch %s is not settled yet", one.id or one.name)

    def unknown(self, one: Open, error: str) -> None:
        """What it used will never be known: it counts at its bound, as an estimate."""
        record = records.decode(one.record)
        most = one.most
        record.ended_ns = time.time_ns()
        record.error, record.estimated = error, True
        record.cost = most.amount if most is not None and not most.reason else None
        record.request_model = record.request_model or (most.models[0] if most and most.models else "")
        record.batch = records.Batch(one.id, 0, 0)
        self._settle(one, [record], None)

    def _all(self) -> list[Open]:
        found = []
        for path in self._folder.glob("*"):
            if path.suffix:
                continue
            try:
                found.append(msgspec.msgpack.decode(path.read_bytes(), type=Open))
            except FileNotFoundError:
                continue
            except msgspec.DecodeError:
                log.error("an open batch cannot be read: %s", path)
        return found

    def _is_due(self, one: Open) -> bool:
        if one.name in self._making:
            return False
        own = one.slot == self._gateway.purse.slot
        if not own and not self._gateway.purse.abandoned(one.slot):
            return False
        due = self._folder / f"{one.name}.due"
        now = time.monotonic()
        every = self._gateway.settings.gateway_batch_seconds
        if one.id and not due.exists() and now - self._looked.get(one.name, -every) < every:
            return False
        due.unlink(missing_ok=True)
        self._looked[one.name] = now
        return True

    async def _look(self, one: Open) -> None:
        """Settles a batch that is over. Raises _Later, HoldfastError, OSError."""
        if not one.id:
            if one.sent:
                self.unknown(one, "gateway_killed")
            else:
                self.dropped(one)
            return
        if time.time() - one.began > FORGOTTEN:
            self.unknown(one, "batch_forgotten")
            return
        workspace = self._gateway.snapshot.workspaces.get(one.workspace)
        upstream = workspace.configuration.upstreams.get(one.upstream) if workspace else None
        if workspace is None or upstream is None:
            raise _Later(f"there is no upstream {one.upstream} any more")
        where, results = _PATHS[one.dialect]
        status, raw = await self._read(workspace, upstream, one, where.format(id=quote(one.id, safe="")))
        if status == 404:
            self.unknown(one, "batch_gone")
            return
        found = standing(raw) if status < 300 else None
        if found is None:
            raise _Later(f"the upstream {one.upstream} answered {status}")
        if found.over:
            read = await self._results(workspace, upstream, one, found, results)
            self._finish(one, found, read, workspace)

    async def _results(
        self, workspace: Workspace, upstream: Upstream, one: Open, found: Standing, path: str
    ) -> Results:
        prices = workspace.batch_rates_of(one.upstream)
        read = Results(one.dialect, prices, one.most.models if one.most is not None else ())
        there = found.output_file_id if one.dialect is Dialect.OPENAI else found.results_url
        if there is None:
            if found.usage:
                read.whole(found.model or "", found.usage)
            return read
        lines = Lines()
        path = path.format(id=quote(one.id, safe=""), output=quote(there, safe=""))
        status = 0
        async for status, chunk in self._stream(workspace, upstream, one, path):
            if status < 300:
                for line in lines.feed(chunk):
                    read.line(line)
        if status == 404:
            if found.usage:
                read.whole(found.model or "", found.usage)
            else:
                read.unknown += 1
        elif not 200 <= status < 300:
            raise _Later(f"the upstream {one.upstream} answered {status} to the results")
        for line in lines.end():
            read.line(line)
        read.unknown += lines.lost
        return read

    def _finish(self, one: Open, found: Standing, read: Results, workspace: Workspace) -> None:
        most = one.most
        if read.unknown and most is not None and not most.reason:
            self.unknown(one, "usage_unknown")
            return
        own: Mapping[str, Rates] = workspace.batch_rates.get(one.upstream, {})
        parts = read.parts or [Part("", Usage(input_uncached=0, output=0))]
        made, amount = [], Decimal(0)
        for number, part in enumerate(parts):
            record = records.decode(one.record)
            if number:
                record.span_id = blake2b(f"{one.name}.{number}".encode(), digest_size=8).digest()
            record.ended_ns = max(time.time_ns(), record.started_ns)
            record.request_model = part.model or record.request_model
            record.response_id, record.service_tier = found.id, "batch"
            record.usage, record.cost, record.currency = tuple(part.usage), part.cost, part.currency
            record.price = part.price
            record.estimated = bool(read.unknown) or (part.answered > 0 and part.model not in own)
            record.status = 200
            record.error = None if found.outcome == "completed" else f"batch_{found.outcome}"
            record.batch = records.Batch(found.id, part.answered, 0 if number else read.failed)
            made.append(record)
            amount += part.cost or 0
        known = all(part.cost is not None for part in parts) and not read.unknown
        self._settle(one, made, amount if known else None)

    def _settle(self, one: Open, made: list[Record], amount: Decimal | None) -> None:
        """Once: by who has the accounts, while it has them and the batch is still open."""
        with self._gateway.purse.owning(one.slot) as settler:
            if settler is None or not (self._folder / one.name).exists():
                return
            for record in made:
                self._gateway.keep(record)
            self._gateway.purse.settle_batch(settler, one.name, amount)
            self._forget(one)
        log.info("batch %s of %s is settled at %s", one.id, one.upstream, amount)

    def _forget(self, one: Open) -> None:
        (self._folder / one.name).unlink(missing_ok=True)
        (self._folder / f"{one.name}.due").unlink(missing_ok=True)
        self._making.discard(one.name)
        self._looked.pop(one.name, None)

    async def _read(
        self, workspace: Workspace, upstream: Upstream, one: Open, path: str
    ) -> tuple[int, bytes]:
        found = [piece async for piece in self._stream(workspace, upstream, one, path)]
        return found[0][0], b"".join(chunk for _, chunk in found)

    async def _stream(
        self, workspace: Workspace, upstream: Upstream, one: Open, path: str
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Status and body of a GET, piece by piece; at least one. Raises _Later where it does not come whole."""
        credential = await self._gateway.credentials.of(workspace, upstream)
        record = records.decode(one.record)
        trace = heads.Trace(record.trace_id, record.span_id, "00")
        headers = heads.upwards({}, shelf.auth_of(upstream), credential, trace, os.urandom(8))
        headers |= {**heads.needs_version(upstream.dialect), **upstream.headers}
        if signing.signs(upstream):
            headers = signing.signed(upstream, "GET", path, headers, b"", credential)
        try:
            response = await self._gateway.upstreams.send(upstream, "GET", path, headers, None)
            try:
                yield response.status, b""
                async for chunk in response:
                    yield response.status, chunk
            finally:
                response.release()
        except Failure as error:
            raise _Later(f"the upstream {one.upstream} does not answer ({error.kind})") from None
