"""Metrics over HTTP: what was acknowledged a moment ago is answered, and nobody sees another's figures."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from otlp_made import CHAT, body, span
from running_core import Workspace

QUERY = "metrics/query"


def send(workspace: Workspace, n: int, **attributes: Any) -> None:
    told = {**CHAT, **{name.replace("__", "."): value for name, value in attributes.items()}}
    spans = [span(attributes=told, start_ns=time.time_ns() - 60 * 10**9) for _ in range(n)]
    assert workspace.post(body(spans)).status_code == 200


def test_what_was_acknowledged_is_in_the_next_answer(workspace: Workspace) -> None:
    send(workspace, 3, holdfast__tenant="acme")
    send(workspace, 2)
    found = workspace.get(QUERY, measure=["calls", "cost", "input_tokens", "ttft_p95"], group_by="tenant")
    rows = {row["group"]["tenant"]: row["values"] for row in found["rows"]}
    assert found["complete"] and found["groups"] == 2
    assert rows["acme"]["calls"] == 3 and rows[None]["calls"] == 2
    assert Decimal(rows["acme"]["cost"]["USD"]) == 3 * (10 * Decimal("0.15") + 5 * Decimal("0.6")) / 10**6
    assert rows["acme"]["input_tokens"] == 30
    assert rows["acme"]["ttft_p95"] is None, "nobody said it"
    send(workspace, 1, holdfast__tenant="acme")
    assert workspace.get(QUERY, measure="calls", tenant="acme")["rows"][0]["values"]["calls"] == 4


def test_a_workspace_without_calls_has_no_rows(workspace: Workspace) -> None:
    assert workspace.get(QUERY, measure="calls")["rows"] == []


def test_measures_are_listed_and_each_can_be_asked(workspace: Workspace) -> None:
    send(workspace, 1)
    for operation in ("execute_tool", "invoke_agent", "retrieval"):
        send(workspace, 1, gen_ai__operation__name=operation)
    names = [one["name"] for one in workspace.get("metrics/measures")]
    assert len(names) > 40
    for at in range(0, len(names), 20):
        found = workspace.get(QUERY, measure=names[at : at + 20], step="day", zone="Europe/Berlin")
        assert set(found["rows"][0]["values"]) == set(names[at : at + 20])


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"measure": "speed"}, "measure"),
        ({"measure": "calls", "step": "fortnight"}, "step"),
        ({"measure": "calls", "step": "day", "zone": "Mars"}, "zone"),
        ({"measure": "calls", "group_by": "colour"}, "group_by"),
        ({"measure": "calls", "text": "secret"}, "text"),
    ],
)
def test_a_wrong_question_is_told_where_it_is_wrong(
    workspace: Workspace, asked: dict[str, Any], where: str
) -> None:
    answer = workspace.core.client.get(
        f"/api/v1/{QUERY}", params=asked, headers={"authorization": f"Bearer {workspace.key}"}
    )
    assert answer.status_code == 422
    assert where in answer.text
