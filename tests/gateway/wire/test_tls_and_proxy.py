"""TLS by our own authority, and outbound proxies that are asked for the judged address."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable
from pathlib import Path

import pytest
from scripted import OK, Line, asking, run, saying, upstream, whole

from authority import Authority, tls
from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy import connecting
from holdfast.gateway.proxy.asking import Client
from holdfast.gateway.proxy.response import Unreached
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.settings import Settings

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
def test_only_the_right_certificate_is_spoken_to(trusted: bool, name: str, tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")

    async def test() -> None:
        given = Settings(outbound_allow="localhost", ca_bundle=(ours if trusted else other).bundle)
        client = Client(given)
        async with upstream(saying(STREAM, b"2\r\nok\r\n", b"0\r\n\r\n"), tls(ours.issue(name))) as there:
            there.host = "localhost"
            if trusted and name == "localhost":
                for _ in range(3):
                    assert await whole(client, there) == (200, b"ok")
                assert len(there.lines) == 1
            else:
                with pytest.raises(Unreached):
                    await whole(client, there)
        client.close()

    run(test())


class Proxy:
    """Passes bytes on as it is asked to, and writes down what it was asked."""

    def __init__(self, refuses: bytes = b"") -> None:
        self.asked: list[bytes] = []
        self.refuses = refuses

    async def __call__(self, line: Line) -> None:
        while request := await line.request():
            self.asked.append(request)
            method, target, _ = request.split(b" ", 2)
            if self.refuses:
                await line.say(self.refuses)
                return
            if method == b"CONNECT":
                await self._tunnel(line, target.decode())
                return
            host, _, path = target.removeprefix(b"http://").partition(b"/")
            near, far = await self._far(host.decode())
            far.write(request.replace(target, b"/" + path, 1))
            head = await near.readuntil(b"\r\n\r\n")
            await line.say(head, await near.readexactly(2))
            far.close()

    async def _far(self, authority: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = authority.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))

    async def _tunnel(self, line: Line, target: str) -> None:
        near, far = await self._far(target)
        await line.say(b"HTTP/1.1 200 Connection ", b"established\r\n\r\n")

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        both: list[Awaitable[None]] = [pipe(near, line.writer), pipe(line.reader, far)]
        await asyncio.gather(*both, return_exceptions=True)


@pytest.mark.parametrize("allowed", ["localhost", "127.0.0.0/8,::1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_asked_for_the_judged_address_or_the_allowed_name(
    scheme: str, allowed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, proxy = Authority(tmp_path, "ours"), Proxy()
    asked = "localhost" if allowed == "localhost" else "127.0.0.1"

    async def test() -> None:
        secret = tls(ours.issue("localhost")) if scheme == "https" else None
        async with upstream(proxy) as between, upstream(saying(OK), secret) as there:
            url = f"http://us:p%40ss@127.0.0.1:{between.port}"
            client = Client(Settings(proxy=url, outbound_allow=allowed, ca_bundle=ours.bundle))
            there.host = "localhost"
            for _ in range(2):
                assert await whole(client, there) == (200, b"ok")
            target = f"{asked}:{there.port}" if secret else f"http://{asked}:{there.port}/v1/x"
            assert [one.split(b" ")[1].decode() for one in proxy.asked] == [target] * (1 if secret else 2)
            assert b"proxy-authorization: Basic dXM6cEBzcw==\r\n" in proxy.asked[0]
            client.close()

    monkeypatch.setattr(
        connecting.outbound, "resolve", lambda host, port: [ipaddress.ip_address("127.0.0.1")]
    )
    run(test())


def test_a_proxy_behind_tls(tmp_path: Path) -> None:
    ours, proxy = Authority(tmp_path, "ours"), Proxy()

    async def test() -> None:
        certificate = ours.issue("localhost")
        async with (
            upstream(proxy, tls(certificate)) as between,
            upstream(saying(OK), tls(certificate)) as there,
        ):
            url = f"https://localhost:{between.port}"
            client = Client(Settings(proxy=url, outbound_allow="localhost", ca_bundle=ours.bundle))
            there.host = "localhost"
            assert await whole(client, there) == (200, b"ok")
            assert proxy.asked[0].startswith(b"CONNECT localhost:")
            client.close()

    run(test())


def test_a_proxy_leads_to_no_private_address() -> None:
    proxy = Proxy()

    async def test() -> None:
        async with upstream(proxy) as between:
            client = Client(Settings(proxy=f"http://127.0.0.1:{between.port}"))
            for url in ("https://127.0.0.1:1", "http://127.0.0.1:1", "https://[::ffff:10.0.0.1]"):
                with pytest.raises(Unavailable, match="private network"):
                    await client.send(url, Timeouts(), "POST", "/x", {}, b"")
            assert not between.lines

    run(test())


@pytest.mark.parametrize(
    "refuses",
    [b"HTTP/1.1 407 Who\r\n\r\n", b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", b"junk\r\n\r\n", b""],
)
def test_a_proxy_that_refuses_has_sent_nothing(refuses: bytes) -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async def test() -> None:
        async with upstream(Proxy(refuses) if refuses else hang_up) as between:
            given = Settings(proxy=f"http://127.0.0.1:{between.port}", outbound_allow="localhost")
            with pytest.raises(Unreached):
                await Client(given).send("https://localhost:1", Timeouts(), "POST", "/x", {}, b"")

    run(test())


def test_a_proxy_that_is_no_url_is_told_at_the_start() -> None:
    with pytest.raises(Invalid) as told:
        Client(Settings(proxy="proxy.internal:3128"))
    assert told.value.where == "HOLDFAST_PROXY"


def test_settings_are_used_as_they_are() -> None:
    async def test() -> None:
        async with asking(saying(OK), outbound_allow="") as (client, there):
            with pytest.raises(Unavailable, match="private network"):
                await whole(client, there)

    run(test())
