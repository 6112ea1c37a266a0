"""Figures of rules on the real call store, against what was put in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from holdfast.kernel.time import utc_now
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(tmp_path_factory.mktemp("figures") / "data").start()
    yield core.workspace("acme", "ingest,read,admin")
    core.stop()


def preview(shop: Workspace, **rule: Any) -> dict[str, Any]:
    answer = shop.core.client.post(
        "/api/v1/alert-previews",
        json={"name": "a rule", "system": "shop", **rule},
        headers={"authorization": f"Bearer {shop.key}"},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_a_rule_reads_is_what_was_sent(shop: Workspace) -> None:
    now = time.time_ns()
    million = {**CHAT, "gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 0}
    kinds = [million] * 10 + [{**CHAT, "gen_ai.request.model": "a-model-nobody-sells"}] * 30
    spans = [
        span(start_ns=now - 30 * 10**9 - n * MILLI, duration_ms=100 if n else 9_000, attributes=told)
        for n, told in enumerate(kinds)
    ]
    for one in spans[:4]:
        one.status.code = 2
    old = span(start_ns=now - 600 * 10**9, attributes={**CHAT})
    other = [span(start_ns=now - 10**10)]
    sent = body([*spans, old]), body(other, resource={"service.name": "another"})
    assert [shop.post(one).status_code for one in sent] == [200, 200]
    assert shop.count()[0] == 42
    errors = preview(shop, kind="error_rate", error_percent=10.0)
    assert (errors["state"], errors["value"]) == ("firing", "10.0 % of 40 calls failed")
    assert preview(shop, kind="error_rate", error_percent=10.1)["state"] == "ok"
    assert preview(shop, kind="error_rate", system="nothing")["state"] == "unknown"
    assert preview(shop, kind="p95", p95_ms=5_000)["state"] == "ok"
    assert preview(shop, kind="p95", p95_ms=50)["state"] == "firing"
    assert preview(shop, kind="no_data", window_minutes=5)["state"] == "ok"
    assert preview(shop, kind="no_data", system="nothing")["state"] == "firing"
    spent = preview(shop, kind="spend", amount="3", period="month")  # ten times 0.15 dollars
    day = utc_now()
    if (day - timedelta(minutes=20)).month == day.month:
        assert spent["state"] == "firing" and spent["value"].startswith("at least 1.50 USD of 3.00 USD")
        assert spent["note"] == "the cost of 30 of 41 calls is unknown"


MILLI = 10**6
