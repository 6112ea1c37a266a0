"""A hard budget over three gateways that share it by Redis: 64 clients, streams left at random, Redis killed and back.

The vendor keeps a meter of its own of what it would bill: every word of a stream when it is sent. That meter stays within
the budget but for what a breach says, and the gateways' accounts are the sum of their records to the last unit.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from limits.redis_server import RedisServer, redis_server
from running_gateway import KEY, Worker, rates
from vendor import Vendor, piece, start

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.rules.amounts import money
from running_core import NO_TLS
from stand import ran

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CLIENTS, GATEWAYS, MOST = 64, 3, 10
INPUT, OUTPUT = Decimal(1) / 1_000_000, Decimal(100) / 1_000_000
PRICE = rates(input_uncached="1", output="100")
MORE = 60
"""Tokens of output that a vendor which breaks its word reports where at most 10 were asked for."""


@dataclass
class Billing(Vendor):
    """Bills as it goes: the input when asked, each word of output when it is sent."""

    billed: Decimal = Decimal(0)
    breaks_word: bool = False
    broke: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    def _answer(self, path: str, body: dict[str, Any], how: str) -> dict[str, Any]:
        if self.breaks_word and not body.get("stream") and self.chance.random() < 0.01:
            how, self.broke = f"usage {MORE}", self.broke + 1
        answer = super()._answer(path, body, how)
        used = answer["usage"]
        self.billed += used["prompt_tokens"] * INPUT
        if not body.get("stream"):
            self.billed += used["completion_tokens"] * OUTPUT
        return answer

    async def _stream(self, how: str, path: str, body: dict[str, Any], receive: Any, send: Any) -> None:
        left = asyncio.create_task(_left(receive))
        try:
            await start(send, 200, b"text/event-stream")
            for event in self._events(path, body):
                if left.done():
                    return
                if any(f'"content":"{word}"'.encode() in event for word in self.words):
                    self.billed += OUTPUT
                await send(piece(event))
                await asyncio.sleep(0.002)
            await send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass
class Clients:
    """They ask until they are stopped, and leave a third of their streams."""

    urls: list[str]
    seen: Counter[str] = field(default_factory=Counter)
    over: bool = False

    async def run(self) -> None:
        limits = httpx2.Limits(max_connections=CLIENTS)
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=30, limits=limits) as client:
            await asyncio.gather(*(self._one(client, number) for number in range(CLIENTS)))

    async def _one(self, client: httpx2.AsyncClient, number: int) -> None:
        chance = random.Random(number)
        url = self.urls[number % len(self.urls)] + "/v1/chat/completions"
        while not self.over:
            body = {"model": "m", "max_tokens": MOST, "messages": [{"role": "user", "content": "hi"}]}
            body["stream"] = chance.random() < 0.5
            leaves = body["stream"] and chance.random() < 0.3
            try:
                async with client.stream(
                    "POST", url, json=body, headers={"authorization": f"Bearer {KEY}"}
                ) as got:
                    kind = got.headers.get("x-holdfast-limit-kind", "")
                    self.seen[f"{got.status_code} {kind}".strip()] += 1
                    async for _ in got.aiter_lines():
                        if leaves and chance.random() < 0.3:
                            self.seen["left"] += 1
                            break
            except httpx2.TransportError:
                self.seen["broken"] += 1
            await asyncio.sleep(0.02 if kind else 0)

    async def until(self, enough: Callable[[], bool], what: str, seconds: float = 60) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not enough():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{what}: {dict(self.seen)}") from None


@pytest.fixture
def vendor() -> Iterator[Billing]:
    made = Billing()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def gateways(tmp_path: Path, redis: RedisServer) -> Iterator[list[Worker]]:
    made = []
    for number in range(GATEWAYS):
        home = tmp_path / str(number) / "gateway"
        home.mkdir(parents=True)
        (home / "id").write_text(f"gw{number}")
        made.append(Worker(home.parent, {"HOLDFAST_REDIS_URL": redis.url}))
    yield made
    for one in made:
        one.kill()


def serve(gateways: list[Worker], vendor: Vendor, amount: Decimal) -> None:
    """The same configuration on each."""
    for one in gateways:
        one.apply(
            {
                "upstreams": {
                    "one": {
                        "dialect": "openai",
                        "base_url": vendor.url + "/v1",
                        "models": ["m"],
                        "concurrency": 500,
                    }
                },
                "budgets": [{"scope": "workspace", "amount": str(amount), "period": "month"}],
            },
            {"one": {"m": PRICE}},
        )
        one.start()


def accounts(gateways: list[Worker]) -> tuple[Decimal, int]:
    """What the stopped gateways count as spent, and how many reservations nobody settled."""
    spent, outstanding = 0, 0
    for one in gateways:
        ledger = Ledger(one.folder / "gateway" / "accounts" / "0")
        spent += sum(standing.spent for standing in ledger.standings())
        outstanding += ledger.outstanding() + len(ledger.orphans())
        ledger.close()
    return money(spent), outstanding


def recorded(gateways: list[Worker]) -> Decimal:
    """What all records of the gateways say that calls cost, failed tries included."""
    total = Decimal(0)
    for one in gateways:
        for record in one.records():
            total += (record.cost or 0) + sum(attempt.cost or 0 for attempt in record.attempts)
    return total


def log_of(gateways: list[Worker]) -> str:
    return "".join(one.log.read_text()[-500:] for one in gateways)


def test_it_holds_through_a_redis_that_is_killed_and_comes_back_and_a_killed_gateway(
    gateways: list[Worker], vendor: Billing, redis: RedisServer
) -> None:
    amount = Decimal("1.2")
    serve(gateways, vendor, amount)

    async def story(clients: Clients) -> None:
        running = asyncio.create_task(clients.run())
        seen = clients.seen
        await clients.until(lambda: seen["200"] >= 400, "answers")
        redis.kill()
        await clients.until(lambda: seen["503 share"] >= 30, "each keeps to its share")
        assert vendor.billed < amount
        redis.start()
        back = seen["200"]
        await clients.until(lambda: seen["200"] >= back + 200, "answers after Redis came back empty")
        gateways[0].kill()
        gateways[0].start()
        back = seen["200"]
        await clients.until(lambda: seen["200"] >= back + 200, "answers after a gateway was killed")
        redis.kill()
        redis.start()
        await clients.until(lambda: vendor.billed > amount * Decimal("0.7"), "nearly all of it", 90)
        used = seen["402 budget"]
        await clients.until(lambda: seen["402 budget"] > used + 300, "it is used up")
        clients.over = True
        await running

    clients = Clients([one.url for one in gateways])
    ran(story(clients))
    assert all(one.stop() == 0 for one in gateways)
    assert vendor.billed <= amount, dict(clients.seen)
    spent, outstanding = accounts(gateways)
    assert outstanding == 0
    assert spent == recorded(gateways)
    assert vendor.billed <= spent <= amount
    assert clients.seen["left"] > 50
    assert clients.seen["500"] == 0, log_of(gateways)


def test_what_a_vendor_bills_above_its_word_closes_the_budget_and_is_recorded(
    gateways: list[Worker], vendor: Billing, redis: RedisServer
) -> None:
    amount = Decimal("1")
    vendor.breaks_word = True
    serve(gateways, vendor, amount)

    async def story(clients: Clients) -> None:
        running = asyncio.create_task(clients.run())
        closed: Callable[[], bool] = lambda: clients.seen["402 closed"] >= 3 * CLIENTS  # noqa: E731
        await clients.until(closed, "closed by the breach")
        settled = clients.seen["200"]
        await clients.until(lambda: clients.seen["402 closed"] >= 9 * CLIENTS, "closed at each")
        clients.over = True
        await running
        assert clients.seen["200"] - settled < 3 * CLIENTS, "the others hear of it within a turn"

    clients = Clients([one.url for one in gateways])
    ran(story(clients))
    assert all(one.stop() == 0 for one in gateways)
    spent, outstanding = accounts(gateways)
    assert outstanding == 0
    assert spent == recorded(gateways)
    assert vendor.broke > 0
    assert vendor.billed <= amount + vendor.broke * (MORE - MOST) * OUTPUT
    assert log_of(gateways).count("its hard budgets are closed") > 0
