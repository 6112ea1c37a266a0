"""One gateway process in the path: serves, takes over newer snapshots, turns its spool, tells its state."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvicorn
from redis.asyncio import Redis

from holdfast import __version__
from holdfast.gateway.limits.redis_counter import connect
from holdfast.gateway.model import Snapshot
from holdfast.gateway.proxy import snapshots
from holdfast.gateway.proxy.batches import Batches
from holdfast.gateway.proxy.credentials import Credentials
from holdfast.gateway.proxy.door import Door
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.memory import Memory
from holdfast.gateway.proxy.once import Once
from holdfast.gateway.proxy.purse import Purse
from holdfast.gateway.proxy.records import Record, decode
from holdfast.gateway.proxy.serving import Client
from holdfast.gateway.proxy.spool import Spool, frames, segments
from holdfast.gateway.proxy.upstreams import Live, Upstreams
from holdfast.gateway.rules.breaking import Breaker
from holdfast.gateway.states import KeyUsed, LiveRequest, State, UpstreamState
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import utc_now
from holdfast.platform.secrets.references import operator_secret
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

LOOK_SECONDS = 0.1
TURN_SECONDS = 5.0
MOST_LIVE = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker lives: its number, the gateway's folder, the socket it was handed."""

    number: int
    folder: Path
    descriptor: int


def run(settings: Settings, place: Place) -> None:
    """Serves until SIGTERM, then until its streams have ended or the time for that is over."""
    import uvloop

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: drain when the parent is gone
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, place))


async def _serve(settings: Settings, place: Place) -> None:
    watched = snapshots.Watched(place.folder)
    gateway = Gateway(
        settings=settings,
        clock=utc_now,
        snapshot=watched.fresh() or Snapshot(0, utc_now()),
        upstreams=Upstreams(settings),
        credentials=Credentials(settings),
        purse=Purse(settings, place.folder, place.number),
        memory=Memory(place.folder / "memory", _redis(settings)),
        once=Once(place.folder / "once"),
        spool=Spool(place.folder / "spool" / f"{place.number}.{os.getpid()}", settings.gateway_spool_bytes),
    )
    gateway.unheard = watched.unheard(gateway.clock())
    batches = Batches(gateway, place.folder / "batches")
    gateway.public_key = watched.public_key()
    server = _Server(
        uvicorn.Config(
            Door(gateway, batches),
            http=Client,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            access_log=False,
            log_level="warning",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=settings.gateway_drain_seconds,
        ),
        gateway,
    )
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]  # ours end it in order
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, server.handle_exit, told, None)
    taken = asyncio.Event()
    watching = asyncio.create_task(_watch(gateway, watched, taken))
    telling = asyncio.create_task(_tell(gateway, place, taken))
    _settle_orphans(gateway, place.folder)
    gateway.purse.meet(gateway.snapshot.workspaces)
    following = asyncio.create_task(batches.run())
    stop = asyncio.Event()
    sharing = asyncio.create_task(gateway.purse.run(stop))
    try:
        await server.serve(sockets=[socket.socket(fileno=place.descriptor)])
        await gateway.once.settled(settings.gateway_drain_seconds)
    finally:
        for task in (watching, telling, following):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        stop.set()
        await sharing
        gateway.upstreams.close()
        gateway.spool.close()
        gateway.purse.close()
        gateway.memory.close()


def _redis(settings: Settings) -> Redis | None:
    """What several machines share, where there is one."""
    url = operator_secret(settings, settings.redis_url.get_secret_value())
    return connect(url) if url else None


def _settle_orphans(gateway: Gateway, folder: Path) -> None:
    """Calls that were under way when a process before this one was killed: recorded at their maximum, never at zero.

    One that was killed between keeping a record and settling it left the record in its spool: that says what it cost.
    """
    orphans = gateway.purse.orphans()
    if not orphans:
        return
    told = {record.span_id: record for record in kept(folder)}
    for id, amount, record in orphans:
        known = told.get(record.span_id)
        if known is not None:
            gateway.purse.told(id, known.cost)
            continue
        record.ended_ns = time.time_ns()
        record.error, record.estimated, record.cost = "gateway_killed", True, amount
        gateway.keep(record)
        gateway.purse.told(id)


def kept(folder: Path) -> Iterator[Record]:
    """The records in all spools of a gateway that are not shipped and removed yet."""
    for spool in folder.glob("spool/*"):
        for _, path in segments(spool):
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                for frame in frames(path):
                    yield decode(frame.payload)


class _Server(uvicorn.Server):
    """Tells the gateway when it is being stopped, so that nothing new begins on open connections."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.draining = True
        await super().shutdown(sockets)


async def _watch(gateway: Gateway, watched: snapshots.Watched, taken: asyncio.Event) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        gateway.unheard = watched.unheard(gateway.clock())
        try:
            found = watched.fresh()
        except (Invalid, OSError) as error:
            log.error("a snapshot was not taken over, the one before holds: %s", error)
            continue
        if found is not None and found.epoch != gateway.snapshot.epoch:  # lower after a restore
            gateway.snapshot = found
            gateway.public_key = watched.public_key()
            gateway.purse.meet(found.workspaces)
            gateway.credentials.forget()
            taken.set()
            log.info("epoch %s is in force", found.epoch)


async def _tell(gateway: Gateway, place: Place, taken: asyncio.Event) -> None:
    """What this process knows, for the one that speaks with the core; at once when it has taken over a snapshot."""
    turned = 0.0
    identity = (
        f"{(place.folder / 'id').read_text() if (place.folder / 'id').exists() else 'gw'}/{place.number}"
    )
    began = utc_now()
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(taken.wait(), 1.0)
        taken.clear()
        if loop.time() - turned > TURN_SECONDS:
            turned = loop.time()
            gateway.spool.turn()
        raw = msgspec.msgpack.encode(state(gateway, identity, began))
        await loop.run_in_executor(None, _put, place.folder / f"state-{place.number}", raw)


def _put(path: Path, raw: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(raw)
    fresh.replace(path)


def state(gateway: Gateway, identity: str, began: datetime) -> State:
    """What pages show of this process: upstreams as they are now, requests that are being served, what waits."""
    at = utc_now()
    upstreams = [
        _upstream(live, model, breaker)
        for live in gateway.upstreams.all()
        for model, breaker in live.breakers.items()
    ]
    told = gateway.purse.told_of(gateway.snapshot.workspaces)
    serving = tuple(_live(record) for record in list(gateway.live.values())[:MOST_LIVE])
    return State(
        id=identity,
        epoch=gateway.snapshot.epoch,
        version=__version__,
        admin=gateway.settings.gateway_admin,
        started_at=began,
        at=at,
        upstreams=tuple(upstreams),
        live=serving,
        spool_bytes=gateway.spool.backlog(),
        budgets=told.budgets,
        limits=told.limits,
        cut=told.cut,
        events=told.events,
        keys=tuple(KeyUsed(*one, _instant(at)) for one, at in gateway.used.items()),
    )


def _upstream(live: Live, model: str, breaker: Breaker) -> UpstreamState:
    times = sorted(live.latencies)
    return UpstreamState(
        workspace=live.workspace,
        upstream=live.name,
        model=model,
        breaker=breaker.state.value,
        limit=live.concurrency.limit,
        in_flight=live.concurrency.busy,
        waiting=live.queued,
        requests=live.sent,
        failures=live.failed,
        p50_ms=times[len(times) // 2] * 1000 if times else None,
        p95_ms=times[int(len(times) * 0.95)] * 1000 if times else None,
    )


def _live(record: Record) -> LiveRequest:
    return LiveRequest(
        workspace=record.workspace,
        call_id=record.span_id.hex(),
        started_at=_instant(record.started_ns),
        route=record.dimensions.route,
        release=record.release,
        upstream=record.upstream,
        model=record.request_model,
        key=record.key,
        system=record.dimensions.system,
        streaming=record.stream,
    )


def _instant(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
