"""Two real ClickHouse servers, each a shard of one cluster, on loopback: started once for a test run, killed at its end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.kernel.errors import Unavailable
from holdfast.storage.columns import Columns
from running_core import NO_TLS, until
from stand import free_port

TOOL = Path(__file__).resolve().parent.parent.parent / "shared" / "tools" / "clickhouse-node"
"""Starts one server: `--http PORT --tcp PORT --path FOLDER [--peer HOST:TCP …]`."""
SECONDS = 3600


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@dataclass
class Shard:
    """One server; its data stays in `path`, so that it can be killed and started again."""

    path: Path
    http: int = field(default_factory=free_port)
    tcp: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, peers: list[str]) -> None:
        """Starts it; `wait` until it answers."""
        self.path.mkdir(parents=True, exist_ok=True)
        named = [word for peer in peers for word in ("--peer", peer)]
        command = [
            sys.executable, str(TOOL), "--http", str(self.http), "--tcp", str(self.tcp), "--path", str(self.path),
            "--seconds", str(SECONDS), *named,
        ]  # fmt: skip
        with (self.path / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent
            )

    def wait(self) -> None:
        """Waits until it answers."""
        import httpx2

        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.path / "node.log").read_text()[-2000:]
            try:
                return httpx2.get(f"http://127.0.0.1:{self.http}/ping", timeout=2, verify=NO_TLS).is_success
            except httpx2.TransportError:
                return False

        until(answers, 100, "a ClickHouse server")

    def ended(self) -> bool:
        """Whether it ended by itself, or is about to: it listens no more then, or answers with nothing but that."""
        import httpx2

        if self.process is None:
            return False
        try:
            return self.process.poll() is not None or "(ABORTED)" in self.said("SELECT 1")
        except httpx2.ConnectError:
            return True
        except httpx2.TransportError:
            return self.process.poll() is not None

    def said(self, query: str) -> str:
        """What it answers to a query. Raises what the client raises."""
        import httpx2

        address = f"http://127.0.0.1:{self.http}/"
        return httpx2.get(address, params={"query": query}, timeout=5, verify=NO_TLS).text.strip()

    def kill(self) -> None:
        """`kill -9` of the server and what started it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=30)


@dataclass
class Shards:
    """A cluster named `holdfast`, one replica a shard; one server alone is no cluster."""

    shards: list[Shard]
    reviving: threading.Lock = field(default_factory=threading.Lock)
    revived: int = 0

    @property
    def peers(self) -> list[str]:
        return [f"127.0.0.1:{one.tcp}" for one in self.shards] if len(self.shards) > 1 else []

    def start(self) -> None:
        """Starts all, and waits for them."""
        for one in self.shards:
            one.start(self.peers)
        for one in self.shards:
            one.wait()

    def url(self, database: str) -> str:
        """The address of a database on all shards; with one server, a plain one."""
        hosts = ",".join(f"127.0.0.1:{one.http}" for one in self.shards)
        return f"clickhouse://{hosts}/{database}" + ("?cluster=holdfast" if self.peers else "")

    def restart(self, number: int) -> None:
        """Starts a shard again after `kill`, and waits until all answer for all: a survivor may abort meanwhile."""
        self.shards[number].start(self.peers)
        self.shards[number].wait()
        until(self._whole, 60, "all shards")

    def _whole(self) -> bool:
        import httpx2

        if self.revive():
            return False
        asked = "SELECT count() FROM cluster('holdfast', system.one)"
        try:
            return all(one.said(asked) == str(len(self.shards)) for one in self.shards for _ in range(5))
        except httpx2.TransportError:
            return False

    def revive(self) -> bool:
        """Starts those again that ended by themselves; whether there was any.

        A server of this build may abort when its peer is killed: it does not catch the reset of an idle connection.
        """
        with self.reviving:
            ended = [one for one in self.shards if one.ended()]
            for one in ended:
                one.kill()
                one.start(self.peers)
            for one in ended:
                one.wait()
            self.revived += len(ended)
        return bool(ended)

    def opened(self) -> Columns:
        """A new database. Opened anew if a server ended by itself meanwhile, see `revive`."""
        self.revive()
        while True:
            try:
                return Columns(self.url(f"t{time.monotonic_ns()}"))
            except Unavailable:
                if not self.revive():
                    raise

    def kill(self) -> None:
        """Ends all."""
        for one in self.shards:
            one.kill()


def running(folder: Path, count: int) -> Iterator[Shards]:
    """So many servers, for a fixture. A module that kills one has servers of its own."""
    if not TOOL.is_file():
        pytest.skip("no ClickHouse server here (../shared/tools/clickhouse-node)")
    made = Shards([Shard(folder / f"node{number}") for number in range(count)])
    try:
        made.start()
        yield made
    finally:
        made.kill()


def pair_of(cluster: Shards, sql_url: str) -> dict[str, str]:
    """The settings of a new database on a cluster, and of a control store."""
    cluster.revive()
    return {"columns_url": cluster.url(f"t{time.monotonic_ns()}"), "sql_url": sql_url}
