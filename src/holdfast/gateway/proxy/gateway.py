"""What one gateway process holds, and how a call's record gets into it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.gateway.model import Snapshot
from holdfast.gateway.proxy.arming import Guards
from holdfast.gateway.proxy.caching import Cache
from holdfast.gateway.proxy.credentials import Credentials
from holdfast.gateway.proxy.memory import Memory
from holdfast.gateway.proxy.once import Once
from holdfast.gateway.proxy.purse import Purse
from holdfast.gateway.proxy.records import Record, encode
from holdfast.gateway.proxy.spool import Spool
from holdfast.gateway.proxy.upstreams import Upstreams
from holdfast.kernel.errors import Unavailable
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

LOOKED_AT = 1.0
FOUND_SECONDS = 6.0


@dataclass(slots=True)
class Gateway:
    """One process in the path. `snapshot` is replaced whole by a later one."""

    settings: Settings
    clock: Callable[[], datetime]
    snapshot: Snapshot
    upstreams: Upstreams
    credentials: Credentials
    spool: Spool
    purse: Purse
    memory: Memory
    once: Once
    live: dict[bytes, Record] = field(default_factory=dict)
    """Calls that are being served, by span id."""
    cache: Cache = field(default_factory=Cache)
    guards: Guards = field(default_factory=Guards)
    shadows: dict[tuple[str, str], set[asyncio.Task[None]]] = field(default_factory=dict)
    """(workspace, route) → the copies that are under way."""
    public_key: bytes = b""
    """Of the core; empty before the first snapshot."""
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    """(workspace, client key) → when its last call ended."""
    served: int = 0
    refused: int = 0
    unrecorded: int = 0
    draining: bool = False
    unheard: float = 0.0
    """Seconds since the core was last heard of, as far as is known."""
    began: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    _full: bool = False

    def ready(self) -> bool:
        """Whether requests should be sent here: it knows what to serve, and what it shares with other gateways is lent to
        it. For that it is waited `FOUND_SECONDS` at most, since it also serves while their counter is away."""
        if self.snapshot.epoch == 0 or self.draining:
            return False
        late = time.monotonic() - self.began > FOUND_SECONDS
        return late or self.purse.lends(self.snapshot.workspaces)

    def admit(self) -> None:
        """Raises Unavailable where nothing new is served: while draining, and with a full spool by policy."""
        if self.draining:
            raise Unavailable("this gateway is being shut down; ask again", retry_after=1)
        if self.settings.gateway_spool_full == "refuse" and self._spool_full():
            raise Unavailable(
                "the gateway cannot record calls: its spool is full (is the core reachable?)", retry_after=10
            )

    def _spool_full(self) -> bool:
        now = time.monotonic()
        if now - self._looked > LOOKED_AT:
            self._looked, self._full = now, self.spool.full()
            if self._full:
                log.error("the spool is full: %s bytes wait for the core", self.spool.backlog())
        return self._full

    def keep(self, record: Record) -> None:
        """Keeps a call's record. What cannot be kept is counted and said loudly, never silent."""
        self.served += 1
        self.used[record.workspace, record.key] = record.ended_ns
        if not record.operation:
            return
        try:
            if self.settings.gateway_spool_full == "unrecorded" and self._spool_full():
                raise Unavailable("the spool is full")
            self.spool.append(encode(record))
        except Unavailable as error:
            self.unrecorded += 1
            log.error("a call was not recorded (%s so far): %s", self.unrecorded, error.detail)
