"""`holdfast import`, by real processes: running and stopped core, again, killed midway, Ctrl-C, reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.core_process import CoreProcess, holdfast
from running_core import independent, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
NOW = int(time.time())


def row(number: int, **more: Any) -> dict[str, Any]:
    """A row of LiteLLM's spend log, months old."""
    start = NOW - 120 * 86_400 + number
    return {
        "request_id": f"call-{number}",
        "call_type": "acompletion",
        "startTime": start,
        "endTime": start + 2,
        "model": "gpt-4o-mini",
        "custom_llm_provider": "openai",
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "end_user": f"user-{number % 7}",
        "status": "success",
        **more,
    }


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in rows))
    return path


def imported(data: Path, report: Path, *arguments: str, check: bool = True) -> dict[str, Any]:
    done = holdfast("import", *arguments, "--report", str(report), data=data, check=False)
    told: dict[str, Any] = json.loads(report.read_text())
    told["code"] = done.returncode
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return told


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CoreProcess, str]]:
    data = tmp_path_factory.mktemp("import") / "data"
    key = holdfast(
        "key", "create", "--workspace", "acme", "--scopes", "ingest,read,admin", data=data
    ).stdout.strip()
    core = CoreProcess(data).start()
    try:
        yield core, key
    finally:
        core.stop()


def test_history_comes_in_while_the_core_runs(running: tuple[CoreProcess, str], tmp_path: Path) -> None:
    core, key = running
    rows = [row(number) for number in range(500)]
    rows += [row(501, model="our-own-model"), row(502, startTime=NOW - 3000 * 86_400, endTime=None)]
    path = write(tmp_path / "spend.jsonl", [*rows[:100], "{broken", *rows[100:], row(503, startTime=None)])
    told = imported(core.data, tmp_path / "r.json", "litellm", str(path), "--system", "hr", check=False)
    assert (told["code"], told["read"], told["imported"], told["already_there"], told["refused"]) == (
        3,
        504,
        501,
        0,
        3,
    )
    places = {one["place"].removeprefix(str(path)): one["reason"] for one in told["refusals"]}
    assert set(places) == {" line 101", " line 503", " line 504"}
    assert "days that this workspace keeps" in places[" line 503"] and "startTime" in places[" line 504"]
    assert [(one["model"], one["calls"]) for one in told["unpriced"]] == [("our-own-model", 1)]
    assert core.request("/api/v1/calls/count", key)["calls"] == 501
    [call] = core.request("/api/v1/calls?user=user-3&limit=1", key)["calls"]
    assert (call["system"], call["cost_amount"], call["cost_source"]) == (
        "hr",
        "0.00021",
        "genai-prices",
    )
    again = imported(core.data, tmp_path / "r.json", "litellm", str(path), "--system", "hr", check=False)
    assert (again["imported"], again["already_there"], again["refused"]) == (0, 501, 3)
    assert core.request("/api/v1/calls/count", key) == core.request("/api/v1/calls/count", key)
    assert core.request("/api/v1/calls/count", key)["spans"] == 501


def test_a_call_that_came_over_otlp_is_not_doubled(running: tuple[CoreProcess, str], tmp_path: Path) -> None:
    core, key = running
    started = NOW - 86_400
    span = {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(started * 10**9),
        "endTimeUnixNano": str((started + 1) * 10**9),
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
        ],
    }
    before = core.request("/api/v1/calls/count", key)["calls"]
    core.send(key, [span])
    observation = {
        "id": span["spanId"],
        "traceId": span["traceId"],
        "type": "GENERATION",
        "model": "gpt-4o",
        "startTime": started,
    }
    path = write(tmp_path / "o.jsonl", [observation, {**observation, "id": "another", "traceId": "another"}])
    told = imported(core.data, tmp_path / "r.json", "langfuse", str(path))
    assert (told["imported"], told["already_there"]) == (1, 1)
    assert core.request("/api/v1/calls/count", key)["calls"] == before + 2


def test_vendors_counting_is_kept_apart(running: tuple[CoreProcess, str], tmp_path: Path) -> None:
    core, key = running
    before = core.request("/api/v1/calls/count", key)["calls"]

    def page(amount: str) -> Path:
        result = {"object": "organization.costs.result", "line_item": "gpt-4o, input"}
        result["amount"] = {"value": "AMOUNT", "currency": "usd"}  # type: ignore[assignment]
        bounds = {"object": "bucket", "start_time": 1772323200, "end_time": 1772409600}
        later = {"object": "bucket", "start_time": 1772409600, "end_time": 1772496000, "results": []}
        text = json.dumps(
            {"object": "page", "data": [{**bounds, "results": [result]}, later], "has_more": False}
        )
        text = text.replace('"AMOUNT"', amount)
        path = tmp_path / "costs.json"
        path.write_text(text)
        return path

    told = imported(core.data, tmp_path / "r.json", "openai", str(page("0.06150000000000001")))
    assert (told["buckets_new"], told["imported"], told["left_out"]) == (1, 0, {"empty buckets": 1})
    told = imported(core.data, tmp_path / "r.json", "openai", str(page("0.06150000000000001")))
    assert (told["buckets_new"], told["buckets_same"]) == (0, 1)
    told = imported(core.data, tmp_path / "r.json", "openai", str(page("0.07")))
    assert told["buckets_changed"] == 1
    [found] = core.request("/api/v1/vendor-usage?kind=cost", key)["vendor_usage"]
    assert (found["amount"], found["currency"], found["start"]) == (
        "0.07",
        "USD",
        "2026-03-01T00:00:00.000000Z",
    )
    assert core.request("/api/v1/vendor-usage?provider=anthropic", key)["vendor_usage"] == []
    assert core.request("/api/v1/calls/count", key)["calls"] == before


def test_the_door_is_shut_over_tcp_and_imports_are_audited(
    running: tuple[CoreProcess, str], tmp_path: Path
) -> None:
    core, key = running
    write(tmp_path / "a.jsonl", [row(9000)])
    imported(core.data, tmp_path / "r.json", "litellm", str(tmp_path / "a.jsonl"))
    for path in ("/local/import/calls", "/local/import/end"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            core.request(path, key, b"x", content_type="application/msgpack")
        assert refused.value.code == 404
    out = tmp_path / "audit.jsonl"
    holdfast("export", "--what", "audit", "--format", "jsonl", "--out", str(out), data=core.data)
    told = [json.loads(line).get("record", {}) for line in out.read_text().splitlines()]
    last = [one for one in told if one.get("action") == "calls.imported"][-1]
    assert last["subject"] == "import:litellm"
    assert last["details"]["counts"]["imported"] == 1 and last["details"]["files"] == ["a.jsonl"]


def test_where_no_core_runs_and_back_from_an_export(tmp_path: Path) -> None:
    data, report = tmp_path / "data", tmp_path / "r.json"
    rows = [row(number, messages=[{"role": "user", "content": "Hello"}]) for number in range(50)]
    rows.append(row(50, status="failure", error_information={"error_class": "Timeout", "error_code": "408"}))
    path = write(tmp_path / "spend.jsonl", rows)
    dry = imported(data, report, "litellm", str(path), "--dry-run")
    assert (dry["mapped"], dry["imported"], data.exists()) == (51, 0, False)
    told = imported(
        data, report, "litellm", str(path), "--workspace", "acme", "--system", "hr", "--environment", "prod"
    )
    assert told["imported"] == 51
    exports = {}
    for what in ("calls", "spans"):
        exports[what] = tmp_path / f"{what}.jsonl"
        holdfast("export", "--what", what, "--format", "jsonl", "--out", str(exports[what]), data=data)
    csv = tmp_path / "calls.csv"
    holdfast("export", "--what", "calls", "--format", "csv", "--out", str(csv), data=data)
    original = [json.loads(line) for line in exports["calls"].read_text().splitlines()]
    told = imported(data, report, "jsonl", str(exports["calls"]))
    assert (told["imported"], told["already_there"]) == (0, 51)
    for source in (exports["calls"], csv, exports["spans"]):
        other = tmp_path / f"other-{source.name}"
        told = imported(other, report, "jsonl", str(source), "--workspace", "acme")
        assert told["imported"] == 51
        back = tmp_path / f"back-{source.name}"
        holdfast("export", "--what", "calls", "--format", "jsonl", "--out", str(back), data=other)
        returned = [json.loads(line) for line in back.read_text().splitlines()]
        left_out = {"received_at", "scope", "provenance", "convention"}
        if source is not exports["spans"]:
            left_out.add("configuration")  # a call names it, and only its spans say what it is made of
        assert [{k: v for k, v in one.items() if k not in left_out} for one in returned] == [
            {k: v for k, v in one.items() if k not in left_out} for one in original
        ], source


@pytest.mark.rotating(2)
@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_ended_midway_it_goes_on(tmp_path: Path, stopped: bool, how: signal.Signals) -> None:
    data, report = tmp_path / "data", tmp_path / "r.json"
    holdfast("key", "create", "--workspace", "acme", "--scopes", "read", data=data)
    core = None if stopped else CoreProcess(data).start()
    rows = 20_000
    path = write(tmp_path / "spend.jsonl", [row(number) for number in range(rows)])
    command = [sys.executable, "-m", "holdfast", "import", "litellm", str(path), "--data", str(data)]
    log = (tmp_path / "log").open("w+")
    begun = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOLDFAST_GRPC_PORT": "0"})
    try:
        until(
            lambda: "records" in (tmp_path / "log").read_text() or begun.poll() is not None, 120, "progress"
        )
        begun.send_signal(how)
        begun.wait(150)
        log.close()
        if how is signal.SIGINT and begun.returncode == 3:
            assert "not finished" in (tmp_path / "log").read_text()
        told = imported(data, report, "litellm", str(path))
        assert told["imported"] + told["already_there"] == told["read"] == rows
        assert told["finished"] is True
    finally:
        if core is not None:
            core.stop()
    counted = independent(
        data, "SELECT uniqExact(trace_id, id), count() FROM calls FINAL WHERE is_deleted = 0"
    )
    assert counted == [[rows, rows]]


def test_what_cannot_be_done_is_said_in_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "map.yaml").write_text("fields: [")
    for arguments, code, word in (
        (("langfuse", str(tmp_path / "none.jsonl")), 1, "cannot be read"),
        (("langfuse", str(tmp_path / "empty.json"), "--dry-run"), 1, "0 records"),
        (("jsonl", str(tmp_path / "empty.json"), "--mapping", str(tmp_path / "map.yaml")), 1, "no YAML"),
        (("openai", str(tmp_path / "empty.json"), "--at", "soon"), 1, "not an instant"),
        (("poem", str(tmp_path / "empty.json")), 2, "poem"),
    ):
        done = holdfast("import", *arguments, data=data, check=False)
        assert done.returncode == code, arguments
        assert word in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
