"""HTTP to clients: uvicorn's, except that it tells at once when a client leaves, and sends a whole answer in one write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

Send = Callable[[dict[str, Any]], Awaitable[None]]
_CLIENT, _WHOLE = "client", "whole"


class Client(HttpToolsProtocol):
    """One connection. A request finds it in its scope, as `client_of` does."""

    _leaving: Callable[[], object] | None = None

    def on_leaving(self, told: Callable[[], object] | None) -> None:
        """Who is told when the client goes away, or has gone; one at a time, as requests are."""
        self._leaving = told
        if told is not None and self.transport.is_closing():
            told()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._leaving is not None:
            self._leaving()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = _Cycle  # uvicorn has no place to name the class
        cycle.scope["state"][_CLIENT] = self
        super()._start_asgi_task(cycle, app)


def client_of(scope: dict[str, Any]) -> Client:
    """Whose request it is."""
    found: Client = scope["state"][_CLIENT]
    return found


async def send_whole(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    """Sends an answer that is there to its last byte; its headers say how long it is."""
    await send({"type": "http.response.start", "status": status, "headers": headers, _WHOLE: True})
    await send({"type": "http.response.body", "body": body})


class _Cycle(RequestResponseCycle):
    """A request and its answer. The head of a whole answer waits for the body, and goes out with it."""

    _head: Any = None

    async def send(self, message: Any) -> None:
        if _WHOLE in message and self.scope["method"] != "HEAD":
            self._head = message
            return
        if self._head is None:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        head = self._written(self._head["status"], self._head["headers"])
        self.transport.write(head + message["body"])
        self.response_started = self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _written(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """A head. Raises RuntimeError where a header has a line break: it could be taken for another header."""
        lines = [b"%b: %b\r\n" % header for header in (*self.default_headers, *headers)]
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join((STATUS_LINE[status], *lines, b"\r\n"))
        if not head.count(b"\n") == head.count(b"\r") == len(lines) + 2:
            raise RuntimeError("a header of an answer has a line break in it")
        return head
