"""Sends the sample assistant its traffic: a day's rhythm, bursts, conversations of a few turns.

    python -m demo.driver --control-port 8411

Reads the standard OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS, and OPENAI_BASE_URL and OPENAI_API_KEY (or the
three HOLDFAST_DEMO_ settings).
"""

from __future__ import annotations

import argparse
import os
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import openai

from demo.assistant.conversation import Assistant, Caller, Message
from demo.assistant.instruments import Telemetry
from demo.assistant.retrieval import PolicyIndex, embedder
from demo.assistant.upstream import client, upstream
from demo.breaks import Switchboard
from demo.control import Control
from demo.lifeline import die_with_parent, say, stop_on_signal
from demo.rhythm import BASE_SECONDS, Conversation, conversations, pause_seconds

WORKERS = 2
GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Figures:
    """What has been done so far."""

    conversations: int = 0
    turns: int = 0
    errors: int = 0
    skipped: int = 0


class Driver:
    """Holds conversations with the assistant in two threads until it is told to stop."""

    def __init__(self, assistant: Assistant, switchboard: Switchboard, stop: threading.Event) -> None:
        self._assistant = assistant
        self._switchboard = switchboard
        self._stop = stop
        self._lock = threading.Lock()
        self._figures = Figures()

    def figures(self) -> dict[str, Any]:
        """Conversations begun, turns answered, turns failed, conversations skipped because too many wait."""
        with self._lock:
            return dict(vars(self._figures))

    def run(self, seed: int, base_seconds: float = BASE_SECONDS) -> None:
        """Drives until the stop event is set. The plan follows from the seed, ids of conversations do not."""
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="conversation")
        running: set[Future[None]] = set()
        for one in conversations(seed):
            if self._stop.wait(pause_seconds(one, time.localtime().tm_hour, base_seconds)):
                break
            running = {future for future in running if not future.done()}
            if len(running) < WORKERS * 4:
                running.add(pool.submit(self.hold, one))
            else:
                self._count(skipped=1)
        pool.shutdown(wait=False, cancel_futures=True)
        wait(running, timeout=GRACE_SECONDS)

    def hold(self, one: Conversation) -> None:
        """Holds one conversation, turn by turn; a failed turn ends it, as it would for a person."""
        route, turns = one.route, one.turns
        if self._switchboard.is_on("new-topic"):
            route, turns = "policy-question", one.other_topic
        self._count(conversations=1)
        caller = Caller(one.tenant, one.user, f"conv-{uuid.uuid4().hex[:16]}")
        history: list[Message] = []
        for number, question in enumerate(turns):
            if self._stop.is_set() or (number and self._stop.wait(0.4)):
                return
            try:
                self._assistant.ask(caller, route, question, history)
            except openai.OpenAIError as error:
                self._count(errors=1)
                say(f"a turn failed: {type(error).__name__}")
                return
            self._count(turns=1)

    def _count(self, **more: int) -> None:
        with self._lock:
            now = vars(self._figures)
            self._figures = replace(self._figures, **{name: now[name] + by for name, by in more.items()})


def main() -> None:
    """Runs the assistant and its traffic until a signal comes or the parent ends."""
    parser = argparse.ArgumentParser(prog="demo.driver", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--base-seconds", type=float, default=BASE_SECONDS)
    parser.add_argument("--parent", type=int, default=None, help="process id whose end ends this process")
    args = parser.parse_args()
    stop = stop_on_signal()
    die_with_parent(args.parent)
    where = upstream()
    switchboard = Switchboard()
    telemetry = Telemetry()
    sdk = client(where, lambda: delay(stop, switchboard), lambda: switchboard.knobs().served_by)
    assistant = Assistant(sdk, where, PolicyIndex(embedder()), switchboard.knobs)
    driver = Driver(assistant, switchboard, stop)
    control = Control(args.control_port, switchboard, lambda: {"model": where.model, **driver.figures()})
    say(f"traffic to {where.model} begins; controls on http://127.0.0.1:{control.port}/state")
    driver.run(args.seed, args.base_seconds)
    control.close()
    telemetry.close(GRACE_SECONDS)
    say("traffic ended")
    os._exit(0)  # a turn or an export that outlived its grace is not waited for


def delay(stop: threading.Event, switchboard: Switchboard) -> None:
    """Waits as long as the slow upstream would, or until the demo stops."""
    seconds = switchboard.knobs().delay_s
    if seconds:
        stop.wait(seconds)


if __name__ == "__main__":
    main()
