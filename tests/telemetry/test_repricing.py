"""Pricing the past anew: each call as of its own time, in the figures at once, on the audit log, whatever interrupts it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from holdfast.kernel.time import iso
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace, until

NOW = datetime.now(UTC)
WINDOW = {"from": iso(NOW - timedelta(days=3)), "to": iso(NOW + timedelta(days=1))}


def post(workspace: Workspace, path: str, **said: Any) -> httpx2.Response:
    return workspace.core.client.post(
        f"/api/v1/{path}", json=said, headers={"authorization": f"Bearer {workspace.key}"}
    )


def send(workspace: Workspace, n: int, days: float, **told: Any) -> None:
    at = time.time_ns() - int(days * 86_400 * 10**9)
    spans = [span(attributes={**CHAT, **told}, start_ns=at + k) for k in range(n)]
    assert workspace.post(body(spans)).status_code == 200


def spent(workspace: Workspace) -> dict[str, str]:
    rows = workspace.get("metrics/query", measure=["cost", "unpriced"], **WINDOW)["rows"]
    found: dict[str, str] = rows[0]["values"]
    return found


def test_a_new_price_reaches_the_past_that_it_holds_for(core: CoreProcess) -> None:
    workspace = core.workspace(scopes="ingest,read,admin")
    send(workspace, 4, 2.0)
    send(workspace, 3, 0.1)
    send(workspace, 2, 0.1, **{"gen_ai.request.model": "ours-1"})
    send(workspace, 1, 0.1, **{"gen_ai.request.model": "ours-2", "gen_ai.usage.cost": 0.25})
    send(
        workspace, 1, 0.1, **{"holdfast.cost": "0.5"}
    )  # as the gateway counted it, by an upstream's own price
    listed = (10 * Decimal("0.15") + 5 * Decimal("0.6")) / 10**6
    before = spent(workspace)
    assert Decimal(before["cost"]["USD"]) == 7 * listed + Decimal("0.75")  # type: ignore[index]
    assert before["unpriced"] == 2
    for pattern, rates in (("gpt-4o-mini", ("1", "2")), ("ours-1", ("3", "4"))):
        added = post(
            workspace,
            "prices",
            provider="openai",
            model_pattern=pattern,
            rates={"input_uncached": rates[0], "output": rates[1]},
            effective_from=iso(NOW - timedelta(days=1)),
        )
        assert added.status_code == 201, added.text
    assert spent(workspace) == before, "the past keeps its charges until somebody asks"
    begun = post(workspace, "repricings", **WINDOW)
    assert begun.status_code == 202 and begun.json()["calls"] == 11, begun.text

    def done() -> bool:
        return workspace.get("repricings")[0]["finished_at"] is not None

    until(done, what="pricing anew")
    job = workspace.get("repricings")[0]
    assert (job["seen"], job["changed"]) == (11, 5)
    ours, theirs = Decimal(10 + 10) / 10**6, Decimal(30 + 20) / 10**6
    after = spent(workspace)
    assert Decimal(after["cost"]["USD"]) == 4 * listed + 3 * ours + 2 * theirs + Decimal("0.75")  # type: ignore[index]
    assert after["unpriced"] == 0
    change = Decimal(after["cost"]["USD"]) - Decimal(before["cost"]["USD"])  # type: ignore[index]
    assert Decimal(job["difference"]["USD"]) == change
    sources = {call["cost_source"] for call in workspace.calls()}
    assert sources == {"price-book", "genai-prices", "reported", "gateway"}
    again = post(workspace, "repricings", **WINDOW)
    assert again.status_code == 202
    until(done, what="pricing anew")
    assert workspace.get("repricings")[0]["changed"] == 0, "a second time changes nothing"
    assert workspace.count() == (11, 11)


def test_what_cannot_be_asked_is_refused(core: CoreProcess, workspace: Workspace) -> None:
    admin = core.workspace(scopes="ingest,read,admin")
    assert post(admin, "repricings", **{"from": WINDOW["to"], "to": WINDOW["from"]}).status_code == 422
    assert post(admin, "repricings", **{"from": "2026-01-01T00:00:00", "to": WINDOW["to"]}).status_code == 422
    assert post(workspace, "repricings", **WINDOW).status_code == 403
