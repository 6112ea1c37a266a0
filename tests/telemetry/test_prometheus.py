"""The doors for Prometheus on a real core, and the dashboard that is shipped for its metrics."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace, until

ROOT = Path(__file__).resolve().parent.parent.parent
DASHBOARD = ROOT / "docs" / "how-to" / "grafana" / "holdfast-calls.json"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scrape(core: CoreProcess, path: str, **headers: str) -> httpx2.Response:
    return core.client.get(path, headers=headers)


def samples(text: str, *, openmetrics: bool = False) -> dict[tuple[str, tuple[str, ...]], float]:
    read = read_open if openmetrics else read_plain
    return {
        (one.name, tuple(one.labels.values())): one.value for family in read(text) for one in family.samples
    }


def of_calls(workspace: Workspace, accept: str = "") -> httpx2.Response:
    answer = scrape(workspace.core, "/metrics/calls", authorization=f"Bearer {workspace.key}", accept=accept)
    assert answer.status_code == 200, answer.text
    return answer


def send(workspace: Workspace, n: int, **attributes: Any) -> None:
    told = {**CHAT, **{name.replace("__", "."): value for name, value in attributes.items()}}
    spans = [span(attributes=told, start_ns=time.time_ns(), duration_ms=300) for _ in range(n)]
    assert workspace.post(body(spans)).status_code == 200


def test_calls_are_counted_for_their_workspace_alone(workspace: Workspace, core: CoreProcess) -> None:
    neighbour = core.workspace()
    send(workspace, 3, holdfast__route="answer")
    send(neighbour, 1, holdfast__route="their-own-secret")
    answer = of_calls(workspace)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "their-own-secret" not in answer.text
    found = samples(answer.text)
    calls = {labels: n for (name, labels), n in found.items() if name == "holdfast_calls_total"}
    assert sum(calls.values()) == 3 and {labels[2] for labels in calls} == {"answer"}
    assert sum(n for (name, _), n in found.items() if name == "holdfast_call_cost_total") == pytest.approx(
        3 * (10 * 0.15 + 5 * 0.6) / 1e6
    )
    assert found["holdfast_calls_complete", ()] == 1
    send(workspace, 2, holdfast__route="answer")

    def grown() -> bool:  # scrapes that follow one another get the same figures
        made = samples(of_calls(workspace, OPENMETRICS).text, openmetrics=True)
        return sum(n for (name, _), n in made.items() if name == "holdfast_calls_total") == 5

    until(grown, 30, "the next figures")


def test_calls_need_a_key_that_may_read(core: CoreProcess) -> None:
    assert scrape(core, "/metrics/calls").status_code == 401
    sender = core.workspace(scopes="ingest")
    assert scrape(core, "/metrics/calls", authorization=f"Bearer {sender.key}").status_code == 403


def test_the_process_tells_of_itself_and_of_nobody_else(workspace: Workspace, core: CoreProcess) -> None:
    send(workspace, 2, service__name="somebodys-system")
    assert workspace.post(b"\xff\xff").status_code == 400
    answer = scrape(core, "/metrics", accept=OPENMETRICS)
    assert answer.status_code == 200
    assert workspace.slug not in answer.text and "somebodys-system" not in answer.text
    found = samples(answer.text, openmetrics=True)
    assert found["holdfast_ingest_records_total", ("traces", "accepted")] >= 2
    assert found["holdfast_ingest_requests_total", ("traces", "refused")] >= 1
    assert found["holdfast_store_up", ("calls",)] == found["holdfast_store_up", ("control",)] == 1
    assert found["process_resident_memory_bytes", ()] > 50e6
    assert abs(found["process_start_time_seconds", ()] - time.time()) < 3600
    assert found["holdfast_ingest_queue_limit_bytes", ()] == 32 << 20

    def kept() -> bool:
        made = samples(scrape(core, "/metrics").text)
        return made["holdfast_job_runs_total", ("keep stored figures true",)] > 0

    until(kept, 30, "the first turn of a job")


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip", "via"])
def test_what_came_through_a_proxy_is_not_of_this_machine(core: CoreProcess, header: str) -> None:
    assert core.client.get("/metrics", headers={header: "10.0.0.7"}).status_code == 401


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    secret = tmp_path_factory.mktemp("secret") / "token"
    secret.write_text("let-me-see\n")
    made = CoreProcess(
        tmp_path_factory.mktemp("guarded") / "data", min_free_bytes=1, metrics_token=f"file:{secret}"
    )
    yield made.start()
    made.stop()


def test_with_a_token_everybody_needs_it(guarded: CoreProcess) -> None:
    assert scrape(guarded, "/metrics").status_code == 401
    assert scrape(guarded, "/metrics", authorization="Bearer let-me-se").status_code == 401
    key = guarded.workspace().key
    assert scrape(guarded, "/metrics", authorization=f"Bearer {key}").status_code == 401
    assert scrape(guarded, "/metrics", authorization="Bearer let-me-see").status_code == 200


def expressions(found: Any) -> Iterator[str]:
    """Every query of a dashboard."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(found, list):
        for one in found:
            yield from expressions(one)


def test_the_dashboard_asks_for_what_is_there(workspace: Workspace) -> None:
    """Every metric and label that it names is in an answer of the door."""
    said = {"gen_ai.usage.cache_read.input_tokens": 3, "gen_ai.response.time_to_first_chunk": 0.2}
    send(workspace, 1, **said, holdfast__route="answer")
    failing = span(attributes={**CHAT, "error.type": "timeout"}, start_ns=time.time_ns())
    failing.status.code = Status.STATUS_CODE_ERROR
    assert workspace.post(body([failing])).status_code == 200
    families = list(read_plain(of_calls(workspace).text))
    there = {one.name for family in families for one in family.samples}
    labels = {name for family in families for one in family.samples for name in one.labels}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = list(expressions(dashboard))
    assert len(asked) > 10
    named = {name for one in asked for name in re.findall(r"\bholdfast_[a-z_]+", one)}
    assert "holdfast_call_duration_seconds_bucket" in named
    assert named - there == set()
    grouped = {
        name.strip()
        for one in asked
        for part in re.findall(r"\bby \(([^)]*)\)", one)
        for name in part.split(",")
    }
    matched = {
        name
        for one in asked
        for part in re.findall(r"{([^}]*)}", one)
        for name in re.findall(r"(\w+)\s*=", part)
    }
    assert (grouped | matched) - labels == set()
