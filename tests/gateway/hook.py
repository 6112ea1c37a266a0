"""A webhook on a loopback port that judges texts as a test tells it to, over plain HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """`says` answers each question: a verdict, or (status, body) as they are to be sent. `slow` waits until `released`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.says: Callable[[dict[str, Any]], Any] = lambda asked: {"verdict": "allow"}
        self.released = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                hook.asked.append(body)
                hook.headers.append({name.lower(): value for name, value in self.headers.items()})
                told = hook.says(body)
                status, said = told if isinstance(told, tuple) else (200, told)
                raw = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                if status in (302, 307):
                    self.send_header("location", raw.decode())
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                try:
                    self.wfile.write(raw)
                except OSError:
                    return

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/judge"

    def slow(self, asked: dict[str, Any]) -> Any:
        self.released.wait(30)
        return {"verdict": "allow"}

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
