"""The buttons break something for real: what leaves for the model changes, and what comes back shows it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from demo.assistant.knobs import OTHER_MODEL, Knobs
from demo.assistant.upstream import LOCAL_MODEL, client, upstream
from demo.breaks import BREAKS, Switchboard
from demo.driver import delay
from demo.questions import NEW_TOPIC
from demo.rhythm import conversations

pytestmark = pytest.mark.demo
TICKET = "Could you tell me where the form for the bicycle lease has gone?"


def chat(world: Any) -> Any:
    return world.ask("summarise-ticket", TICKET)[1]


@pytest.mark.parametrize("broken", ["lengthen-prompt"], indirect=True)
def test_a_longer_prompt_costs_more_input_tokens(broken: Any) -> None:
    long = chat(broken)
    broken.switchboard.turn("lengthen-prompt", False)
    short = chat(broken)
    more = long.attributes["gen_ai.usage.input_tokens"] - short.attributes["gen_ai.usage.input_tokens"]
    assert 150 < more < 300
    assert "nine sites" in long.attributes["gen_ai.input.messages"]


@pytest.mark.parametrize("broken", ["model-parameters"], indirect=True)
def test_other_parameters_are_sent(broken: Any) -> None:
    changed = chat(broken).attributes
    assert changed["gen_ai.request.temperature"] == 1.4
    assert changed["gen_ai.request.max_tokens"] == 192


@pytest.mark.parametrize("broken", ["swap-model"], indirect=True)
@pytest.mark.parametrize("route", ["summarise-ticket", "policy-question"])
def test_another_model_answers_and_nobody_asked_for_it(broken: Any, route: str) -> None:
    """In one piece, and streamed."""
    other = next(s for s in broken.ask(route, TICKET) if s.operation == "chat").attributes
    broken.switchboard.turn("swap-model", False)
    usual = next(s for s in broken.ask(route, TICKET) if s.operation == "chat").attributes
    assert other["gen_ai.request.model"] == usual["gen_ai.request.model"] == LOCAL_MODEL
    assert other["gen_ai.request.temperature"] == usual["gen_ai.request.temperature"] > 0
    assert (other["gen_ai.response.model"], usual["gen_ai.response.model"]) == (OTHER_MODEL, LOCAL_MODEL)
    assert other["gen_ai.usage.output_tokens"]


@pytest.mark.parametrize("broken", ["new-topic"], indirect=True)
def test_people_ask_about_something_no_policy_covers(broken: Any) -> None:
    one = next(c for c in conversations(1) if c.route == "leave-request")
    before = len(broken.sink.spans)
    broken.driver.hold(one)
    broken.telemetry.flush()
    spans = broken.sink.spans[before:]
    asked = {
        json.loads(s.attributes["gen_ai.input.messages"])[0]["parts"][0]["content"]
        for s in spans
        if s.operation == "invoke_agent"
    }
    assert asked
    assert asked <= {question for turns in NEW_TOPIC for question in turns}
    assert {s.attributes["holdfast.route"] for s in spans} == {"policy-question"}


@pytest.fixture
def instant_upstream() -> Iterator[str]:
    """A model that answers at once."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            message = {"role": "assistant", "content": "yes"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
            body = json.dumps(
                {
                    "id": "x",
                    "object": "chat.completion",
                    "created": 0,
                    "model": "m",
                    "choices": [choice],
                    "usage": usage,
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def test_a_slow_upstream_is_felt_in_the_call(world: Any, instant_upstream: str) -> None:
    switchboard = Switchboard()
    where = upstream({}, local_url=instant_upstream)
    with client(where, lambda: delay(threading.Event(), switchboard)) as sdk:
        for slow in (False, True):
            switchboard.turn("slow-upstream", slow)
            sdk.chat.completions.create(model=f"slow-{slow}", messages=[{"role": "user", "content": "?"}])
    world.telemetry.flush()
    lasted = {s.attributes.get("gen_ai.request.model"): (s.end - s.start) / 1e9 for s in world.sink.spans}
    assert lasted["slow-False"] < 2.0
    assert lasted["slow-True"] >= 3.0


def test_mending_puts_everything_back() -> None:
    switchboard = Switchboard()
    for name in BREAKS:
        switchboard.turn(name, True)
    assert switchboard.knobs() != Knobs()
    for name in BREAKS:
        switchboard.turn(name, False)
    assert switchboard.knobs() == Knobs()
    with pytest.raises(KeyError):
        switchboard.turn("nothing", True)
