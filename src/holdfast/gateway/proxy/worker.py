"""One gateway process in the path: serves, takes over newer snapshots, turns its spool, tells its state."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from holdfast.gateway.model import Snapshot
from holdfast.gateway.proxy import snapshots
from holdfast.gateway.proxy.credentials import Credentials
from holdfast.gateway.proxy.door import Door
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.spool import Spool
from holdfast.gateway.proxy.upstreams import Upstreams
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import utc_now
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

LOOK_SECONDS = 0.25
TURN_SECONDS = 5.0


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
        spool=Spool(place.folder / "spool" / str(place.number), settings.gateway_spool_bytes),
    )
    server = _Server(
        uvicorn.Config(
            Door(gateway),
            http="httptools",
            ws="none",
            lifespan="off",
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
    watching = asyncio.create_task(_watch(gateway, watched))
    telling = asyncio.create_task(_tell(gateway, place))
    try:
        await server.serve(sockets=[socket.socket(fileno=place.descriptor)])
    finally:
        for task in (watching, telling):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await gateway.upstreams.close()
        gateway.spool.close()


class _Server(uvicorn.Server):
    """Tells the gateway when it is being stopped, so that nothing new begins on open connections."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.draining = True
        await super().shutdown(sockets)


async def _watch(gateway: Gateway, watched: snapshots.Watched) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            found = watched.fresh()
        except (Invalid, OSError) as error:
            log.error("a snapshot was not taken over, the one before holds: %s", error)
            continue
        if found is not None and found.epoch > gateway.snapshot.epoch:
            gateway.snapshot = found
            gateway.credentials.forget()
            log.info("epoch %s is in force", found.epoch)


async def _tell(gateway: Gateway, place: Place) -> None:
    """What this process knows, for the one that speaks with the core."""
    turned = 0.0
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1.0)
        if loop.time() - turned > TURN_SECONDS:
            turned = loop.time()
            gateway.spool.turn()
        raw = msgspec.msgpack.encode(state(gateway, place.number))
        await loop.run_in_executor(None, _put, place.folder / f"state-{place.number}", raw)


def _put(path: Path, raw: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(raw)
    fresh.replace(path)


def state(gateway: Gateway, number: int) -> dict[str, Any]:
    """What pages show of this process: counts, upstreams as they are now, requests that are being served."""
    return {
        "worker": number,
        "epoch": gateway.snapshot.epoch,
        "served": gateway.served,
        "refused": gateway.refused,
        "unrecorded": gateway.unrecorded,
        "backlog": gateway.spool.backlog(),
        "upstreams": [
            {
                "workspace": live.workspace,
                "name": live.name,
                "busy": live.concurrency.busy,
                "limit": live.concurrency.limit,
                "queued": live.queued,
                "sent": live.sent,
                "failed": live.failed,
                "latencies": sorted(live.latencies),
                "breakers": {model: breaker.state.value for model, breaker in live.breakers.items()},
            }
            for live in gateway.upstreams.all()
        ],
        "live": [
            {
                "workspace": record.workspace,
                "call": record.span_id.hex(),
                "route": record.dimensions.route,
                "model": record.request_model,
                "upstream": record.upstream,
                "stream": record.stream,
                "started_ns": record.started_ns,
                "first_ns": record.first_ns,
            }
            for record in list(gateway.live.values())[:500]
        ],
    }
