"""A day of traffic with everything that goes wrong in one: at every moment, counts and money are those of a recount.

Senders resend, regroup and correct, spans come hours late, a call is seen by several, prices change and the past is priced
anew, a person is erased, a process is restarted; on shards, two processes write, and one shard is killed within a batch.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import uvicorn

from holdfast import app
from holdfast.commands import create_key
from holdfast.kernel.time import iso
from holdfast.platform.access.model import Scope
from holdfast.platform.leases import reads as leases
from holdfast.platform.settings import Settings
from holdfast.telemetry.reads import metrics
from running_core import NO_TLS, PAUSE, Workspace, until
from scenarios.day import LISTED, MORNING, PERSON, PROVIDERS, Day, Told, afternoon
from scenarios.recounted import check, check_list, queries
from shards import Shards

T = TypeVar("T")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TURNS = 12
PER_TURN = 25
SHARD_DIES, RESTART, PRICES_CHANGE, PERSON_GOES = 4, 6, 7, 9
CHECKED = (1, 4, 6, 7, 9)
FIGURES, PRICING, SWEEP = (
    "keep stored figures true",
    "price or count the past anew",
    "remove figures that no longer hold",
)


class WalkingClock:
    """Goes as fast as any other, and leaps ahead when told to."""

    def __init__(self, start: datetime) -> None:
        self._start, self._began = start, time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def leap(self, **parts: float) -> None:
        self._start += timedelta(**parts)


class Door:
    """A core within this process, with all its doors on a real socket; its jobs run when they are told to."""

    def __init__(self, settings: Settings, clock: WalkingClock) -> None:
        self._settings, self._clock = settings, clock
        self.client = httpx2.Client()
        self.open()

    def open(self) -> None:
        self.core = app.build(self._settings, self._clock)
        self.jobs = {job.name: job for job in self.core.jobs}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(self.core.app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()
        until(lambda: self._server.started, 30, "the doors")
        port = self._socket.getsockname()[1]
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, verify=NO_TLS)

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()
        self.core.close()


class Scene:
    """A workspace at one or two doors, a day of traffic, and what is known of it."""

    def __init__(self, folder: Path, stores: dict[str, str], doors: int) -> None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.midnight = midnight - timedelta(days=1)
        self.clock = WalkingClock(self.midnight + timedelta(minutes=5))
        self.day = Day(seed=7)
        self.refused: list[httpx2.Response] = []
        places = [
            Settings(data=folder / f"core{n}", min_free_bytes=1, ingest_workers=0, **stores)
            for n in range(doors)
        ]
        self.key = create_key(places[0], "day", "ingest,read,admin", "day")
        self.doors: list[Door] = []
        for place in places:
            self.doors.append(Door(place, self.clock))
        self.id = self.doors[0].core.keys.check(self.key, Scope.READ).workspace
        self._stop = threading.Event()
        self._turner = threading.Thread(target=self._turning, daemon=True)
        self.faults: list[BaseException] = []
        self.cluster: Shards | None = None
        self.killing = False

    def steadily(self, act: Callable[[], T]) -> T:
        """Does what can be done again, once more where a shard turns out to have ended by itself."""
        while True:
            before = self.cluster.revived if self.cluster else 0
            try:
                return act()
            except Exception:
                if self.killing or not self._revived(before):
                    raise

    def _revived(self, before: int) -> bool:
        """Whether a shard had ended since, or ends within moments, and lives again."""
        for _ in range(50):
            if self.cluster is None:
                return False
            if self.cluster.revive() or self.cluster.revived > before:
                return True
            PAUSE.wait(0.2)
        return False

    def leap(self, **parts: float) -> None:
        """The clock goes on; what the processes knew is then as old as if they had waited."""
        self.clock.leap(**parts)
        for one in self.doors:
            one.core.services.columns.forget("")

    def workspaces(self) -> list[Workspace]:
        return [Workspace(one, "day", self.key) for one in self.doors]  # type: ignore[arg-type]

    def api(self, method: str, path: str, **said: Any) -> Any:
        answer = self.doors[0].client.request(
            method, f"/api/v1/{path}", headers={"authorization": f"Bearer {self.key}"}, **said
        )
        assert answer.is_success, answer.text
        return answer.json()

    def job(self, name: str) -> None:
        self.steadily(self.doors[0].jobs[name].run)

    def begin(self) -> None:
        """Has the stored figures be made at moments that nobody chose."""
        self._stop.clear()
        self._turner = threading.Thread(target=self._turning, daemon=True)
        self._turner.start()

    def pause(self) -> None:
        self._stop.set()
        self._turner.join(60)
        assert self.faults == []

    def _turning(self) -> None:
        rng = random.Random(3)
        while not self._stop.wait(rng.uniform(0.05, 1.0)):
            try:
                self.job(FIGURES)
            except BaseException as fault:  # noqa: BLE001 - told by `pause`
                self.faults.append(fault)
                return

    def send(self, spans: list[Told], *, together: bool = False) -> None:
        """Sends spans in random bodies through all doors at once, each body until it is acknowledged.

        `together`: as one body through the last door.
        """
        bodies = [spans] if together else self.day.bodies(spans)
        places = self.workspaces()[-1:] if together else self.workspaces()
        with ThreadPoolExecutor(3) as senders:
            jobs = [
                senders.submit(self._until_taken, places[number % len(places)], self.day.body(body))
                for number, body in enumerate(bodies)
            ]
            for job in jobs:
                job.result()
        self.day.arrived |= {one.id: one for one in spans}

    def _until_taken(self, place: Workspace, body: bytes) -> None:
        deadline = time.monotonic() + 60
        while True:
            answer = place.post(body)
            if answer.status_code == 200:
                assert answer.content == b"", answer.content
                return
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
            self.refused.append(answer)
            assert time.monotonic() < deadline
            if self.cluster is not None and not self.killing:
                self.cluster.revive()
            PAUSE.wait(0.2)

    def turn(self, number: int) -> None:
        """The clock goes on, and what came about meanwhile is sent; then some of it again, in other company."""
        before = self.clock()
        self.leap(minutes=115, seconds=self.day.rng.randrange(60))
        now = int(self.clock().timestamp()) * 10**9
        self.day.make(number, PER_TURN, int(before.timestamp()) * 10**9, now - 120 * 10**9)
        self.send(self.day.due(number))
        self.send(self.day.corrected(3))
        self.send(self.day.again(30))

    def check(self, *, all_figures: bool = False) -> None:
        """Figures in some of the ways in which they can be asked for, or in all; and every call."""
        self.steadily(lambda: self._check(all_figures))

    def _check(self, all_figures: bool) -> None:
        self.all_counted()
        rows = list(self.day.rows())
        columns = self.doors[-1].core.services.columns
        every = queries(self.midnight, self.clock())
        for asked in every if all_figures else self.day.rng.sample(every, 4):
            check(rows, asked, metrics.query(columns, self.id, asked))
        listed: list[dict[str, Any]] = []
        cursor = ""
        while cursor is not None:
            page = self.api("GET", "calls", params={"limit": 500, "cursor": cursor})
            listed += page["calls"]
            cursor = page["next_cursor"]
        check_list(rows, listed)
        assert self.doors[0].client.get(
            "/api/v1/calls/count", headers={"authorization": f"Bearer {self.key}"}
        ).json() == {"calls": len(rows), "spans": len(self.day.arrived), "complete": True}

    def add_prices(self, prices: Any) -> None:
        for one in prices:
            self.api("POST", "prices", json={
                "provider": PROVIDERS[one.model], "model_pattern": one.model, "rates": dict(one.rates),
                "currency": one.currency, "effective_from": iso(datetime.fromtimestamp(max(one.since_ns, 0) / 1e9, UTC)),
            })  # fmt: skip

    def change_prices(self, number: int) -> None:
        """Prices that hold since two hours become known; the past is priced anew while traffic goes on."""
        since = int((self.clock() - timedelta(hours=2)).timestamp()) * 10**9
        now = int(self.clock().timestamp()) * 10**9
        self.day.make(number, PER_TURN, since, now - 10**9)
        due = self.day.due(number)
        self.send(due[::3])
        self.send(due[1::3], together=True)
        self.all_counted()  # the last process has just looked up what things cost
        self.add_prices(afternoon(since))
        window = {"from": iso(self.midnight - timedelta(days=2)), "to": iso(self.clock() + timedelta(days=1))}
        self.api("POST", "repricings", json=window)
        self._priced()
        self.send(due[2::3], together=True)
        self.all_counted()
        self.day.prices = (*MORNING, LISTED, *afternoon(since))
        with ThreadPoolExecutor(1) as beside:
            sent = beside.submit(self.send, self.day.corrected(8))
            until(self._priced, 60, "pricing anew")
            sent.result()
        assert self.api("GET", "repricings")[0]["changed"] > 20

    def all_counted(self) -> None:
        for one in self.workspaces():
            assert one.count()[0] > 0

    def _priced(self) -> bool:
        self.job(PRICING)
        return self.api("GET", "repricings")[0]["finished_at"] is not None

    def erase(self) -> None:
        assert any(one.who.user == PERSON for one in self.day.rows())
        self.until_known()
        self.api("POST", "erasures", json={"subject": PERSON})
        self.day.erase(PERSON)

    def until_known(self) -> None:
        """Every process has said that it lives since the clock leapt."""
        database = self.doors[0].core.services.database

        def all_live() -> bool:
            with database.reading() as tx:
                found = leases.beginning_with(tx, "ingest-writer:")
            return all(one.until > self.clock() for one in found)

        until(all_live, 30, "a sign of life of every process")

    def kill_a_shard(self, cluster: Shards, number: int) -> None:
        """One shard dies while every process is within an insert; their senders hear of it and send again."""
        self.day.make(number, 40, int((self.clock() - timedelta(minutes=40)).timestamp()) * 10**9,
                      int(self.clock().timestamp()) * 10**9 - 10**9)  # fmt: skip
        due = self.day.due(number)
        victim = cluster.shards[1].process
        assert victim is not None
        with ThreadPoolExecutor(1) as beside:
            try:
                self.killing = True
                os.killpg(victim.pid, signal.SIGSTOP)
                sent = beside.submit(self.send, due)
                until(self._writing, 60, "an insert that is under way")
                cluster.shards[1].kill()
                until(lambda: bool(self.refused), 60, "a refusal")
                assert not self.doors[0].client.get("/readyz").is_success
            finally:
                cluster.shards[1].kill()
                cluster.restart(1)
                self.killing = False
            sent.result()

    def _writing(self) -> bool:
        """Whether every process holds requests that wait for the shards."""
        return all(one.core.ingest.committer.waiting.bytes for one in self.doors)

    def close(self) -> None:
        with suppress(AssertionError):
            self.pause()
        for one in self.doors:
            one.close()


@pytest.fixture(params=["chDB and SQLite", "shards and PostgreSQL"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """One process on embedded stores, or two on shards."""
    shared = request.param != "chDB and SQLite"
    made: Callable[[], dict[str, str]] = request.getfixturevalue("new_shared_stores") if shared else dict
    scene = Scene(tmp_path, made(), 2 if shared else 1)
    if shared:
        scene.cluster = request.getfixturevalue("cluster")
    try:
        yield scene
    finally:
        scene.close()


def test_a_day_equals_its_recount(scene: Scene, request: pytest.FixtureRequest) -> None:
    scene.add_prices(MORNING)
    scene.begin()
    for number in range(TURNS):
        scene.turn(number)
        if number == PRICES_CHANGE:
            scene.change_prices(number)
        if number == PERSON_GOES:
            scene.erase()
        if number == RESTART:
            scene.pause()
            scene.doors[0].close()
            scene.doors[0].open()
            scene.begin()
        if number == SHARD_DIES and len(scene.doors) > 1:
            scene.pause()
            scene.kill_a_shard(request.getfixturevalue("cluster"), number)
            scene.begin()
        if number in CHECKED:
            scene.check()
    scene.pause()
    scene.check(all_figures=True)
    scene.leap(days=1)
    scene.send(scene.day.due(TURNS + 6))  # what waited so long that the day was over
    scene.send(scene.day.corrected(10))
    scene.check()
    scene.job(FIGURES)
    scene.leap(minutes=10)
    scene.job(SWEEP)
    scene.check(all_figures=True)
    columns = scene.doors[0].core.services.columns
    scene.job(FIGURES)
    asked = queries(scene.midnight, scene.clock())[0]
    answer = scene.steadily(lambda: metrics.query(columns, scene.id, asked))
    assert answer.from_calls < 600, "it was the stored figures that answered"
    assert columns.everywhere("SELECT count() > 500 FROM rollups")[0][0]
