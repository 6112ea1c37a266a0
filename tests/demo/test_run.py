"""The one command: model, traffic, past, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from otlp_sink import Sink
from stand import free_port

pytestmark = [pytest.mark.demo, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]


def state(control: int) -> dict[str, Any] | None:
    """What the control door says, or None while it is not open yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{control}/state", timeout=10) as answer:
            return dict(json.load(answer))
    except OSError:
        return None


def children(number: int) -> list[str]:
    return Path(f"/proc/{number}/task/{number}/children").read_text().split()


def test_it_sends_real_calls_and_ends_cleanly(sink: Sink, tmp_path: Path) -> None:
    control, model = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "demo.run",
        "--otlp-endpoint",
        sink.url,
        "--key",
        "hf_test",
        "--no-history",
    ]
    command += ["--control-port", str(control), "--model-port", str(model), "--data", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pause = threading.Event()
    while not (state(control) or {}).get("turns"):
        assert process.poll() is None
        pause.wait(0.2)
    started = children(process.pid)
    process.send_signal(signal.SIGTERM)
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 0
    assert len(started) == 2
    assert not any(Path(f"/proc/{number}").exists() for number in started)
    assert all(line.startswith("demo: ") for line in said.splitlines())
    assert said.splitlines()[-1] == "demo: ended"
    assert any(
        span.operation == "chat" and span.attributes["gen_ai.usage.output_tokens"] for span in sink.spans
    )
    assert {h["authorization"] for h in sink.headers} == {"Bearer hf_test"}
