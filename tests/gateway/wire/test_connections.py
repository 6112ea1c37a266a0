"""Connections: kept, looked at before they are used, given up; and how long anything may take."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from scripted import OK, Line, Upstream, asking, once, post, run, saying, whole

from holdfast.gateway.model import Timeouts
from holdfast.gateway.proxy import connecting, wire
from holdfast.gateway.proxy.asking import Client
from holdfast.gateway.proxy.response import Broken, TimedOut, Unreached
from holdfast.kernel.errors import Unavailable
from holdfast.platform.settings import Settings


def test_a_connection_is_used_again_and_each_request_at_once_has_its_own() -> None:
    async def test() -> None:
        async with asking(saying(OK)) as (client, there):
            for _ in range(5):
                assert await whole(client, there) == (200, b"ok")
            assert len(there.lines) == 1
            await asyncio.gather(*(whole(client, there) for _ in range(4)))
            assert len(there.lines) == 4

    run(test())


@pytest.mark.parametrize("extra", [b"H", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", b"\0"])
@pytest.mark.parametrize("later", [False, True])
def test_bytes_that_nobody_asked_for_are_nobodys_answer(extra: bytes, later: bool) -> None:
    async def script(line: Line) -> None:
        while await line.request():
            await line.say(*((OK, extra) if later else (OK + extra,)))

    async def test() -> None:
        async with asking(script) as (client, there):
            for number in range(1, 4):
                assert await whole(client, there) == (200, b"ok")
                await asyncio.sleep(0.01)
                assert len(there.lines) == number, "a connection of its own for each"

    run(test())


def test_a_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    async def test() -> None:
        async with asking(once(OK)) as (client, there):
            for _ in range(5):
                assert await whole(client, there) == (200, b"ok")
                await there.lines[-1].writer.wait_closed()
            assert len(there.lines) == 5

    run(test())


def test_its_end_is_seen_also_where_the_loop_has_not_told_of_it() -> None:
    """The end waits in the socket: no turn of the loop lies between it and the next request."""
    near, far = socket.socketpair()

    async def test() -> None:
        loop = asyncio.get_running_loop()
        shelf: list[wire.Connection] = []
        _, connection = await loop.create_connection(lambda: wire.Connection(shelf), sock=near)
        asked = asyncio.create_task(connection.ask(b"GET / HTTP/1.1\r\n\r\n", None, None, Timeouts(), 1e9))
        await asyncio.sleep(0)
        far.sendall(OK)
        response = await asked
        response.release()
        assert shelf == [connection]
        assert connection.usable()
        far.close()
        assert not connection.usable()
        connection.abort()

    run(test())


def test_a_request_is_never_sent_twice() -> None:
    asked = 0

    async def script(line: Line) -> None:
        nonlocal asked
        await line.request()
        await line.say(OK)
        if await line.request():
            asked += 1

    async def test() -> None:
        async with asking(script) as (client, there):
            assert await whole(client, there) == (200, b"ok")
            with pytest.raises(Broken):
                await whole(client, there)
            assert (asked, len(there.lines)) == (1, 1)

    run(test())


@pytest.mark.parametrize("how", ["release", "cancel before", "cancel in the middle"])
def test_whoever_leaves_closes_the_upstream_at_once(how: str) -> None:
    gone = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        if how != "cancel before":
            await line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nha")
        await line.gone()
        gone.set()

    async def test() -> None:
        async with asking(script) as (client, there):
            task = asyncio.create_task(whole(client, there))
            if how == "release":
                response = await post(client, there)
                response.release()
            while not there.lines:
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            task.cancel()
            async with asyncio.timeout(2):
                await gone.wait()

    run(test())


def test_unused_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IDLE", 0.1)
    gone = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await line.gone()
        gone.set()

    async def test() -> None:
        async with asking(script) as (client, there):
            await whole(client, there)
            async with asyncio.timeout(3):
                await gone.wait()
            assert client._free and not any(client._free.values())

    run(test())


@pytest.mark.parametrize(
    ("pieces", "times"),
    [
        ((), {"first_byte": 0.1}),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",), {"first_byte": 0.1}),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nha",), {"between_bytes": 0.1}),
        ((), {"total": 0.6}),  # connecting is in it, and may take a while on a busy machine
    ],
)
def test_an_upstream_that_stalls_is_timed_out(pieces: tuple[bytes, ...], times: dict[str, float]) -> None:
    async def test() -> None:
        async with asking(saying(*pieces)) as (client, there):
            began = asyncio.get_running_loop().time()
            with pytest.raises(TimedOut):
                await whole(client, there, **times)
            assert 0.09 < asyncio.get_running_loop().time() - began < 2

    run(test())


def test_a_trickle_is_borne_until_all_is_too_long() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(1000):
            line.writer.write(b".")
            await asyncio.sleep(0.02)

    async def test() -> None:
        async with asking(script) as (client, there):
            response = await post(client, there, first_byte=0.2, between_bytes=0.2, total=0.7)
            for _ in range(10):
                assert await anext(response)
            with pytest.raises(TimedOut):
                await response.read()
            response.release()

    run(test())


def test_times_of_one_request_are_not_those_of_the_next() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await line.request()
        await asyncio.sleep(0.4)
        await line.say(OK)
        await line.gone()

    async def test() -> None:
        async with asking(script) as (client, there):
            await whole(client, there, first_byte=0.2, total=0.3)
            assert await whole(client, there) == (200, b"ok")
            with pytest.raises(TimedOut):
                await whole(client, there, first_byte=0.1)
            assert len(there.lines) == 1

    run(test())


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def test() -> None:
        client = Client(Settings(outbound_allow="127.0.0.1"))
        with pytest.raises(Unreached):
            await whole(client, Upstream(saying(OK), port))

    run(test())


def test_a_connection_that_does_not_come_about_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex(address)

        async def test() -> None:
            client = Client(Settings(outbound_allow="127.0.0.1"))
            with pytest.raises(Unreached):
                await whole(client, Upstream(saying(OK), address[1]), connect=0.2)

        run(test())
        for one in fillers:
            one.close()


@pytest.mark.parametrize("first", ["refuses", "does not answer"])
def test_the_next_address_is_tried_when_one_does_not_answer(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = "127.0.0.9" if first == "refuses" else "127.0.0.8"
    addresses = [ipaddress.ip_address(dead), ipaddress.ip_address("127.0.0.1")]
    monkeypatch.setattr(connecting.outbound, "resolve", lambda host, port: addresses)

    async def test() -> None:
        async with asking(saying(OK)) as (client, there):
            with socket.create_server((dead, there.port), backlog=0) as full:
                fillers = [socket.socket() for _ in range(3)]
                for one in fillers:
                    one.setblocking(False)
                    one.connect_ex((dead, there.port))
                if first == "refuses":
                    full.close()
                there.host = "localhost"
                assert await whole(client, there, connect=1) == (200, b"ok")
                for one in fillers:
                    one.close()

    run(test())


def test_a_name_is_judged_by_all_its_addresses_and_resolved_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = {"mixed.example": ["93.184.216.34", "10.0.0.1"], "localhost": ["127.0.0.1"]}

    def resolve(host: str, port: int) -> list[ipaddress.IPv4Address]:
        asked.append(host)
        return [ipaddress.IPv4Address(one) for one in answers[host]]

    monkeypatch.setattr(connecting.outbound, "resolve", resolve)

    async def test() -> None:
        async with asking(saying(OK)) as (client, there):
            there.host = "localhost"
            await asyncio.gather(*(whole(client, there) for _ in range(20)))
            assert asked == ["localhost"]
            there.host = "mixed.example"
            with pytest.raises(Unavailable, match="private network"):
                await whole(client, there)

    run(test())
