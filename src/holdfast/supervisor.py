"""`holdfast up`: starts the core, the gateway, and the demo beside them, as processes that live and end together."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.commands import create_key, first_link
from holdfast.commands import demo as demonstration
from holdfast.kernel.errors import HoldfastError
from holdfast.platform.settings import Settings

READY_SECONDS = 120.0
REPOSITORY = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1


def say(text: str) -> None:
    """One line for the person at the terminal."""
    print(f"holdfast: {text}", flush=True)


def die_with(parent: int) -> Callable[[], None]:
    """For a child before it runs: it is killed when its parent dies, so that nothing stays behind."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


class Processes:
    """The children, ended in the reverse order of their start."""

    def __init__(self) -> None:
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        """Starts one in a session of its own: the terminal's Ctrl-C comes to us alone."""
        child = subprocess.Popen(
            arguments,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
        self._children.append((name, child))

    def ended(self) -> tuple[str, int] | None:
        """The first child that ended by itself, and its status."""
        for name, child in self._children:
            status = child.poll()
            if status is not None:
                return name, status
        return None

    def end(self) -> None:
        """Asks each to end, waits, and makes those end that do not."""
        for _, child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def supervise(settings: Settings, *, demo: bool, grpc_given: bool) -> int:
    """Runs until told to stop or a child ends by itself; returns the exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    processes = Processes()
    environment = dict(os.environ)  # noqa: TID251 - handed to the children as it is
    try:
        say(f"starting in {settings.data.resolve()} …")
        processes.start("core", _core(settings, grpc_given), environment, Path.cwd())
        if not _until_ready(settings, processes, stop):
            return 0 if stop.is_set() else 1
        prepared = _prepare_demo(settings) if demo else None
        reaching = _reaching(settings, environment) if prepared else environment
        processes.start("gateway", _gateway(settings), reaching, Path.cwd())
        _greet(settings, "demo" if demo else "main")
        if prepared:
            _start_demo(settings, processes, environment, prepared)
        while not stop.wait(0.3):
            ended = processes.ended()
            if ended is not None:
                say(f"the {ended[0]} ended with status {ended[1]}; stopping the rest")
                return 1
        say("stopping …")
        return 0
    finally:
        processes.end()
        say("stopped")


def _core(settings: Settings, grpc_given: bool) -> list[str]:
    arguments = [sys.executable, "-m", "holdfast", "serve", "--data", str(settings.data.resolve())]
    arguments += [
        "--port",
        str(settings.port),
        "--host",
        settings.host,
        "--gateway-port",
        str(settings.gateway_port),
    ]
    if grpc_given:
        arguments += ["--grpc-port", str(settings.grpc_port)]
    return arguments


def _gateway(settings: Settings) -> list[str]:
    arguments = [sys.executable, "-m", "holdfast", "gateway", "serve", "--data", str(settings.data.resolve())]
    return [*arguments, "--host", settings.host, "--gateway-port", str(settings.gateway_port)]


def _until_ready(settings: Settings, processes: Processes, stop: threading.Event) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        if processes.ended() is not None:
            say("the core did not start; its last lines above say why")
            return False
        try:
            with urllib.request.urlopen(f"http://{settings.host}:{settings.port}/readyz", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            stop.wait(0.1)
    return False


def _greet(settings: Settings, workspace: str) -> None:
    link = first_link(settings, workspace)
    if link is None:
        say(f"open {settings.base_url}")
    else:
        say(f"open {settings.base_url}, and sign in the first time with this link:\n\n    {link}\n")


@dataclass(frozen=True)
class Demo:
    """What was prepared for the demo. `through_gateway`: its traffic takes that way."""

    folder: Path
    model_port: int
    control_port: int
    through_gateway: bool


def free_port(wanted: int = 0) -> int:
    """A free loopback port: the wanted one where nobody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare_demo(settings: Settings) -> Demo | None:
    """Its workspace with systems, keys and the gateway's configuration, before the gateway looks for it."""
    if not (REPOSITORY / "demo" / "run.py").is_file():
        say("the demo comes with the repository, not with the installed package: clone it and use make run")
        return None
    folder = settings.data.resolve() / "demo"
    folder.mkdir(exist_ok=True)
    if not (folder / "key").exists():
        demonstration.register(settings)
        demonstration.judge(settings, REPOSITORY / "demo" / "suites")
    for file, scope in ((folder / "key", "ingest"), (folder / "gateway.key", "gateway")):
        if not file.exists():
            text = create_key(settings, demonstration.WORKSPACE, scope, f"Demo application ({scope})")
            file.touch(mode=0o600)
            file.write_text(text)
    kept = folder / "model.port"  # the same at each start: the gateway's configuration names it
    model_port = free_port(int(kept.read_text()) if kept.exists() else 0)
    kept.write_text(str(model_port))
    control_port = free_port()
    (folder / "control.port").write_text(str(control_port))
    try:
        led = demonstration.lead(settings, model_port)
    except HoldfastError as error:
        say(f"the demo's traffic does not take the gateway: {error.detail}")
        led = False
    return Demo(folder, model_port, control_port, led)


def _reaching(settings: Settings, environment: dict[str, str]) -> dict[str, str]:
    """The environment of the demo's gateway: it alone may also reach where the demo's model is."""
    allowed = filter(None, (settings.outbound_allow, demonstration.host(settings)))
    return {**environment, "HOLDFAST_OUTBOUND_ALLOW": ",".join(allowed)}


def _start_demo(
    settings: Settings, processes: Processes, environment: dict[str, str], prepared: Demo
) -> None:
    say("starting the demo: a local language model and an application that talks to it …")
    otlp = f"http://{settings.host}:{settings.port}"
    arguments = [sys.executable, "-m", "demo.run", "--otlp-endpoint", otlp]
    arguments += ["--control-port", str(prepared.control_port), "--model-port", str(prepared.model_port)]
    arguments += ["--data", str(prepared.folder.parent)]
    key = (prepared.folder / "key").read_text()
    given = {**environment, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{key}"}
    if prepared.through_gateway:
        given["HOLDFAST_DEMO_GATEWAY_URL"] = f"http://{settings.host}:{settings.gateway_port}"
        given["HOLDFAST_DEMO_GATEWAY_KEY"] = (prepared.folder / "gateway.key").read_text()
    processes.start("demo", arguments, given, REPOSITORY)
