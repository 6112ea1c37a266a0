"""What gateways remember: the same for all workers of a machine, over restarts, and with Redis for several machines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits.redis_server import RedisServer, redis_server

from holdfast.gateway.limits.redis_counter import connect
from holdfast.gateway.proxy import memory
from holdfast.gateway.proxy.memory import Memory


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def test_workers_of_a_machine_know_the_same_and_the_last_word_holds(tmp_path: Path) -> None:
    one, other = Memory(tmp_path / "memory"), Memory(tmp_path / "memory")
    one.keep("old", "ws", "route", "ann")
    assert other.known("ws", "route", "ann") == "old"
    assert other.known("ws", "route", "bob") is None
    other.keep("new", "ws", "route", "ann")
    one.look()
    assert one.known("ws", "route", "ann") == "new"
    assert Memory(tmp_path / "memory").known("ws", "route", "ann") == "new", "also after a restart"
    assert b"ann" not in (tmp_path / "memory").read_bytes()


def test_a_full_file_is_replaced_and_the_one_before_it_still_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", 400)
    one, other = Memory(tmp_path / "memory"), Memory(tmp_path / "memory")
    for number in range(30):
        (one if number % 2 else other).keep(f"release {number}", "ws", str(number))
        one.look()
        other.look()
    assert all(known.known("ws", str(number)) for known in (one, other) for number in range(30))
    fresh = Memory(tmp_path / "memory")
    assert fresh.known("ws", "29") == "release 29"
    assert fresh.known("ws", "0") is None
    sizes = [(tmp_path / name).stat().st_size for name in ("memory", "memory.before")]
    assert max(sizes) < 450


def test_a_frame_that_was_cut_off_costs_nothing_else(tmp_path: Path) -> None:
    one = Memory(tmp_path / "memory")
    one.keep("release", "ws", "ann")
    with (tmp_path / "memory").open("ab") as file:
        file.write(b"\x20\x00\x01")
    again = Memory(tmp_path / "memory")
    assert again.known("ws", "ann") == "release"
    again.keep("other", "ws", "bob")
    assert Memory(tmp_path / "memory").known("ws", "bob") == "other"


def test_machines_agree_through_redis_and_go_on_without(tmp_path: Path, redis: RedisServer) -> None:
    async def story() -> None:
        one = Memory(tmp_path / "one" / "memory", connect(redis.url))
        other = Memory(tmp_path / "other" / "memory", connect(redis.url))
        one.keep("old", "ws", "ann")
        await asyncio.gather(*one._telling)
        assert await other.found("ws", "ann") == "old"
        assert await other.found("ws", "bob") is None
        redis.kill()
        assert await other.found("ws", "ann") == "old"
        assert await other.found("ws", "carl") is None
        other.keep("new", "ws", "carl")
        await asyncio.gather(*other._telling)
        assert await other.found("ws", "carl") == "new"

    asyncio.run(story())
