"""Requests prepared by a process of their own come out as those prepared here; a worker that dies costs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.kernel.errors import Invalid
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.ingest.worker import Preparer, Task, Workers
from holdfast.telemetry.rules.admission import Limits
from otlp_made import body, json_body, json_span, request, span
from running_core import CoreProcess, until

OVERRIDES = {"my.client": ScopeOverride(input_includes_cache=False)}
NOW = datetime.now(UTC)
LIMITS = Limits(int(NOW.timestamp() * 1e9), 10**18, 10**18, 1 << 20)
POLICIES = {"": DataPolicy("w"), "hr": DataPolicy("w", "hr", CaptureMode.OFF)}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cost": 0.25,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.input.messages": '[{"role":"user","content":"mail ada@example.com"}]',
}


def task(sent: bytes, *, is_json: bool = False) -> Task:
    return Task("w", sent, "json" if is_json else "protobuf", LIMITS, NOW, POLICIES)


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(1, OVERRIDES)
    made.start()
    assert made.any
    yield made
    made.close()


def test_the_outcome_is_the_same_here_and_there(workers: Workers) -> None:
    poisoned = request(
        [span(attributes=CHAT), span(name="poison-marker", attributes=CHAT)]
    ).SerializeToString()
    tasks = [
        task(body([span(attributes=CHAT), span(attributes=CHAT, name="another")])),
        task(body([span(attributes=CHAT)], resource={"service.name": "hr"})),
        task(body([span("00" * 16, attributes=CHAT)])),
        task(poisoned.replace(b"poison-marker", b"poison-\xff\xferker")),
        task(json_body(json_span(), json_span()), is_json=True),
    ]
    here = Preparer(OVERRIDES)
    for one in [*tasks, *tasks]:
        done = workers.prepare(one)
        assert done is not None
        assert done == here.prepare(one)
    assert here.prepare(tasks[0]).rows == 2
    assert len(here.prepare(tasks[3]).rejected) == 1


def test_a_request_that_is_refused_as_a_whole_is_refused_alike(workers: Workers) -> None:
    for sent in (task(b"\xff\xff\xff"), task(b"{", is_json=True)):
        with pytest.raises(Invalid) as here:
            Preparer(OVERRIDES).prepare(sent)
        with pytest.raises(Invalid) as there:
            workers.prepare(sent)
        assert (there.value.detail, there.value.where) == (here.value.detail, here.value.where)


def test_what_cannot_be_handed_over_is_left_to_this_process(workers: Workers) -> None:
    sent = task(body([span(attributes=CHAT)]))
    assert workers.prepare(Task("\ud800", sent.body, "protobuf", LIMITS, NOW, POLICIES)) is None
    assert workers.prepare(sent) is not None


def test_a_worker_that_was_killed_is_replaced(workers: Workers) -> None:
    [killed] = workers.process_ids
    os.kill(killed, signal.SIGKILL)
    assert workers.prepare(task(body([span(attributes=CHAT)]))) is None
    assert not workers.any
    workers.want()
    until(lambda: workers.any, what="another worker")
    done = workers.prepare(task(body([span(attributes=CHAT)])))
    assert done is not None and done.rows == 1
    assert workers.process_ids != [killed]


def test_no_more_are_started_than_allowed(workers: Workers) -> None:
    before = workers.process_ids
    workers.want()
    assert workers.process_ids == before
    none = Workers(0, {})
    none.want()
    assert not none.any


def test_workers_end_with_the_process_that_started_them() -> None:
    program = (
        "from holdfast.telemetry.ingest.worker import Workers; import time\n"
        "workers = Workers(1, {}); workers.start(); print(*workers.process_ids, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until(lambda: not _alive(worker), what="the end of the worker")


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _children(process: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            found += map(int, (thread / "children").read_text().split())
    return found


def test_under_load_a_core_has_help_and_bears_its_death(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data", ingest_workers=1).start()
    try:
        workspace = core.workspace()
        stop, sent, lock = threading.Event(), [0], threading.Lock()

        def send() -> None:
            while not stop.is_set():
                made = body([span(attributes=CHAT) for _ in range(20)])
                while workspace.post(made).status_code != 200:
                    pass
                with lock:
                    sent[0] += 20

        with ThreadPoolExecutor(6) as senders:
            running = [senders.submit(send) for _ in range(6)]
            try:
                assert core.process is not None
                process = core.process.pid
                until(lambda: bool(_children(process)), what="a process that helps")
                for _ in range(3):
                    before = sent[0]
                    until(lambda before=before: sent[0] > before + 200, what="more answers")  # type: ignore[misc]
                    for child in _children(process):
                        os.kill(child, signal.SIGKILL)
                    until(lambda: any(map(_alive, _children(process))), 60, "another process that helps")
            finally:
                stop.set()
            for one in running:
                one.result()
        assert workspace.count() == (sent[0], sent[0])
    finally:
        core.stop()
