"""A core that is killed again and again under load: what was acknowledged is there exactly once."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from pathlib import Path

import httpx2
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otlp_made import CHAT, MILLISECOND, request, span
from running_core import PAUSE, CoreProcess, Workspace, independent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROUNDS, QUICK_ROUNDS = 20, 6
CLIENTS = 4


class Client(threading.Thread):
    """Sends traces of its own in groups, each until it is acknowledged; now and then again in other company."""

    def __init__(self, number: int, workspace: Workspace) -> None:
        super().__init__(daemon=True)
        self.rng = random.Random(number)
        self.workspace = workspace
        self.ended = threading.Event()
        self.acknowledged: dict[tuple[bytes, bytes], Span] = {}
        self.known: list[Span] = []
        self.sent: set[tuple[bytes, bytes]] = set()
        self.fault: str | None = None

    def _trace(self) -> list[Span]:
        """Two requests seen twice each, and what they run under: five spans, two calls."""
        trace = hashlib.md5(f"{self.rng.random()}".encode()).hexdigest()
        at = time.time_ns() - 60 * 10**9
        made = [
            span(trace, "01" * 8, start_ns=at, duration_ms=9_000, name="POST /ask", attributes={"a": "b"})
        ]
        for number in range(2):
            told = {**CHAT, "gen_ai.response.id": f"{trace}-{number}"}
            start = at + number * 2_000 * MILLISECOND
            outer, inner = f"a{number}" * 8, f"b{number}" * 8
            made.append(span(trace, outer, "01" * 8, start_ns=start, attributes=told))
            made.append(
                span(trace, inner, outer, start_ns=start + MILLISECOND, duration_ms=90, attributes=told)
            )
        return made

    def run(self) -> None:
        while not self.ended.is_set():
            spans = [one for _ in range(self.rng.randint(1, 20)) for one in self._trace()]
            self.rng.shuffle(spans)
            while spans and not self.ended.is_set():
                size = self.rng.randint(1, 40)
                group, spans = spans[:size], spans[size:]
                if self.known and self.rng.random() < 0.5:
                    ids = {(one.trace_id, one.span_id) for one in group}
                    again = self.rng.sample(self.known, min(5, len(self.known)))
                    group += [one for one in again if (one.trace_id, one.span_id) not in ids]
                self._until_acknowledged(group)

    def _until_acknowledged(self, group: list[Span]) -> None:
        body = request(group).SerializeToString()
        self.sent |= {(one.trace_id, one.span_id) for one in group}
        while not self.ended.is_set():
            try:
                answer = self.workspace.post(body)
            except (httpx2.TransportError, RuntimeError):
                PAUSE.wait(0.1)  # the core starts again
                continue
            if answer.status_code == 200 and answer.content == b"":
                self.acknowledged |= {(one.trace_id, one.span_id): one for one in group}
                self.known += group
                PAUSE.wait(0.01)
                return
            if answer.status_code != 503:
                self.fault = f"{answer.status_code} {answer.content!r}"
                return
            PAUSE.wait(0.05)


def expected_calls(acknowledged: set[tuple[bytes, bytes]]) -> int:
    """Calls of a set of spans: of a pair that saw one request, one or both make one call."""
    return len({(trace, span_id[:1].hex()[1]) for trace, span_id in acknowledged if span_id != b"\x01" * 8})


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, soak: bool) -> None:
    rng, rounds = random.Random(20), ROUNDS if soak else QUICK_ROUNDS
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    workspace = core.workspace()
    clients = [Client(number, workspace) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    before = 0
    for _ in range(rounds):
        PAUSE.wait(rng.uniform(0.3, 1.5))
        core.kill()
        certain = {key for client in clients for key in list(client.acknowledged)}
        core.start()
        assert [client.fault for client in clients if client.fault] == []
        # whatever was acknowledged before the kill is counted, while more arrives
        calls, spans = workspace.count()
        assert spans >= len(certain)
        assert calls >= expected_calls(certain)
        assert len(certain) >= before
        before = len(certain)
    for client in clients:
        client.ended.set()
    for client in clients:
        client.join(timeout=60)
    acknowledged = {key for client in clients for key in client.acknowledged}
    sent = {key for client in clients for key in client.sent}
    assert len(acknowledged) > 10 * rounds
    # the last groups may have been stored without their senders hearing of it
    calls, spans = workspace.count()
    assert len(acknowledged) <= spans <= len(sent)
    core.stop()
    stored = independent(core.data, "SELECT trace_id, span_id, count() FROM spans FINAL GROUP BY ALL")
    found = {(bytes.fromhex(trace), bytes.fromhex(span_id)) for trace, span_id, _ in stored}
    assert acknowledged <= found <= sent
    assert {n for _, _, n in stored} == {1}
    assert spans == len(found)
    assert calls == expected_calls(found)
    counted = independent(
        core.data, "SELECT count(), uniqExact(trace_id, id), toString(sum(cost_amount)) FROM calls FINAL"
    )
    assert counted[0][:2] == [calls, calls]
