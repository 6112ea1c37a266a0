"""A core process of our own on a folder of its own, and the command line beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stand import free_port

DAY = 86_400 * 10**9


def holdfast(*arguments: str, data: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "HOLDFAST_GRPC_PORT": "0"},
    )
    if check:
        assert done.returncode == 0, done.stderr + done.stdout
    return done


@dataclass
class CoreProcess:
    """`holdfast serve`, started and stopped by the test."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    def start(self) -> CoreProcess:
        """Starts it and waits until it says that it is ready."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "holdfast", "serve", "--grpc-port", "0"),
                *("--port", str(self.port), "--data", str(self.data)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready" in line, line + (self.process.stderr.read() if self.process.stderr else "")
        return self

    def stop(self) -> None:
        """Asks it to end and waits."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
            self.process = None

    def request(self, path: str, key: str = "", body: bytes | None = None, **headers: str) -> Any:
        """The answer's JSON; raises urllib.error.HTTPError."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body)
        asked.add_header("content-type", "application/json")
        if key:
            asked.add_header("authorization", f"Bearer {key}")
        for name, value in headers.items():
            asked.add_header(name.replace("_", "-"), value)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def send(self, key: str, spans: Sequence[dict[str, Any]]) -> None:
        """Sends spans as OTLP JSON; returns once they are acknowledged."""
        self.request("/v1/traces", key, traces(spans))


def traces(spans: Sequence[dict[str, Any]]) -> bytes:
    """An OTLP request."""
    resource = {"attributes": [attribute("service.name", "assistant")]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def attribute(key: str, value: Any) -> dict[str, Any]:
    """One attribute of OTLP JSON."""
    kind = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(
    number: int, *, ago_ns: int = DAY, parent: str = "", trace: int | None = None, **attributes: Any
) -> dict[str, Any]:
    """A span of one chat request; keywords with `__` for dots add attributes."""
    start = time.time_ns() - ago_ns
    told: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 100 + number,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.response.id": f"resp-{number}",
    }
    told |= {name.replace("__", "."): value for name, value in attributes.items()}
    return {
        "traceId": f"{(number if trace is None else trace) + (0xABC << 100):032x}",
        "spanId": f"{number + 1:016x}",
        "parentSpanId": parent,
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**9),
        "attributes": [attribute(name, value) for name, value in told.items()],
    }
