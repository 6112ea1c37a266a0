"""A gateway's own small door: the newest snapshot pushed straight to it, and which one its workers serve.

    GET /epoch       the epoch that each worker serves
    PUT /snapshot    a signed snapshot that is newer than what it has; answered once every worker serves it

A snapshot says by its signature who made it, and an older one is refused, so whoever else reaches this door can change
nothing. It is a socket of the data folder, and by HOLDFAST_GATEWAY_ADMIN an address in a private network as well.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.gateway.proxy.snapshots import Held
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound, TooLarge

log = logging.getLogger("holdfast.gateway")

SOCKET = "admin.sock"
MOST_BYTES = 256 << 20
AT_ONCE = 4
TAKEN_SECONDS = 5.0
"""For so long workers are waited for."""
STEP = 0.02
STATUS: dict[type[HoldfastError], int] = {NotFound: 404, Conflict: 409, TooLarge: 413, Invalid: 422}

Serving = Callable[[], dict[str, int]]
"""Which epoch each worker serves, by its id."""


class Admin:
    """The door on all its sockets, from `start` to `close`."""

    def __init__(self, folder: Path, address: str, held: Held, serving: Serving) -> None:
        """Listens at once. Raises Invalid where the address cannot be had."""
        self._path = folder / SOCKET
        self._servers: list[socketserver.BaseServer] = [_Near(self._path, held, serving)]
        if address:
            self._servers.append(_Far(address, held, serving))

    def start(self) -> None:
        """Answers from now on, on threads of its own."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=[0.5], daemon=True).start()

    def close(self) -> None:
        """Answers no more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._path.unlink(missing_ok=True)


class _Asked:
    """What both servers share."""

    held: Held
    serving: Serving
    turns: threading.BoundedSemaphore

    def know(self, held: Held, serving: Serving) -> None:
        self.held, self.serving = held, serving
        self.turns = threading.BoundedSemaphore(AT_ONCE)


class _Near(_Asked, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, held: Held, serving: Serving) -> None:
        self.know(held, serving)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            super().__init__(str(path), _Handler)
        finally:
            os.umask(before)


class _Far(_Asked, socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, held: Held, serving: Serving) -> None:
        self.know(held, serving)
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise Invalid(f"{address!r} is no host:port", where="HOLDFAST_GATEWAY_ADMIN")
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host.strip("[]"), int(port)), _Handler)
        except OSError as error:
            raise Invalid(
                f"{address} cannot be listened on ({error.strerror})", where="HOLDFAST_GATEWAY_ADMIN"
            ) from error


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Near | _Far
    timeout = 10
    protocol_version = "HTTP/1.1"
    server_version = f"holdfast/{__version__}"
    sys_version = ""

    def do_GET(self) -> None:
        """Which epoch is served."""
        self._answered(lambda: self._about() if self.path == "/epoch" else self._nothing())

    def do_PUT(self) -> None:
        """A newer snapshot."""
        self._answered(lambda: self._take(self._body()) if self.path == "/snapshot" else self._nothing())

    def _answered(self, work: Callable[[], dict[str, Any]]) -> None:
        with self.server.turns:
            try:
                status, said = 200, work()
            except HoldfastError as error:
                status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 503)
                said = {"type": "about:blank", "status": status, "detail": error.detail}
            except Exception:
                log.exception("a pushed snapshot could not be handled")
                status, said = 500, {"type": "about:blank", "status": 500, "detail": "try again"}
        body = msgspec.json.encode(said)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header(
                "content-type", "application/json" if status == 200 else "application/problem+json"
            )
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _about(self) -> dict[str, Any]:
        return {"epoch": self.server.held.epoch(), "workers": self.server.serving()}

    def _body(self) -> bytes:
        said = self.headers.get("content-length", "")
        if not said.isdigit():
            raise Invalid("say how long the snapshot is: content-length", where="content-length")
        if int(said) > MOST_BYTES:
            raise TooLarge(f"a snapshot has at most {MOST_BYTES >> 20} MiB")
        return self.rfile.read(int(said))

    def _take(self, raw: bytes) -> dict[str, Any]:
        epoch = self.server.held.pushed(raw)
        log.info("epoch %s was pushed to this gateway", epoch)
        until = time.monotonic() + TAKEN_SECONDS
        workers = self.server.serving()
        while time.monotonic() < until and not all(one >= epoch for one in workers.values()):
            time.sleep(STEP)
            workers = self.server.serving()
        return {"epoch": epoch, "workers": workers}

    def _nothing(self) -> dict[str, Any]:
        if self.command == "PUT":
            self._body()  # what is not read before the answer breaks the connection
        raise NotFound("there is nothing here: GET /epoch, or PUT /snapshot")

    def address_string(self) -> str:
        return "another"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what matters is logged where it is done."""
