"""Workers of one machine that share budgets through a file: never more than the budget together, whoever is killed."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from threading import Event

import pytest

from holdfast.gateway.limits import file_counter
from holdfast.gateway.limits.counters import Ask
from holdfast.gateway.limits.file_counter import FileCounter
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.limits.shared import Shared
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.reservations import Entry, Refused, Reservation
from stand import FakeClock

PAUSE = Event()


def seconds(clock: FakeClock) -> float:
    return clock().timestamp()


def asked(counter: FileCounter, name: str = "a", **said: object) -> tuple[int, dict[str, int], bool, bool]:
    ask = Ask(name, 0, 0, None, 1_000, 4e9, False)._replace(**said)
    heard = asyncio.run(counter.ask("ws", (), (ask,), list))
    assert heard is not None
    told = heard.told[0]
    return told.mine, dict(told.others), told.closed, told.wanted


def test_two_workers_see_each_other(tmp_path: Path, clock: FakeClock) -> None:
    a, b = (FileCounter(tmp_path, name, lambda: seconds(clock)) for name in "ab")
    assert asked(a, need=100) == (500, {}, False, False)
    assert asked(b, need=100) == (125, {"a": 500}, False, False)
    assert asked(b, need=400, least=125)[0] == 125  # more than remains
    assert asked(a)[3]  # and so it is told that somebody wants some
    assert asked(a, give=100) == (100, {"b": 125}, False, True)
    clock.move(seconds=4)
    assert asked(b, need=400, least=125, closed=True) == (525, {"a": 100}, True, False)
    assert asked(a)[2]
    assert asked(a, "other") == (0, {}, False, False)
    a.close()
    a = FileCounter(tmp_path, "a", lambda: seconds(clock))
    assert asked(a) == (100, {"b": 525}, True, False)
    a.close(), b.close()


def test_a_torn_record_is_cut_off_and_a_rewritten_log_is_noticed(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = (FileCounter(tmp_path, name, lambda: seconds(clock)) for name in "ab")
    asked(a, need=100)
    with (tmp_path / "leases").open("ab") as log:
        log.write(b"\x00\x00\x00\xffhalf a rec")
    before = asked(b, need=10)
    assert before[1] == {"a": 500}
    monkeypatch.setattr(file_counter, "REWRITE_AT", 1)
    number = (tmp_path / "leases").stat().st_ino
    asked(a, "old", need=5, ends=seconds(clock) - 90_000)
    asked(a, "new", need=5)
    assert (tmp_path / "leases").stat().st_ino != number
    assert asked(b) == before
    assert asked(b, "old")[1] == {}
    a.close(), b.close()


def test_a_full_disk_grants_nothing(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = FileCounter(tmp_path, "a", lambda: seconds(clock))
    asked(a, need=1)
    size = (tmp_path / "leases").stat().st_size
    real = file_counter.os.write
    monkeypatch.setattr(file_counter.os, "write", lambda file, data: real(file, data[:7]))
    heard = asyncio.run(a.ask("ws", (), (Ask("b", 0, 5, None, 1_000, 4e9, False),), list))
    assert heard is None and a.away and a.retry_at > seconds(clock)
    monkeypatch.undo()
    assert (tmp_path / "leases").stat().st_size == size
    assert asked(a, "b") == (0, {}, False, False)
    assert not a.away
    a.close()


def test_workers_share_a_budget_to_its_end(tmp_path: Path) -> None:
    day = Entry("ws/tenant", Scope.TENANT, "acme", "d", 10**12, 4e9)

    async def tell() -> None:
        ledgers = {name: Ledger(tmp_path / name) for name in "abc"}
        workers = [
            Shared(ledger, FileCounter(tmp_path, name, time.time), name, tmp_path / name, time.time)
            for name, ledger in ledgers.items()
        ]
        deadline = time.monotonic() + 20
        number = 0
        while sum(one.spent for ledger in ledgers.values() for one in ledger.standings()) < day.cap:
            assert time.monotonic() < deadline
            for worker in workers:
                for _ in range(100):
                    number += 1
                    answer = await worker.reserve(Reservation(str(number), 10**9, (day,)), time.time())
                    if isinstance(answer, Refused):
                        break
                    worker.settle(str(number), Decimal("0.001"), time.time())
                await worker.turn()
        assert (
            sum(one.spent + one.reserved for ledger in ledgers.values() for one in ledger.standings())
            == day.cap
        )

    asyncio.run(tell())


CHILD = """
import asyncio, random, sys, time
from decimal import Decimal
from pathlib import Path
from holdfast.gateway.limits.file_counter import FileCounter
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.limits.shared import Shared
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.reservations import Entry, Granted, Reservation
folder, name, turn = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
rng = random.Random(name + turn)
day = Entry("ws/tenant", Scope.TENANT, "acme", "d", 4 * 10**12, 4e9)
ledger = Ledger(folder / name, compact_at=50_000)
for orphan in ledger.orphans():
    ledger.told(orphan.id)
shared = Shared(ledger, FileCounter(folder, name, time.time), name, folder / name, time.time)
async def work():
    number, out = 0, []
    print("ready", flush=True)
    while True:
        number += 1
        id = f"{name}{turn}-{number}"
        if isinstance(await shared.reserve(Reservation(id, 10**9, (day,)), time.time()), Granted):
            out.append(id)
        if out and (len(out) > 5 or rng.random() < 0.5):
            cost = Decimal(rng.randrange(1, 1001)).scaleb(-6)
            shared.settle(out.pop(rng.randrange(len(out))), cost, time.time())
        if number % 50 == 0:
            await shared.turn()
asyncio.run(work())
"""


@pytest.mark.slow
def test_killed_workers_never_spend_more_than_the_budget_together(tmp_path: Path) -> None:
    rng = random.Random(11)
    day = Entry("ws/tenant", Scope.TENANT, "acme", "d", 4 * 10**12, 4e9)
    children: dict[str, subprocess.Popen[bytes]] = {}

    def start(name: str, turn: int) -> None:
        children[name] = subprocess.Popen(
            [sys.executable, "-c", CHILD, tmp_path, name, str(turn)], stdout=subprocess.PIPE
        )
        output = children[name].stdout
        assert output is not None and output.readline() == b"ready\n"

    def kill(name: str) -> None:
        children[name].send_signal(signal.SIGKILL)
        assert children[name].wait(timeout=30) == -signal.SIGKILL
        output = children[name].stdout
        assert output is not None
        output.close()

    for name in "abc":
        start(name, 0)
    for turn in range(1, 6):
        PAUSE.wait(rng.uniform(0.05, 0.3))
        name = rng.choice("abc")
        kill(name)
        start(name, turn)
    PAUSE.wait(0.5)
    for name in "abc":
        kill(name)
    used = 0
    for name in "abc":
        ledger = Ledger(tmp_path / name)
        standing = ledger.standing(day.key)
        assert standing is not None and standing.reserved == 0
        assert standing.lease is not None and standing.spent <= standing.lease
        used += standing.spent
        ledger.close()
    assert day.cap // 4 < used <= day.cap
