"""What clouds put beside a machine on a loopback port: AWS's instance metadata, Azure's identity endpoints, Google's."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Clouds:
    """Gives `token-N` with a number that rises; `life` is how long in seconds it says it holds, `away` answers 503."""

    life: float = 3600.0
    away: bool = False
    pairs: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    given: int = 0

    def start(self) -> None:
        clouds = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                clouds.answer(self, "")

            def do_PUT(self) -> None:
                clouds.answer(self, "")

            def do_POST(self) -> None:
                clouds.answer(self, self.rfile.read(int(self.headers["content-length"])).decode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, form: str) -> None:
        url = urlsplit(handler.path)
        said = {name: values[0] for name, values in parse_qs(form or url.query).items()}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append((handler.command, url.path, headers, said))
        status, body = (503, b"{}") if self.away else self._body(handler.command, url.path, headers)
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _body(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        if path == "/latest/api/token":
            return (200, b"imds-token") if method == "PUT" else (405, b"")
        if path.startswith("/latest/meta-data/iam/security-credentials/"):
            if headers.get("x-aws-ec2-metadata-token") != "imds-token":
                return 401, b""
            if path.endswith("/"):
                return 200, b"the-role"
            access, secret, token = self.pairs[min(self.given, len(self.pairs) - 1)]
            self.given += 1
            ends = (datetime.now(UTC) + timedelta(seconds=self.life)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return 200, json.dumps(
                {
                    "Code": "Success",
                    "AccessKeyId": access,
                    "SecretAccessKey": secret,
                    "Token": token,
                    "Expiration": ends,
                }
            ).encode()
        self.given += 1
        said: dict[str, Any] = {"access_token": f"token-{self.given}", "token_type": "Bearer"}
        if path == "/msi":
            return 200, json.dumps({**said, "expires_on": str(int(time.time() + self.life))}).encode()
        return 200, json.dumps({**said, "expires_in": self.life}).encode()
