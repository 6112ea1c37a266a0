"""What one gateway process holds, and how a call's record gets into it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.gateway.model import Snapshot
from holdfast.gateway.proxy.caching import Cache
from holdfast.gateway.proxy.credentials import Credentials
from holdfast.gateway.proxy.purse import Purse
from holdfast.gateway.proxy.records import Record, encode
from holdfast.gateway.proxy.spool import Spool
from holdfast.gateway.proxy.upstreams import Upstreams
from holdfast.kernel.errors import Unavailable
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

REMEMBERED = 100_000
LOOKED_AT = 1.0


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
    live: dict[bytes, Record] = field(default_factory=dict)
    """Calls that are being served, by span id."""
    made_by: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)
    """(workspace, id of a stored response) → the upstream that keeps it."""
    pins: OrderedDict[tuple[str, str, str], str] = field(default_factory=OrderedDict)
    """(workspace, route, conversation) → the release that it began on, as long as that has a weight."""
    cache: Cache = field(default_factory=Cache)
    shadows: dict[tuple[str, str], set[asyncio.Task[None]]] = field(default_factory=dict)
    """(workspace, route) → the copies that are under way."""
    served: int = 0
    refused: int = 0
    unrecorded: int = 0
    draining: bool = False
    _looked: float = 0.0
    _full: bool = False

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
        if not record.operation:
            return
        try:
            if self.settings.gateway_spool_full == "unrecorded" and self._spool_full():
                raise Unavailable("the spool is full")
            self.spool.append(encode(record))
        except Unavailable as error:
            self.unrecorded += 1
            log.error("a call was not recorded (%s so far): %s", self.unrecorded, error.detail)

    def pin(self, key: tuple[str, str, str], release: str) -> None:
        """A conversation's release."""
        self.pins[key] = release
        self.pins.move_to_end(key)
        if len(self.pins) > REMEMBERED:
            self.pins.popitem(last=False)

    def remember(self, workspace: str, response_id: str, upstream: str) -> None:
        """Which upstream keeps a stored response."""
        self.made_by[(workspace, response_id)] = upstream
        if len(self.made_by) > REMEMBERED:
            self.made_by.popitem(last=False)
