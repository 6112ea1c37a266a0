"""The upstreams as they are now: connections, places, breakers, what they answered lately."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from holdfast.gateway.model import Upstream, Workspace
from holdfast.gateway.rules.breaking import Breaker
from holdfast.gateway.rules.pacing import Concurrency, Retries
from holdfast.kernel.errors import Unavailable
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

LONGEST_QUEUE = 2000
DEFAULT_WAIT = 10.0
LATELY = 200


class Live:
    """One upstream of one workspace: what is known of it in this process."""

    __slots__ = (
        "_number",
        "_waiting",
        "breakers",
        "concurrency",
        "failed",
        "latencies",
        "name",
        "retries",
        "sent",
        "upstream",
        "workspace",
    )

    def __init__(self, workspace: str, name: str, upstream: Upstream) -> None:
        self.workspace = workspace
        self.name = name
        self.upstream = upstream
        self.concurrency = Concurrency(upstream.concurrency)
        self.retries = Retries()
        self.breakers: dict[str, Breaker] = {}
        self.latencies: deque[float] = deque(maxlen=LATELY)
        self.sent = 0
        self.failed = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = itertools.count()

    def breaker(self, model: str) -> Breaker:
        """The breaker of one of its models."""
        found = self.breakers.get(model)
        if found is None:
            if len(self.breakers) > 1000:
                self.breakers.clear()
            found = self.breakers[model] = Breaker()
        return found

    @property
    def queued(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiting)

    async def enter(self, priority: int, seconds: float) -> None:
        """Takes a place, waiting for one at most so long; higher priorities go first. Raises Unavailable."""
        pace = self.concurrency
        if pace.free and not self._waiting:
            pace.busy += 1
            return
        if len(self._waiting) >= LONGEST_QUEUE and not self._shed(priority):
            raise Unavailable(f"too many requests wait for {self.name}", retry_after=1)
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-priority, next(self._number), turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # the place came in the same moment
            else:
                turn.cancel()
                self._waiting = [one for one in self._waiting if not one[2].done()]
                heapq.heapify(self._waiting)
            if isinstance(error, TimeoutError):
                raise Unavailable(f"no place at {self.name} came free in time", retry_after=1) from None
            raise

    def leave(self) -> None:
        """Gives the place back."""
        pace = self.concurrency
        pace.busy -= 1
        while self._waiting and pace.free:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                pace.busy += 1
                turn.set_result(None)

    def _shed(self, priority: int) -> bool:
        """Sends the last of the lowest priority away, if that is below this one's."""
        lowest = max(self._waiting)
        if -lowest[0] >= priority:
            return False
        self._waiting.remove(lowest)
        heapq.heapify(self._waiting)
        if not lowest[2].done():
            lowest[2].set_exception(
                Unavailable(f"requests of a higher priority take the places at {self.name}", retry_after=1)
            )
        return True


class Upstreams:
    """All upstreams, and the connections to them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._live: dict[tuple[str, str], Live] = {}
        self._timeouts: dict[Any, aiohttp.ClientTimeout] = {}
        self._proxy = settings.proxy or None
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=outbound.ssl_context(settings),
            resolver=_Guarded(outbound.allowed(settings.outbound_allow)),
            ttl_dns_cache=30,
            keepalive_timeout=30,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trust_env=False,
        )
        self._allowed = outbound.allowed(settings.outbound_allow)
        self._numeric: set[str] = set()
        """Addresses written as numbers that were judged already: they cannot change."""

    def live(self, workspace: Workspace, name: str, upstream: Upstream) -> Live:
        """One of them; a changed configuration is taken over, what was learned of it stays."""
        key = (workspace.id, name)
        found = self._live.get(key)
        if found is None or found.upstream.base_url != upstream.base_url:
            found = self._live[key] = Live(workspace.id, name, upstream)
        elif found.upstream is not upstream:
            found.upstream = upstream
            found.concurrency.bounded(upstream.concurrency)
        return found

    def all(self) -> list[Live]:
        """All that were asked for anything."""
        return list(self._live.values())

    async def send(
        self,
        upstream: Upstream,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | AsyncIterator[bytes] | None,
    ) -> aiohttp.ClientResponse:
        """Sends a request; returns when the answer's headers are there. No redirect is followed."""
        url = upstream.base_url.rstrip("/") + path
        self._judge(url.split("/", 3)[2])
        return await self._session.request(
            method,
            url,
            data=body,
            headers=headers,
            timeout=self._timeout(upstream),
            allow_redirects=False,
            proxy=self._proxy,
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    def _timeout(self, upstream: Upstream) -> aiohttp.ClientTimeout:
        times = upstream.timeouts
        found = self._timeouts.get(times)
        if found is None:
            found = self._timeouts[times] = aiohttp.ClientTimeout(
                total=times.total, sock_connect=times.connect, sock_read=times.first_byte
            )
        return found

    def _judge(self, authority: str) -> None:
        """An address that is written as a number is not resolved, so it is judged here. Raises Unavailable."""
        host = authority.rpartition("@")[2]
        host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if host in self._numeric or not host or not (host[-1].isdigit() or ":" in host):
            return
        if host in self._allowed.hosts:
            return
        for address in outbound.resolve(host, 0):
            if not outbound.reachable(address, self._allowed):
                raise Unavailable(PRIVATE)
        self._numeric.add(host)


PRIVATE = "this upstream's address is inside a private network; HOLDFAST_OUTBOUND_ALLOW can allow it"


class _Guarded(AbstractResolver):
    """Resolves a name and judges every address of it; the connection goes to what was judged."""

    def __init__(self, allow: outbound.Allowed) -> None:
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(None, outbound.resolve, host, port)
        name = host.lower().rstrip(".")
        if name not in self._allow.hosts and not all(
            outbound.reachable(one, self._allow) for one in addresses
        ):
            raise Unavailable(PRIVATE)
        return [
            ResolveResult(
                hostname=host,
                host=str(one),
                port=port,
                family=socket.AF_INET6 if one.version == 6 else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


def now() -> float:
    """Seconds of the monotonic clock that breakers and limits go by."""
    return time.monotonic()
