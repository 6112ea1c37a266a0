"""Published instrumentations send to a running core over OTLP: one request to a provider is one call.

Those that need an environment of their own (OpenLIT an older SDK, the AI SDK Node.js) run in the ones that
`make test` prepares from locks; the others in this one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from running_core import Workspace
from telemetry.emitters.provider import provider

ROOT = Path(__file__).resolve().parents[2]
EMITTERS = ROOT / "tests/telemetry/emitters"
OPENLIT = ROOT / ".venv/openlit/bin/python"
NODE = ROOT / ".bootstrap/bin/node"
OPENAI_REQUESTS = ("chat", "tools", "stream", "embeddings", "responses", "rate-limited", "broken")
ANTHROPIC_REQUESTS = ("chat", "tools", "stream", "rate-limited", "broken")
FAILURES = {"rate-limited": "rate_limit", "broken": "model"}
HERE = (
    "genai-openai", "openinference-openai", "traceloop-openai",
    "genai-anthropic", "openinference-anthropic", "traceloop-anthropic", "sdk-anthropic",
)  # fmt: skip
AI_SDK = tuple(
    f"{major}-{sdk}" for major in ("4", "5", "6", "7", "7legacy") for sdk in ("openai", "anthropic")
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with provider() as url:
        yield url


def prepared(program: Path, beside: Path) -> str:
    if not (program.exists() and beside.exists()):
        pytest.skip("its environment is not there: make .venv/.stamps/emitters")
    return str(program)


def calls(workspace: Workspace, command: list[str], server: str) -> dict[str, list[dict[str, Any]]]:
    """Runs an emitter against the core; the calls that came of it, by the scenario that their session names."""
    door = [f"http://127.0.0.1:{workspace.core.port}", f"authorization=Bearer {workspace.key}"]
    done = subprocess.run(
        [*command, server, *door], capture_output=True, text=True, timeout=150, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    workspace.count()
    found: dict[str, list[dict[str, Any]]] = {}
    for call in workspace.calls():
        found.setdefault(call["session"].removeprefix("session-"), []).append(call)
    return found


def one_each(found: dict[str, list[dict[str, Any]]], requests: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The one call of every request, with what is the same for all of them seen to be right."""
    assert {name: len(calls) for name, calls in found.items()} == dict.fromkeys(requests, 1)
    only = {name: calls[0] for name, calls in found.items()}
    for name, call in only.items():
        assert (call["system"], call["environment"]) == ("sample-app", "test")
        assert set(call["quality"]) <= {"merge.usage_disagrees"}, name
        assert call["kind"] == ("embeddings" if name == "embeddings" else "inference")
        assert call["error_class"] == FAILURES.get(name), name
        if name in FAILURES:
            assert (call["request_model"], tokens(call)) == (name, (None,) * 4)
    return only


def tokens(call: dict[str, Any]) -> tuple[int | None, ...]:
    """Uncached input, cache read, cache write, output."""
    parts = ("input_uncached", "input_cache_read", "input_cache_write", "output")
    return tuple(call[f"{part}_tokens"] for part in parts)


def answered(only: dict[str, dict[str, Any]], sdk: str) -> None:
    """Model, ids, reasons, and streams of what the provider answered."""
    asked, answering = {
        "openai": ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        "anthropic": ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    }[sdk]
    for name in only.keys() - FAILURES.keys() - {"embeddings"}:
        call = only[name]
        assert (call["provider"], call["request_model"], call["response_model"]) == (sdk, asked, answering)
        assert call["response_id"]
        assert call["finish_reasons"] == (["tool_calls"] if name == "tools" else ["stop"]), name
        assert (call["ttft_ms"] is not None) == (name == "stream"), name
        assert call["streaming"] is (True if name == "stream" else call["streaming"] and None), name


def said(workspace: Workspace, call: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The texts of system and user, and the parts of the answer, of a call's own span."""
    spans = workspace.get(f"traces/{call['trace_id']}")["spans"]
    content = next(one["content"] for one in spans if one["span_id"] == call["span_id"])
    asked = [part["content"] for part in content["system_instructions"] or ()]
    asked += [part["content"] for message in content["input_messages"] for part in message["parts"]]
    return asked, [part for message in content["output_messages"] for part in message["parts"]]


def conversation(workspace: Workspace, only: dict[str, dict[str, Any]]) -> None:
    for name in ("chat", "stream"):
        asked, answer = said(workspace, only[name])
        assert {"be brief", "hi"} == set(asked), name
        assert answer == [{"type": "text", "content": "Hello"}], name
    _, (part,) = said(workspace, only["tools"])
    assert (part["type"], part["name"], part["arguments"]) == ("tool_call", "get_weather", {"city": "Paris"})


@pytest.mark.rotating(3)
@pytest.mark.parametrize("instrumentation", HERE)
def test_beside_the_sdks_of_today(instrumentation: str, workspace: Workspace, server: str) -> None:
    found = calls(workspace, [sys.executable, str(EMITTERS / "produce.py"), instrumentation], server)
    openai = instrumentation.endswith("openai")
    only = one_each(found, OPENAI_REQUESTS if openai else ANTHROPIC_REQUESTS)
    assert tokens(only["chat"])[:2] == ((400, 600) if openai else (100, 600))


@pytest.mark.rotating(3)
@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_openlit(sdk: str, workspace: Workspace, server: str) -> None:
    program = prepared(OPENLIT, OPENLIT.parent)
    found = calls(workspace, [program, str(EMITTERS / "produce_openlit.py"), f"openlit-{sdk}"], server)
    only = one_each(found, OPENAI_REQUESTS if sdk == "openai" else ANTHROPIC_REQUESTS)
    answered(only, sdk)
    conversation(workspace, only)
    expected = (400, 600, 0, 50) if sdk == "openai" else (100, 600, 300, 50)
    for name in only.keys() - FAILURES.keys() - {"embeddings"}:
        assert tokens(only[name]) == expected, name
        assert only[name]["convention"] == "openlit"


@pytest.mark.rotating(3)
@pytest.mark.parametrize("producer", AI_SDK)
def test_the_ai_sdk(producer: str, workspace: Workspace, server: str) -> None:
    folder = EMITTERS / "vercel"
    program = prepared(NODE, folder / "node_modules")
    major, _, sdk = producer.partition("-")
    found = calls(workspace, [program, str(folder / "produce.mjs"), producer], server)
    only = one_each(found, OPENAI_REQUESTS if sdk == "openai" else ANTHROPIC_REQUESTS)
    answered(only, sdk)
    conversation(workspace, only)
    for name in only.keys() - FAILURES.keys() - {"embeddings"}:
        call = only[name]
        expected: tuple[int | None, ...] = (400, 600, None, 50) if sdk == "openai" else (100, 600, 300, 50)
        if producer == "5-openai" and name != "stream":
            expected = (1000, None, None, 50)  # it says nowhere how much of the input was cached
        assert tokens(call) == expected, name
        assert call["convention"] == ("otel_genai" if major == "7" else "vercel")
        assert (call["agent"] if major == "7" else call["route"]) == f"function-{name}"
    if sdk == "openai":
        assert tokens(only["embeddings"])[0] == 5
