"""A real gateway worker on real sockets, living from a signed snapshot that a test writes."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.gateway.model import ClientKey, Configuration, Lift, Signed, Snapshot, Workspace
from holdfast.gateway.proxy import snapshots
from holdfast.gateway.proxy.records import Record, decode
from holdfast.gateway.proxy.spool import frames, segments
from holdfast.pricing.model import Rates
from running_core import NO_TLS, until
from stand import free_port

KEY = "hf_gateway_test_key"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def rates(**amounts: str) -> Rates:
    """Rates in USD per million tokens, one band."""
    from decimal import Decimal

    band = {name: Decimal(amount) for name, amount in amounts.items()}
    return Rates("USD", "price-book", None, (), (band,), ("test",))


@dataclass
class Worker:
    """One worker process; `apply` gives it another configuration."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    epoch: int = 0
    lifts: tuple[Lift, ...] = ()
    signer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    process: subprocess.Popen[bytes] | None = None
    number: int = 0

    @property
    def log(self) -> Path:
        return self.folder / "gateway.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def apply(
        self,
        document: Mapping[str, Any],
        prices: Mapping[str, Mapping[str, Rates]] | None = None,
        keys: Mapping[str, ClientKey] | None = None,
        release_ids: Mapping[str, str] | None = None,
        batch_prices: Mapping[str, Mapping[str, Rates]] | None = None,
    ) -> None:
        """Writes the next snapshot, and waits until it is in force where the worker runs."""
        self.epoch += 1
        configuration = msgspec.convert(document, Configuration)
        workspace = Workspace(
            "ws_1",
            "main",
            "UTC",
            self.epoch,
            configuration,
            release_ids or {},
            prices or {},
            batch_prices or {},
            lifts=self.lifts,
        )
        held = keys or {KEY: ClientKey("key_1", "ws_1")}
        hashed = {hashlib.sha256(text.encode()).hexdigest(): key for text, key in held.items()}
        body = msgspec.msgpack.encode(Snapshot(self.epoch, NOW, {"ws_1": workspace}, hashed))
        home = self.folder / "gateway"
        home.mkdir(parents=True, exist_ok=True)
        snapshots.put(home / snapshots.KEY, self.signer.public_key().public_bytes_raw())
        snapshots.keep(home, msgspec.msgpack.encode(Signed(body, self.signer.sign(body))))
        if self.process is not None:
            until(lambda: self.ready() == self.epoch, 10, "the next epoch")

    def ready(self) -> int:
        """The epoch in force; -1 while it does not answer."""
        try:
            return int(self.get("/readyz").json()["epoch"])
        except httpx2.TransportError:
            return -1

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(self.url + path, headers=headers, verify=NO_TLS, timeout=10)

    def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port), backlog=512)
        handed = listening.fileno()
        os.set_inheritable(handed, True)
        command = [
            sys.executable,
            "-m",
            "holdfast.gateway.proxy",
            str(self.folder),
            str(self.number),
            str(handed),
        ]
        environment = {**os.environ, "HOLDFAST_OUTBOUND_ALLOW": "127.0.0.1", **self.settings}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, pass_fds=[handed], env=environment, start_new_session=True, stdout=log, stderr=log
            )
        listening.close()
        until(lambda: self.ready() == self.epoch, 30, "the gateway worker")

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.process = None
        return status

    def records(self) -> list[Record]:
        """All records in the spool, in the order in which they were written."""
        spools = sorted((self.folder / "gateway" / "spool").glob("*"))
        return [decode(f.payload) for spool in spools for _, path in segments(spool) for f in frames(path)]

    def recorded(self, count: int) -> list[Record]:
        """The same, as soon as there are so many."""
        until(lambda: len(self.records()) >= count, 10, f"{count} records")
        return self.records()


class GatewayProcess:
    """`holdfast gateway serve` beside a core, on its data folder; or apart, with settings that say where the core is."""

    def __init__(self, data: Path, port: int | None = None, **settings: str) -> None:
        self.data = data
        self.settings = {f"HOLDFAST_{name.upper()}": value for name, value in settings.items()}
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "holdfast", "gateway", "serve", "--data", str(self.data)]
        environment = {**os.environ, "HOLDFAST_OUTBOUND_ALLOW": "127.0.0.1", **self.settings}
        with (self.data.parent / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--gateway-port", str(self.port)], env=environment, stdout=log, stderr=log
            )
        until(self.ready, 60, "the gateway")

    def ready(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/readyz", verify=NO_TLS).status_code == 200
        except httpx2.TransportError:
            return False

    def epoch(self) -> int:
        """The epoch in force."""
        answer = httpx2.get(f"http://127.0.0.1:{self.port}/readyz", verify=NO_TLS)
        return int(answer.json()["epoch"])

    def workers(self) -> list[int]:
        assert self.process is not None
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout
        return [int(pid) for pid in found.split()]

    def kill_a_worker(self) -> None:
        for pid in self.workers()[:1]:
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def waiting(self) -> int:
        """Bytes of records that are not shipped yet."""
        return sum(path.stat().st_size for path in (self.data / "gateway" / "spool").glob("*/*.records"))
