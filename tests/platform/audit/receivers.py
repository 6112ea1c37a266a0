"""Receivers for streams, on real sockets: syslog over TLS and OTLP over HTTP."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)


def make_certificate(folder: Path, name: str) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1: paths of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    made, secret = folder / f"{name}.pem", folder / f"{name}.key"
    made.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(made), str(secret)


@dataclass
class SyslogReceiver:
    """Takes RFC 5425 frames. With `die_after`, a connection is reset once that many octets were read.

    `polite` decides whether it answers the sender's end of the TLS session or just closes.
    """

    port: int
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    die_after: int | None = None
    polite: bool = True

    def take(self, channel: ssl.SSLSocket) -> None:
        self.connections += 1
        data = b""
        while True:
            try:
                chunk = channel.recv(1000)
            except (ssl.SSLZeroReturnError, OSError):
                chunk = b""
            if not chunk:
                break
            data += chunk
            if self.die_after is not None and len(data) >= self.die_after:
                self.messages += frames(data)
                channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                channel.close()
                return
        self.messages += frames(data)
        if self.polite:
            channel.unwrap()
        channel.close()


def frames(data: bytes) -> list[bytes]:
    """The whole messages of octet-counted framing; what is torn at the end is left out."""
    found = []
    while data:
        length, gap, rest = data.partition(b" ")
        if not gap or len(rest) < int(length):
            break
        found.append(rest[: int(length)])
        data = rest[int(length) :]
    return found


@contextmanager
def syslog_receiver(
    certificate: tuple[str, str], *, port: int = 0, client_ca: str | None = None, **options: Any
) -> Iterator[SyslogReceiver]:
    """A receiver that listens until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    listener = socket.create_server(("127.0.0.1", port))
    receiver = SyslogReceiver(listener.getsockname()[1], **options)

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                receiver.take(context.wrap_socket(plain, server_side=True))
            except (ssl.SSLError, OSError):
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)


@dataclass
class OtlpReceiver:
    """Takes OTLP log exports. `answers` are (status, rejected records) of the next requests."""

    port: int = 0
    bodies: list[str] = field(default_factory=list)
    requests: list[ExportLogsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)


@contextmanager
def otlp_receiver(port: int = 0) -> Iterator[OtlpReceiver]:
    """A receiver that listens until the block ends."""
    receiver = OtlpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, rejected = receiver.answers.pop(0) if receiver.answers else (200, 0)
            made = ExportLogsServiceRequest.FromString(body)
            answer = ExportLogsServiceResponse()
            if rejected:
                answer.partial_success.rejected_log_records = rejected
            elif status == 200:
                receiver.requests.append(made)
                receiver.headers.append({key.lower(): value for key, value in self.headers.items()})
                for record in made.resource_logs[0].scope_logs[0].log_records:
                    receiver.bodies.append(record.body.string_value)
            content = answer.SerializeToString() if status == 200 else b"<html>no</html>"
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
