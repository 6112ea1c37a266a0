"""The gateway on one machine: its workers, and its link with the core (snapshots in, records and state out).

Workers know nothing of the core: they read the snapshot file and append to their spools, so they go on serving while it is
away. This process asks the core for each next snapshot, ships what the spools hold, and starts a worker again that died.
"""

from __future__ import annotations

import gzip
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import msgspec

from holdfast.gateway.proxy import snapshots
from holdfast.gateway.proxy.admin import Admin
from holdfast.gateway.proxy.shipping import Shipper
from holdfast.kernel.errors import HoldfastError, Unavailable
from holdfast.kernel.ids import new_id
from holdfast.platform import outbound
from holdfast.platform.secrets.references import operator_secret
from holdfast.platform.settings import Settings

log = logging.getLogger("holdfast.gateway")

LINK = "/gateway/v1"
LONG_POLL = httpx2.Timeout(10.0, read=40.0)
SHIP_SECONDS = 0.25
STATE_SECONDS = 2.0
AGAIN = 1.0
PORT_SECONDS = 3.0


class _Said(msgspec.Struct):
    """The part of a worker's state that says what it serves."""

    id: str
    epoch: int


class Core:
    """The core as this gateway reaches it: over the data folder's own socket, or by its address with a token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        if settings.core_url:
            self._base = settings.core_url.rstrip("/") + LINK
            self._http = outbound.client(settings, LONG_POLL)
        else:
            self._base = "http://core" + LINK
            transport = httpx2.HTTPTransport(uds=str(settings.data.resolve() / "core.sock"))
            self._http = httpx2.Client(transport=transport, timeout=LONG_POLL, trust_env=False)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> httpx2.Response:
        """One request. Raises Unavailable where the core does not answer, or not as it should."""
        token = operator_secret(self._settings, self._settings.gateway_token.get_secret_value())
        if token:
            headers["authorization"] = f"Bearer {token}"
        try:
            answer = self._http.request(method, self._base + path, content=body, headers=headers)
        except httpx2.HTTPError as error:
            raise Unavailable(f"the core does not answer ({type(error).__name__})") from None
        if answer.status_code >= 300:
            raise Unavailable(f"the core answered {answer.status_code} to {method} {path.partition('?')[0]}")
        return answer

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


class Master:
    """One gateway: `run` returns when it was told to stop and its workers have ended."""

    def __init__(self, settings: Settings, started: Callable[[], None]) -> None:
        self._settings = settings
        self._started = started
        self._folder = settings.data.resolve() / "gateway"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stop = threading.Event()
        self._core = Core(settings)
        self._shipper = Shipper(self._folder / "spool", self._deliver)
        self._identify()
        self._held = snapshots.Held(self._folder)
        self._workers: dict[int, subprocess.Popen[bytes]] = {}

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM."""
        for told in (signal.SIGINT, signal.SIGTERM):
            signal.signal(told, lambda *_: self._stop.set())
        listening = _listen(self._settings)
        admin = Admin(self._folder, self._settings.gateway_admin, self._held, self._serving)
        admin.start()
        threads = [
            threading.Thread(target=self._repeat, args=[work, seconds], daemon=True)
            for work, seconds in ((self._fetch, 0.0), (self._ship, SHIP_SECONDS), (self._tell, STATE_SECONDS))
        ]
        for thread in threads:
            thread.start()
        try:
            for number in range(self._settings.gateway_workers):
                self._start(number, listening)
            self._started()
            while not self._stop.wait(0.5):
                self._revive(listening)
        finally:
            self._end()
            admin.close()

    def _start(self, number: int, listening: socket.socket) -> None:
        handed = listening.fileno()
        arguments = [sys.executable, "-m", "holdfast.gateway.proxy", str(self._settings.data.resolve())]
        self._workers[number] = subprocess.Popen(
            [*arguments, str(number), str(handed)], pass_fds=[handed], start_new_session=True
        )

    def _revive(self, listening: socket.socket) -> None:
        for number, worker in list(self._workers.items()):
            status = worker.poll()
            if status is not None:
                log.error("gateway worker %s ended with status %s; it is started again", number, status)
                self._start(number, listening)

    def _end(self) -> None:
        """Lets the workers drain, ships what they left, and ends them that do not end."""
        self._stop.set()
        for worker in self._workers.values():
            worker.terminate()
        deadline = time.monotonic() + self._settings.gateway_drain_seconds + 5
        for worker in self._workers.values():
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        try:
            self._shipper.ship()
        except HoldfastError as error:
            log.warning("what the spool still holds is shipped after the next start: %s", error.detail)
        self._core.close()

    def _repeat(self, work: Callable[[], object], seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                work()
            except HoldfastError as error:
                log.warning("%s; trying again", error.detail)
                self._stop.wait(AGAIN)
            except Exception:
                log.exception("the gateway's link with the core failed; trying again")
                self._stop.wait(AGAIN)

    def _fetch(self) -> None:
        """Waits for a newer snapshot than the one on disk, and keeps it."""
        public = self._folder / snapshots.KEY
        if not public.exists():
            snapshots.put(public, self._core.ask("GET", "/key").content)
        epoch = self._held.epoch()
        answer = self._core.ask("GET", f"/snapshot?after={epoch}" if epoch >= 0 else "/snapshot")
        if answer.status_code == 200:
            self._held.fetched(answer.content, epoch)
        (self._folder / snapshots.HEARD).touch()

    def _ship(self) -> None:
        self._shipper.ship()

    def _deliver(self, workspace: str, body: bytes) -> None:
        self._core.ask(
            "POST",
            f"/records/{workspace}",
            gzip.compress(body, 1) if self._settings.core_url else body,
            **{"content-type": "application/x-protobuf"},
            **({"content-encoding": "gzip"} if self._settings.core_url else {}),
        )

    def _tell(self) -> None:
        for number in self._workers:
            path = self._folder / f"state-{number}"
            if path.exists():
                self._core.ask("POST", "/state", path.read_bytes(), **{"content-type": "application/msgpack"})

    def _serving(self) -> dict[str, int]:
        """Which epoch each worker serves, as it said last; -1: it has not said."""
        found = {}
        for number in list(self._workers):
            path = self._folder / f"state-{number}"
            said = msgspec.msgpack.decode(path.read_bytes(), type=_Said) if path.exists() else None
            found[said.id if said else f"worker {number}"] = said.epoch if said else -1
        return found

    def _identify(self) -> None:
        """A name that stays the same after a restart."""
        path: Path = self._folder / "id"
        if not path.exists():
            snapshots.put(path, new_id("gw").encode())


def _listen(settings: Settings) -> socket.socket:
    """The port; waited for a while, because workers of a gateway that was killed let go of it in order."""
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            made = socket.create_server((settings.host, settings.gateway_port), backlog=2048)
        except OSError as error:
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"holdfast: port {settings.gateway_port} on {settings.host} cannot be had ({error.strerror});"
                    " choose another with --gateway-port"
                ) from error
            time.sleep(0.1)
        else:
            os.set_inheritable(made.fileno(), True)
            return made
