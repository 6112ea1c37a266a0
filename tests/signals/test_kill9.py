"""A core that is killed while its rules fire and its channel fails: each alert opens once and is told once by its id."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.platform.notify.receivers import web_server

from otlp_made import CHAT, body, span
from running_core import PAUSE, CoreProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KILLS = 6
RULES = 8


def test_each_alert_is_told_once(tmp_path: Path) -> None:
    rng = random.Random(4)
    core = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1", min_free_bytes=1).start()
    shop = core.workspace("acme", "ingest,read,admin")
    failed = [span(start_ns=time.time_ns() - 10**10, attributes={**CHAT}) for _ in range(30)]
    for one in failed:
        one.status.code = 2
    assert shop.post(body(failed)).status_code == 200

    def add(path: str, told: dict[str, object]) -> None:
        headers = {"authorization": f"Bearer {shop.key}"}
        answer = core.client.post(f"/api/v1/{path}", json=told, headers=headers)
        assert answer.status_code == 201, answer.text

    with web_server() as web:
        web.refuses = lambda: True
        add("channels", {"kind": "webhook", "name": "hook", "url": web.url()})
        for number in range(RULES):
            rule = {"kind": "error_rate", "name": f"rule {number}", "window_minutes": 60, "min_calls": 5}
            add("alert-rules", rule)
        for number in range(KILLS):
            PAUSE.wait(rng.uniform(0.0, 6.0))
            if number == KILLS // 2:
                web.refuses = lambda: False
            core.kill()
            core.start()
        # an attempt that a kill cut off is made again when its lease has run out, after two minutes
        until(lambda: len(shop.get("alerts")["alerts"]) == RULES, 60, "every alert")
        until(
            lambda: Counter(one["state"] for one in shop.get("deliveries")) == {"delivered": RULES},
            240,
            "every message",
        )
        taken = [hit for hit in web.hits if hit.status == 200]
    core.stop()
    told = [json.loads(hit.body)["data"]["alert"] for hit in taken]
    assert len(set(told)) == len({hit.headers["webhook-id"] for hit in taken}) == RULES
    assert len(taken) - RULES <= KILLS, "a second copy only where a kill cut the receipt off"
