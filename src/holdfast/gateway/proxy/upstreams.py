"""The upstreams as they are now: connections, places, breakers, what they answered lately."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator

from holdfast.gateway.model import Timeouts, Upstream, Workspace
from holdfast.gateway.proxy.asking import Client
from holdfast.gateway.proxy.response import Response
from holdfast.gateway.rules.breaking import Breaker
from holdfast.gateway.rules.pacing import Concurrency, Retries
from holdfast.kernel.errors import Unavailable
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
        """Raises Invalid where a setting cannot be used."""
        self._live: dict[tuple[str, str], Live] = {}
        self._client = Client(settings)

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
    ) -> Response:
        """Sends a request; returns when the answer's head is there. No redirect is followed.

        Raises Failure; Unavailable and Invalid where nothing can be sent there.
        """
        there = upstream.base_url.rstrip("/")
        return await self._client.send(there, upstream.timeouts, method, path, headers, body)

    async def ask(self, url: str, headers: dict[str, str], body: bytes, most: int) -> bytes:
        """What a webhook answers to a POST, `most` bytes at most; no redirect is followed.

        Raises Failure; Unavailable and Invalid where it is not to be reached, or answers with an error or too much.
        """
        response = await self._client.send(url, Timeouts(), "POST", "", headers, body)
        try:
            if response.status != 200:
                raise Unavailable("a webhook answers with an error, or a redirect, which is not followed")
            received = bytearray()
            async for chunk in response:
                received += chunk
                if len(received) > most:
                    raise Unavailable("a webhook's answer is too long")
            return bytes(received)
        finally:
            response.release()

    def close(self) -> None:
        """Closes the connections that are free."""
        self._client.close()


def now() -> float:
    """Seconds of the monotonic clock that breakers and limits go by."""
    return time.monotonic()
