"""What the gateway recorded of a call and what the application's own OpenTelemetry says of it are one call.

Real instrumentations around the official SDKs, a real gateway process, a real core; which of the two tells first, and how
much later the other comes, is up to the test: the process that ships records is stopped meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from running_gateway import GatewayProcess
from vendor import Vendor

from holdfast.commands import gateway as commands
from running_core import NO_TLS, CoreProcess, Workspace, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
INSTRUMENTATIONS = {
    "genai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "openinference": ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    "openllmetry": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    "genai-anthropic": ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
}
DOCUMENT = """
upstreams:
  main:
    dialect: openai
    base_url: {url}/v1
    provider: acme
    prices: {{real-model: {{input_uncached: "3", output: "15"}}}}
  cheap:
    dialect: openai
    base_url: {url}/v1
    models: [gpt-4o-mini]
    prices: {{gpt-4o-mini: {{input_uncached: "3", output: "15"}}}}
  claude:
    dialect: anthropic
    base_url: {url}/v1
    provider: acme
    models: [claude-real]
    prices: {{claude-real: {{input_uncached: "3", output: "15"}}}}
releases:
  one: {{chain: [{{upstream: main, model: real-model}}]}}
  listed: {{chain: [{{upstream: cheap, model: gpt-4o-mini}}]}}
  crossed: {{chain: [{{upstream: claude, model: claude-real}}]}}  # for a client of OpenAI, in the other dialect
routes:
  support: {{release: one, models: [support, broken], retries: 1}}
  crossed: {{release: crossed, models: [crossed], max_output_tokens: 50}}
  listed: {{release: listed, models: [listed]}}
  cached: {{release: one, models: [cached], cache_seconds: 600}}
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("one-call") / "data", outbound_allow="127.0.0.1").start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway(core: CoreProcess) -> Iterator[GatewayProcess]:
    made = GatewayProcess(core.data)
    made.start()
    yield made
    assert made.process is not None
    made.process.terminate()
    made.process.wait(60)


class Application:
    """An instrumented application. What its spans say is told when a test says so."""

    def __init__(self, instrumentation: tuple[str, str]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("application.py")), *instrumentation]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **told: Any) -> ExportTraceServiceRequest:
        """Has it ask once, within a span of its own; the spans that it made."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return ExportTraceServiceRequest.FromString(bytes.fromhex(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module", params=INSTRUMENTATIONS)
def application(request: pytest.FixtureRequest) -> Iterator[Application]:
    made = Application(INSTRUMENTATIONS[request.param])
    yield made
    made.close()


@pytest.fixture(scope="module")
def genai() -> Iterator[Application]:
    made = Application(INSTRUMENTATIONS["genai"])
    yield made
    made.close()


class Place:
    """A workspace whose gateway leads to the vendor."""

    def __init__(self, workspace: Workspace, gateway: GatewayProcess) -> None:
        self.workspace, self.gateway = workspace, gateway
        self.url = f"http://127.0.0.1:{gateway.port}"

    def told(self, model: str, *, stream: bool = False, joins: bool = True, **more: Any) -> dict[str, Any]:
        """What an application is asked to do here."""
        key = self.workspace.key
        return {"url": self.url, "key": key, "model": model, "stream": stream, "joins": joins, **more}

    def known(self) -> bool:
        headers = {"authorization": f"Bearer {self.workspace.key}"}
        answer = httpx2.get(self.url + "/v1/models", headers=headers, verify=NO_TLS)
        return answer.status_code == 200 and b"support" in answer.content

    @contextmanager
    def gateway_held_back(self) -> Iterator[None]:
        """Requests are served meanwhile, and their records stay on the gateway's disk."""
        assert self.gateway.process is not None
        os.kill(self.gateway.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.gateway.process.pid, signal.SIGCONT)

    def stored(self, spans: int) -> None:
        """Waits until so many spans are stored, and counted."""
        until(lambda: self.workspace.count()[1] >= spans, 30, f"{spans} spans")
        assert self.workspace.count()[1] == spans

    def post(self, spans: ExportTraceServiceRequest) -> None:
        assert self.workspace.post(spans.SerializeToString()).content == b""


@pytest.fixture
def place(core: CoreProcess, gateway: GatewayProcess, vendor: Vendor, tmp_path: Path) -> Place:
    workspace = core.workspace(scopes="ingest,read,content,gateway")
    file = tmp_path / "gateway.yaml"
    file.write_text(DOCUMENT.format(url=vendor.url))
    commands.apply(core.settings, file, workspace.slug, "", None, dry_run=False)
    made = Place(workspace, gateway)
    until(made.known, 10, "the configuration at the gateway")
    return made


def spans_of(sent: ExportTraceServiceRequest) -> list[Span]:
    return [span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans]


def call_of(sent: ExportTraceServiceRequest) -> Span:
    """The span of the request to a model."""
    [found] = [span for span in spans_of(sent) if span.name != "turn"]
    return found


@pytest.mark.rotating(3)
@pytest.mark.parametrize(
    ("first", "stream", "model"),
    [
        ("application", False, "crossed"),
        ("application", True, "support"),
        ("gateway", False, "support"),
        ("gateway", True, "crossed"),
    ],
)
def test_whoever_tells_first_it_is_one_call(
    application: Application, place: Place, vendor: Vendor, first: str, stream: bool, model: str
) -> None:
    workspace = place.workspace
    with place.gateway_held_back():
        sent = application.ask(**place.told(model, stream=stream))
        if first == "application":
            place.post(sent)
            assert workspace.count() == (1, 2)
    if first == "gateway":
        place.stored(1)
        assert workspace.calls()[0]["release"]
        place.post(sent)
    place.stored(3)
    [call] = workspace.calls()
    assert call["observations"][0] == call_of(sent).span_id.hex(), "the application stands outside"
    assert len(call["observations"]) == 2
    real = {"support": "real-model", "crossed": "claude-real"}[model]
    assert (call["request_model"], call["response_model"]) == (model, real)
    assert call["output_tokens"] == len(vendor.words)
    cost = (3 * Decimal(call["input_uncached_tokens"]) + 15 * len(vendor.words)) / 1_000_000
    assert Decimal(call["cost_amount"]) == cost
    assert call["release"].startswith("rel_")
    assert call["route"] in ("support", "crossed")
    assert (call["status"], call["attempt"]) == ("ok", False)


@pytest.mark.parametrize("first", ["application", "gateway"])
def test_a_call_that_failed_under_an_alias_is_one_failed_call(
    application: Application, place: Place, vendor: Vendor, first: str
) -> None:
    vendor.tell("real-model", "400")
    try:
        with place.gateway_held_back():
            sent = application.ask(**place.told("support"))
            if first == "application":
                place.post(sent)
                assert place.workspace.count() == (1, 2)
        if first == "gateway":
            place.stored(1)
            place.post(sent)
        place.stored(3)
    finally:
        vendor.tell("real-model", "well")
    [call] = place.workspace.calls()
    assert len(call["observations"]) == 2
    assert call["status"] == "error"
    assert call["release"].startswith("rel_")


def test_tries_of_the_gateway_and_of_the_sdk_are_attempts_of_one_call(
    genai: Application, place: Place, vendor: Vendor
) -> None:
    """The SDK asks twice: the gateway fails twice at the first, and at the second succeeds at once."""
    vendor.tell("real-model", "500", "500", "well")
    sent = genai.ask(**place.told("support", retries=1))
    place.post(sent)
    place.stored(5)
    calls = place.workspace.calls()
    [counted] = [call for call in calls if not call["attempt"]]
    assert counted["status"] == "ok"
    assert counted["observations"][0] == call_of(sent).span_id.hex()
    assert len(counted["observations"]) == 2
    assert [call["status"] for call in calls if call["attempt"]] == ["error", "error"]


def test_an_answer_from_the_cache_is_one_call_that_cost_nothing(genai: Application, place: Place) -> None:
    place.post(genai.ask(**place.told("cached")))
    place.stored(3)
    [paid] = place.workspace.calls()
    assert Decimal(paid["cost_amount"]) > 0
    place.post(genai.ask(**place.told("cached")))
    place.stored(6)
    hit, first = place.workspace.calls()
    assert first["id"] == paid["id"]
    assert hit["cache_hit"] is True
    assert len(hit["observations"]) == 2
    assert Decimal(hit["cost_amount"]) == 0
    assert (hit["input_uncached_tokens"], hit["output_tokens"]) == (0, 0)
    assert hit["quality"] == []


def test_a_call_costs_what_the_gateway_settled_it_at(genai: Application, place: Place) -> None:
    """Also where the list has another price for the model, and the application's span is counted with the record."""
    key = {"authorization": f"Bearer {place.workspace.key}"}
    body = {"model": "listed", "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx2.post(f"{place.url}/v1/chat/completions", json=body, headers=key, verify=NO_TLS)
    place.stored(1)
    [call] = place.workspace.calls()
    assert Decimal(call["cost_amount"]) == Decimal(answer.headers["x-holdfast-cost"].removesuffix(" USD")) > 0
    assert call["cost_source"] == "gateway"
    place.post(genai.ask(**place.told("listed")))
    place.stored(4)
    calls = place.workspace.calls()
    assert [one["cost_source"] for one in calls] == ["gateway"] * 2
    for one in calls:
        tokens = 3 * one["input_uncached_tokens"] + 15 * one["output_tokens"]
        assert Decimal(one["cost_amount"]) == Decimal(tokens) / 10**6
