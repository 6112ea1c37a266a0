"""Two `serve` and a `worker`, as processes of their own, on two shards and PostgreSQL: one count, whatever they each saw."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from holdfast.kernel.errors import Unavailable
from holdfast.platform.leases import reads as leases
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.ingest.prepare import observation
from holdfast.telemetry.rules.merge import resolve
from holdfast.telemetry.store import spans as stored_spans
from otlp_made import CHAT, MILLISECOND, body, span
from running_core import PAUSE, CoreProcess, Workspace, until
from shards import Shards

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
Call = tuple[str, str, int, tuple[str, ...]]
"""Trace, id, start in nanoseconds, observations."""


class Worker:
    """`holdfast worker` in a folder of its own."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.log = data.parent / f"{data.name}.log"
        named = {f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "holdfast", "worker", "--data", str(data)],
                stdout=log, stderr=log, env={**os.environ, **named}, start_new_session=True,
            )  # fmt: skip
        until(self._ready, 60, "the worker")

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return "the worker is ready" in self.log.read_text()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)


@dataclass
class House:
    """Two servers and a worker on one pair of stores."""

    settings: dict[str, str]
    one: CoreProcess
    two: CoreProcess
    worker: Worker
    columns: Columns
    database: Database

    def workspace(self, scopes: str = "ingest,read,content") -> list[Workspace]:
        """The same workspace at both doors."""
        made = self.one.workspace(scopes=scopes)
        return [made, Workspace(self.two, made.slug, made.key)]


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, new_shared_stores: Callable[[], dict[str, str]]
) -> Iterator[House]:
    settings = new_shared_stores()
    folder = tmp_path_factory.mktemp("several")
    cores = [
        CoreProcess(folder / name, min_free_bytes=1, jobs="false", **settings) for name in ("one", "two")
    ]
    worker = None
    try:
        for core in cores:
            core.start()
        worker = Worker(folder / "worker", **settings)
        columns, database = Columns(settings["columns_url"]), Database(settings["sql_url"])
        yield House(settings, cores[0], cores[1], worker, columns, database)
        columns.close()
        database.close()
    finally:
        for core in cores:
            core.stop()
        if worker is not None:
            assert worker.stop() == 0


def send(door: Workspace, sent: list[Span], scope: str = "s") -> None:
    """As a sender does it: until it is taken. It may be taken more than once."""
    deadline = time.monotonic() + 120
    while True:
        with suppress(httpx2.TransportError):
            if door.post(body(sent, scope=scope)).status_code == 200:
                return
        assert time.monotonic() < deadline
        PAUSE.wait(0.2)


def known(columns: Columns, traces: set[str]) -> list[Call]:
    """The calls of some traces as they are counted."""
    rows = columns.everywhere(
        "SELECT trace_id, id, toUnixTimestamp64Nano(started_at), observations FROM calls FINAL"
        " WHERE trace_id IN {traces:Array(String)}",
        {"traces": sorted(traces)},
    )
    return sorted((t, i, s, tuple(o)) for t, i, s, o in rows)


def recounted(columns: Columns, traces: set[str]) -> list[Call]:
    """The calls of some traces, counted by reading every span."""
    [(workspace,)] = columns.everywhere(
        "SELECT DISTINCT workspace FROM spans WHERE trace_id IN {traces:Array(String)}",
        {"traces": sorted(traces)},
    )
    by_trace: dict[str, list[Any]] = defaultdict(list)
    for one in stored_spans.of_traces(columns, workspace, sorted(traces)):
        by_trace[one.span.trace_id].append(observation(one.span, read_facts(one.span, {}), one.sequence))
    return sorted(
        (trace, group.span_id, group.start_ns, group.observations)
        for trace, seen in by_trace.items()
        for group in resolve(seen, {})
    )


def settles(columns: Columns, traces: set[str], seconds: float = 60) -> list[Call]:
    """Waits until the calls are those that the spans make; they stay so."""

    def same() -> bool:
        return known(columns, traces) == recounted(columns, traces)

    with suppress(AssertionError):
        until(same, seconds, "the right count")
        PAUSE.wait(2.5)  # what was under way is over
    found = known(columns, traces)
    assert found == recounted(columns, traces)
    return found


def pair(trace: str, at: int) -> tuple[Span, Span]:
    """One request seen twice."""
    told = {**CHAT, "gen_ai.response.id": f"r{trace[:8]}"}
    outer = span(trace, "0a" * 8, start_ns=at, duration_ms=100, attributes=told)
    return outer, span(trace, "0b" * 8, "0a" * 8, start_ns=at + MILLISECOND, duration_ms=98, attributes=told)


def test_a_call_whose_spans_go_to_different_processes_is_one(house: House) -> None:
    doors = house.workspace()
    at = time.time_ns() - 60 * 10**9
    traces = [hashlib.md5(str(n).encode()).hexdigest() for n in range(60)]

    def run(which: int) -> None:
        for trace in traces:
            send(doors[which], [pair(trace, at)[which]])

    threads = [threading.Thread(target=run, args=[which]) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(settles(house.columns, set(traces))) == 60
    assert [door.count() for door in doors] == [(60, 120), (60, 120)]


def variants(rng: random.Random, at: int) -> list[Span]:
    """A trace whose spans are sent more than once, corrected: with other starts, parents, response ids, kinds."""
    trace = rng.randbytes(16).hex()
    ids = [rng.randbytes(8).hex() for _ in range(rng.randint(1, 5))]
    made = []
    for place, span_id in enumerate(ids):
        for _ in range(rng.choice((1, 1, 2, 3))):
            told = (
                {**CHAT, "gen_ai.response.id": f"r{rng.randrange(3)}"} if rng.random() < 0.9 else {"a": "b"}
            )
            start = at + place * MILLISECOND + rng.choice((0, 0, 5_000 * MILLISECOND))
            parent = rng.choice(["", *ids[:place]])
            made.append(
                span(trace, span_id, parent, start_ns=start, duration_ms=500 - place, attributes=told)
            )
    return made


@pytest.mark.rotating(3)
@pytest.mark.parametrize("seed", range(int(os.environ.get("SEEDS", "3"))))
def test_whatever_the_order_the_count_is_that_of_the_spans_together(house: House, seed: int) -> None:
    rng = random.Random(seed)
    doors = house.workspace()
    at = time.time_ns() - 60 * 10**9
    sent = [one for _ in range(80) for one in variants(rng, at)]
    rng.shuffle(sent)
    queues = [
        [rng.sample(sent, rng.randint(1, 5)) for _ in range(10)] for _ in range(4)
    ]  # said again, out of order
    for number, start in enumerate(range(0, len(sent), 4)):
        queues[number % 4].append(sent[start : start + 4])
    for queue in queues:
        rng.shuffle(queue)

    def run(queue: list[list[Span]], door: Workspace, rng: random.Random) -> None:
        for group in queue:
            send(door, list({one.span_id: one for one in group}.values()), scope=f"s{rng.randrange(2)}")

    threads = [
        threading.Thread(target=run, args=[queue, doors[n % 2], random.Random(f"{seed}{n}")])
        for n, queue in enumerate(queues)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = settles(house.columns, {one.trace_id.hex() for one in sent})
    assert [door.count()[0] for door in doors] == [len(found)] * 2


def test_what_a_killed_process_left_uncounted_others_count(house: House) -> None:
    doors = house.workspace()
    traces = [hashlib.md5(f"kill{n}".encode()).hexdigest() for n in range(20)]
    try:
        for trace in traces:
            send(doors[0], list(pair(trace, time.time_ns() - 60 * 10**9)))
        house.one.kill()  # counting is paced by the second, and what came within the last one is not counted
        assert len(known(house.columns, set(traces))) < 20, "too late to see anything"
        assert len(settles(house.columns, set(traces), 90)) == 20
    finally:
        house.one.start()
    assert doors[0].count() == (20, 40)


def test_jobs_run_in_the_worker_alone(house: House) -> None:
    def held() -> set[str]:
        with house.database.reading() as tx:
            return {one.holder for one in leases.beginning_with(tx, "job:")}

    until(lambda: bool(held()), 30, "a job")
    assert all(":worker-" in one for one in held())


def test_a_revoked_key_and_a_new_policy_hold_at_every_door_within_seconds(house: House) -> None:
    doors = house.workspace("ingest,read,admin")
    admin = {"authorization": f"Bearer {doors[0].key}"}
    assert doors[1].post(body([span()])).status_code == 200
    put = house.one.client.put("/api/v1/data-policies?system=", json={"capture": "off"}, headers=admin)
    assert put.status_code == 200, put.text
    told = {**CHAT, "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]'}
    PAUSE.wait(3)
    trace = os.urandom(16).hex()
    assert doors[1].post(body([span(trace, attributes=told)])).status_code == 200
    assert house.columns.everywhere(
        "SELECT content FROM spans FINAL WHERE trace_id = {trace:String}", {"trace": trace}
    ) == [("",)]
    listed = house.one.client.get("/api/v1/keys", headers=admin).json()
    keys = listed["keys"] if isinstance(listed, dict) else listed
    gone = house.one.client.delete(f"/api/v1/keys/{keys[0]['id']}", headers=admin)
    assert gone.is_success, gone.text
    until(lambda: doors[1].post(body([span()])).status_code == 401, 5, "the refusal at the other door")


def test_an_erased_person_is_gone_while_others_write(house: House) -> None:
    doors = house.workspace("ingest,read,content,admin")
    at = time.time_ns() - 60 * 10**9
    person = "carla-4711-unusual"

    def sent(n: int, user: str) -> list[Span]:
        return [span(hashlib.md5(f"{user}{n}".encode()).hexdigest(), "0a" * 8, start_ns=at,
                     attributes={**CHAT, "enduser.id": user, "user.id": user})]  # fmt: skip

    for n in range(30):
        send(doors[n % 2], sent(n, person))
    stop, others = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            send(doors[1], sent(len(others), "someone else"))
            others.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        asked = {"authorization": f"Bearer {doors[0].key}"}
        answer = house.one.client.post("/api/v1/erasures", json={"subject": person}, headers=asked)
        assert answer.status_code == 201, answer.text
        after = len(others)
        until(lambda: len(others) > after + 3, 30, "writing that goes on")
    finally:
        stop.set()
        thread.join()
    naming = "SELECT count() FROM {table} WHERE positionCaseInsensitive(concat(user, session, {more}), {person:String}) > 0"
    for table, more in (("spans", "concat(attributes, content, resource)"), ("calls", "parameters")):
        told = naming.replace("{table}", table).replace("{more}", more)
        assert house.columns.everywhere(told, {"person": person}) == [(0,)], (
            "not in one row, replaced ones included"
        )
    traces = {one.trace_id.hex() for n in range(30) for one in sent(n, person)}
    assert len(settles(house.columns, traces)) == 30, "the calls stay"
    settles(house.columns, {sent(n, "someone else")[0].trace_id.hex() for n in range(len(others))})


def whole(house: House, cluster: Shards) -> bool:
    """Whether both shards answer, each asked by either and from either door: a survivor may fall after its peer did."""
    cluster.revive()
    try:
        for _ in range(20):
            house.columns.everywhere("SELECT count() FROM calls")
            PAUSE.wait(0.05)
    except Unavailable:
        return False
    return all(core.client.get("/readyz").is_success for core in (house.one, house.two))


def test_a_shard_killed_in_the_middle_of_a_batch_costs_nothing(house: House, cluster: Shards) -> None:
    doors = house.workspace()
    at = time.time_ns() - 60 * 10**9
    traces = [hashlib.md5(f"shard{n}".encode()).hexdigest() for n in range(400)]
    refused: list[str] = []
    half = threading.Event()

    def run(which: int) -> None:
        for n in range(which, len(traces), 2):
            sent = body(list(pair(traces[n], at)))
            while True:
                answer = doors[which].post(sent)
                if answer.status_code == 200:
                    break
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) > 0
                refused.append(answer.text)
                PAUSE.wait(0.2)
            if n > 100:
                half.set()

    threads = [threading.Thread(target=run, args=[which]) for which in (0, 1)]
    for thread in threads:
        thread.start()
    assert half.wait(60)
    cluster.shards[1].kill()
    until(lambda: bool(refused), 30, "a refusal")
    assert not doors[0].core.client.get("/readyz").is_success
    cluster.restart(1)
    for thread in threads:
        thread.join()
    until(lambda: whole(house, cluster), 60, "both shards")
    assert any(f"127.0.0.1:{cluster.shards[1].http} does not answer" in one for one in refused)
    assert len(settles(house.columns, set(traces))) == 400
    assert [door.count() for door in doors] == [(400, 800)] * 2


def refused(*arguments: str, **settings: str) -> str:
    """What a command says that must not work."""
    named = {f"HOLDFAST_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments], env={**os.environ, **named}, capture_output=True, text=True,
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.count("\n") <= 2, done.stderr
    return done.stderr


def test_what_cannot_be_shared_is_refused_in_words(house: House, tmp_path: Path) -> None:
    assert "serves from it" in refused(
        "serve", "--data", str(house.one.data), "--port", "0", **house.settings
    )
    said = refused("worker", "--data", str(tmp_path / "w"), sql_url=house.settings["sql_url"])
    assert "an embedded one (chdb://) belongs to one process" in said
    said = refused("serve", "--data", str(tmp_path / "s"), "--port", "0", sql_url=house.settings["sql_url"])
    assert "use one call store" in said


def test_two_embedded_call_stores_on_one_control_store_are_refused(
    tmp_path: Path, new_shared_stores: Callable[[], dict[str, str]]
) -> None:
    settings = new_shared_stores()
    first = CoreProcess(tmp_path / "first", min_free_bytes=1, sql_url=settings["sql_url"])
    try:
        first.start()
        said = refused(
            "serve", "--data", str(tmp_path / "second"), "--port", "0", sql_url=settings["sql_url"]
        )
        assert "another process with an embedded call store" in said
        first.kill()
        first.start()  # the same again, at once
        assert first.workspace().count() == (0, 0)
        assert "in use by process" in refused(
            "migrate", "--data", str(first.data), sql_url=settings["sql_url"]
        )
    finally:
        first.stop()


def test_migrate_says_what_it_did(tmp_path: Path, server: Shards) -> None:
    arguments = [sys.executable, "-m", "holdfast", "migrate", "--data", str(tmp_path / "data")]
    named = {"HOLDFAST_COLUMNS_URL": server.url(f"t{time.monotonic_ns()}")}
    for wanted in ("control store: 0001\n", "control store: nothing to do\ncall store: nothing to do\n"):
        done = subprocess.run(
            arguments, env={**os.environ, **named}, capture_output=True, text=True, timeout=180
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(wanted), done.stdout
        assert (
            wanted.startswith("control store: n") or "call store: 0001_telemetry on 127.0.0.1:" in done.stdout
        )


def test_one_plain_server(tmp_path: Path, server: Shards) -> None:
    core = CoreProcess(tmp_path / "data", min_free_bytes=1, columns_url=server.url(f"t{time.monotonic_ns()}"))
    try:
        core.start()
        workspace = core.workspace()
        for one in reversed(pair("ab" * 16, time.time_ns() - 60 * 10**9)):
            assert workspace.post(body([one])).content == b""
        assert workspace.count() == (1, 2)
        core.kill()
        core.start()
        assert workspace.count() == (1, 2)
    finally:
        core.stop()
