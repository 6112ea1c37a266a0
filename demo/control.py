"""The demo's control door on loopback: GET /state, POST /break/{name}, POST /mend/{name}. Answers JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from demo.breaks import BREAKS, Switchboard

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(value: str) -> bool:
    """Whether a Host header (`host[:port]`) names this machine's loopback."""
    return urlsplit(f"//{value}").hostname in LOOPBACK


class Control:
    """The server; listens from construction on, `close` ends it."""

    def __init__(self, port: int, switchboard: Switchboard, figures: Callable[[], dict[str, Any]]) -> None:
        """Listens on 127.0.0.1:`port` (0 picks one). `figures` gives what the driver has done so far."""
        handler = type("Handler", (_Handler,), {"switchboard": switchboard, "figures": staticmethod(figures)})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    switchboard: Switchboard
    figures: Callable[[], dict[str, Any]]
    timeout = 10

    def do_GET(self) -> None:
        if not self._allowed():
            return
        if self.path != "/state":
            return self._answer(
                404, {"error": "there is GET /state, POST /break/{name} and POST /mend/{name}"}
            )
        self._answer(200, self._state())

    def do_POST(self) -> None:
        if not self._allowed():
            return
        verb, _, name = self.path.strip("/").partition("/")
        if verb not in ("break", "mend") or name not in BREAKS:
            return self._answer(404, {"error": f"unknown; names are {', '.join(BREAKS)}"})
        self.switchboard.turn(name, verb == "break")
        self._answer(200, self._state())

    def _allowed(self) -> bool:
        """Refuses a page of another site that was resolved to, or posts to, this address."""
        origin = self.headers.get("Origin")
        own = is_loopback(self.headers.get("Host", "")) and (
            origin is None or urlsplit(origin).hostname in LOOPBACK
        )
        if not own:
            self._answer(403, {"error": "only this machine may ask"})
        return own

    def _state(self) -> dict[str, Any]:
        breaks = [
            {"name": name, "title": one.title, "effect": one.effect, "active": self.switchboard.is_on(name)}
            for name, one in BREAKS.items()
        ]
        return {"breaks": breaks, **self.figures()}

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the supervisor prints one line per change of state."""
