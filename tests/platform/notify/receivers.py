"""Receivers of messages on real sockets: a mail server, and a web server that can fail on demand."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Letter:
    """What the mail server took: the envelope, and the letter."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def letter(self) -> Message:
        return message_from_bytes(self.raw, policy=default)

    @property
    def id(self) -> str:
        return str(self.letter["message-id"])


@dataclass
class MailServer:
    """A mail server of RFC 5321. `replies` maps a verb (or `DATA.`, or an address) to the reply it gets, else yes."""

    port: int = 0
    letters: list[Letter] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    signed_in: list[str] = field(default_factory=list)
    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    hang_up_after_data: bool = False
    refuses: Callable[[], bool] = lambda: False


class _Mail(socketserver.StreamRequestHandler):
    server: _MailListener

    def handle(self) -> None:
        told = self.server.told
        if told.implicit and told.tls:
            self._secure(told.tls)
        if told.refuses():
            self._say("421 4.3.2 not now")
            return
        self._say("220 mail.test ESMTP")
        sender, recipients, encrypted = "", [], told.implicit
        while line := self.rfile.readline().decode("ascii", "replace").strip():
            verb = line[:4].upper()
            if verb in told.replies:
                self._say(told.replies[verb])
            elif verb == "EHLO":
                offers = ["mail.test"]
                offers += ["STARTTLS"] if told.tls and not encrypted else []
                offers += ["AUTH PLAIN"] if told.user and encrypted else []
                for offer in offers[:-1]:
                    self._say(f"250-{offer}")
                self._say(f"250 {offers[-1]}")
            elif verb == "STAR" and told.tls:
                self._say("220 go on")
                self._secure(told.tls)
                encrypted = True
            elif verb == "AUTH":
                good = base64.b64encode(f"\0{told.user}\0{told.password}".encode()).decode()
                right = line.split()[-1] == good
                told.signed_in += [told.user] if right else []
                self._say("235 2.7.0 welcome" if right else "535 5.7.8 wrong user or password")
            elif verb == "MAIL":
                sender, recipients = line[10:].partition(">")[0].strip("< "), []
                self._say("250 2.1.0 ok")
            elif verb == "RCPT":
                address = line[8:].strip("<> ")
                reply = told.replies.get(address, "250 2.1.5 ok")
                recipients += [address] if reply.startswith("250") else []
                self._say(reply)
            elif verb == "DATA":
                self._say("354 go ahead")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    if not part:
                        return
                    lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
                reply = told.replies.get("DATA.", "250 2.0.0 ok: queued as 4711")
                if reply.startswith("250"):
                    told.letters.append(Letter(sender, recipients, b"".join(lines)))
                if told.hang_up_after_data:
                    return
                self._say(reply)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok" if verb in ("RSET", "NOOP", "HELO") else "502 5.5.1 what?")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
        self.wfile.flush()

    def _secure(self, context: ssl.SSLContext) -> None:
        self.request = context.wrap_socket(self.request, server_side=True)
        self.setup()


class _MailListener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    told: MailServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is its own affair."""


@contextmanager
def mail_server(port: int = 0, **options: object) -> Iterator[MailServer]:
    """A mail server that listens until the block ends."""
    listener = _MailListener(("127.0.0.1", port), _Mail)
    listener.told = MailServer(listener.server_address[1], **options)  # type: ignore[arg-type]
    with _serving(listener):
        yield listener.told


@dataclass
class Hit:
    """One request that was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int


@dataclass
class WebServer:
    """Takes POSTs. `answers` are (status, body, headers) of the next requests; else 200 `ok`."""

    port: int = 0
    hits: list[Hit] = field(default_factory=list)
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    refuses: Callable[[], bool] = lambda: False

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def web_server(port: int = 0) -> Iterator[WebServer]:
    """A web server that listens until the block ends."""
    told = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed while it sent: nothing was said
                self.close_connection = True
                return
            status, text, headers = told.answers.pop(0) if told.answers else (200, "ok", {})
            if told.refuses():
                status, text = 503, "not now"
            named = {name.lower(): value for name, value in self.headers.items()}
            told.hits.append(Hit(self.path, named, body, status))
            self.send_response(status)
            for name, value in {"content-length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    listener.daemon_threads = True
    told.port = listener.server_port
    with _serving(listener):
        yield told


@contextmanager
def _serving(listener: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(timeout=10)
