"""A vendor for the gateway's benchmark, as cheap as Python allows: `python -m benchmarks.gateway_upstream PORT`.

Answers every POST at once with one completion, or with a stream of CHUNKS pieces, one each SECONDS apart, where the
request says so. GET /meter tells how many of each it has served to the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

CHUNKS = 50
SECONDS = 0.02
PROMPT, COMPLETION = 24, 12
"""Tokens that it says each request used."""
_USAGE = {
    "prompt_tokens": PROMPT,
    "completion_tokens": COMPLETION,
    "total_tokens": PROMPT + COMPLETION,
}
_HEAD = {"id": "chatcmpl-bench", "created": 1, "model": "bench-1"}


def _answer() -> bytes:
    message = {
        "role": "assistant",
        "content": "Twelve tokens of an answer that says nothing at all, again and again.",
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _chunk(event: bytes) -> bytes:
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


def _piece(delta: dict[str, str], reason: str | None = None, usage: object = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}] if usage is None else []
    said = {**_HEAD, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return _chunk(b"data: " + json.dumps(said).encode() + b"\n\n")


ANSWER = _answer()
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = _piece({"content": " word"})
END = _piece({}, "stop") + _piece({}, usage=_USAGE) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Vendor(asyncio.Protocol):
    """One connection."""

    served = 0
    streamed = 0

    def __init__(self) -> None:
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._read += data
        while True:
            head, mark, rest = self._read.partition(b"\r\n\r\n")
            if not mark:
                return
            length = _length(head)
            if len(rest) < length:
                return
            body, self._read = rest[:length], rest[length:]
            self._serve(head, body)

    def _serve(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        if head.startswith(b"GET"):
            said = json.dumps({"served": Vendor.served, "streamed": Vendor.streamed}).encode()
            self._transport.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(said)}\r\n\r\n".encode() + said)
        elif b'"stream":true' in body:
            self._transport.write(STREAM)
            self._next(CHUNKS)
        else:
            Vendor.served += 1
            self._transport.write(ANSWER)

    def _next(self, left: int) -> None:
        if self._transport is None:
            return
        if not left:
            Vendor.streamed += 1
            self._transport.write(END)
            return
        self._transport.write(PIECE)
        asyncio.get_running_loop().call_later(SECONDS, self._next, left - 1)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
