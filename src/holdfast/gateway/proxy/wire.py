"""One HTTP/1.1 connection to an upstream: a request goes out in one write, its answer comes back as it arrives.

Nothing is ever sent twice. Whether an upstream worked on a request whose connection died cannot be known, and each may
be billed; so a kept connection is looked at before it is used, and where it dies all the same that is `Broken`, and the
route's retries decide. Bytes that nobody asked for end a connection: they could pass for the next request's answer.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from typing import cast

import httptools

from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy.response import Broken, Response, TimedOut

LONGEST_HEAD = 64 << 10
"""Bytes of an answer that bring nothing of its body: its head, interim answers, trailers, extensions of chunks."""
IDLE = 30.0
"""Seconds for which an unused connection is kept."""
_NEVER = float("inf")
_SOON = 0.002  # timers of the loop count in milliseconds


class Connection(asyncio.Protocol):
    """Carries one request at a time. When it is free it stands on its `shelf`, from which the next request takes it.

    One timer serves all time limits: it rings when the first of them may be over, at the latest after `IDLE` seconds, looks
    what holds by then, and is set again. So no piece of an answer costs a timer.
    """

    def __init__(self, shelf: list[Connection]) -> None:
        self._shelf = shelf
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._arrivals = select.poll()
        self._response: Response | None = None
        self._times = Timeouts()
        self._bodiless = self._interim = self._clean = self._paused = False
        self._barren = 0
        self._patience = self._due = self._end = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._rings = _NEVER
        self._upload: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    async def ask(
        self,
        head: bytes,
        body: AsyncIterator[bytes] | None,
        length: int | None,
        times: Timeouts,
        end: float,
        *,
        bodiless: bool = False,
    ) -> Response:
        """Sends a request and waits for the head of its answer. Raises Failure, and whatever the body raises.

        `head` may hold the whole request; else `body` follows it, of a declared length or in chunks. `end` is when all must
        be over, by the loop's clock. `bodiless`: the answer has no body whatever its head says (to HEAD).
        """
        if self._transport.is_closing():
            raise Broken("the connection broke off")
        response = self._response = Response(self)
        self._times, self._end, self._bodiless = times, end, bodiless
        self._clean, self._barren = True, 0
        self._patience = times.first_byte
        self._transport.write(head)
        self._due = self._loop.time() + times.first_byte
        if body is not None:
            self._due = end
            self._upload = self._loop.create_task(self._send(body, length))
            self._upload.add_done_callback(self._sent)
        self._set_timer()
        try:
            await response.begun()
        except BaseException:
            self.abort()
            raise
        return response

    def usable(self) -> bool:
        """Whether nothing has come on it while it was free: neither its end nor bytes that nobody asked for."""
        return (
            not self._transport.is_closing() and self._loop.time() < self._due and not self._arrivals.poll(0)
        )

    def read_on(self) -> None:
        """What had come was taken: the upstream is read again, where that had been put off."""
        if self._paused:
            self._paused = False
            self._await_more()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def release(self, response: Response) -> None:
        """The answer is done with."""
        if response is not self._response:
            return
        if (
            not response.complete
            or not self._clean
            or self._upload is not None
            or self._transport.is_closing()
        ):
            self.abort()
            return
        self._response = None
        self.read_on()
        self._due = self._loop.time() + IDLE
        self._shelf.append(self)

    def abort(self) -> None:
        """Ends the connection at once, whatever is under way on it."""
        self._response = None
        if self._upload is not None:
            self._upload.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()

    # -- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._arrivals.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None or self._parser is None:
            self.abort()  # nobody asked for anything
            return
        self._barren += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._clean = False
            self._fail(Broken(f"this is no HTTP/1.1: {error}"))
        if response.complete:
            if not self._clean:
                self.abort()
        elif self._barren > LONGEST_HEAD:
            self._fail(Broken(f"over {LONGEST_HEAD} bytes came without any of an answer's body"))
        elif self._upload is None:
            self._await_more()
        response.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        response = self._response
        if self._timer is not None:
            self._timer.cancel()
        self._parser = None  # it refers back to this
        if self in self._shelf:
            self._shelf.remove(self)
        if response is not None and response.status and exc is None and not response.framed:
            self._complete(response)
            response.wake()
        self._fail(Broken("the connection broke off"))
        self.resume_writing()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # -- what the parser calls

    def on_message_begin(self) -> None:
        if self._response is not None and self._response.complete:
            self._clean = False  # an answer that nobody asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        response = self._response
        if response is not None and not response.status:  # else of a trailer, or of what nobody asked for
            response.headers.append((name, value))

    def on_headers_complete(self) -> None:
        response, parser = self._response, self._parser
        if response is None or parser is None or response.status:
            return
        if self._barren > LONGEST_HEAD and response.head_size > LONGEST_HEAD:
            self._fail(Broken(f"the answer's head is over {LONGEST_HEAD} bytes"))
            return
        status = parser.get_status_code()
        if status < 200:
            self._interim = True
            response.headers.clear()
            return
        response.status = status
        if self._bodiless:
            self._clean = False  # the parser does not know that no body follows
            self._complete(response)

    def on_body(self, body: bytes) -> None:
        response = self._response
        if response is None or response.complete:
            return
        self._barren = 0
        self._patience = self._times.between_bytes
        if response.take(body) and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
        elif self._response is not None and self._parser is not None and not self._response.complete:
            self._clean = self._clean and self._parser.should_keep_alive()
            self._complete(self._response)

    # -- what is under way

    def _complete(self, response: Response) -> None:
        response.complete = True
        self._end = self._due = _NEVER

    def _fail(self, error: BaseException) -> None:
        response = self._response
        if response is not None and not response.complete:
            response.fail(error)
            self.abort()

    def _await_more(self) -> None:
        self._due = self._loop.time() + self._patience
        if self._due < self._rings:
            self._set_timer()

    async def _send(self, body: AsyncIterator[bytes], length: int | None) -> None:
        left = length
        async for piece in body:
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise Broken("the request's body is longer than was declared")
            elif piece:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            self._transport.write(piece)
            if self._drained is not None:
                await self._drained
        if left:
            raise Broken("the request's body is shorter than was declared")
        if left is None:
            self._transport.write(b"0\r\n\r\n")

    def _sent(self, upload: asyncio.Task[None]) -> None:
        self._upload = None
        if upload.cancelled():
            return
        error = upload.exception()
        if error is not None:
            self._fail(error)
        elif self._response is not None and not self._response.complete:
            self._await_more()

    def _set_timer(self) -> None:
        """It rings when the first time limit may be over; one that rings earlier stays."""
        rings = min(self._due, self._end, self._loop.time() + IDLE)
        if rings < self._rings:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._rings = self._loop.call_at(rings, self._ring), rings

    def _ring(self) -> None:
        now = self._loop.time() + _SOON
        if self._paused:
            self._due = now + self._patience  # it is the client who is waited for
        self._rings = _NEVER
        if now < min(self._due, self._end):
            self._set_timer()
        elif self._response is None:
            self.abort()  # it was free for too long
        else:
            self._fail(TimedOut("the upstream did not answer in time"))
