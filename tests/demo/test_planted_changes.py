"""The whole demo as it runs. Its calls go through the gateway, and each is one call, whoever told of it; a prompt is
edited, a model swapped, nobody records it, and both are seen within a minute.

What was really sent is taken from the captured requests themselves: which first carried the longer prompt, which answer
first named another model.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from demo.assistant.knobs import OTHER_MODEL
from demo.assistant.upstream import LOCAL_MODEL

from holdfast.commands import create_key
from holdfast.platform.settings import Settings
from running_core import until
from stand import free_port

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]
BOUND_SECONDS = 60.0
LONGER = "a company with nine sites"
Row = dict[str, Any]


@dataclass(frozen=True)
class House:
    """`holdfast up --demo`, its control door, and a reader of its workspace."""

    data: Path
    gateway_port: int
    reader: httpx2.Client

    def get(self, path: str, **params: Any) -> Any:
        answer = self.reader.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, verb: str, name: str) -> None:
        """Presses a button."""
        port = int((self.data / "demo" / "control.port").read_text())
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/{verb}/{name}", method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200

    def configurations(self) -> dict[tuple[str, str], Row]:
        """By id and the model that answered; those that nobody answered are left out."""
        found = self.get("configurations", system="hr-assistant")
        return {(one["id"], one["answered_by"]): one for one in found if one["answered_by"]}

    def seen_by_both(self, call: str) -> bool:
        """Whether the application's span of a call has joined the gateway's record, which comes a second earlier."""
        page = self.get("calls", system="hr-assistant", operation="chat", limit=500)
        return any(one["id"] == call and len(one["observations"]) == 2 for one in page["calls"])

    def calls(self) -> list[Row]:
        """Every answered call of the assistant, the earliest first, each with what was sent and its tools."""
        found: list[Row] = []
        cursor = ""
        while cursor is not None:
            page = self.get("calls", system="hr-assistant", operation="chat", limit=500, cursor=cursor)
            found += page["calls"]
            cursor = page["next_cursor"]
        for call in found:
            trace = self.get(f"traces/{call['trace_id']}")
            [span] = [one for one in trace["spans"] if one["span_id"] == call["id"]]
            call["content"] = json.dumps(span["content"])
            call["with_tools"] = "leave_balance" in json.dumps(
                (span["content"] or {}).get("tool_definitions")
            )
        return sorted(found, key=lambda one: one["started_at"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The demo without its past, once every route was taken."""
    data, port, gateway_port = tmp_path_factory.mktemp("planted") / "data", free_port(), free_port()
    (data / "demo").mkdir(parents=True)
    (data / "demo" / "history.sent").write_text("sent\n")
    command = [sys.executable, "-m", "holdfast", "up", "--demo", "--grpc-port", str(free_port())]
    command += ["--gateway-port", str(gateway_port)]
    process = subprocess.Popen(
        [*command, "--data", str(data), "--port", str(port)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "HOLDFAST_DEMO_BASE_URL": ""},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert any(re.search(r"http://127\.0\.0\.1:\d+/\S+", line) for line in process.stdout)
        threading.Thread(target=process.stdout.read, daemon=True).start()  # so that the pipe never fills
        key = create_key(Settings(data=data), "demo", "read,content", "test")
        headers = {"authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=headers) as reader:
            made = House(data, gateway_port, reader)
            until(lambda: len({one["route"] for one in made.configurations().values()}) >= 2, 240, "traffic")
            yield made
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


CHANGES: dict[str, tuple[Callable[[Row], bool], Callable[[Row], bool]]] = {
    "lengthen-prompt": (
        lambda call: LONGER in call["content"],
        lambda one: any("prompt" in word for word in one["changed"]),
    ),
    "swap-model": (
        lambda call: call["response_model"] == OTHER_MODEL,
        lambda one: f"answered by {LOCAL_MODEL} → {OTHER_MODEL}" in one["changed"],
    ),
}
"""By button: which calls were made under the change, and what the difference shown has to name."""


@pytest.mark.parametrize("name", CHANGES)
def test_what_nobody_recorded_is_seen_within_a_minute(house: House, name: str) -> None:
    under_it, names_it = CHANGES[name]
    known = house.configurations()
    pressed = datetime.now(UTC)
    began = time.monotonic()
    house.switch("break", name)
    fresh: list[Row] = []

    def appeared() -> bool:
        found = house.configurations()
        fresh[:] = [one for key, one in found.items() if key not in known and names_it(one)]
        return bool(fresh) and all(house.seen_by_both(one["first_call"]["id"]) for one in fresh)

    try:
        until(appeared, BOUND_SECONDS, "a configuration that nobody recorded")
    finally:
        house.switch("mend", name)
    print(f"{name} was seen after {time.monotonic() - began:.1f} s")
    calls = house.calls()
    changed = [call for call in calls if under_it(call)]
    assert changed
    assert all(datetime.fromisoformat(call["started_at"]) >= pressed for call in changed)
    for one in fresh:
        alike = [
            call
            for call in changed
            if call["route"] == one["route"] and call["with_tools"] == (one["tools"] is not None)
        ]
        first = alike[0]
        assert one["first_call"]["id"] == first["id"], (one, first)
        assert one["first_call"]["trace_id"] == first["trace_id"]
        assert datetime.fromisoformat(one["first_call"]["at"]) == datetime.fromisoformat(first["started_at"])
        assert one["id"] == first["configuration"]
        assert one["before"] is not None


def test_each_call_took_the_gateway_and_is_counted_once(house: House) -> None:
    calls: list[Row] = []

    def merged() -> bool:
        page = house.get("calls", system="hr-assistant", operation="chat", limit=500)
        calls[:] = page["calls"][5:]  # the latest may not have been told of by both yet
        return len(calls) >= 5 and all(len(call["observations"]) == 2 for call in calls)

    until(merged, 120, "calls seen by application and gateway")
    for call in calls:
        spans = {one["span_id"]: one for one in house.get(f"traces/{call['trace_id']}")["spans"]}
        theirs, ours = (spans[one] for one in call["observations"])
        assert ours["scope"].startswith("holdfast.gateway@")
        assert ours["parent_span_id"] in spans, "it joined the application's trace"
        assert "holdfast" not in theirs["scope"]
        assert call["release"].startswith("rel_")
        assert call["environment"] == "production"
        assert (call["cost_source"], call["cost_currency"]) == ("gateway", "USD")
        assert float(call["cost_amount"]) > 0
    release = {call["release"] for call in calls}
    assert len(release) == 1
    assert {call["route"] for call in calls} <= {"policy-question", "leave-request", "summarise-ticket"}
    # Last, because it is a call of the assistant's that the assistant did not make: a change that nobody recorded.
    key = (house.data / "demo" / "gateway.key").read_text()
    asked = {"model": "policy-question", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    answer = httpx2.post(
        f"http://127.0.0.1:{house.gateway_port}/v1/chat/completions",
        json=asked, headers={"authorization": f"Bearer {key}"}, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-holdfast-release"] in release
    assert answer.headers["x-holdfast-upstream"] == "demo-model"
    assert answer.headers["x-holdfast-cost"].endswith(" USD")
