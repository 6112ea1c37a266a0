"""A small real server that says what it is told to, and the official clients that read it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai


@dataclass
class Desk:
    """Answers every request with `status`, `kind` and `body`; keeps what was asked."""

    port: int = 0
    status: int = 200
    kind: str = "application/json"
    body: bytes = b""
    asked: list[bytes] = field(default_factory=list)

    def says(self, body: bytes, *, status: int = 200, kind: str = "application/json") -> Desk:
        self.body, self.status, self.kind = body, status, kind
        return self

    def streams(self, body: bytes) -> Desk:
        return self.says(body, kind="text/event-stream")

    @property
    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key="none", max_retries=0)

    @property
    def anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=f"http://127.0.0.1:{self.port}", api_key="none", max_retries=0)


@contextmanager
def open_desk() -> Iterator[Desk]:
    desk = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            desk.asked.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(desk.status)
            self.send_header("content-type", desk.kind)
            self.send_header("content-length", str(len(desk.body)))
            self.end_headers()
            self.wfile.write(desk.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        desk.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield desk
        finally:
            server.shutdown()
            thread.join()
