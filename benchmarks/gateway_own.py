"""Holdfast's side of the gateway's benchmark: a core, a gateway beside it, and what both must agree on at the end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.gateway_upstream import COMPLETION, PROMPT
from benchmarks.processes import Server, free_port
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.amounts import units
from holdfast.kernel.errors import Conflict

INPUT, OUTPUT = Decimal("0.50"), Decimal("1.50")
"""USD per million tokens: what the upstream is configured to cost."""
COST = units((INPUT * PROMPT + OUTPUT * COMPLETION) / 1_000_000)
"""What one request costs, in the ledger's units."""
CONFIGURATION = {
    "routes": {"bench": {"release": "bench", "models": ["bench-1"], "system": "bench"}},
    "releases": {"bench": {"chain": [{"upstream": "vendor", "model": "bench-1"}]}},
    "budgets": [
        {"scope": "workspace", "amount": "1000000", "period": "month"},
        {"scope": "key", "amount": "1000000", "period": "day"},
    ],
}


class Holdfast:
    """`holdfast serve` and `holdfast gateway serve` on one folder: keys checked, budgets reserved, calls recorded."""

    name = "Holdfast gateway"
    path = "/v1/chat/completions"

    def __init__(self, work: Path, vendor: int, *, workers: int = 1, redis: str = "") -> None:
        self._work = work
        self.data = work / "data"
        self.port, self._core_port = free_port(), free_port()
        self._environment = {
            "HOLDFAST_OUTBOUND_ALLOW": "127.0.0.1",
            "HOLDFAST_GATEWAY_WORKERS": str(workers),
            **({"HOLDFAST_REDIS_URL": redis} if redis else {}),
        }
        options = ("--data", str(self.data))
        ports = ("--port", str(self._core_port), "--grpc-port", "0")
        self.core = Server([*_HOLDFAST, "serve", *options, *ports], work / "core.log", self._environment)
        try:
            self.core.wait_for(self._core_port, "/readyz", 120)
            made = ("key", "create", *options, "--workspace", "bench", "--scopes", "gateway,read")
            self._key = subprocess.run(
                [*_HOLDFAST, *made], check=True, stdout=subprocess.PIPE, text=True
            ).stdout.strip()
            upstream = {
                "dialect": "openai",
                "base_url": f"http://127.0.0.1:{vendor}/v1",
                "models": ["bench-1"],
                "prices": {"bench-1": {"input_uncached": str(INPUT), "output": str(OUTPUT)}},
                "concurrency": 1000,
            }
            file = work / "gateway.json"
            file.write_text(json.dumps({"upstreams": {"vendor": upstream}, **CONFIGURATION}))
            applied = ("gateway", "apply", str(file), *options, "--workspace", "bench")
            subprocess.run([*_HOLDFAST, *applied], check=True, stdout=subprocess.DEVNULL)
            serve = ("gateway", "serve", *options, "--gateway-port", str(self.port))
            self.server = Server([*_HOLDFAST, *serve], work / "gateway.log", self._environment)
            self.server.wait_for(self.port, "/readyz", 60)
        except BaseException:
            self.stop()
            raise
        self.headers = [f"Authorization: Bearer {self._key}"]

    def worker_rss_mb(self) -> float:
        """Resident memory of the largest of its processes, in 2^20 bytes."""
        return self.server.largest_rss_mb()

    def counted(self, calls: int, seconds: float) -> int:
        """Calls that telemetry counts, as soon as it has so many and is complete, or when the time is over."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._core_port}/api/v1/calls/count",
            headers={"authorization": f"Bearer {self._key}"},
        )
        until = time.monotonic() + seconds
        while True:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
            if (found["complete"] and found["calls"] >= calls) or time.monotonic() > until:
                return int(found["calls"])
            time.sleep(0.2)

    def settled(self) -> dict[str, int]:
        """Of the stopped gateway: how many calls its budgets were charged for (-1: not a whole number of them), and
        reservations that nobody settled."""
        spent = outstanding = 0
        for folder in (self.data / "gateway" / "accounts").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                ledger = Ledger(folder)
            except Conflict:
                continue
            spent += sum(one.spent for one in ledger.standings() if one.scope is Scope.WORKSPACE)
            outstanding += ledger.outstanding() + len(ledger.orphans())
            ledger.close()
        return {"settlements": -1 if spent % COST else spent // COST, "outstanding": outstanding}

    def waiting(self) -> int:
        """Bytes of records that are not shipped."""
        return sum(one.stat().st_size for one in (self.data / "gateway" / "spool").glob("*/*.records"))

    def stop_gateway(self) -> None:
        """SIGTERM: it drains, ships what waits, and ends."""
        self.server.stop()

    def stop(self) -> None:
        """Ends all of it and takes its folder away."""
        for server in (getattr(self, "server", None), self.core):
            if server is not None:
                server.kill()
        shutil.rmtree(self.data, ignore_errors=True)


_HOLDFAST = (sys.executable, "-m", "holdfast")
