"""A real core process on real sockets: `python -m holdfast serve` in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from holdfast.commands import create_key
from holdfast.platform.settings import Settings
from stand import free_port

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made at once, with no authorities to read
PAUSE = threading.Event()  # never set: `PAUSE.wait(s)` lets another process go on


def until(holds: Callable[[], bool], seconds: float = 120.0, what: str = "it") -> None:
    """Waits for another process until something holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds} s"
        PAUSE.wait(0.02)


@dataclass(frozen=True)
class Workspace:
    """A workspace of a running core, with a key that may send and read."""

    core: CoreProcess
    slug: str
    key: str

    def post(
        self, body: bytes, signal: str = "traces", content_type: str = PROTOBUF, **headers: str
    ) -> httpx2.Response:
        """Sends one OTLP request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"authorization": f"Bearer {self.key}", "content-type": content_type, **named}
        return self.core.client.post(f"/v1/{signal}", content=body, headers=sent)

    def stalled(self, size: int) -> socket.socket:
        """A sender that has declared so many bytes, was told to go on, and sends nothing."""
        connection = socket.create_connection(("127.0.0.1", self.core.port), timeout=30)
        head = (
            f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: {PROTOBUF}\r\ncontent-length: {size}\r\nexpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 100"), answer
        return connection

    def get(self, path: str, **params: Any) -> Any:
        """JSON of the API."""
        answer = self.core.client.get(
            f"/api/v1/{path}", params=params, headers={"authorization": f"Bearer {self.key}"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def count(self) -> tuple[int, int]:
        """(calls, spans), once all that was acknowledged is counted."""
        found: dict[str, Any] = {"complete": False}
        for _ in range(6):
            found = self.get("calls/count")
            if found["complete"]:
                return found["calls"], found["spans"]
        raise AssertionError("counting did not come to an end")

    def calls(self) -> list[dict[str, Any]]:
        """All calls, the latest first."""
        return list(self.get("calls", limit=500)["calls"])


class CoreProcess:
    """Starts, stops and kills a core on one data folder; it can be started again."""

    def __init__(self, data: Path, *, prefix: tuple[str, ...] = (), **settings: Any) -> None:
        self.data = data
        self.port, self.grpc_port = free_port(), free_port()
        self.log = data.parent / f"{data.name}.log"
        self._prefix = prefix
        self._settings = {f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.client = self._new_client()

    def _new_client(self) -> httpx2.Client:
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, verify=NO_TLS)

    def start(self) -> CoreProcess:
        """Starts the process, and waits until both stores answer."""
        command = [
            *self._prefix, sys.executable, "-m", "holdfast", "serve", "--data", str(self.data),
            "--port", str(self.port), "--grpc-port", str(self.grpc_port),
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **self._settings}, start_new_session=True
            )
        until(self._ready, 240, "the core")
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the core ended: {self.log.read_text()[-2000:]}"
        with socket.socket() as probe:  # cheaper than a request
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            return bool(self.client.get("/readyz", timeout=5).status_code == 200)
        except httpx2.TransportError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the process and waits for its end."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, how)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(timeout=30)
        self.client.close()
        self.client = self._new_client()

    def kill(self) -> None:
        """`kill -9`."""
        self.stop(signal.SIGKILL)

    def workspace(self, slug: str = "", scopes: str = "ingest,read,content") -> Workspace:
        """A workspace, made where missing, and a new key of it."""
        slug = slug or f"w{uuid.uuid4().hex[:12]}"
        return Workspace(self, slug, create_key(self.settings, slug, scopes, "test"))

    @property
    def settings(self) -> Settings:
        """Where its stores are."""
        named = {
            name: self._settings.get(f"HOLDFAST_{name.upper()}", "") for name in ("sql_url", "columns_url")
        }
        return Settings(data=self.data, **named)


def independent(data: Path, sql: str) -> list[list[Any]]:
    """What another program reads in the call store of a core that has ended."""
    code = (
        "import clickhouse_connect, json, sys\n"
        "client = clickhouse_connect.get_client(dsn='chdb://' + sys.argv[1])\n"
        "print(json.dumps([list(row) for row in client.query(sys.argv[2]).result_rows], default=str))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(data.resolve() / "columns"), sql],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return found
