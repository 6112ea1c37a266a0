"""Where a gateway's connections lead: to the address that was judged, however it is written and whoever is asked."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2
import msgspec
import pytest
from running_gateway import KEY, Worker
from vendor import Vendor

from holdfast.gateway.model import Upstream
from holdfast.gateway.proxy.response import Unreached
from holdfast.gateway.proxy.upstreams import Upstreams
from holdfast.kernel.errors import Unavailable
from holdfast.platform import outbound
from holdfast.platform.settings import Settings
from running_core import NO_TLS

PUBLIC, OTHER = "203.0.114.1", "203.0.114.2"
METADATA = (
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "025177524776",
    "169.16689662",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
)


class Connections:
    """What was set out to be connected to; nothing gets there."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    async def __call__(self, made: Any, host: str, port: int, **_: Any) -> None:
        self.tried.append(host)
        raise OSError("no network in a test")


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    made = Connections()
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", made)
    return made


def upstream(url: str) -> Upstream:
    return msgspec.convert({"dialect": "openai", "base_url": url}, Upstream)


def sending(settings: Settings, use: Callable[[Upstreams], Awaitable[Any]]) -> Any:
    """Runs `use` with the gateway's connections."""

    async def run() -> Any:
        made = Upstreams(settings)
        try:
            return await use(made)
        finally:
            made.close()

    return asyncio.run(run())


async def send(connected: Upstreams, url: str) -> None:
    await connected.send(upstream(url), "POST", "/chat/completions", {}, b"{}")


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server that answers each question with the next of these; the last stays. Gives what it was asked."""
    left, asked = list(answers), []

    def resolve(host: str, port: int) -> list[outbound.Address]:
        asked.append(host)
        return [ipaddress.ip_address(one) for one in (left.pop(0) if len(left) > 1 else left[0])]

    monkeypatch.setattr(outbound, "resolve", resolve)
    return asked


@pytest.mark.parametrize("host", METADATA)
def test_metadata_is_not_reached_however_it_is_written(host: str, connections: Connections) -> None:
    with pytest.raises(Unavailable):
        sending(Settings(), lambda one: send(one, f"http://{host}/v1"))
    assert connections.tried == []


def test_the_connection_goes_to_what_was_judged(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch, [PUBLIC], ["127.0.0.1"])

    async def twice(one: Upstreams) -> None:
        for _ in range(2):
            with pytest.raises(Unreached):
                await send(one, "http://turns.example/v1")

    sending(Settings(), twice)
    assert set(connections.tried) == {PUBLIC}, "the answer that was judged is the one that is used"
    assert asked == ["turns.example"]


def test_a_name_that_has_turned_inwards_is_not_followed(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, [PUBLIC], ["127.0.0.1"], ["169.254.169.254"], [PUBLIC, "10.0.0.1"])

    async def later(one: Upstreams) -> None:
        with pytest.raises(Unreached):
            await send(one, "http://turns.example/v1")
        for _ in range(3):
            one._client._connector._known.clear()
            with pytest.raises(Unavailable, match="private network"):
                await send(one, "http://turns.example/v1")

    sending(Settings(), later)
    assert set(connections.tried) == {PUBLIC}


class Proxy:
    """A forward proxy that notes what it is asked for, and answers everything itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        seen = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append((self.path, self.headers["host"]))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_CONNECT(self) -> None:
                seen.append((self.path, self.headers["host"]))
                self.send_error(403)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def test_a_proxy_inside_is_used_and_asked_for_the_judged_address(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, [PUBLIC], [OTHER], ["10.0.0.1"])

    async def through(one: Upstreams) -> None:
        await send(one, "http://vendor.example:81/v1")
        with pytest.raises(Unreached):
            await send(one, "https://other.example/v1")
        with pytest.raises(Unavailable, match="private network"):
            await send(one, "http://inner.example/v1")

    sending(Settings(proxy=proxy.url), through)
    assert proxy.asked == [
        (f"http://{PUBLIC}:81/v1/chat/completions", "vendor.example:81"),
        (f"{OTHER}:443", f"{OTHER}:443"),
    ]


@pytest.mark.parametrize("host", METADATA)
def test_a_proxy_is_not_asked_for_metadata_either(host: str, proxy: Proxy) -> None:
    with pytest.raises(Unavailable):
        sending(Settings(proxy=proxy.url), lambda one: send(one, f"http://{host}/v1"))
    assert proxy.asked == []


@pytest.fixture
def redirecting() -> Iterator[ThreadingHTTPServer]:
    """A vendor that sends everybody on to the path's end, with the status that it begins with."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(int(self.path.split("/")[1]))
            self.send_header("location", self.server.location)  # type: ignore[attr-defined]
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def test_no_redirect_is_followed_wherever_it_leads(
    worker: Worker, vendor: Vendor, redirecting: ThreadingHTTPServer
) -> None:
    port = redirecting.server_address[1]
    statuses = (301, 302, 303, 307, 308)
    worker.apply(
        {
            "upstreams": {
                str(one): {
                    "dialect": "openai",
                    "base_url": f"http://127.0.0.1:{port}/{one}",
                    "models": [str(one)],
                }
                for one in statuses
            }
        }
    )
    asked = vendor.meter["asked"]
    for status in statuses:
        for location in (vendor.url + "/v1/chat/completions", "http://169.254.169.254/latest/meta-data/"):
            redirecting.location = location  # type: ignore[attr-defined]
            for path, more in (("chat/completions", {}), ("chat/completions", {"stream": True})):
                got = httpx2.post(
                    f"{worker.url}/v1/{path}",
                    json={"model": str(status), "messages": [{"role": "user", "content": "hi"}], **more},
                    headers={"authorization": f"Bearer {KEY}"},
                    verify=NO_TLS,
                    timeout=20,
                )
                assert got.status_code == status
    assert vendor.meter["asked"] == asked
    assert {record.status for record in worker.records()[-4:]} == {308}
