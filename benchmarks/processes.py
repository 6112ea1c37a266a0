"""Processes that are measured: started on loopback, their whole tree's CPU time and memory read from /proc."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process and all that it starts."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def wait_for(self, port: int, path: str, seconds: float) -> float:
        """Seconds until GET `path` answers 200. Raises RuntimeError when it exits, TimeoutError when it takes longer."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"the server did not answer on {path} within {seconds} s")

    def tree(self) -> list[int]:
        """The process and its descendants."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdecimal() and (stat := _stat(int(entry))) is not None:
                children.setdefault(int(stat[1]), []).append(int(entry))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_seconds(self) -> float:
        """User and system time of the whole tree, every thread included, and of its ended children."""
        ticks = 0
        for pid in self.tree():
            if (stat := _stat(pid)) is not None:
                ticks += sum(map(int, stat[11:15]))
        return ticks / TICKS

    def rss_mb(self) -> float:
        """Resident memory of the whole tree, in 2^20 bytes."""
        return sum(self._rss())

    def largest_rss_mb(self) -> float:
        """Resident memory of the largest process of the tree, in 2^20 bytes."""
        return max(self._rss(), default=0.0)

    def _rss(self) -> list[float]:
        found = []
        for pid in self.tree():
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
            found.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        return found

    def kill(self) -> None:
        """`kill -9` for the whole tree; returns when it is gone."""
        for pid in self.tree():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and after 20 s SIGKILL."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self.kill()


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name: state, parent, … utime at 11, stime, cutime, cstime."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
