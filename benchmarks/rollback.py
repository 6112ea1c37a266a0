"""How long a rollback takes: `make bench NAME=rollback [QUICK=1]`. The last line is one JSON object.

A core, its gateway, a second gateway that finds it over TCP, and a vendor that keeps a log of its own, all processes;
clients ask through both gateways all the time. Half of a route's traffic is on a candidate, which is then rolled back:

    asked       POST /api/v1/rollbacks, inside a freeze
    command     `holdfast rollback`, while the core runs
    restarting  `holdfast rollback`, right after the core was killed, while it starts again

A time is from the decision to the last request for the candidate's model in the vendor's log, on one machine's clock. The
decision is when the request is sent, or when the rollback is kept in SQL; a command's whole time, with the interpreter's
start, is told beside it. The limit is the product's own: ten seconds.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import aims
from benchmarks.processes import Server, free_port

HOLDFAST = (sys.executable, "-m", "holdfast")
TOKEN = "a-token-of-gateways"
CLIENTS = 6
"""For each gateway."""
LIMIT = 10.0
AFTER = 3.0
"""Seconds of traffic after a rollback in which the candidate must not be asked."""
HALF = {
    "suites": [],
    "reviewers": 0,
    "stages": [50, 100],
    "dwell_minutes": 600,
    "samples": 1_000_000,
    "shadow": None,
    "guards": {"errors": {"margin": 0.9}},
}
POLICY = {"systems": {"*": {name: HALF for name in ("minor", "moderate", "major")}}}
KINDS = ("asked", "command", "restarting")


class Stand:
    """All processes."""

    def __init__(self, work: Path, routes: int) -> None:
        self.data, self.log = work / "data", work / "vendor.log"
        self.port = free_port()
        environment = {"HOLDFAST_OUTBOUND_ALLOW": "127.0.0.1", "HOLDFAST_GATEWAY_TOKEN": TOKEN}
        self._environment, self._work = environment, work
        vendor = free_port()
        self.servers = [
            Server(
                [sys.executable, "-m", "benchmarks.rollback_upstream", str(vendor), str(self.log)], work / "v"
            )
        ]
        self.servers[0].wait_for(vendor, "/", 30)
        self.core = self.started()
        made = ("key", "create", "--data", str(self.data), "--workspace", "bench", "--scopes")
        self.key = subprocess.run(
            [*HOLDFAST, *made, "gateway,read,operate,admin"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        price = {"input_uncached": "1", "output": "2"}
        document = {
            "upstreams": {
                "vendor": {
                    "dialect": "openai",
                    "base_url": f"http://127.0.0.1:{vendor}/v1",
                    "concurrency": 500,
                }
            },
            "releases": {"good": {"chain": [{"upstream": "vendor", "model": "good"}]}},
            "routes": {f"r{number}": {"release": "good", "retries": 0} for number in range(routes)},
        }
        document["upstreams"]["vendor"]["prices"] = {  # type: ignore[index]
            "good": price,
            **{f"bad-r{n}": price for n in range(routes)},
        }
        file = work / "gateway.json"
        file.write_text(json.dumps(document))
        applied = ("gateway", "apply", str(file), "--data", str(self.data), "--workspace", "bench")
        subprocess.run([*HOLDFAST, *applied], check=True, stdout=subprocess.DEVNULL)
        self.ports = [free_port(), free_port()]
        far = {
            "HOLDFAST_CORE_URL": f"http://127.0.0.1:{self.port}",
            "HOLDFAST_GATEWAY_ADMIN": f"127.0.0.1:{free_port()}",
        }
        for port, data, more in zip(self.ports, (self.data, work / "far"), ({}, far), strict=True):
            serve = ("gateway", "serve", "--data", str(data), "--gateway-port", str(port))
            server = Server([*HOLDFAST, *serve], work / f"gateway-{port}.log", {**environment, **more})
            self.servers.append(server)
            server.wait_for(port, "/readyz", 60)

    def started(self) -> Server:
        """The core, before it is ready."""
        ports = ("--port", str(self.port), "--grpc-port", "0")
        core = Server(
            [*HOLDFAST, "serve", "--data", str(self.data), *ports], self._work / "core", self._environment
        )
        core.wait_for(self.port, "/readyz", 120)
        return core

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The core's answer. Raises RuntimeError with its words where it refuses."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.key}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def stop(self) -> None:
        """Ends all."""
        for server in (*self.servers, self.core):
            server.kill()


class Load:
    """Clients that ask one route through both gateways, without a pause."""

    def __init__(self, stand: Stand) -> None:
        self.route, self.asked, self.failed = "r0", 0, 0
        self._stand, self._stop, self._numbers = stand, threading.Event(), itertools.count()
        self._threads = [
            threading.Thread(target=self._run, args=[port], daemon=True)
            for port in stand.ports
            for _ in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"authorization": f"Bearer {self._stand.key}", "content-type": "application/json"}
        while not self._stop.is_set():
            said = {
                "model": "any",
                "messages": [{"role": "user", "content": "Hi"}],
                "user": f"u{next(self._numbers)}",
            }
            try:
                connection.request(
                    "POST",
                    "/v1/chat/completions",
                    json.dumps(said),
                    {**headers, "x-holdfast-route": self.route},
                )
                answer = connection.getresponse()
                answer.read()
                self.failed += answer.status != 200
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection.close()
            self.asked += 1

    def stop(self) -> None:
        """Ends the clients."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def last_bad(stand: Stand, route: str) -> float:
    """When the vendor was last asked for a route's candidate, in seconds since 1970; 0: never."""
    lines = stand.log.read_text().splitlines()
    return max((int(one.split()[0]) for one in lines if one.endswith(f" bad-{route}")), default=0) / 1e9


def rolled_back(stand: Stand, route: str, kind: str) -> tuple[float, float]:
    """(when it was decided, when it was begun), in seconds since 1970."""
    began = time.time()
    if kind == "asked":
        stand.ask("POST", "/api/v1/rollbacks", {"route": route, "reason": "a benchmark"})
        return began, began
    restart: threading.Thread | None = None
    if kind == "restarting":
        stand.core.kill()
        began = time.time()

        def again() -> None:
            stand.core = stand.started()

        restart = threading.Thread(target=again)
        restart.start()
    command = ("rollback", route, "--reason", "a benchmark", "--data", str(stand.data))
    done = subprocess.run([*HOLDFAST, *command], check=True, capture_output=True, text=True)
    if restart is not None:
        restart.join()
    decided = done.stdout.split("decided at ")[1].split()[0]
    return datetime.fromisoformat(decided).astimezone(UTC).timestamp(), began


def measured(stand: Stand, rounds: int) -> dict[str, Any]:
    """Rolls back one route after another."""
    stand.ask("PUT", "/api/v1/change-rules/policy", {"policy": POLICY})
    ids = {}
    for number in range(rounds * len(KINDS)):
        release = {"chain": [{"upstream": "vendor", "model": f"bad-r{number}"}]}
        wanted = {"route": f"r{number}", "title": f"to bad-r{number}", "document": release}
        ids[f"r{number}"] = stand.ask("POST", "/api/v1/changes", wanted)["id"]
        stand.ask("POST", f"/api/v1/changes/{ids[f'r{number}']}/submit", {})
    until = time.monotonic() + 180
    while any(
        stand.ask("GET", f"/api/v1/changes/{id}")["change"]["state"] != "ramping" for id in ids.values()
    ):
        if time.monotonic() > until:
            raise RuntimeError("the changes do not get under way")
        time.sleep(1)
    print(f"{len(ids)} routes have half of their traffic on a candidate", flush=True)
    load = Load(stand)
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    whole: dict[str, list[float]] = {kind: [] for kind in KINDS}
    freeze = stand.ask("POST", "/api/v1/change-rules/freezes", {"reason": "a benchmark"})
    asked_after = 0
    for number, (_, kind) in enumerate(itertools.product(range(rounds), KINDS)):
        route = load.route = f"r{number}"
        time.sleep(2)
        if not last_bad(stand, route):
            raise RuntimeError(f"nobody was served by the candidate of {route}")
        decided, began = rolled_back(stand, route, kind)
        asked = load.asked
        time.sleep(AFTER)
        asked_after += load.asked - asked
        last = last_bad(stand, route)
        took[kind].append(max(0.0, last - decided))
        whole[kind].append(max(0.0, last - began))
        print(
            f"{route} {kind:10} last bad request {took[kind][-1]:.2f} s after the decision,"
            f" {whole[kind][-1]:.2f} s after it was begun",
            flush=True,
        )
    load.stop()
    states = [stand.ask("GET", f"/api/v1/changes/{id}")["change"]["state"] for id in ids.values()]
    figures: dict[str, Any] = {f"{kind}_seconds_worst": round(max(found), 3) for kind, found in took.items()}
    figures |= {f"{kind}_seconds_from_start_worst": round(max(found), 3) for kind, found in whole.items()}
    figures |= {
        "failed_requests": load.failed,
        "requests_after_rollbacks": asked_after,
        "freeze": freeze["id"],
    }
    figures["not_taken_back"] = sum(one not in ("halted", "rolled_back") for one in states)
    return figures


def main(*, quick: bool) -> dict[str, Any]:
    """Measures; returns the last line's object."""
    wanted = aims.read("rollback")
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        stand = Stand(Path(folder), rounds * len(KINDS))
        try:
            figures = measured(stand, rounds)
        finally:
            stand.stop()
    sound = figures["failed_requests"] == 0 and figures["requests_after_rollbacks"] > 100
    about = {
        "rounds": rounds,
        "clients": CLIENTS * 2,
        "versions": {"holdfast": version("holdfast"), "python": platform.python_version()},
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "quick": quick,
    }
    peer = {"name": "the limit: ten seconds", "seconds": LIMIT}
    return aims.last_line("rollback", wanted, figures, peer, about, sound=sound)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
