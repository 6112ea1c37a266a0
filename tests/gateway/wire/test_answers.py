"""What of an upstream's bytes is taken for an answer, however they come."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scripted import OK, Line, asking, once, post, run, saying, whole

from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy.response import Broken
from holdfast.gateway.proxy.wire import LONGEST_HEAD

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CLOSE = b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nEmpty:\r\n\r\nhello", b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3;odd=1\r\nllo\r\n0\r\n\r\n", b"hello"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\nEvil: 2\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK, b"ok"),
    ],
)
def test_an_answer_is_the_same_wherever_it_is_cut(raw: bytes, body: bytes) -> None:
    async def script(line: Line) -> None:
        cut = 0
        while await line.request():
            await line.say(raw[:cut], raw[cut:])
            cut += 1

    async def test() -> None:
        async with asking(script) as (client, there):
            for _ in range(len(raw) + 1):
                response = await post(client, there)
                assert (response.status, await response.read()) == (200, body)
                assert not {b"link", b"evil", b"x-trailer"} & {name.lower() for name, _ in response.headers}
                response.release()
            assert len(there.lines) == 1, "all over one connection"

    run(test())


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.binary(min_size=1, max_size=60), max_size=8),
    some.lists(some.integers(0, 300), max_size=6),
)
def test_a_body_in_chunks_is_what_was_sent(chunks: list[bytes], cuts: list[int]) -> None:
    raw = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges)]

    async def test() -> None:
        async with asking(saying(*pieces)) as (client, there):
            assert await whole(client, there) == (200, b"".join(chunks))
            assert await whole(client, there) == (200, b"".join(chunks))
            assert len(there.lines) == 1

    run(test())


def test_headers_stay_as_they_were_received() -> None:
    raw = b"HTTP/1.1 201 Made\r\nX-Odd: \xe9\r\nSet: a\r\nset: b\r\ncontent-length: 0\r\n\r\n"

    async def test() -> None:
        async with asking(saying(raw)) as (client, there):
            response = await post(client, there)
            assert response.headers[:3] == [(b"X-Odd", b"\xe9"), (b"Set", b"a"), (b"set", b"b")]
            assert (response.header(b"set"), response.header(b"none")) == ("a", "")
            response.release()

    run(test())


@pytest.mark.parametrize(
    ("raw", "status", "kept"),
    [
        (b"HTTP/1.1 204 No\r\n\r\n", 204, True),
        (b"HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n", 304, True),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", 200, False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 200, False),
    ],
)
def test_what_has_no_body_is_over_with_its_head(raw: bytes, status: int, kept: bool) -> None:
    async def test() -> None:
        async with asking(saying(raw)) as (client, there):
            assert await whole(client, there) == (status, b"")
            assert await whole(client, there) == (status, b"")
            assert len(there.lines) == (1 if kept else 2)

    run(test())


def test_the_answer_to_head_has_no_body_whatever_it_says() -> None:
    async def test() -> None:
        async with asking(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")) as (client, there):
            response = await client.send(there.url, Timeouts(), "HEAD", "/x", {}, None)
            assert (await response.read(), response.header(b"content-length")) == (b"", "1000")
            response.release()

    run(test())


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def test() -> None:
        async with asking(once(CLOSE, b"all", b" of it")) as (client, there):
            assert await whole(client, there) == (200, b"all of it")

    run(test())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nsomething",
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_that_breaks_off_is_broken(raw: bytes, reset: bool) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(raw)
        if reset:
            line.reset()

    async def test() -> None:
        async with asking(script) as (client, there):
            with pytest.raises(Broken):
                await whole(client, there)

    run(test())


def test_a_reset_is_no_end_of_a_body() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(CLOSE + b"all of")
        line.reset()

    async def test() -> None:
        async with asking(script) as (client, there):
            with pytest.raises(Broken):
                await whole(client, there)

    run(test())


def test_what_came_before_a_break_is_read_first() -> None:
    async def test() -> None:
        async with asking(once(CHUNKED + b"5\r\nhello\r\n")) as (client, there):
            response = await post(client, there)
            await there.lines[0].writer.wait_closed()
            assert await anext(response) == b"hello"
            with pytest.raises(Broken):
                await anext(response)

    run(test())


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_is_no_answer(raw: bytes) -> None:
    async def test() -> None:
        async with asking(saying(raw)) as (client, there):
            with pytest.raises(Broken):
                await whole(client, there, first_byte=3)

    run(test())


BIG = b"x" * (LONGEST_HEAD + 1000)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nbig: ", BIG),
        (b"HTTP/1.1 200 OK\r\nbig: " + BIG + b"\r\ncontent-length: 2\r\n\r\nok",),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 11_000 + b"content-length: 2\r\n\r\nok",),
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 4000,),
        (CHUNKED + b"0\r\nbig: ", BIG),
        (CHUNKED + b"2;", BIG),
    ],
)
def test_nobody_fills_the_memory_beside_the_body(pieces: tuple[bytes, ...]) -> None:
    async def test() -> None:
        async with asking(saying(*pieces)) as (client, there):
            with pytest.raises(Broken, match="bytes"):
                await whole(client, there, first_byte=3, total=5)

    run(test())


def test_a_large_body_is_no_large_head() -> None:
    body = BIG * 20

    async def test() -> None:
        raw = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        async with asking(saying(raw)) as (client, there):
            for _ in range(3):
                assert await whole(client, there) == (200, body)
            assert len(there.lines) == 1

    run(test())


def test_a_slow_reader_holds_the_upstream_back() -> None:
    written = 0

    async def script(line: Line) -> None:
        nonlocal written
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            line.writer.write(bytes(1 << 20))
            await line.writer.drain()
            written += 1 << 20
        await line.gone()

    async def test() -> None:
        nonlocal written
        async with asking(script) as (client, there):
            response = await post(client, there, between_bytes=0.2)
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(0.3)
            assert written < 20 << 20, "buffers of sockets, and no more"
            size = 0
            async for piece in response:
                size += len(piece)
            assert size == 64 << 20, "and no time limit ran out while nobody read"
            response.release()

    run(test())
