"""A core that is killed while it counts the past anew: the job ends, every call is right, nothing is told twice."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.kernel.time import iso, utc_now
from otlp_made import CHAT, body, span
from running_core import PAUSE, CoreProcess, Workspace, independent, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TRACES = 12_000
KILLS = 4
PLANTED = TRACES // 2
BODY = 500
"""Spans of a request: what the last dozen requests brought, a start may count anew by itself, and so it is left alone."""
WRONG = "not-what-was-asked"


def recounts(shop: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = shop.get("recounts")[0]
    return found


def test_each_call_is_right_and_told_once(tmp_path: Path) -> None:
    rng = random.Random(7)
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    shop = core.workspace("acme", "ingest,read,admin")
    now = time.time_ns()
    said = json.dumps([{"role": "assistant", "parts": [{"type": "refusal", "content": "No."}]}])
    attributes = {**CHAT, "gen_ai.output.messages": said}
    for start in range(0, TRACES, BODY):
        sent = [
            span(os.urandom(16).hex(), start_ns=now - n * 10**10 - 10**11, attributes=attributes)
            for n in range(start, start + BODY)
        ]
        assert shop.post(body(sent)).status_code == 200
    assert shop.count() == (TRACES, TRACES)
    core.stop()
    told = "refusal, status, kind, response_model, provider, output_tokens, cost_amount, configuration"
    right = independent(core.data, f"SELECT id, request_model, {told} FROM calls FINAL ORDER BY id")
    independent(
        core.data,
        "ALTER TABLE calls UPDATE request_model = '" + WRONG + "', refusal = NULL"
        f" WHERE toUnixTimestamp64Nano(started_at) > {now - PLANTED * 10**10 - 10**11}"
        " SETTINGS mutations_sync = 2",
    )
    core.start()
    assert shop.count() == (TRACES, TRACES)
    window = {"from": "2026-01-01T00:00:00Z", "to": iso(utc_now())}
    headers = {"authorization": f"Bearer {shop.key}"}
    asked = core.client.post("/api/v1/recounts", json=window, headers=headers)
    assert asked.status_code == 202, asked.text
    assert asked.json()["traces"] == TRACES
    kills = 0
    while kills < KILLS and recounts(shop)["finished_at"] is None:
        PAUSE.wait(rng.uniform(0.1, 0.9))
        core.kill()
        core.start()
        kills += 1
    until(lambda: recounts(shop)["finished_at"] is not None, 240, "the end of the job")
    done = recounts(shop)
    assert kills
    assert (done["seen"], done["calls"], done["changed"]) == (TRACES, TRACES, PLANTED)
    assert (done["new"], done["gone"], done["left"], done["difference"]) == (0, 0, 0, {})
    core.stop()
    mended = independent(core.data, f"SELECT id, request_model, {told} FROM calls FINAL ORDER BY id")
    assert mended == right
