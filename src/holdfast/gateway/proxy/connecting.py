"""How connections to upstreams come about: the name is resolved, every address judged, and a judged one connected to.

With an outbound proxy, the proxy is asked for the judged address; for the name only where the operator allows the name
(`HOLDFAST_OUTBOUND_ALLOW`), which is then not resolved here. What a name resolves to is remembered for half a minute.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar, cast
from urllib.parse import unquote, urlsplit

from holdfast.gateway.proxy.response import Unreached
from holdfast.gateway.proxy.wire import LONGEST_HEAD, Connection
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

PRIVATE = "this upstream's address is inside a private network; HOLDFAST_OUTBOUND_ALLOW can allow it"
REMEMBERED = 30.0
P = TypeVar("P", bound=asyncio.Protocol)


class Origin(NamedTuple):
    """What connections lead to."""

    secure: bool
    host: str
    port: int

    def authority(self, host: str = "") -> str:
        """Host and port as they are written in a request; `host` in place of its own."""
        said = f"[{host or self.host}]" if ":" in (host or self.host) else host or self.host
        return said if self.port == (443 if self.secure else 80) else f"{said}:{self.port}"


class Proxy(NamedTuple):
    """The outbound proxy, and the header line by which it knows us (or nothing)."""

    origin: Origin
    authorization: str


class Connector:
    """Opens connections."""

    def __init__(self, settings: Settings) -> None:
        """Raises Invalid where a setting cannot be used."""
        self._context = outbound.ssl_context(settings)
        self._allowed = outbound.allowed(settings.outbound_allow)
        self._known: dict[str, tuple[float, asyncio.Task[list[str]]]] = {}
        self.proxy = _proxy(settings.proxy) if settings.proxy else None

    async def open(self, origin: Origin, shelf: list[Connection], seconds: float) -> Connection:
        """Connects within so many seconds. Raises Unreached; Unavailable where it must not be, or does not resolve."""
        try:
            async with asyncio.timeout(seconds):
                if self.proxy is None:
                    return await self._direct(origin, shelf, seconds)
                if origin.secure:
                    return await self._tunnelled(self.proxy, origin, shelf)
                return await self._connect(
                    self.proxy.origin, self.proxy.origin.host, partial(Connection, shelf)
                )
        except OSError as error:  # TLS errors and TimeoutError are among them
            raise Unreached(f"no connection to {origin.host}") from error

    async def asked_for(self, origin: Origin) -> str:
        """The host as the proxy is asked for it. Raises Unavailable."""
        name = origin.host.rstrip(".")
        return origin.host if name in self._allowed.hosts else (await self._addresses(origin))[0]

    async def _direct(self, origin: Origin, shelf: list[Connection], seconds: float) -> Connection:
        """Each address has an equal share of the time that is left."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        addresses = await self._addresses(origin)
        for tried, address in enumerate(addresses):
            try:
                async with asyncio.timeout((end - loop.time()) / (len(addresses) - tried)):
                    return await self._connect(origin, address, partial(Connection, shelf))
            except OSError:
                if tried == len(addresses) - 1:
                    raise
        raise Unreached(f"{origin.host} has no address")

    async def _connect(self, origin: Origin, address: str, made: Callable[[], P]) -> P:
        tls = self._context if origin.secure else None
        name = origin.host.rstrip(".") if origin.secure else None
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(made, address, origin.port, ssl=tls, server_hostname=name)
        return protocol

    async def _tunnelled(self, proxy: Proxy, origin: Origin, shelf: list[Connection]) -> Connection:
        host = await self.asked_for(origin)
        host = f"[{host}]" if ":" in host else host
        there = f"{host}:{origin.port}"
        tunnel = await self._connect(proxy.origin, proxy.origin.host, _Tunnel)
        try:
            await tunnel.ask(
                f"CONNECT {there} HTTP/1.1\r\nhost: {there}\r\n{proxy.authorization}\r\n".encode()
            )
            connection = Connection(shelf)
            transport = await asyncio.get_running_loop().start_tls(
                tunnel.transport, connection, self._context, server_hostname=origin.host.rstrip(".")
            )
        except BaseException:
            tunnel.transport.abort()
            raise
        assert transport is not None
        connection.connection_made(transport)
        return connection

    async def _addresses(self, origin: Origin) -> list[str]:
        """Its addresses, all judged. Raises Unavailable."""
        known = self._known.get(origin.host)
        now = asyncio.get_running_loop().time()
        if known is None or known[0] < now or (known[1].done() and known[1].exception() is not None):
            if len(self._known) > 1000:
                self._known.clear()
            task = asyncio.create_task(self._resolve(origin))
            known = self._known[origin.host] = now + REMEMBERED, task
        return await asyncio.shield(known[1])

    async def _resolve(self, origin: Origin) -> list[str]:
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(None, outbound.resolve, origin.host, origin.port)
        if origin.host.rstrip(".") not in self._allowed.hosts and not all(
            outbound.reachable(one, self._allowed) for one in addresses
        ):
            raise Unavailable(PRIVATE)
        return [str(one) for one in addresses]


class _Tunnel(asyncio.Protocol):
    """Asks an outbound proxy for a way through."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._said = b""
        self._open = asyncio.get_running_loop().create_future()

    async def ask(self, request: bytes) -> None:
        """Raises ConnectionError where it is refused."""
        self.transport.write(request)
        await self._open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._said += data
        head, mark, rest = self._said.partition(b"\r\n\r\n")
        if self._open.done() or (not mark and len(head) < LONGEST_HEAD):
            return
        status = head[:12].split(b" ")
        if status[0] in (b"HTTP/1.1", b"HTTP/1.0") and status[1:] == [b"200"] and mark and not rest:
            self._open.set_result(None)
        else:
            self._open.set_exception(ConnectionError("the proxy refuses"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._open.done():
            self._open.set_exception(ConnectionError("the proxy hung up"))


def _proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("write the proxy like http://proxy.internal:3128", where="HOLDFAST_PROXY")
    secure = parts.scheme == "https"
    authorization = ""
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"proxy-authorization: Basic {b64encode(known.encode()).decode()}\r\n"
    return Proxy(Origin(secure, parts.hostname, parts.port or (443 if secure else 80)), authorization)
