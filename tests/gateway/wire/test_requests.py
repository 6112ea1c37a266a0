"""Requests as they stand on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from scripted import OK, Line, Script, asking, post, run, saying

from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy.asking import Client
from holdfast.gateway.proxy.response import Broken
from holdfast.kernel.errors import Invalid, Unavailable


def hearing(heard: list[bytes]) -> Script:
    async def script(line: Line) -> None:
        while request := await line.request():
            heard.append(request)
            await line.say(OK)

    return script


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "begins", "ends"),
    [
        (
            "POST",
            "/chat?a=1",
            b"{}",
            {"b": "\xe9"},
            "POST /v1/chat?a=1",
            "content-length: 2\r\nb: \xe9\r\n\r\n{}",
        ),
        ("POST", "/x", b"", {}, "POST /v1/x", "content-length: 0\r\n\r\n"),
        ("DELETE", "/x", None, {}, "DELETE /v1/x", "content-length: 0\r\n\r\n"),
        ("GET", "/a b/ü#c", None, {}, "GET /v1/a%20b/%C3%BC%23c", "\r\n\r\n"),
        ("GET", "/m:go\r\nx: y", None, {}, "GET /v1/m:go%0D%0Ax:%20y", "\r\n\r\n"),
    ],
)
def test_a_request_is_written_in_one_way(
    method: str, path: str, body: bytes | None, headers: dict[str, str], begins: str, ends: str
) -> None:
    heard: list[bytes] = []

    async def test() -> None:
        async with asking(hearing(heard)) as (client, there):
            response = await client.send(there.url, Timeouts(), method, path, headers, body)
            response.release()
            host = f"host: 127.0.0.1:{there.port}\r\n"
            assert heard[0].startswith(f"{begins} HTTP/1.1\r\n{host}".encode())
            assert heard[0].endswith(ends.encode("latin-1"))

    run(test())


@pytest.mark.parametrize(
    ("path", "target"), [("", "/"), ("/hook/?a=b%20c", "/hook/?a=b%20c"), ("?a=b", "/?a=b")]
)
def test_a_url_may_hold_all_of_it(path: str, target: str) -> None:
    heard: list[bytes] = []

    async def test() -> None:
        async with asking(hearing(heard)) as (client, there):
            url = there.url.removesuffix("/v1") + path
            (await client.send(url, Timeouts(), "POST", "", {}, b"")).release()
            assert heard[0].startswith(f"POST {target} HTTP/1.1\r\n".encode())

    run(test())


@pytest.mark.parametrize("text", ["a\r\nb: c", "a\nb", "a\rb", "a\0b"])
@pytest.mark.parametrize("where", ["name", "value"])
def test_no_header_brings_another_one(text: str, where: str) -> None:
    headers = {text: "v"} if where == "name" else {"n": text}

    async def test() -> None:
        async with asking(saying(OK)) as (client, there):
            with pytest.raises(Unavailable, match="line break"):
                await client.send(there.url, Timeouts(), "POST", "/x", headers, b"")
            assert not there.lines, "nothing was sent"

    run(test())


@pytest.mark.parametrize(
    "path", ["/files/../admin", "/files/..", "/./x", "/a/%2e%2e/b", "/a/.%2E/b", "/files/../x?y=1"]
)
def test_no_path_leads_out_of_itself(path: str) -> None:
    async def test() -> None:
        async with asking(saying(OK)) as (client, there):
            with pytest.raises(Invalid, match="dots"):
                await client.send(there.url, Timeouts(), "GET", path, {}, None)
            for good in ("/a..b", "/.hidden", "/x?up=/../", "/100%"):
                (await client.send(there.url, Timeouts(), "GET", good, {}, None)).release()

    run(test())


def test_a_streamed_body_goes_in_chunks_or_as_long_as_declared() -> None:
    heard: list[bytes] = []

    async def test() -> None:
        async with asking(hearing(heard)) as (client, there):
            for headers in ({}, {"content-length": "5"}):
                body = pieces(b"he", b"", b"llo")
                response = await client.send(there.url, Timeouts(), "POST", "/x", headers, body)
                assert await response.read() == b"ok"
                response.release()
            assert heard[0].endswith(b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
            assert heard[1].endswith(b"content-length: 5\r\n\r\nhello")
            assert len(there.lines) == 1

    run(test())


@pytest.mark.parametrize("declared", [4, 6])
def test_a_body_of_another_length_than_declared_poisons_no_connection(declared: int) -> None:
    async def test() -> None:
        async with asking(saying()) as (client, there):
            headers = {"content-length": str(declared)}
            with pytest.raises(Broken, match="declared"):
                await client.send(there.url, Timeouts(), "POST", "/x", headers, pieces(b"hello"))
            assert not any(client._free.values())

    run(test())


def test_who_breaks_off_a_body_is_told_apart_from_the_upstream() -> None:
    class Left(Exception):
        pass

    async def body() -> AsyncIterator[bytes]:
        yield b"some"
        raise Left

    async def script(line: Line) -> None:
        await line.gone()

    async def test() -> None:
        async with asking(script) as (client, there):
            with pytest.raises(Left):
                await post(client, there, body())

    run(test())


def test_an_answer_before_the_body_is_over_ends_the_connection() -> None:
    stopped = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"some"
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def script(line: Line) -> None:
        await line.reader.read(100)
        await line.say(b"HTTP/1.1 413 Large\r\ncontent-length: 2\r\n\r\nno")
        await line.gone()

    async def test() -> None:
        async with asking(script) as (client, there):
            response = await post(client, there, body())
            assert (response.status, await response.read()) == (413, b"no")
            response.release()
            async with asyncio.timeout(2):
                await stopped.wait()
            assert not any(client._free.values())

    run(test())


def test_an_upstream_that_reads_slowly_holds_the_body_back() -> None:
    given = 0
    go = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(64):
            given += 1 << 20
            yield bytes(1 << 20)

    async def script(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go.wait()
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await line.request()
        await line.say(OK)
        await line.gone()

    async def ask(client: Client, url: str) -> bytes:
        headers = {"content-length": str(64 << 20)}
        response = await client.send(url, Timeouts(first_byte=0.5), "POST", "/x", headers, body())
        try:
            return await response.read()
        finally:
            response.release()

    async def test() -> None:
        async with asking(script) as (client, there):
            asked = asyncio.create_task(ask(client, there.url))
            before = -1
            while before != given or not given:
                before = given
                await asyncio.sleep(0.3)
            assert given < 20 << 20
            go.set()
            assert await asked == b"ok", "the time to the first byte begins when all is sent"

    run(test())
