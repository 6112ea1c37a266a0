"""Runs that begin by themselves at a real core and gateway: another release, another model, other settings of retrieval."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.evals.runs.desk import RUNS, Desk, cases, desk

from running_core import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TRIGGERS = "/api/v1/evals/triggers"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("triggered")) as made:
        yield made


def trigger(at: Desk, suite: str, kind: str, **more: Any) -> dict[str, Any]:
    """Makes one, and waits until it has looked."""
    body = {"suite": suite, "kind": kind, **more}
    answer = at.core.client.post(TRIGGERS, json=body, headers=at.headers)
    assert answer.status_code == 201, answer.text
    until(lambda: all(one["looked"] for one in standing(at, suite)), 60, "the first look")
    return standing(at, suite)[-1]


def standing(at: Desk, suite: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = at.core.client.get(
        TRIGGERS, params={"suite": suite}, headers=at.headers
    ).json()
    return found


def runs(at: Desk, suite: str, kind: str) -> list[dict[str, Any]]:
    found = at.core.client.get(RUNS, params={"suite": suite}, headers=at.headers).json()
    return [one for one in found if one["trigger"] == kind]


def test_a_release_that_newly_answers_the_route_is_asked(at: Desk) -> None:
    at.suite("changed", cases(20), bars={"least": 0.5})
    trigger(at, "changed", "change")
    assert runs(at, "changed", "change") == [], "what answered already is no news"
    at.configure(routes={"r": {"release": "late", "cache_seconds": 300, "retries": 0}})
    try:
        until(lambda: runs(at, "changed", "change"), 60, "the run")
    finally:
        at.configure()
    [run] = runs(at, "changed", "change")
    assert (run["release"], run["because"]) == ("late", "the release late answers the route anew")
    assert at.over(run["id"])["verdict"]["outcome"] == "pass"
    assert standing(at, "changed")[0]["last_run"] == run["id"]


def test_a_model_not_seen_before_has_a_run_begin(at: Desk) -> None:
    at.suite("modelled", cases(2), bars={"least": 0.5})
    trigger(at, "modelled", "model")
    send(at, "m-2026-11-23", {})
    until(lambda: runs(at, "modelled", "model"), 90, "the run")
    [run] = runs(at, "modelled", "model")
    assert "m-2026-11-23" in run["because"]
    assert at.over(run["id"])["state"] == "done"


def test_retrieval_with_other_settings_has_a_run_begin(at: Desk) -> None:
    at.suite("retrieved", cases(2), bars={"least": 0.5})
    send(at, "m", {"handbook": 3})
    trigger(at, "retrieved", "knowledge")
    send(at, "m", {"handbook-2": 3})
    until(lambda: runs(at, "retrieved", "knowledge"), 90, "the run")
    [run] = runs(at, "retrieved", "knowledge")
    assert "handbook-2" in run["because"]


def test_a_schedule_has_a_run_begin_within_its_minute(at: Desk) -> None:
    at.suite("timed", cases(2), bars={"least": 0.5})
    trigger(at, "timed", "schedule", cron="* * * * *")
    until(lambda: runs(at, "timed", "schedule"), 100, "the run")
    assert runs(at, "timed", "schedule")[0]["because"] == "schedule: Every minute, UTC"
    [one] = standing(at, "timed")
    answer = at.core.client.delete(f"{TRIGGERS}/{one['id']}", headers=at.headers)
    assert (answer.status_code, standing(at, "timed")) == (204, [])


def send(at: Desk, model: str, retrieved: dict[str, int]) -> None:
    """An application's own call on the route, with a retrieval before it."""
    now, trace = time.time_ns(), f"{time.time_ns():032x}"
    spans = [
        span(
            trace,
            1 + number,
            now - 9_000_000,
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": source,
                "gen_ai.request.top_k": top,
            },
        )
        for number, (source, top) in enumerate(retrieved.items())
    ]
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.model": model}
    spans.append(span(trace, 99, now, call))
    body = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}
    answer = at.core.client.post("/v1/traces", json=body, headers=at.headers)
    assert answer.status_code == 200, answer.text


def span(trace: str, number: int, start: int, said: dict[str, Any]) -> dict[str, Any]:
    values = {"holdfast.route": "r", **said}
    attributes = [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "name": "x",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 1_000_000),
        "attributes": attributes,
    }
