"""The gateway beside LiteLLM, Portkey and nginx: `make bench NAME=gateway [QUICK=1]`. The last line is one JSON object.

All are asked the same, of the same upstream, in the same run; Holdfast with its full features on (key checked, budgets
reserved and settled, record spooled, shipped and stored). CPU is that of all processes of a gateway, read from /proc, and
compared with the barest proxy on the same stack measured in the same run, because machines differ. Afterwards requests
= reservations settled = records stored, to the last one, also with Redis between gateways.
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
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from benchmarks import aims, gateway_peers
from benchmarks.gateway_load import load
from benchmarks.gateway_own import Holdfast
from benchmarks.gateway_upstream import CHUNKS
from benchmarks.processes import Server, free_port

CONNECTIONS = (1, 32, 256)
STREAMS = 200


class Stand(Protocol):
    """A gateway that is measured."""

    name: str
    path: str
    port: int
    headers: list[str]
    server: Server

    def stop(self) -> None:
        """Ends it."""


class Direct:
    """The upstream itself: what the load generator and the upstream can do without anything between."""

    name = "direct"
    path = "/v1/chat/completions"

    def __init__(self, vendor: Server, port: int) -> None:
        self.server, self.port, self.headers = vendor, port, ["Authorization: Bearer x"]

    def stop(self) -> None:
        """It is used by the others."""


def measure(stand: Stand, seconds: float, *, streams: int) -> dict[str, Any]:
    """Requests at each number of connections, then streams."""
    figures: dict[str, Any] = {"name": stand.name}
    load(stand.port, stand.path, stand.headers, connections=8, seconds=2.0)
    figures["failed"] = 0
    for connections in CONNECTIONS:
        before = stand.server.cpu_seconds()
        done = load(stand.port, stand.path, stand.headers, connections=connections, seconds=seconds)
        cpu = stand.server.cpu_seconds() - before
        figures[f"c{connections}"] = {
            "per_second": done.per_second,
            "p50_ms": done.p50_ms,
            "p99_ms": done.p99_ms,
            "cpu_ms": round(cpu * 1000 / max(done.answered, 1), 4),
        }
        figures["failed"] += done.failed
        if done.first_failure:
            figures["failure"] = done.first_failure[:300]
    figures |= _streamed(stand, seconds, streams)
    figures["rss_mb"] = round(stand.server.rss_mb(), 1)
    return figures


def _streamed(stand: Stand, seconds: float, streams: int) -> dict[str, Any]:
    before = stand.server.cpu_seconds()
    done = load(stand.port, stand.path, stand.headers, connections=streams, seconds=seconds, stream=True)
    cpu = stand.server.cpu_seconds() - before
    chunks = done.answered * CHUNKS
    return {
        "streams": streams,
        "chunk_cpu_us": round(cpu * 1e6 / chunks, 1) if chunks else None,
        "stream_p50_ms": done.p50_ms,
        "streams_failed": done.failed,
    }


def in_balance(holdfast: Holdfast, vendor: int, before: dict[str, int]) -> dict[str, int]:
    """Requests that the upstream served, reservations settled, records spooled and not shipped, calls stored."""
    met = meter(vendor)
    asked = sum(met.values()) - sum(before.values())
    stored = holdfast.counted(asked, 180)
    holdfast.stop_gateway()
    return {"requests": asked, **holdfast.settled(), "waiting": holdfast.waiting(), "stored": stored}


def balanced(found: dict[str, int]) -> bool:
    """Whether all of them agree."""
    same = found["requests"] == found["settlements"] == found["stored"]
    return same and found["outstanding"] == found["waiting"] == 0


def meter(vendor: int) -> dict[str, int]:
    """What the upstream has served to the end."""
    with urllib.request.urlopen(f"http://127.0.0.1:{vendor}/meter", timeout=10) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def own(work: Path, vendor: int, seconds: float, most: int) -> tuple[dict[str, Any], bool]:
    """Holdfast's figures, its memory after `most` requests, and whether its books agree."""
    before = meter(vendor)
    stand = Holdfast(work, vendor)
    try:
        began = stand.worker_rss_mb()
        figures = measure(stand, seconds, streams=STREAMS)
        warm = stand.worker_rss_mb()
        done = load(stand.port, stand.path, stand.headers, connections=32, seconds=900, most=most)
        figures["failed"] += done.failed
        figures["memory"] = {
            "requests": most,
            "at_start_mb": round(began, 1),
            "before_mb": round(warm, 1),
            "after_mb": round(stand.worker_rss_mb(), 1),
        }
        figures["balance"] = in_balance(stand, vendor, before)
    finally:
        stand.stop()
    return figures, balanced(figures["balance"]) and not figures["failed"]


def shared(
    work: Path, vendor: int, seconds: float, *, workers: int, redis: str
) -> tuple[dict[str, Any], bool]:
    """The same at 32 connections with several workers, or with Redis between gateways."""
    before = meter(vendor)
    stand = Holdfast(work, vendor, workers=workers, redis=redis)
    try:
        load(stand.port, stand.path, stand.headers, connections=8, seconds=2.0)
        cpu = stand.server.cpu_seconds()
        done = load(stand.port, stand.path, stand.headers, connections=32, seconds=seconds)
        cpu = stand.server.cpu_seconds() - cpu
        figures: dict[str, Any] = {
            "workers": workers,
            "per_second": done.per_second,
            "p50_ms": done.p50_ms,
            "p99_ms": done.p99_ms,
            "cpu_ms": round(cpu * 1000 / max(done.answered, 1), 4),
            "failed": done.failed,
            "balance": in_balance(stand, vendor, before),
        }
    finally:
        stand.stop()
    return figures, balanced(figures["balance"]) and not done.failed


def with_redis(work: Path, vendor: int, seconds: float) -> tuple[dict[str, Any] | None, bool]:
    """Through a Redis of its own on loopback; None where it is not installed."""
    found = shutil.which("redis-server")
    if found is None:
        return None, True
    port = free_port()
    command = [found, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(work)]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        return shared(work, vendor, seconds, workers=1, redis=f"redis://127.0.0.1:{port}/0")
    finally:
        redis.kill()
        redis.wait()


def peers(work: Path, vendor: int, seconds: float, *, quick: bool) -> list[dict[str, Any]]:
    """Each peer's figures; the slow ones are left out of a quick run."""
    makers: list[Callable[[Path, int], Stand | None]] = [gateway_peers.bare, gateway_peers.nginx]
    if not quick:
        makers += [gateway_peers.portkey, gateway_peers.litellm]
    found = []
    for maker in makers:
        stand = maker(work, vendor)
        if stand is None:
            print(f"{maker.__name__} is not installed: left out", flush=True)
            continue
        try:
            figures = measure(stand, seconds, streams=STREAMS)
        finally:
            stand.stop()
        print(json.dumps(figures), flush=True)
        found.append(figures)
    return found


def main(*, quick: bool) -> dict[str, Any]:
    """Runs it all; returns the last line's object."""
    wanted = aims.read("gateway")
    seconds, most = (4.0, 5_000) if quick else (10.0, 100_000)
    work = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    port = free_port()
    vendor = Server([sys.executable, "-m", "benchmarks.gateway_upstream", str(port)], work / "vendor.log")
    try:
        vendor.wait_for(port, "/meter", 20)
        direct = measure(Direct(vendor, port), 2.0, streams=STREAMS)
        print(json.dumps(direct), flush=True)
        others = peers(work, port, seconds, quick=quick)
        figures, sound = own(work, port, seconds, most)
        print(json.dumps(figures), flush=True)
        two, two_sound = shared(work, port, seconds, workers=2, redis="")
        print(json.dumps({"two_workers": two}), flush=True)
        redis, redis_sound = with_redis(work, port, seconds)
        print(json.dumps({"redis": redis}), flush=True)
    finally:
        vendor.kill()
        shutil.rmtree(work, ignore_errors=True)
    bare = others[0]
    figures |= {
        "cpu_ms_per_request": figures["c32"]["cpu_ms"],
        "cpu_us_per_chunk": figures["chunk_cpu_us"],
        "times_the_bare_proxy": round(figures["c32"]["cpu_ms"] / bare["c32"]["cpu_ms"], 2),
        "added_p50_ms": round(figures["c1"]["p50_ms"] - direct["c1"]["p50_ms"], 3),
        "added_p99_ms": round(figures["c1"]["p99_ms"] - direct["c1"]["p99_ms"], 3),
        "worker_rss_mb": figures["memory"]["after_mb"],
        "two_workers": two,
        "redis": redis,
        "direct": direct,
    }
    about = {
        "versions": {name: version(name) for name in ("holdfast", "uvicorn", "aiohttp", "msgspec")}
        | {"python": platform.python_version()},
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
    }
    peer = {one.pop("name"): one for one in others}
    all_sound = sound and two_sound and redis_sound
    return aims.last_line("gateway", wanted, figures, peer, about, sound=all_sound)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
