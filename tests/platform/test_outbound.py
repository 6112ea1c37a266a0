"""Outbound connections on real sockets: trust, client certificates, proxy, redirects, and private addresses."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from authority import Authority, tls
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform import outbound
from holdfast.platform.settings import Settings


class Upstream(BaseHTTPRequestHandler):
    """Says who asks and how; /away redirects."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("host")))  # type: ignore[attr-defined]
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "/elsewhere")
            self.end_headers()
            return
        peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        name = dict(pair[0] for pair in peer["subject"]).get("commonName", "") if peer else "nobody"  # type: ignore[index, misc]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(name).encode())

    def do_CONNECT(self) -> None:
        self.server.seen.append(("CONNECT", self.path))  # type: ignore[attr-defined]
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.send_response(200)
            self.end_headers()
            back = Thread(target=_pipe, args=(far, self.connection), daemon=True)
            back.start()
            _pipe(self.connection, far)
            back.join(5)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Upstream)
        self.seen: list[tuple[str, str | None]] = []

    def handle_error(self, *_: object) -> None:
        """A refused handshake is what the test wants."""


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_a_ca_of_ones_own_is_trusted_and_no_other(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    with running(tls(ours.issue("localhost"))) as server:
        url = f"https://localhost:{server.server_port}/"
        with outbound.client(Settings(ca_bundle=ours.bundle)) as http:
            assert http.get(url).status_code == 200
        for settings in (Settings(ca_bundle=other.bundle), Settings()):
            with (
                outbound.client(settings) as http,
                pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"),
            ):
                http.get(url)


def test_a_name_that_is_not_in_the_certificate_is_refused(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    given = Settings(ca_bundle=ours.bundle)
    with running(tls(ours.issue("elsewhere.example"))) as server, outbound.client(given) as http:
        url = f"https://localhost:{server.server_port}/"
        with pytest.raises(httpx2.ConnectError):
            http.get(url)


def test_the_client_certificate_is_shown(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    with running(tls(ours.issue("localhost"), ours.bundle)) as server:
        url = f"https://localhost:{server.server_port}/"
        given = Settings(ca_bundle=ours.bundle, client_cert=ours.issue("holdfast-client"))
        with outbound.client(given) as http:
            assert http.get(url).text == "holdfast-client"
        with outbound.client(Settings(ca_bundle=ours.bundle)) as http, pytest.raises(httpx2.HTTPError):
            http.get(url)
        raw = socket.create_connection(("127.0.0.1", server.server_port))
        with outbound.ssl_context(given).wrap_socket(raw, server_hostname="localhost") as tube:
            tube.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200" in tube.recv(100)


@pytest.mark.parametrize("setting", ["ca_bundle", "client_cert"])
def test_files_that_cannot_be_used_are_named(tmp_path: Path, setting: str) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(Invalid) as error:
            outbound.ssl_context(Settings(**{setting: path}))  # type: ignore[arg-type]
        assert setting.upper() in str(error.value.where)


def test_the_proxy_is_used_for_both_schemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # never looked at
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    ours = Authority(tmp_path, "ours")
    with running() as proxy, running(tls(ours.issue("localhost"))) as server:
        given = Settings(ca_bundle=ours.bundle, proxy=f"http://127.0.0.1:{proxy.server_port}")
        with outbound.client(given) as http:
            assert http.get("http://somewhere.example/x").text == "nobody"
            assert http.get(f"https://localhost:{server.server_port}/").status_code == 200
        assert proxy.seen == [
            ("http://somewhere.example/x", "somewhere.example"),
            ("CONNECT", f"localhost:{server.server_port}"),
        ]
        with outbound.client(Settings(ca_bundle=ours.bundle)) as http:
            assert http.get(f"https://localhost:{server.server_port}/").status_code == 200
        assert len(proxy.seen) == 2


def test_no_redirect_is_followed() -> None:
    with running() as server:
        for make, more in (
            (outbound.client, {}),
            (outbound.guarded_client, {"outbound_allow": "127.0.0.0/8"}),
        ):
            with make(Settings(**more)) as http:  # type: ignore[arg-type]
                assert http.get(f"http://127.0.0.1:{server.server_port}/away").status_code == 302
        assert [path for path, _ in server.seen] == ["/away", "/away"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "[::ffff:168.63.129.16]",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:1::1]",
        "[::127.0.0.1]",
        "[ff02::1]",
    ],
)
def test_private_addresses_are_refused_however_they_are_written(host: str) -> None:
    with (
        outbound.guarded_client(Settings()) as http,
        pytest.raises((Invalid, Unavailable, httpx2.InvalidURL)),
    ):
        http.post(f"http://{host}:1/hook", json={})
    with pytest.raises((Invalid, Unavailable)):
        outbound.check_url(Settings(), f"http://{host}:1/hook")


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.com/", "http://user:pw@example.com/", "http://", "gopher://x/"],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        outbound.check_url(Settings(), url)


def test_public_addresses_pass() -> None:
    none = outbound.allowed("")
    for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert outbound.reachable(ipaddress.ip_address(text), none), text


def test_what_is_allowed_is_reached_by_name_or_network() -> None:
    with running() as server:
        for allow in ("localhost", "127.0.0.0/8,::1", "10.0.0.0/8, LOCALHOST"):
            with outbound.guarded_client(Settings(outbound_allow=allow)) as http:
                assert http.get(f"http://localhost:{server.server_port}/").status_code == 200
        assert {host for _, host in server.seen} == {f"localhost:{server.server_port}"}
    with pytest.raises(Invalid):
        outbound.allowed("10.0.0.0/99")


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is public, any later one is loopback. Only the first is asked for and used."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host == "rebind.example":
            asked.append(host)
            address = "203.0.114.1" if len(asked) == 1 else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return real(host, port, *rest, **more)

    tried: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> socket.socket:
        tried.append(address)
        raise OSError("no network in a test")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", connect)
    with outbound.guarded_client(Settings()) as http, pytest.raises(httpx2.ConnectError):
        http.get("http://rebind.example/")
    assert [address[0] for address in tried] == ["203.0.114.1"] and asked == ["rebind.example"]
    with outbound.guarded_client(Settings()) as http, pytest.raises(Invalid):
        http.get("http://rebind.example/")


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    with pytest.raises(Invalid):
        outbound.check_url(Settings(), "http://mixed.example/")


def test_tls_keeps_the_name_when_the_address_is_pinned(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    with running(tls(ours.issue("localhost"))) as good, running(tls(ours.issue("elsewhere.example"))) as bad:
        given = Settings(ca_bundle=ours.bundle, outbound_allow="localhost")
        with outbound.guarded_client(given) as http:
            assert http.get(f"https://localhost:{good.server_port}/").status_code == 200
            with pytest.raises(httpx2.ConnectError):
                http.get(f"https://localhost:{bad.server_port}/")
