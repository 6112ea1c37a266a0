"""Metrics, dashboards and cost through their doors: on real sockets, with figures that agree with the API's."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace

MINI = 10 * Decimal("0.15") / 10**6 + 5 * Decimal("0.6") / 10**6  # what one call of CHAT costs


@pytest.fixture(scope="module")
def told(core: CoreProcess) -> Workspace:
    """A workspace with 3 calls of acme, 2 of nobody, 1 that failed and told no tokens, and 1 of an unknown model."""
    made = core.workspace(scopes="ingest,read,operate")
    send(made, 3, holdfast__tenant="acme", holdfast__session="s1")
    send(made, 2, holdfast__route="a <b>&'\"")
    silent = {name: value for name, value in CHAT.items() if not name.startswith("gen_ai.usage")}
    spans = [span(attributes={**silent, "error.type": "500"}, start_ns=time.time_ns() - 60 * 10**9)]
    assert made.post(body(spans)).status_code == 200
    own = {"gen_ai__request__model": "ours-1", "gen_ai__response__model": "ours-1"}
    send(made, 1, holdfast__tenant="=corvid", **own)
    assert made.count()[0] == 7
    return made


def send(workspace: Workspace, n: int, **attributes: Any) -> None:
    said = {**CHAT, **{name.replace("__", "."): value for name, value in attributes.items()}}
    spans = [span(attributes=said, start_ns=time.time_ns() - 60 * 10**9) for _ in range(n)]
    assert workspace.post(body(spans)).status_code == 200


def ask(workspace: Workspace, path: str, method: str = "GET", **more: Any) -> httpx2.Response:
    return workspace.core.client.request(
        method, path, headers={"authorization": f"Bearer {workspace.key}"}, **more
    )


def page(workspace: Workspace, path: str, **params: Any) -> str:
    answer = ask(workspace, f"/w/{workspace.slug}/{path}", params=params)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def table(workspace: Workspace, path: str, **params: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page(workspace, path, **params))))


def drawn(text: str) -> list[dict[str, Any]]:
    """The charts of a page."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return [json.loads(one) for one in found]


def test_the_table_says_what_the_api_says(told: Workspace) -> None:
    names = ["calls", "cost", "latency_p95", "error_rate"]
    rows = table(told, "metrics/table.csv", measure=names, group_by="tenant")
    api = told.get("metrics/query", measure=names, group_by="tenant")["rows"]
    assert [row["calls"] for row in rows] == [str(row["values"]["calls"]) for row in api]
    by = {row["tenant"]: row for row in rows}
    assert Decimal(by["acme"]["cost USD"]) == 3 * MINI
    assert by["'=corvid"]["cost USD"] == "", "unknown is empty, and no formula"


def test_steps_without_calls_are_gaps_and_groups_are_series(told: Workspace) -> None:
    charts = drawn(page(told, "metrics", range="1h", measure=["calls", "cost"], group_by="tenant"))
    assert [one["label"] for one in charts] == ["Calls", "Cost, USD"]
    calls, cost = charts
    assert {one["label"] for one in calls["series"]} == {"acme", "unknown", "=corvid"}
    for one in calls["series"]:
        assert len(one["values"]) == len(calls["times"]) == len(calls["ends"])
        known = [value for value in one["values"] if value is not None]
        assert 0 not in known and len(known) < 5
    acme = next(one for one in cost["series"] if one["label"] == "acme")
    assert sum(Decimal(text.split()[0]) for text in acme["texts"] if text) == 3 * MINI, (
        "exact under the pointer"
    )
    assert "3 of 3 groups" in page(told, "metrics", group_by="tenant")


def test_a_row_leads_to_exactly_its_calls(told: Workspace) -> None:
    text = page(told, "metrics", measure="calls", group_by="tenant", status="ok")
    links = [one.replace("&amp;", "&") for one in re.findall(r'class="row-link" href="([^"]+)"', text)]
    assert len(links) == 3
    api = told.get("metrics/query", measure="calls", group_by="tenant", status="ok")["rows"]
    for link, row in zip(links, api, strict=True):
        assert "status=ok" in link and "from=" in link and "to=" in link
        assert ask(told, link).text.count("data-row") == row["values"]["calls"], link


def test_every_measure_has_words_and_can_be_shown(told: Workspace) -> None:
    names = [one["name"] for one in told.get("metrics/measures")]
    for at in range(0, len(names), 4):
        text = page(told, "metrics", measure=names[at : at + 4], group_by=["route", "model"], view="steps")
        assert "<b>&'" not in text, "what senders say is text"


@pytest.mark.parametrize(
    "query",
    [
        "measure=speed",
        "group_by=colour",
        "step=often",
        "top=x",
        "group_by=route&group_by=model&group_by=user",
    ],
)
def test_a_wrong_address_is_a_problem_page(told: Workspace, query: str) -> None:
    assert ask(told, f"/w/{told.slug}/metrics?{query}").status_code == 422


def test_cost_is_ranked_shared_and_adds_up(told: Workspace) -> None:
    text = page(told, "cost", by="tenant")
    assert f'title="{5 * MINI:f} USD"' in text, "the exact total is under the pointer"
    assert "no past" in text and "2 of requests" not in text
    (chart,) = drawn(text)
    assert chart["stacked"]
    whole = sum(Decimal(words.split()[0]) for one in chart["series"] for words in one["texts"] if words)
    assert whole == 5 * MINI
    assert text.index(">acme<") < text.index(">=corvid<"), "unknown cost comes last"


def test_what_is_unpriced_says_why_and_how_to_mend_it(told: Workspace) -> None:
    text = page(told, "cost/details")
    assert "usage unknown" in text and "report its tokens" in text
    assert "ours-1" in text and f'href="/w/{told.slug}/settings/prices"' in text
    assert "Estimated at list prices" in text
    assert f'title="{3 * MINI:f} USD"' in text, "per session: one session, three calls"


def test_the_file_has_the_columns_of_focus(told: Workspace) -> None:
    rows = table(told, "cost/focus.csv", by="tenant")
    assert sum(Decimal(row["EffectiveCost"] or 0) for row in rows) == 5 * MINI
    assert sum(int(row["ConsumedQuantity"]) for row in rows) == 7
    assert {json.loads(row["Tags"])["tenant"] for row in rows} == {"acme", None, "=corvid"}
    assert {row["BillingCurrency"] for row in rows} == {"USD", ""}


def test_currencies_are_never_added(core: CoreProcess) -> None:
    made = core.workspace(scopes="ingest,read,admin")
    price = {
        "provider": "openai",
        "model_pattern": "in-euros",
        "currency": "EUR",
        "rates": {"input_uncached": "1", "output": "2"},
        "effective_from": "2026-01-01T00:00:00Z",
    }
    assert ask(made, "/api/v1/prices", "POST", json=price).status_code == 201
    own = {"gen_ai__request__model": "in-euros", "gen_ai__response__model": "in-euros"}
    deadline = time.monotonic() + 60
    while "EUR" not in page(made, "cost"):  # the price takes effect within seconds
        assert time.monotonic() < deadline
        send(made, 1, **own)
    send(made, 1)
    text = page(made, "cost", currency="USD")
    assert f'title="{MINI:f} USD"' in text and "EUR" in text
    (chart,) = drawn(text)
    assert chart["unit"] == "USD"
    assert Decimal(next(one for one in chart["series"][0]["texts"] if one).split()[0]) == MINI


def test_a_dashboard_goes_out_and_comes_back(told: Workspace, core: CoreProcess) -> None:
    (first,) = told.get("dashboards")
    assert first["id"] == "overview" and first["changed_at"] is None
    panel = {
        "title": "By tenant",
        "measures": ["calls"],
        "group_by": ["tenant"],
        "filters": {"route": [None]},
    }
    put = ask(told, "/api/v1/dashboards/mine", "PUT", json={"name": "Mine", "panels": [panel]})
    assert put.status_code == 200, put.text
    kept = told.get("dashboards/mine")
    other = core.workspace(scopes="read,operate")
    assert ask(other, "/api/v1/dashboards/mine", "PUT", json=kept).status_code == 200
    again = other.get("dashboards/mine")
    assert again["panels"] == kept["panels"] and again["panels"][0]["id"]
    shown = page(told, "dashboards/mine", range="1h")
    assert [one["label"] for one in drawn(shown)] == ["Calls"]
    assert ask(told, "/api/v1/dashboards/mine", "DELETE").status_code == 204
    assert ask(told, "/api/v1/dashboards/mine").status_code == 404
    assert ask(other, f"/w/{other.slug}/dashboards/mine").status_code == 200


@pytest.mark.parametrize(
    "panel",
    [
        {"title": "x", "measures": ["speed"]},
        {"title": "x", "measures": []},
        {"title": "x", "measures": ["calls"], "colour": "red"},
        {"title": "x", "measures": ["calls"], "filters": {"colour": ["red"]}},
    ],
)
def test_a_dashboard_of_nonsense_is_refused(told: Workspace, panel: dict[str, Any]) -> None:
    answer = ask(told, "/api/v1/dashboards/bad", "PUT", json={"name": "Bad", "panels": [panel]})
    assert answer.status_code == 422
    assert ask(told, "/api/v1/dashboards/bad").status_code == 404


def test_who_may_only_read_changes_nothing(told: Workspace, core: CoreProcess) -> None:
    reader = core.workspace(told.slug, scopes="read")
    assert (
        ask(reader, "/api/v1/dashboards/mine", "PUT", json={"name": "Mine", "panels": []}).status_code == 403
    )
    assert "Add to dashboard" not in page(reader, "metrics")
    assert "Edit" not in page(reader, "dashboards") and "Edit" in page(told, "dashboards")


def test_an_empty_workspace_says_what_to_do(workspace: Workspace) -> None:
    for path in ("metrics", "cost", "dashboards"):
        assert "How to send calls" in page(workspace, path), path
