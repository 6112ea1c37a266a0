"""Upstreams that do on a real socket, byte for byte, what a test tells them to; and the client that asks them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy.asking import Client
from holdfast.gateway.proxy.response import Response
from holdfast.platform.settings import Settings

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ALLOWED = "127.0.0.1,localhost"


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test on the loop that gateways run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test)


@dataclass
class Line:
    """The server's end of one connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The next request, head and body; empty where the client hung up."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            return head + await self.reader.readuntil(b"0\r\n\r\n")
        at = lower.find(b"content-length: ")
        return head if at < 0 else head + await self.reader.readexactly(int(lower[at + 16 :].split(b"\r")[0]))

    async def say(self, *pieces: bytes) -> None:
        """Writes pieces so that they can arrive one by one."""
        for piece in pieces:
            self.writer.write(piece)
            for _ in range(3):
                await asyncio.sleep(0)

    async def gone(self) -> None:
        """Returns when the client has closed its end."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Breaks off with RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Line], Awaitable[None]]


@dataclass
class Upstream:
    """A server that runs a script for each connection, and counts them."""

    script: Script
    port: int = 0
    lines: list[Line] = field(default_factory=list)
    scheme: str = "http"
    host: str = "127.0.0.1"
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(len(self.lines), reader, writer)
        self.lines.append(line)
        await self.script(line)
        writer.close()


@asynccontextmanager
async def upstream(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """One that listens."""
    made = Upstream(script, scheme="https" if tls else "http")
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls, limit=1 << 24)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for line in made.lines:
            line.writer.transport.abort()


@asynccontextmanager
async def asking(script: Script, **settings: Any) -> AsyncIterator[tuple[Client, Upstream]]:
    """A client, and an upstream for it."""
    client = Client(Settings(**{"outbound_allow": ALLOWED, **settings}))
    async with upstream(script) as there:
        try:
            yield client, there
        finally:
            client.close()


async def post(
    client: Client, there: Upstream, body: bytes | AsyncIterator[bytes] = b"{}", **times: float
) -> Response:
    """Asks; returns when the head of the answer is there."""
    return await client.send(there.url, Timeouts(**times), "POST", "/x", {}, body)


async def whole(client: Client, there: Upstream, **times: float) -> tuple[int, bytes]:
    """Asks and reads all; the connection is given back."""
    response = await post(client, there, **times)
    try:
        return response.status, await response.read()
    finally:
        response.release()


def saying(*pieces: bytes) -> Script:
    """Answers every request alike."""

    async def script(line: Line) -> None:
        while await line.request():
            await line.say(*pieces)

    return script


def once(*pieces: bytes) -> Script:
    """Answers one request, then hangs up."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(*pieces)

    return script
