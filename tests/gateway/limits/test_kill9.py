"""A process that reserves and settles in a loop and is killed at random: it forgets nothing that it was told is kept."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from threading import Event

import pytest

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.reservations import Entry

KILLS = 12
PAUSE = Event()

CHILD = """
import random, sys
from decimal import Decimal
from pathlib import Path
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.model import Scope
from holdfast.gateway.rules.reservations import Entry, Granted, Reservation
folder, turn = Path(sys.argv[1]), sys.argv[2]
rng = random.Random(turn)
day = Entry("b", Scope.WORKSPACE, "w", "d", 10**18, 2e9)
ledger = Ledger(folder, compact_at=40_000)
out, number = [], 0
print("open", flush=True)
while True:
    if len(out) < 8:
        id = f"{turn}-{number}"
        number += 1
        # before: what is asked; after: what was granted. One of the two is the last line when the kill comes
        print("ask", id, flush=True)
        assert isinstance(ledger.reserve(Reservation(id, 10**12, (day,), about=id.encode()), 1.8e9), Granted)
        print("out", id, flush=True)
        out.append(id)
    else:
        id = out.pop(rng.randrange(len(out)))
        cost = Decimal(rng.randrange(10**6)).scaleb(-6)
        print("end", id, cost, flush=True)
        ledger.settle(id, cost, 1.8e9)
        print("was", id, cost, flush=True)
"""


def told(path: Path) -> list[list[str]]:
    """What a child said, without a line that the kill cut off."""
    return [line.split() for line in path.read_text().rpartition("\n")[0].splitlines()]


@pytest.mark.slow
def test_a_killed_process_forgets_nothing(tmp_path: Path) -> None:
    rng = random.Random(9)
    folder = tmp_path / "accounts"
    day = Entry("b", Scope.WORKSPACE, "w", "d", 10**18, 2e9)
    spent = 0
    settled = 0
    for turn in range(KILLS):
        said = tmp_path / f"said-{turn}"
        with said.open("wb") as file:
            child = subprocess.Popen([sys.executable, "-c", CHILD, folder, str(turn)], stdout=file)
            while not said.stat().st_size and child.poll() is None:
                PAUSE.wait(0.01)
            PAUSE.wait(rng.uniform(0.0, 0.3))
            child.send_signal(signal.SIGKILL)
            assert child.wait(timeout=30) == -signal.SIGKILL
        lines = told(said)
        out = {line[1] for line in lines if line[0] == "out"}
        ended = {line[1]: Decimal(line[2]) for line in lines if line[0] in ("end", "was")}
        sure = {line[1] for line in lines if line[0] == "was"}
        asked = {line[1] for line in lines if line[0] == "ask"}

        ledger = Ledger(folder)
        orphans = {one.id for one in ledger.orphans()}
        assert all(one.about == one.id.encode() and one.amount == 1 for one in ledger.orphans())
        assert orphans <= asked - sure
        assert out - set(ended) <= orphans  # what was granted and not ended is an orphan
        assert len((asked - out) | (set(ended) - sure)) <= 1  # only the step that the kill met is open
        costs = sum(units(cost) for id, cost in ended.items() if id not in orphans)
        spent += costs + len(orphans) * 10**12
        found = ledger.standing(day.key)
        assert found is None or (found.spent, found.reserved) == (spent, 0)
        for id in orphans:
            ledger.told(id)
        ledger.close()
        settled += len(sure)
    assert settled > 500
