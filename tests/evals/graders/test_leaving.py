"""Graders that leave the process: whatever is run or asked, a failure is an unknown grade with its reason."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.graders.asked import faults, graded
from holdfast.evals.graders import shelf
from holdfast.evals.graders.grading import Outside
from holdfast.evals.model import Answer, Expectation, Grade
from holdfast.kernel.errors import NotFound
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

CODE = """
import os, sys, time


def polite(case, params, answer):
    print("thinking")
    asked = case["input"]["messages"][0]["content"]
    return {"score": 0.75, "reason": params["word"] + " " + answer["text"] + " " + asked, "details": {"n": 1}}


def plain(case, params, answer):
    return answer["text"] == "yes"


def unsure(case, params, answer):
    return None


def loops(case, params, answer):
    while True:
        pass


def sleeps(case, params, answer):
    time.sleep(60)


def hoards(case, params, answer):
    return len([bytearray(1 << 20) for _ in range(100_000)])


def forks(case, params, answer):
    for _ in range(3):
        if os.fork() == 0:
            with open(params["where"], "a") as file:
                file.write(f"{os.getpid()}\\n")
            time.sleep(60)
    while len(open(params["where"]).read().split()) < 3:
        time.sleep(0.01)
    return 1


def floods(case, params, answer):
    while True:
        sys.stdout.write("x" * 100_000)


def talks(case, params, answer):
    return {"score": 1, "reason": "x" * 1_000_000}


def crashes(case, params, answer):
    raise ValueError("no such luck")


def aborts(case, params, answer):
    os.abort()


def leaves(case, params, answer):
    os._exit(0)


def babbles(case, params, answer):
    return {"mark": "A"}


def high(case, params, answer):
    return 7


def odd(case, params, answer):
    return float("nan")


def wild(case, params, answer):
    return {"score": 1, "details": [object()]}


def bare(case, params, answer):
    return {"score": 1, "reason": ",".join(sorted(os.environ)), "details": {"at": os.listdir(".")}}


wrong = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("suite")
    (found / "own").mkdir()
    (found / "own" / "tone.py").write_text(CODE)
    (found / "broken.py").write_text("def (")
    return found


def run(folder: Path, function: str, text: str = "hello", **params: Any) -> Grade:
    entry = function if ":" in function else f"own.tone:{function}"
    limits = {name: params.pop(name) for name in ("seconds", "memory_mb") if name in params}
    outside = Outside(folder=folder)
    return graded("python", {"entry": entry, "params": params, **limits}, text, outside=outside)


def test_a_function_grades(folder: Path) -> None:
    made = run(folder, "polite", word="said")
    assert (made.score, made.passed, made.reason) == (0.75, True, "said hello What is it?")
    assert made.details == {"n": 1}
    assert run(folder, "plain", "yes").score == 1
    assert run(folder, "plain", "no").passed is False


def test_half_a_surrogate_pair_reaches_a_function(folder: Path) -> None:
    assert run(folder, "polite", "\ud800", word="x").reason == "x ? What is it?"


def test_a_function_runs_without_environment_in_an_empty_folder(folder: Path) -> None:
    made = run(folder, "bare")
    assert set(made.reason.split(",")) <= {"", "LC_CTYPE"}
    assert made.details == {"at": []}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("loops", "longer than|stopped"),
        ("sleeps", "longer than 0.5 s"),
        ("hoards", "MemoryError|memory"),
        ("floods", "wrote more than"),
        ("talks", "more than 65,536 bytes"),
        ("crashes", "ValueError: no such luck"),
        ("aborts", "signal 6"),
        ("leaves", "no grade"),
        ("babbles", "no grade.*score"),
        ("high", "7, which is no score"),
        ("odd", "JSON compliant"),
        ("wild", "serializable"),
        ("wrong", "not callable"),
        ("nowhere", "no attribute"),
        ("unsure", "cannot tell"),
        ("broken:x", "SyntaxError|invalid syntax"),
        ("absent:x", "no module absent"),
    ],
)
def test_whatever_code_does_is_an_unknown_grade(folder: Path, function: str, words: str) -> None:
    before = time.monotonic()
    made = run(folder, function, seconds=0.5, memory_mb=256)
    assert (made.score, made.passed) == (None, None)
    assert re.search(words, made.reason), made.reason
    assert time.monotonic() - before < 5


def test_what_code_leaves_running_is_ended(folder: Path, tmp_path: Path) -> None:
    where = tmp_path / "pids"
    where.touch()
    made = run(folder, "forks", where=str(where), seconds=5)
    assert made.score == 1
    pids = [int(pid) for pid in where.read_text().split()]
    assert len(pids) == 3
    for pid in pids:
        assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet fetched does not. Waits a little for it to be told."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except (ProcessLookupError, FileNotFoundError):
            return False
        time.sleep(0.01)
    return True


def test_a_change_of_the_code_is_another_edition(folder: Path) -> None:
    expectation = Expectation("python", {"entry": "own.tone:plain"})
    before = shelf.edition(expectation, Outside(folder=folder))
    assert before == run(folder, "plain").version
    (folder / "own" / "tone.py").write_text(CODE + "\n")
    assert shelf.edition(expectation, Outside(folder=folder)) != before
    assert shelf.edition(expectation) == "1+none"


def test_without_a_folder_or_interpreter_nothing_runs(folder: Path) -> None:
    params = {"entry": "own.tone:plain"}
    assert "no folder" in graded("python", params, "x").reason
    away = Outside(folder=folder, python="/nowhere/python")
    assert "could not be started" in graded("python", params, "x", outside=away).reason


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"entry": "os.system"}, "entry"),
        ({"entry": "../x:y"}, "entry"),
        ({"entry": "a:b", "seconds": 0}, "seconds"),
        ({"entry": "a:b", "seconds": 1e9}, "seconds"),
        ({"entry": "a:b", "memory_mb": 1}, "memory_mb"),
    ],
)
def test_params_of_code_that_are_wrong_are_faults(params: dict[str, Any], place: str) -> None:
    assert faults("python", params)[f"params.{place}"]


Reply = Callable[[http.server.BaseHTTPRequestHandler, bytes], None]


class Service:
    """A service that grades, on loopback. `reply` says how; `seen` are the requests."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], Any]] = []
        self.reply: Reply = answering(200, {"score": 1})
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.seen.append(({k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
                with contextlib.suppress(OSError):
                    service.reply(self, body)

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/grade"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()


def answering(status: int, body: Any, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(raw)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    return reply


def dripping(handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(300):
        handler.wfile.write(b" ")
        time.sleep(0.02)


def hanging(handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
    time.sleep(3)


def broken_off(handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


def outside(allow: str = "127.0.0.1") -> Outside:
    settings = Settings(outbound_allow=allow)

    def credential(name: str, host: str) -> str:
        if (name, host) != ("grader", "127.0.0.1"):
            raise NotFound(f"there is no credential {name}")
        return "s3cret"

    return Outside(client=lambda: outbound.guarded_client(settings), credential=credential)


def asked(url: str, of: Outside | None = None, **params: Any) -> Grade:
    return graded("http", {"url": url, "seconds": 0.5, **params}, "hello", outside=of or outside())


def test_a_service_grades(service: Service) -> None:
    service.reply = answering(200, {"score": 0.25, "reason": "curt", "details": {"words": 1}})
    made = asked(service.url, params={"tone": "kind"}, credential="grader")
    assert (made.score, made.passed, made.reason, made.details) == (0.25, False, "curt", {"words": 1})
    headers, body = service.seen[0]
    assert headers["authorization"] == "Bearer s3cret"
    assert body["params"] == {"tone": "kind"}
    assert body["answer"]["text"] == "hello"
    assert body["case"]["input"]["messages"][0]["content"] == "What is it?"
    assert body["case"].keys() == {"id", "input", "segments", "criticality"}


def test_without_a_credential_none_is_sent(service: Service) -> None:
    assert asked(service.url).score == 1
    assert "authorization" not in service.seen[0][0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answering(500, {"score": 1}), "answered 500"),
        (answering(302, b"", location="http://127.0.0.1:1/"), "answered 302"),
        (answering(200, b"not json"), "no grade"),
        (answering(200, {"score": 2}), "no score from 0 to 1"),
        (answering(200, {"score": "high"}), "no grade"),
        (answering(200, b'{"score": NaN}'), "no grade"),
        (answering(200, b"[" * 60_000), "no grade"),
        (answering(200, b" " * 70_000), "more than 65,536 bytes"),
        (answering(200, {"score": None, "reason": "ask a person"}), "ask a person"),
        (dripping, "longer than 0.5 s"),
        (hanging, "longer than 0.5 s"),
        (broken_off, "could not be asked"),
    ],
)
def test_whatever_a_service_does_is_an_unknown_grade(service: Service, reply: Reply, words: str) -> None:
    service.reply = reply
    before = time.monotonic()
    made = asked(service.url)
    assert (made.score, made.passed) == (None, None)
    assert words in made.reason
    assert time.monotonic() - before < 2


def test_a_service_inside_the_network_is_not_asked_unless_allowed(service: Service) -> None:
    made = asked(service.url, outside(allow=""))
    assert made.score is None
    assert "private network" in made.reason
    assert service.seen == []


def test_a_service_that_is_away_is_an_unknown_grade() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        made = asked(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert "ConnectError" in made.reason


def test_a_credential_that_is_not_there_keeps_a_service_from_being_asked(service: Service) -> None:
    made = asked(service.url, credential="other")
    assert "no credential other" in made.reason
    assert service.seen == []
    assert "not asked here" in graded("http", {"url": service.url}, "x").reason


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "no", "https://user:pw@example.org/", "http://[::1"])
def test_an_address_that_is_none_is_a_fault(url: str) -> None:
    assert faults("http", {"url": url})["params.url"]


def test_a_service_states_its_edition() -> None:
    params = {"url": "https://grader.example/"}
    assert shelf.edition(Expectation("http", params)) == "1+unstated"
    assert shelf.edition(Expectation("http", {**params, "edition": "7"})) == "1+7"


def test_no_answer_is_graded_outside(folder: Path, service: Service) -> None:
    broken = Answer(error="away")
    both = Outside(folder=folder, client=outside().client)
    for name, params in (("http", {"url": service.url}), ("python", {"entry": "own.tone:plain"})):
        assert graded(name, params, broken, outside=both).score is None
    assert service.seen == []
