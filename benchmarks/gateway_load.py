"""The gateway's load generator, in a process of its own: connections that each ask again as soon as they have an answer.

`python -m benchmarks.gateway_load PORT PATH CONNECTIONS SECONDS MOST STREAM HEADER…` stops after so many seconds, or
after MOST requests (0: no bound), lets what is under way end, and prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

ROOT = Path(__file__).resolve().parent.parent
PROMPT = (
    "Summarise in one sentence what an operations layer for language models should keep for its auditors."
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a run; latencies in milliseconds, to the last byte of an answer."""

    answered: int
    failed: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    first_failure: str = ""


def load(
    port: int,
    path: str,
    headers: Sequence[str],
    *,
    connections: int,
    seconds: float,
    most: int = 0,
    stream: bool = False,
) -> Loaded:
    """Runs the generator and waits for it. Raises CalledProcessError."""
    given = [port, path, connections, seconds, most, int(stream)]
    command = [sys.executable, "-m", "benchmarks.gateway_load", *map(str, given), *headers]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return Loaded(**json.loads(done.stdout))


class _Run:
    def __init__(self, request: bytes, until: float, most: int) -> None:
        self.request = request
        self.until = until
        self.most = most
        self.sent = 0
        self.failed = 0
        self.failure = ""
        self.times: list[float] = []

    def more(self) -> bool:
        return (not self.most or self.sent < self.most) and time.monotonic() < self.until


class _Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, run: _Run, done: asyncio.Future[None]) -> None:
        self._run = run
        self._done = done
        self._read = bytearray()
        self._began = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        if not self._run.more():
            self._transport.close()
            return
        self._run.sent += 1
        self._began = time.monotonic()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if _whole(self._read):
            if self._read.startswith(b"HTTP/1.1 200"):
                self._run.times.append(time.monotonic() - self._began)
            else:
                self._run.failed += 1
                self._run.failure = self._run.failure or self._read[:600].decode("latin-1")
            self._began = 0.0
            self._read.clear()
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._began:
            self._run.failed += 1
            self._run.failure = self._run.failure or f"the connection was closed: {exc}"
        if not self._done.done():
            self._done.set_result(None)


def _whole(read: bytearray) -> bool:
    """Whether a whole answer has come: by its length, or to the last chunk."""
    end = read.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(read[:end]).lower()
    at = head.find(b"content-length:")
    if at < 0:
        return read.endswith(b"0\r\n\r\n") and len(read) > end + 4
    return len(read) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])


async def _main(
    port: int, path: str, connections: int, seconds: float, most: int, stream: bool, headers: list[str]
) -> None:
    body = json.dumps(
        {
            "model": "bench-1",
            "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": 64,
            **({"stream": True} if stream else {}),
        },
        separators=(",", ":"),
    )
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json", *headers]
    request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()
    began = time.monotonic()
    run = _Run(request, began + seconds, most)
    loop = asyncio.get_running_loop()
    waiting = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(partial(_Connection, run, done), "127.0.0.1", port)
        waiting.append(done)
    await asyncio.wait(waiting, timeout=seconds + 120)
    took = time.monotonic() - began
    times = sorted(run.times)
    said = Loaded(
        len(times),
        run.failed,
        round(took, 3),
        round(len(times) / took, 1),
        round(times[len(times) // 2] * 1000, 3) if times else 0.0,
        round(times[int(len(times) * 0.99)] * 1000, 3) if times else 0.0,
        run.failure,
    )
    print(json.dumps({name: getattr(said, name) for name in Loaded.__slots__}))


if __name__ == "__main__":
    port, path, connections, seconds, most, stream, *headers = sys.argv[1:]
    uvloop.run(_main(int(port), path, int(connections), float(seconds), int(most), stream == "1", headers))
