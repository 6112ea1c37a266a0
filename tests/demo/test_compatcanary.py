"""Black-box probes of OpenAI compatibility (npm `compatcanary`): the gateway gets the verdicts that its upstream gets."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.running_gateway import KEY, Worker

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".bootstrap/bin/node"
SCANNER = ROOT / "tests/gateway/clients/compatcanary/node_modules/compatcanary/src/cli.js"
BY_CHANCE = {"chat.tool_call"}
"""Whether the small model calls a tool where it may write prose is up to its sampling, which the probes leave free."""


def scanned(folder: Path, base_url: str, key: str, model: str) -> dict[str, Any]:
    """By probe, what was observed."""
    if not SCANNER.exists():
        pytest.skip("the probes are not installed: make .venv/.stamps/clients")
    report = folder / "report.json"
    command = [NODE, SCANNER, "scan", "--base-url", base_url, "--model", model, "--timeout", "240"]
    command += ["--format", "json", "--output", report, "--fail-on", "never"]
    environment = {**os.environ, "OPENAI_API_KEY": key}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=800, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(report.read_text())
    assert found["schemaVersion"] == "compatcanary.report.v1"
    return {one["id"]: one for one in found["results"]}


def test_the_gateway_gets_the_verdicts_of_its_upstream(door: Worker, model_url: str, tmp_path: Path) -> None:
    through = scanned(tmp_path, door.url + "/v1", KEY, "local")
    directly = scanned(tmp_path, model_url, "none", "smollm2-135m-instruct")
    assert through.keys() == directly.keys()
    assert len(through) == 7
    for found in (directly, through):
        failed = {name for name, one in found.items() if one["status"] != "pass"}
        assert failed <= BY_CHANCE, found
    for name in BY_CHANCE:
        assert through[name]["status"] in ("pass", "fail"), "it was answered, one way or the other"
