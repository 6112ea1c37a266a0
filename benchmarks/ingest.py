"""Durable ingest beside MLflow's server: `make bench NAME=ingest [QUICK=1]`. The last line is one JSON object.

What is measured, on real processes on this machine, one after the other, with the same requests:

- Holdfast on a fresh folder: memory 5 s after the start; a sender of one span at a time; then the load. Durable is
  what was acknowledged and is found again, after `kill -9` right after the last answer, by a process that knows nothing
  of our code. Counted is when the last call of the load can be read. CPU is the whole process tree's until then.
- MLflow: the same requests, fewer of them, recounted in its SQLite after `kill -9`. A quick run has no time to start it
  and shows the last full run's result, saying so.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import aims, mlflow_peer
from benchmarks.payloads import CALLS_PER_TRACE, SPANS_PER_REQUEST, SPANS_PER_TRACE, Payloads, build
from benchmarks.processes import Server, free_port
from benchmarks.recount import recount
from benchmarks.sender import Sent, send, write

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 32  # a fleet of senders: what waits together is committed together
WARM_UP, AFTER = 50, 40  # requests before the measured load, and of the burst that ends with kill -9
CALLS_PER_REQUEST = SPANS_PER_REQUEST // SPANS_PER_TRACE * CALLS_PER_TRACE
SETTLE_SECONDS = 5.0
LONE = 40


class Holdfast:
    """`holdfast serve` on a folder, with a key of its own."""

    def __init__(self, work: Path) -> None:
        self.data = work / "data"
        self._log = work / "holdfast.log"
        self.port = free_port()
        self._start()
        self._key = self._make_key()
        self.headers = (f"Authorization: Bearer {self._key}",)

    def _start(self) -> None:
        options = ("--data", str(self.data), "--port", str(self.port), "--grpc-port", "0")
        self.server = Server([sys.executable, "-m", "holdfast", "serve", *options], self._log)
        try:
            self.server.wait_for(self.port, "/readyz", 120)
        except (RuntimeError, TimeoutError):
            self.server.kill()
            raise

    def again(self) -> None:
        """Starts it again on the same folder."""
        self._start()

    def _make_key(self) -> str:
        command = [sys.executable, "-m", "holdfast", "key", "create", "--data", str(self.data)]
        command += ["--workspace", "bench", "--scopes", "ingest,read"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def counted(self, calls: int, seconds: float) -> dict[str, Any]:
        """The API's count, as soon as it is complete and has `calls`, or when the time is over."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/calls/count",
            headers={"authorization": f"Bearer {self._key}"},
        )
        until = time.monotonic() + seconds
        while True:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
            if (found["complete"] and found["calls"] >= calls) or time.monotonic() > until:
                return found
            time.sleep(0.05)


def lone_sender(holdfast: Holdfast, work: Path, start_ns: int) -> tuple[Sent, Payloads]:
    """Requests of one trace, one at a time: what a single application sees."""
    few = build(LONE * SPANS_PER_TRACE, start_ns, seed=2, spans_per_request=SPANS_PER_TRACE)
    path = work / "lone.bin"
    write(path, few.bodies)
    return send(path, holdfast.port, 1, (0, LONE), holdfast.headers), few


def measure_holdfast(work: Path, payload: Path, made: Payloads, start_ns: int) -> tuple[dict[str, Any], bool]:
    """Figures, and whether nothing was refused, lost or counted twice."""
    holdfast = Holdfast(work)
    try:
        time.sleep(SETTLE_SECONDS)
        idle = holdfast.server.rss_mb()
        send(payload, holdfast.port, 2, (0, WARM_UP), holdfast.headers)
        lone, few = lone_sender(holdfast, work, start_ns - 10**9 * 3600)
        measured = len(made.bodies) - WARM_UP - AFTER
        calls = (WARM_UP + measured) * CALLS_PER_REQUEST + few.calls
        holdfast.counted(WARM_UP * CALLS_PER_REQUEST + few.calls, 30)
        cpu, began, load = holdfast.server.cpu_seconds(), time.monotonic(), os.getloadavg()[0]
        sent = send(payload, holdfast.port, CONNECTIONS, (WARM_UP, WARM_UP + measured), holdfast.headers)
        busy = holdfast.server.cpu_seconds() - cpu
        counted = holdfast.counted(calls, 120)
        all_counted = time.monotonic() - began
        cpu = holdfast.server.cpu_seconds() - cpu
        time.sleep(2)
        after_load = holdfast.server.rss_mb()
        last = send(
            payload, holdfast.port, CONNECTIONS, (WARM_UP + measured, len(made.bodies)), holdfast.headers
        )
        holdfast.server.kill()
        found = recount(holdfast.data / "columns")
        expected = made.spans + few.spans
        holdfast.again()
        expected_calls = made.calls + few.calls
        recovered = holdfast.counted(expected_calls, 60)
    finally:
        holdfast.server.kill()
    spans = measured * SPANS_PER_REQUEST
    refused = sent.refused + last.refused + lone.refused
    lost = expected - refused * SPANS_PER_REQUEST - found["spans"]
    figures = {
        "sent_spans": spans,
        "connections": CONNECTIONS,
        "durable_spans_per_second": round((spans - max(lost, 0)) / sent.seconds, 1),
        "counted_spans_per_second": round(spans / all_counted, 1),
        "cpu_ms_per_span": round(cpu * 1000 / spans, 4),
        "cpu_ms_per_span_while_sending": round(busy * 1000 / spans, 4),
        "sender_cpu_ms_per_span": round(sent.sender_cpu_seconds * 1000 / spans, 4),
        "answer_p50_ms": round(sent.p50_ms, 1),
        "answer_p99_ms": round(sent.p99_ms, 1),
        "lone_sender_p50_ms": round(lone.p50_ms, 1),
        "lone_sender_p99_ms": round(lone.p99_ms, 1),
        "idle_rss_mb": round(idle, 1),
        "rss_after_load_mb": round(after_load, 1),
        "retried_requests": sent.retried,
        "refused_requests": refused,
        "load_average": round(load, 2),
        "expected_spans": expected,
        "recounted_spans": found["spans"],
        "recounted_calls_at_kill": found["calls"],
        "expected_calls": expected_calls,
        "counted_calls_before_kill": counted["calls"],
        "counted_calls_after_restart": recovered["calls"],
    }
    sound = refused == 0 and lost == 0 and counted["calls"] == calls and recovered["calls"] == expected_calls
    return figures, sound


def main(*, quick: bool) -> dict[str, Any]:
    """Runs it all; returns the last line's object."""
    wanted = aims.read("ingest")
    spans = int(os.environ.get("SPANS") or (24_000 if quick else 300_000))
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start_ns = int(midnight.timestamp()) * 10**9 - 86_400 * 10**9
    work = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        made = build(spans, start_ns)
        payload = work / "payload.bin"
        write(payload, made.bodies)
        print(f"{made.spans} spans of {made.bytes_per_span:.0f} bytes, SHA-256 {made.sha256}", flush=True)
        figures, sound = measure_holdfast(work, payload, made, start_ns)
        print(f"Holdfast: {json.dumps(figures)}", flush=True)
        theirs = () if quick else (payload, made.sha256, 60, SPANS_PER_REQUEST)
        peer = mlflow_peer.measure(*theirs) if theirs else mlflow_peer.remembered()
        print(f"MLflow: {json.dumps(peer)}", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    slow = peer.get("durable_spans_per_second")
    figures["ratio_to_mlflow"] = round(figures["durable_spans_per_second"] / slow, 1) if slow else None
    about = {
        "payload": {
            "sha256": made.sha256,
            "spans": made.spans,
            "bytes_per_span": round(made.bytes_per_span, 1),
        },
        "versions": {
            name: version(name)
            for name in ("holdfast", "chdb", "clickhouse-connect", "protobuf", "msgspec", "uvicorn")
        }
        | {"python": platform.python_version()},
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "quick": quick,
    }
    return aims.last_line("ingest", wanted, figures, peer, about, sound=sound)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
