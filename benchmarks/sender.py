"""The load generator, in a process of its own: a few connections, each sending its next request when the last is answered.

`python -m benchmarks.sender FILE PORT CONNECTIONS FROM TO HEADER…` reads bodies FROM…TO of FILE (see `write`) and prints
one JSON object. Requests are rendered before the clock starts; 503 is sent again after a moment, as senders do.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 600.0
"""No run takes longer; what is not answered by then counts as not acknowledged."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a run; times in seconds, latencies in milliseconds."""

    acknowledged: int
    refused: int
    retried: int
    seconds: float
    p50_ms: float
    p99_ms: float
    sender_cpu_seconds: float
    first_refusal: str = ""


def write(path: Path, bodies: Iterable[bytes]) -> None:
    """Bodies into a file, each after its length."""
    with path.open("wb") as out:
        for body in bodies:
            out.write(struct.pack("<I", len(body)))
            out.write(body)


def read(path: Path) -> list[bytes]:
    """What `write` wrote."""
    packed = path.read_bytes()
    bodies, position = [], 0
    while position < len(packed):
        (size,) = struct.unpack_from("<I", packed, position)
        bodies.append(packed[position + 4 : position + 4 + size])
        position += 4 + size
    return bodies


def send(path: Path, port: int, connections: int, span: tuple[int, int], headers: Sequence[str]) -> Sent:
    """Runs the generator over bodies number span[0] to span[1] and waits for it. Raises CalledProcessError."""
    command = [sys.executable, "-m", "benchmarks.sender", str(path), str(port), str(connections)]
    ran = subprocess.run(
        [*command, str(span[0]), str(span[1]), *headers],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=SECONDS + 60,
    )
    return Sent(**json.loads(ran.stdout))


class Run:
    """The requests of a run, handed out one by one."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._port = port
        self._requests = requests
        self._next = 0
        self._lock = threading.Lock()
        self._deadline = time.monotonic() + SECONDS
        self.latencies: list[float] = []
        self.retried = 0
        self.refusals: list[str] = []

    def _take(self) -> bytes | None:
        with self._lock:
            if self._next >= len(self._requests) or time.monotonic() > self._deadline:
                return None
            self._next += 1
            return self._requests[self._next - 1]

    def work(self) -> None:
        """One connection's part."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (request := self._take()) is not None:
                began = time.perf_counter()
                while True:
                    wire.sendall(request)
                    status, body = _answer(wire)
                    if status != 503 or time.monotonic() > self._deadline:
                        break
                    self.retried += 1
                    time.sleep(0.05)
                if status == 200 and not body:
                    self.latencies.append((time.perf_counter() - began) * 1000)
                else:
                    self.refusals.append(f"{status} {body[:200]!r}")


def _answer(wire: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer; the body has a length or comes in chunks (then only whether it is empty is kept)."""
    received = bytearray()
    while b"\r\n\r\n" not in received:
        received += _some(wire)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            body += _some(wire)
        return status, b"" if body == b"0\r\n\r\n" else body
    _, _, rest = lower.partition(b"content-length:")
    size = int(rest.split(b"\r\n")[0]) if rest else 0
    while len(body) < size:
        body += _some(wire)
    return status, body


def _some(wire: socket.socket) -> bytes:
    part = wire.recv(65536)
    if not part:
        raise ConnectionError("the server closed the connection")
    return part


def percentile(values: Sequence[float], share: float) -> float:
    """The value at a share of the sorted list (nearest rank); NaN for none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def main(arguments: list[str]) -> dict[str, Any]:
    """The process's work."""
    path, port, connections, first, last, *headers = arguments
    head = "".join(
        f"{line}\r\n" for line in ("POST /v1/traces HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers)
    )
    requests = [
        f"{head}Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for body in read(Path(path))[int(first) : int(last)]
    ]
    run = Run(int(port), requests)
    threads = [threading.Thread(target=run.work) for _ in range(int(connections))]
    cpu, began = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "acknowledged": len(run.latencies),
        "refused": len(requests) - len(run.latencies),
        "retried": run.retried,
        "seconds": seconds,
        "p50_ms": percentile(run.latencies, 0.5),
        "p99_ms": percentile(run.latencies, 0.99),
        "sender_cpu_seconds": time.process_time() - cpu,
        "first_refusal": run.refusals[0] if run.refusals else "",
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
