"""What comes of a request to an upstream: an answer, read piece by piece as it arrives, or a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar, Protocol

HIGH = 256 << 10
"""Bytes of an answer that wait for a slow client before the upstream is no longer read."""


class Failure(Exception):
    """No answer, or not all of it. `kind` is the word that records have for it."""

    kind: ClassVar[str]


class Unreached(Failure):
    """No connection came about, so nothing was sent."""

    kind = "connection_refused"


class TimedOut(Failure):
    """The answer, or its next piece, did not come in time."""

    kind = "timeout"


class Broken(Failure):
    """The connection broke off, or what came over it was no HTTP."""

    kind = "connection_broken"


class Carrier(Protocol):
    """The connection that an answer comes over."""

    def read_on(self) -> None:
        """What had come was taken: the upstream is read again, where that had been put off."""

    def release(self, response: Response) -> None:
        """The answer is done with."""


class Response:
    """An answer whose head is there: `status`, and `headers` as they were received. Release it in any case."""

    __slots__ = ("_chunks", "_connection", "_error", "_size", "_waiter", "complete", "headers", "status")

    def __init__(self, connection: Carrier) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        """Whether its end has been received; pieces may still wait to be read."""
        self._connection = connection
        self._chunks: list[bytes] = []
        self._size = 0
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> str:
        """The first of a name (in lower case); empty where there is none."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1")
        return ""

    @property
    def framed(self) -> bool:
        """Whether it says where it ends; else it ends with the connection."""
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    @property
    def head_size(self) -> int:
        """Bytes of its headers."""
        return sum(len(name) + len(value) + 4 for name, value in self.headers)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """All that has come since the last piece, as soon as there is any. Raises Failure."""
        while not self._chunks:
            if self.complete:
                raise StopAsyncIteration
            await self._news()
        chunks = self._chunks
        self._chunks, self._size = [], 0
        self._connection.read_on()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def read(self) -> bytes:
        """The rest of the body. Raises Failure."""
        pieces = [piece async for piece in self]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Gives the connection back for the next request; one with an unfinished answer is closed at once."""
        self._connection.release(self)

    async def begun(self) -> None:
        """Waits for the head. Raises Failure."""
        while not self.status:
            await self._news()

    def take(self, chunk: bytes) -> bool:
        """Keeps a piece; whether no more should come for now."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        return self._size > HIGH

    def fail(self, error: BaseException) -> None:
        """There will be no more than what has come."""
        if not self.complete and self._error is None:
            self._error = error
            self.wake()

    def wake(self) -> None:
        """There is something new."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _news(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter
