"""Requests to upstreams: written once, sent over a connection that is free or a new one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy.connecting import Connector, Origin
from holdfast.gateway.proxy.response import Response
from holdfast.gateway.proxy.wire import Connection
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.settings import Settings

_PLAIN = re.compile(r"[\w!$%&'()*+,\-./:;=?@~]*", re.ASCII)
_DOTS = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)


class _Place(NamedTuple):
    """A URL, read."""

    origin: Origin
    path: str
    line: str
    """The header line that names the host."""


class Client:
    """Asks upstreams. There is no limit of connections here: places are given before."""

    def __init__(self, settings: Settings) -> None:
        """Raises Invalid where a setting cannot be used."""
        self._connector = Connector(settings)
        self._places: dict[str, _Place] = {}
        self._free: dict[Origin, list[Connection]] = {}

    async def send(
        self,
        url: str,
        times: Timeouts,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] | None,
    ) -> Response:
        """Returns when the answer's head is there. No redirect is followed.

        `path` goes behind the URL's and has the query. A body that is no bytes is sent in chunks, or as long as
        `content-length` in `headers` says. Raises Failure; Unavailable and Invalid where nothing can be sent.
        """
        end = asyncio.get_running_loop().time() + times.total
        place = self._places.get(url) or self._read(url)
        origin = place.origin
        target = _target(place.path + path)
        extra = place.line
        length: int | None = None
        if isinstance(body, bytes):
            extra = f"{extra}content-length: {len(body)}\r\n"
        elif body is not None and "content-length" in headers:
            length = int(headers["content-length"])
        elif body is not None:
            extra += "transfer-encoding: chunked\r\n"
        elif method not in ("GET", "HEAD"):
            extra += "content-length: 0\r\n"
        proxy = self._connector.proxy
        if proxy is not None and not origin.secure:
            target = f"http://{origin.authority(await self._connector.asked_for(origin))}{target}"
            extra += proxy.authorization
        head = _head(f"{method} {target} HTTP/1.1\r\n{extra}", headers)
        connection = await self._connection(origin, times)
        if isinstance(body, bytes):
            return await connection.ask(head + body, None, None, times, end)
        return await connection.ask(head, body, length, times, end, bodiless=method == "HEAD")

    def close(self) -> None:
        """Ends the connections that are free."""
        for shelf in self._free.values():
            for connection in shelf:
                connection.abort()

    async def _connection(self, origin: Origin, times: Timeouts) -> Connection:
        """The one that was used last, because it is the likeliest to be alive."""
        shelf = self._free.setdefault(origin, [])
        while shelf:
            found = shelf.pop()
            if found.usable():
                return found
            found.abort()
        return await self._connector.open(origin, shelf, min(times.connect, times.total))

    def _read(self, url: str) -> _Place:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        origin = Origin(secure, parts.hostname or "", parts.port or (443 if secure else 80))
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if len(self._places) > 1000:
            self._places.clear()
        place = self._places[url] = _Place(origin, path, f"host: {origin.authority()}\r\n")
        return place


def _target(path: str) -> str:
    """A path and query as they are written in a request. Raises Invalid where it would lead out of itself."""
    if ("/." in path or "%" in path) and _DOTS.search(path.partition("?")[0]):
        raise Invalid("a path has no segments that are only dots", where="path")
    if not path.startswith("/"):
        path = f"/{path}"
    return path if _PLAIN.fullmatch(path) else quote(path, safe="!$%&'()*+,-./:;=?@~")


def _head(begun: str, headers: Mapping[str, str]) -> bytes:
    """A request's head. Raises Unavailable where a header has a line break: it could be taken for another header."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = "".join((begun, *lines, "\r\n"))
    breaks = len(lines) + begun.count("\n") + 1
    if head.count("\n") != breaks or head.count("\r") != breaks or "\0" in head:
        raise Unavailable(
            "a header for this upstream has a line break in it; look at its headers and credential"
        )
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError:
        return head.encode()
