"""Export files that the products' own code wrote, imported into a running core.

LiteLLM and Langfuse's SDK run in the environment that `make test` prepares from a lock; the SDKs of OpenAI and
Anthropic in this one.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types.messages import MessageBatchIndividualResponse
from openai.types.admin.organization.usage_completions_response import UsageCompletionsResponse
from openai.types.admin.organization.usage_costs_response import UsageCostsResponse

from commands.core_process import holdfast
from running_core import Workspace
from telemetry.emitters.provider import provider

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/exports/bin/python"
DAY = 1_772_323_200
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with provider() as url:
        yield url


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, server: str) -> Path:
    """The files that LiteLLM and Langfuse's SDK write."""
    if not PYTHON.exists():
        pytest.skip("its environment is not there: make .venv/.stamps/emitters")
    folder = tmp_path_factory.mktemp("exports")
    for product in ("litellm", "langfuse"):
        command = [PYTHON, ROOT / "tests/telemetry/emitters/produce_exports.py", product, folder, server]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def imported(
    workspace: Workspace, folder: Path, source: str, *files: Path, more: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The report of an import in which every record has its place."""
    report = folder / f"report-{time.monotonic_ns()}.json"
    paths = [str(path) for path in files]
    holdfast(
        "import",
        source,
        *paths,
        "--workspace",
        workspace.slug,
        "--report",
        str(report),
        *more,
        data=workspace.core.data,
    )
    told: dict[str, Any] = json.loads(report.read_text())
    return told


def tokens(call: dict[str, Any]) -> tuple[int | None, ...]:
    """Uncached input, cache read, cache write, output, reasoning."""
    names = ("input_uncached", "input_cache_read", "input_cache_write", "output", "reasoning")
    return tuple(call[f"{name}_tokens"] for name in names)


def by_model(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    workspace.count()
    found: dict[str, list[dict[str, Any]]] = {}
    for call in reversed(workspace.calls()):
        found.setdefault(call["request_model"], []).append(call)
    return found


@pytest.mark.parametrize(("name", "calls"), [("payloads.jsonl", 5), ("spend.jsonl", 4)])
def test_litellm(workspace: Workspace, exports: Path, name: str, calls: int) -> None:
    told = imported(workspace, exports, "litellm", exports / name)
    assert (told["imported"], told["refused"], told["unmapped_fields"]) == (calls, 0, {})
    assert workspace.count() == (calls, calls)
    found = by_model(workspace)
    plain, streamed = found["gpt-4o-mini"]
    assert tokens(plain) == tokens(streamed) == (400, 600, None, 50, 20)
    assert plain["cost_amount"] == "0.000135" and plain["provider"] == "openai"
    assert streamed["ttft_ms"] is not None and plain["ttft_ms"] is None
    [cached] = found["claude-sonnet-4-5"]
    assert tokens(cached)[:4] == (100, 600, 300, 50) and cached["cost_amount"] == "0.002355"
    [embedded] = found["text-embedding-3-small"]
    assert (embedded["kind"], tokens(embedded)[0]) == ("embeddings", 5)
    if name == "payloads.jsonl":
        assert plain["finish_reasons"] == ["tool_calls"] and plain["parameters"]["temperature"] == 0.2
        [refused] = found["rate-limited"]
        assert (refused["error_class"], refused["status"]) == ("rate_limit", "error")


def test_litellms_two_forms_are_the_same_calls(workspace: Workspace, exports: Path) -> None:
    assert imported(workspace, exports, "litellm", exports / "payloads.jsonl")["imported"] == 5
    told = imported(workspace, exports, "litellm", exports / "spend.jsonl")
    assert (told["imported"], told["already_there"]) == (0, 4)
    assert workspace.count() == (5, 5)


@pytest.mark.parametrize("files", [("observations.json",), ("legacy.json", "traces.json")])
def test_langfuse(workspace: Workspace, exports: Path, files: tuple[str, ...]) -> None:
    told = imported(workspace, exports, "langfuse", *(exports / name for name in files))
    assert (told["imported"], told["refused"]) == (4, 0)
    assert workspace.count() == (2, 4)
    answered, failed = by_model(workspace)["gpt-4o-mini"]
    assert tokens(answered) == (400, 600, None, 50, None) and answered["cost_amount"] == "0.000135"
    assert (answered["user"], answered["session"], answered["route"]) == ("ada", "s-1", "ask")
    assert answered["environment"] == "production" and answered["parameters"]["max_tokens"] == 100
    assert failed["error_class"] == "rate_limit"
    observed = json.loads((exports / files[0]).read_text())["data"]
    assert answered["trace_id"] == observed[0]["traceId"]
    trace = workspace.get(f"traces/{answered['trace_id']}")
    assert len(trace["spans"]) == 4


def test_openai(workspace: Workspace, tmp_path: Path, server: str) -> None:
    with openai.OpenAI(base_url=f"{server}/v1", api_key="sk-1") as client:
        completion = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}]
        )
    at = int(time.time()) - 3600
    stored = completion.model_copy(update={"created": at})
    (tmp_path / "stored.json").write_text(
        json.dumps({"object": "list", "data": [stored.model_dump(mode="json")], "has_more": False})
    )
    batch = completion.model_copy(update={"created": at, "id": "chatcmpl-batch"}).model_dump(mode="json")
    line = {
        "id": "batch_req_1",
        "custom_id": "a",
        "response": {"status_code": 200, "body": batch},
        "error": None,
    }
    (tmp_path / "batch.jsonl").write_text(json.dumps(line) + "\n")
    usage = UsageCompletionsResponse.model_validate(
        page(
            "usage.completions",
            {
                "input_tokens": 1000,
                "output_tokens": 500,
                "input_cached_tokens": 800,
                "num_model_requests": 5,
                "model": "gpt-4o",
            },
        )
    )
    costs = UsageCostsResponse.model_validate(
        page("costs", {"line_item": "gpt-4o, input", "amount": {"value": 0.06, "currency": "usd"}})
    )
    (tmp_path / "usage.json").write_text(usage.model_dump_json(indent=2))
    (tmp_path / "costs.json").write_text(costs.model_dump_json())
    files = [tmp_path / name for name in ("stored.json", "batch.jsonl", "usage.json", "costs.json")]
    told = imported(workspace, tmp_path, "openai", *files)
    assert (told["imported"], told["buckets_new"], told["refused"]) == (2, 2, 0)
    assert workspace.count() == (2, 2)
    calls = by_model(workspace)["gpt-4o-mini-2024-07-18"]
    assert [tokens(call) for call in calls] == [(400, 600, None, 50, 20)] * 2
    assert sorted(call["service_tier"] for call in calls) == ["batch", "default"]
    rows = workspace.get("vendor-usage")["vendor_usage"]
    assert {row["kind"]: (row["amount"], row["dimensions"]) for row in rows} == {
        "usage": (None, {"model": "gpt-4o"}),
        "cost": ("0.06", {"line_item": "gpt-4o, input"}),
    }


def page(kind: str, result: dict[str, Any]) -> dict[str, Any]:
    """A page of one bucket."""
    named = {"object": f"organization.{kind}.result", **result}
    bucket = {"object": "bucket", "start_time": DAY, "end_time": DAY + 86_400, "results": [named]}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


def test_anthropic(workspace: Workspace, tmp_path: Path, server: str) -> None:
    with anthropic.Anthropic(base_url=server, api_key="sk-1") as client:
        message = client.messages.create(
            model="claude-sonnet-4-5", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
        )
    result = MessageBatchIndividualResponse.model_validate(
        {"custom_id": "a", "result": {"type": "succeeded", "message": message.model_dump(mode="json")}}
    )
    (tmp_path / "results.jsonl").write_text(result.model_dump_json() + "\n")
    told = imported(
        workspace, tmp_path, "anthropic", tmp_path / "results.jsonl", more=("--at", "2026-11-01T00:00:00Z")
    )
    assert (told["imported"], told["refused"]) == (1, 0)
    [[call]] = by_model(workspace).values()
    assert tokens(call)[:4] == (100, 600, 300, 50)
    assert call["service_tier"] == "batch"
