"""Gateways that share budgets through a real Redis: never more than the budget together, whoever dies."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.limits.redis_server import RedisServer, redis_server

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.limits.redis_counter import RedisCounter, connect
from holdfast.gateway.limits.scripts import LEASE
from holdfast.gateway.limits.shared import Shared
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.leases import lease
from holdfast.gateway.rules.reservations import Ceiling, Entry, Granted, Kind, Refused, Reservation

ENDS = time.time() + 86_400
GRACE, PATIENCE = 0.15, 1.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as running:
        yield running


def budget(cap: str, value: str = "acme", *, hard: bool = True) -> Entry:
    return Entry(
        f"ws/tenant/{'hard' if hard else 'soft'}", Scope.TENANT, value, "d", units(Decimal(cap)), ENDS, hard
    )


class Gateway:
    """A gateway's account of its shared budgets, on a folder of its own."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self._folder = folder / name
        self.name = name
        self._url = url
        self._count = 0
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self._folder)
        self.redis: Any = connect(self._url, 2.0)
        counter = RedisCounter(self.redis, self.name, time.time, grace=GRACE, patience=PATIENCE)
        self.shared = Shared(self.ledger, counter, self.name, self._folder, time.time)
        self.shared.meet(["ws"])

    async def kill(self) -> None:
        """Letting go of the ledger writes nothing, so that its folder is as a kill leaves it."""
        self.ledger.close()
        await self.redis.aclose()

    async def ask(self, amount: str, *entries: Entry, **rest: Any) -> tuple[str, Granted | Refused]:
        self._count += 1
        id = f"{self.name}-{time.time_ns()}-{self._count}"
        asked = Reservation(id, units(Decimal(amount)), entries)._replace(**rest)
        return id, await self.shared.reserve(asked, time.time())

    def settle(self, id: str, amount: str) -> None:
        self.shared.settle(id, Decimal(amount), time.time())

    def used(self, entry: Entry) -> int:
        found = self.ledger.standing(entry.key)
        return 0 if found is None else found.spent + found.reserved


async def pause(seconds: float) -> None:
    """Lets the others run."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


async def until(gateways: list[Gateway], true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Turns the loops of all gateways until `true`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        for one in gateways:
            await one.shared.turn()
        await pause(0.01)


async def lending(*gateways: Gateway) -> None:
    await until(list(gateways), lambda: all(one.shared.lends("ws") for one in gateways))


def story(tell: Callable[[Callable[[str], Gateway]], Awaitable[None]], folder: Path, url: str) -> None:
    """Runs a test's coroutine with a way to make gateways, and puts them away afterwards."""
    made: list[Gateway] = []

    def gateway(name: str) -> Gateway:
        made.append(Gateway(folder, name, url))
        return made[-1]

    async def run() -> None:
        try:
            await tell(gateway)
        finally:
            for one in made:
                await one.kill()

    asyncio.run(run())


def test_the_script_lends_as_the_rule_says(server: RedisServer, tmp_path: Path) -> None:
    rng = random.Random(3)

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a = gateway("a")
        await lending(a)
        script = a.redis.register_script(LEASE)
        keys = [f"holdfast:{{ws}}:{name}" for name in ("state", "gateways", "roster")]
        for number in range(300):
            others, mine = (
                rng.randrange(10 ** rng.randrange(1, 13)),
                rng.randrange(10 ** rng.randrange(1, 13)),
            )
            cap, need = others + mine + rng.randrange(-5, 10 ** rng.randrange(1, 13)), rng.randrange(10**8)
            key = f"holdfast:{{ws}}:account:{number}"
            await a.redis.hset(key, mapping={"a": mine, "b": others})
            head = ["a", int(time.time() * 1e6) + 10**6 + number, 0, 0, 5_000, 10**9]
            answer = await script(keys=[*keys, key], args=[*head, "", 0, need, cap, int(ENDS * 1000), "0"])
            assert int(answer[4][0]) == mine + lease(need, cap - others - mine, 1)
            assert answer[4][3] == [b"b", str(others).encode()]

    story(tell, tmp_path, server.url)


def test_gateways_share_one_budget_to_its_end(server: RedisServer, tmp_path: Path) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        all_three = [gateway(name) for name in "abc"]
        await lending(*all_three)
        granted = 0
        asked = 0

        async def client(number: int) -> None:
            nonlocal granted, asked
            rng = random.Random(number)
            for _ in range(40):
                one = rng.choice(all_three)
                asked += 1
                id, answer = await one.ask("0.001", day)
                if isinstance(answer, Granted):
                    granted += 1
                    await pause(rng.random() / 200)
                    one.settle(id, "0.001")

        await asyncio.gather(*(client(number) for number in range(64)))
        assert asked == 2_560
        assert sum(one.used(day) for one in all_three) == granted * 10**9 <= day.cap

        async def drained() -> bool:
            """What lay idle at one is given back and can be had by another, to the last."""
            for one in all_three:
                id, answer = await one.ask("0.001", day)
                if isinstance(answer, Granted):
                    one.settle(id, "0.001")
            return sum(one.used(day) for one in all_three) == day.cap

        deadline = time.monotonic() + 20
        while not await drained():
            assert time.monotonic() < deadline
            for one in all_three:
                await one.shared.turn()
        for one in all_three:
            _, refused = await one.ask("0.000001", day)
            assert isinstance(refused, Refused)
            assert (refused.kind, refused.limit, refused.spent + refused.reserved) == (Kind.BUDGET, 1, 1)

    story(tell, tmp_path, server.url)


def test_all_scopes_or_none_also_here(server: RedisServer, tmp_path: Path) -> None:
    wide, narrow = budget("100", "wide"), budget("0.5", "narrow")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a = gateway("a")
        await lending(a)
        _, refused = await a.ask("0.6", wide, narrow)
        assert isinstance(refused, Refused) and refused.value == "narrow"
        assert a.used(wide) == 0
        _, granted = await a.ask("0.5", wide, narrow)
        assert isinstance(granted, Granted)

    story(tell, tmp_path, server.url)


def test_with_redis_away_each_keeps_to_its_lease_and_an_empty_one_is_rebuilt(
    server: RedisServer, tmp_path: Path
) -> None:
    day = budget("1")

    async def spend(one: Gateway, most: int) -> int:
        """Up to so many requests of a thousandth each; how many were granted."""
        for number in range(most):
            id, answer = await one.ask("0.001", day)
            if isinstance(answer, Refused):
                return number
            one.settle(id, "0.001")
        return most

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        assert await spend(a, 100) == 100 and await spend(b, 100) == 100
        server.kill()
        left = await spend(a, 10_000), await spend(b, 10_000)
        assert max(left) <= 64
        _, refused = await a.ask("0.001", day)
        assert isinstance(refused, Refused) and refused.kind is Kind.SHARE  # not: used up
        assert refused.resets_at is not None and refused.resets_at <= time.time() + 1
        _, refused = await a.ask("1.001", day)
        assert isinstance(refused, Refused) and refused.kind is Kind.BUDGET
        assert a.shared.away
        spent = a.used(day) + b.used(day)
        assert spent <= day.cap
        server.start()
        await a.shared.turn()
        assert not a.shared.lends("ws")  # b, whom a remembers, has not said what it holds
        assert await spend(a, 1) == 0
        await lending(a, b)
        for _ in range(200):
            await spend(a, 1_000), await spend(b, 1_000)
            await a.shared.turn(), await b.shared.turn()
            if a.used(day) + b.used(day) == day.cap:
                break
            await pause(0.02)
        assert a.used(day) + b.used(day) == day.cap  # all of it, and not a unit more
        _, refused = await a.ask("0.001", day)
        assert isinstance(refused, Refused) and refused.kind is Kind.BUDGET

    story(tell, tmp_path, server.url)


def test_an_empty_redis_is_told_of_leases_that_only_their_holder_knows(
    server: RedisServer, tmp_path: Path
) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        id, _ = await b.ask("0.6", day)
        b.settle(id, "0.6")
        server.kill()
        server.start()
        b.shared._places["ws"].entries.clear()  # nothing more is asked of it, so no turn speaks of it
        await a.shared.turn()
        await lending(a, b)
        assert isinstance((await a.ask("0.5", day))[1], Refused)
        assert isinstance((await a.ask("0.4", day))[1], Granted)

    story(tell, tmp_path, server.url)


def test_a_gateway_that_does_not_come_back_counts_as_it_was_last_seen(
    server: RedisServer, tmp_path: Path
) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        id, _ = await b.ask("0.6", day)
        b.settle(id, "0.6")
        id, answer = await a.ask("0.1", day)
        assert isinstance(answer, Granted)
        await a.shared.turn()
        await b.kill()
        server.kill()
        server.start()
        await a.shared.turn()
        began = time.monotonic()
        await lending(a)
        assert time.monotonic() - began > PATIENCE / 2  # it was waited for
        _, refused = await a.ask("0.35", day)
        assert isinstance(refused, Refused)
        assert refused.spent == Decimal("0.6")
        _, granted = await a.ask("0.3", day)
        assert isinstance(granted, Granted)
        b.open()  # back on its folder after all
        await lending(a, b)
        _, refused = await b.ask("0.01", day)
        assert isinstance(refused, Refused)
        assert a.used(day) + b.used(day) <= day.cap

    story(tell, tmp_path, server.url)


def test_a_killed_gateway_gives_back_on_its_return_what_it_had_not_spent(
    server: RedisServer, tmp_path: Path
) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        await a.ask("0.004", day)  # and with it a lease for more
        standing = a.ledger.standing(day.key)
        assert standing is not None and standing.lease is not None and standing.lease > 100 * 10**9
        await a.kill()
        _, refused = await b.ask("0.99", day)
        assert isinstance(refused, Refused)
        a.open()
        assert [one.amount for one in a.ledger.orphans()] == [Decimal("0.004")]
        await until([a, b], lambda: b.shared.lends("ws"))
        deadline = time.monotonic() + 10
        while isinstance((await b.ask("0.99", day))[1], Refused):
            assert time.monotonic() < deadline
            await a.shared.turn()
            await b.shared.turn()
        assert a.used(day) + b.used(day) == units(Decimal("0.994"))

    story(tell, tmp_path, server.url)


def test_a_breach_at_one_closes_the_scope_for_all(server: RedisServer, tmp_path: Path) -> None:
    day = budget("100")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        for one in (a, b):
            id, answer = await one.ask("0.1", day)
            assert isinstance(answer, Granted)
            one.settle(id, "0.2" if one is a else "0.1")
        await a.shared.turn()
        await b.shared.turn()
        for one in (a, b):
            _, refused = await one.ask("0.1", day)
            assert isinstance(refused, Refused) and refused.kind is Kind.CLOSED

    story(tell, tmp_path, server.url)


def test_soft_budgets_count_what_others_spent(server: RedisServer, tmp_path: Path) -> None:
    soft = budget("1", hard=False)

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        for one in (a, b):
            id, answer = await one.ask("0.4", soft)
            assert answer == Granted()
            one.settle(id, "0.4")
        for one in (a, b, a):
            await one.shared.turn()
        assert (await a.ask("0.3", soft))[1] == Granted((soft,))

    story(tell, tmp_path, server.url)


def test_rates_are_parted_among_the_living(server: RedisServer, tmp_path: Path) -> None:
    day = budget("100")
    limit = Ceiling("ws/key/", Scope.KEY, "k", concurrency=5)

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        await a.shared.turn()
        answers = [(await a.ask("0.1", day, ceilings=(limit,)))[1] for _ in range(3)]
        assert [type(one) for one in answers] == [Granted, Granted, Refused]
        await b.shared.leave()
        await a.shared.turn()
        answers = [(await a.ask("0.1", day, ceilings=(limit,)))[1] for _ in range(4)]
        assert [type(one) for one in answers] == [Granted, Granted, Granted, Refused]

    story(tell, tmp_path, server.url)


def test_who_leaves_gives_back_and_is_not_waited_for(server: RedisServer, tmp_path: Path) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        id, _ = await a.ask("0.001", day)
        a.settle(id, "0.0005")
        await a.shared.leave()
        await b.shared.turn()
        _, answer = await b.ask("0.9995", day)
        assert isinstance(answer, Granted)
        server.kill()
        server.start()
        began = time.monotonic()
        await lending(b)
        assert time.monotonic() - began < PATIENCE

    story(tell, tmp_path, server.url)


def test_a_server_that_comes_back_with_an_old_state_lends_nothing_before_it_heard_all(tmp_path: Path) -> None:
    day = budget("1")
    (tmp_path / "redis").mkdir()

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        id, _ = await a.ask("0.5", day)
        a.settle(id, "0.5")
        assert isinstance((await b.ask("0.1", day))[1], Granted)
        await asyncio.gather(a.shared.turn(), b.shared.turn())
        for one in (a, b):  # what the server forgot since its last write to disk
            for key in await one.redis.keys("*account*"):
                await one.redis.hset(key, "a", 0)
        server.kill()
        server.start()
        await b.redis.connection_pool.disconnect()
        assert await b.redis.keys("*account*")  # it did keep something
        assert isinstance((await b.ask("0.8", day))[1], Refused)
        await lending(a, b)
        assert isinstance((await b.ask("0.41", day))[1], Refused)
        assert isinstance((await b.ask("0.4", day))[1], Granted)

    with redis_server(tmp_path / "redis", keeps=True) as server:
        story(tell, tmp_path, server.url)


def test_a_call_that_was_delayed_on_its_way_undoes_nothing(server: RedisServer, tmp_path: Path) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a = gateway("a")
        await lending(a)
        early = int(time.time() * 1e6)
        await a.ask("0.5", day)
        script = a.redis.register_script(LEASE)
        keys = [f"holdfast:{{ws}}:{name}" for name in ("state", "gateways", "roster")]
        account = (await a.redis.keys("*account*"))[0].decode()
        before = await a.redis.hgetall(account)
        late = await script(
            keys=[*keys, account],
            args=["a", early, 0, 0, 5_000, 10**9, "0", 0, 0, 10**6, int(ENDS * 1000), "0"],
        )
        assert late[0] == b"stale"
        assert await a.redis.hgetall(account) == before

    story(tell, tmp_path, server.url)


def test_requests_that_are_abandoned_while_they_wait_for_redis_leave_nothing_behind(
    server: RedisServer, tmp_path: Path
) -> None:
    day = budget("1")

    async def tell(gateway: Callable[[str], Gateway]) -> None:
        a, b = gateway("a"), gateway("b")
        await lending(a, b)
        rng = random.Random(5)

        async def client(one: Gateway) -> None:
            task = asyncio.ensure_future(one.ask("0.001", day))
            await asyncio.wait([task], timeout=rng.random() / 500)
            task.cancel()
            with suppress(asyncio.CancelledError):
                id, answer = await task
                if isinstance(answer, Granted):
                    one.settle(id, "0.001")

        for _ in range(20):
            await asyncio.gather(*(client(rng.choice((a, b))) for _ in range(30)))
        for one in (a, b):
            assert one.ledger.outstanding() == 0
        await a.shared.turn()
        await b.shared.turn()
        leases = [one.ledger.standing(day.key) for one in (a, b)]
        assert sum(one.lease or 0 for one in leases if one is not None) <= day.cap

    story(tell, tmp_path, server.url)
