"""Runs the whole demo: the local model, the sample assistant's traffic, and once the generated past.

    python -m demo.run --otlp-endpoint http://127.0.0.1:8400 --key hf_… --control-port 8411 --model-port 8410

With HOLDFAST_DEMO_BASE_URL, HOLDFAST_DEMO_API_KEY and HOLDFAST_DEMO_MODEL set, that upstream answers instead
of the local model; with HOLDFAST_DEMO_GATEWAY_URL and HOLDFAST_DEMO_GATEWAY_KEY, requests go through that
gateway, which leads to either. Prints one line per change of state. SIGTERM and SIGINT end it and all it started.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

from demo.assistant.upstream import upstream
from demo.lifeline import die_with_parent, say, stop_on_signal

READY_SECONDS = 120.0
RESTARTS = 5
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


@dataclass
class Child:
    """A process of the demo that should live as long as the demo does."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    nice: int = 0
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Starts it; it is told our process id and ends when we do."""
        command = [sys.executable, "-m", *self.arguments, "--parent", str(os.getpid())]
        if self.nice:
            command = ["nice", "-n", str(self.nice), *command]
        # A session of its own keeps the terminal's Ctrl-C away: we pass the end on, in order.
        self.process = subprocess.Popen(command, cwd=REPOSITORY, env=self.environment, start_new_session=True)

    def status(self) -> int | None:
        """Its exit status, or None while it runs or before it was started."""
        return self.process.poll() if self.process else None

    def end(self, patience: float) -> None:
        """Asks it to end, and makes it end after `patience` seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait_for(url: str, stop: threading.Event, child: Child | None = None) -> bool:
    """Polls a server's health until it answers; False where the demo shall stop, or the server hangs or its
    process `child` ended.
    """
    began = time.monotonic()
    while time.monotonic() - began < READY_SECONDS and (child is None or child.status() is None):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            if stop.wait(0.2):
                return False
    return False


def watch(children: list[Child], stop: threading.Event) -> int:
    """Restarts what ends by itself, a few times; returns the exit status for the whole when it is over."""
    while not stop.wait(0.5):
        for child in children:
            if child.status() is None:
                continue
            if child.restarts >= RESTARTS:
                say(f"{child.name} ended {RESTARTS + 1} times: giving up")
                return 1
            say(f"{child.name} ended with status {child.status()}; starting it again")
            child.restarts += 1
            if stop.wait(1.0 * child.restarts):
                break
            child.start()
    return 0


class Past:
    """The sending of the history beside the live traffic; a marker file tells that it was done."""

    def __init__(self, child: Child, marker: pathlib.Path) -> None:
        self._child = child
        self._marker = marker

    def begin(self) -> None:
        """Starts sending unless the marker says that it was done; the marker appears on success."""
        if self._marker.exists():
            say("past calls were sent before")
            return
        self._child.start()
        threading.Thread(target=self._finish, name="past", daemon=True).start()

    def _finish(self) -> None:
        process = self._child.process
        if process is not None and process.wait() == 0:
            self._marker.parent.mkdir(parents=True, exist_ok=True)
            self._marker.write_text("sent\n")

    def end(self) -> None:
        """Stops sending; the next start begins again and counts nothing twice."""
        self._child.end(5.0)


def main() -> None:
    """Parses, starts, watches, ends."""
    args = _arguments()
    stop = stop_on_signal()
    die_with_parent(args.parent)
    model_url = f"http://127.0.0.1:{args.model_port}"
    where = upstream(local_url=f"{model_url}/v1")
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": args.otlp_endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": _headers(args.key),
        "OPENAI_BASE_URL": where.base_url,
        "OPENAI_API_KEY": where.api_key,
        "TOKENIZERS_PARALLELISM": "false",
    }
    model = Child("model", ["demo.model_server", "--port", str(args.model_port)], dict(os.environ))
    driver = Child("traffic", ["demo.driver", "--control-port", str(args.control_port)], environment)
    past = Past(Child("past", ["demo.history.send"], environment, nice=10), args.data / "demo/history.sent")
    watched = [model, driver] if where.local else [driver]
    status = 0
    try:
        if where.local:
            model.start()
            if not wait_for(f"{model_url}/health", stop, model):
                status = 0 if stop.is_set() else 1
                say("the model did not start" if status else "stopped while the model was loading")
                return
        else:
            say(f"using {where.model} at {where.base_url}")
        if where.gateway and not wait_for(where.base_url.removesuffix("/v1") + "/readyz", stop):
            status = 0 if stop.is_set() else 1
            say("the gateway did not start" if status else "stopped while the gateway was starting")
            return
        driver.start()
        if not args.no_history:
            past.begin()
        status = watch(watched, stop)
    finally:
        past.end()
        driver.end(10.0)
        model.end(5.0)
        say("ended")
        if status:
            raise SystemExit(status)


def _headers(key: str | None) -> str:
    """The key as an OTLP header; without one, what the environment holds (which no process list shows)."""
    if key is None:
        return os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    return f"authorization={urllib.parse.quote(f'Bearer {key}')}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo.run", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--otlp-endpoint", required=True)
    parser.add_argument("--key", help="workspace key (scope ingest); else OTEL_EXPORTER_OTLP_HEADERS")
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--model-port", type=int, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument("--no-history", action="store_true")
    parser.add_argument("--parent", type=int, default=None, help="process id whose end ends this process")
    return parser.parse_args()


if __name__ == "__main__":
    main()
