"""Graders outside of the process, in a run: code from the operator's folder, a service with a credential of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.evals.runs.desk import Desk, desk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CREDENTIALS = "/api/v1/evals/credentials"
CODE = "def friendly(case, params, answer):\n    return 1.0 if params['word'] in answer['text'] else 0.0\n"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("outside")
    for slug in ("acme", "globex"):
        (folder / "graders" / slug).mkdir(parents=True)
        (folder / "graders" / slug / f"{slug}_tone.py").write_text(CODE)
    with desk(folder, graders_folder=str(folder / "graders")) as made:
        yield made


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str]]]:
    """A service that grades 1, and the credentials that it was sent."""
    seen: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(self.headers.get("authorization", ""))
            body = json.dumps({"score": 1}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/grade", seen
    server.shutdown()


def graded(at: Desk, name: str, expect: dict[str, Any]) -> dict[str, Any]:
    """The one grade of a run of one case."""
    at.suite(name, [{"id": "one", "prompt": "Hi", "expect": [expect]}])
    run = at.ran(name)
    [case] = at.get(run["id"], "/cases")
    found: dict[str, Any] = case["answers"][0]["grades"][0]
    return found


def test_code_of_the_operators_folder_grades(at: Desk) -> None:
    word = {"entry": "acme_tone:friendly", "params": {"word": "friend"}}
    assert graded(at, "kind", {"python": word})["score"] == 1
    word["params"] = {"word": "enemy"}
    assert graded(at, "unkind", {"python": word})["score"] == 0


def test_code_of_another_workspace_is_not_there(at: Desk) -> None:
    made = graded(at, "theirs", {"python": {"entry": "globex_tone:friendly", "params": {"word": "friend"}}})
    assert (made["score"], made["passed"]) == (None, None)
    assert "no module globex_tone" in made["reason"]


def test_a_service_is_sent_its_credential_at_its_own_host_alone(
    at: Desk, heard: tuple[str, list[str]]
) -> None:
    url, seen = heard
    client, name = at.core.client, "tone-service"
    for host, sent in (("graders.example.org", []), ("127.0.0.1", ["Bearer s3cret-of-graders"])):
        answer = client.put(
            f"{CREDENTIALS}/{name}", json={"host": host, "value": "s3cret-of-graders"}, headers=at.headers
        )
        assert answer.status_code == 200, answer.text
        made = graded(at, f"at-{len(host)}", {"http": {"url": url, "credential": name}})
        assert (made["score"], seen) == ((1, sent) if sent else (None, []))
        if not sent:
            assert f"no credential {name} for 127.0.0.1" in made["reason"]
    assert client.get(CREDENTIALS, headers=at.headers).json() == [{"name": name, "host": "127.0.0.1"}]
    assert client.delete(f"{CREDENTIALS}/{name}", headers=at.headers).status_code == 204
    assert client.get(CREDENTIALS, headers=at.headers).json() == []
    logs = [file.read_bytes() for file in Path(at.folder).rglob("*.log")]
    assert not any(b"s3cret-of-graders" in text for text in logs)
