"""A company's own DLP: asked once for each request, and nothing is stored unredacted whatever it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.storage.migrate import migrate
from holdfast.storage.sql import Database
from holdfast.telemetry.conventions.templates import Templates
from holdfast.telemetry.ingest import dlp, prepare
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.ingest.safeguards import Safeguards
from holdfast.telemetry.model import Span
from holdfast.telemetry.store.events import EventRows
from holdfast.telemetry.store.spans import NAMES

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
Answer = Callable[[list[str]], bytes]


class Webhook:
    """A real HTTP server; `answer` makes the body, `hang` is what a slow one waits for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.status = 200
        self.answer: Answer = lambda texts: json.dumps(
            {"texts": [text.replace("secret", "[gone]") for text in texts]}
        ).encode()
        self.hang: threading.Event | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append(body["texts"])
                if outer.hang is not None:
                    outer.hang.wait(20)
                made = outer.answer(body["texts"])
                self.send_response(outer.status)
                self.send_header("content-length", str(len(made)))
                self.end_headers()
                self.wfile.write(made)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/dlp"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    if made.hang is not None:
        made.hang.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def ask(webhook: Webhook, tmp_path: Path) -> Iterator[Callable[..., list[tuple[str, str]]]]:
    """Prepares a request of spans with these contents; gives (content, state) of each as it would be stored."""
    database = Database(f"sqlite:///{tmp_path / 'holdfast.db'}")
    migrate(database)
    with database.transaction() as tx:
        made = tenancy.ensure_workspace(Context("", SYSTEM, NOW), tx, "acme")
        policy = DataPolicy(made.id, capture=CaptureMode.ON, dlp_webhook=webhook.url)
        tenancy.set_policy(Context(made.id, SYSTEM, NOW), tx, policy)
    policies = Policies(database)
    safeguards = Safeguards(policies, Settings(data=tmp_path, outbound_allow="127.0.0.1/32"))

    def prepared(*contents: str) -> list[tuple[str, str]]:
        spans = [_span(number, content) for number, content in enumerate(contents)]
        rows, refused = prepare.rows(made.id, spans, partial(policies.of, made.id), Templates(), NOW)
        assert not refused
        safeguards.apply(made.id, rows, EventRows())
        places = [name for name in NAMES if name not in ("workspace", "sequence")]
        return [
            (row.values[places.index("content")], row.values[places.index("content_state")]) for row in rows
        ]

    yield prepared
    safeguards.close()
    database.close()


def _span(number: int, content: str) -> Span:
    start = int(NOW.timestamp()) * 10**9
    attributes: dict[str, Any] = {"gen_ai.operation.name": "chat"}
    if content:
        attributes["gen_ai.input.messages"] = content
    return Span(
        f"{number + 1:032x}", f"{number + 1:016x}", "", "chat", "CLIENT", start, start + 10, "ok", "", "", "",
        attributes, {"service.name": "assistant"},
    )  # fmt: skip


def test_one_question_for_a_request_and_the_answer_is_stored(webhook: Webhook, ask: Any) -> None:
    made = ask("a secret", "", "nothing here", "another secret")
    assert len(webhook.asked) == 1 and webhook.asked[0] == ["a secret", "nothing here", "another secret"]
    assert [state for _, state in made] == ["redacted", "none", "captured", "redacted"]
    assert "secret" not in "".join(content for content, _ in made)
    assert "a [gone]" in made[0][0] and "another [gone]" in made[3][0] and "nothing here" in made[2][0]


@pytest.mark.parametrize(
    "answer",
    [
        lambda texts: json.dumps({"texts": texts[1:]}).encode(),
        lambda texts: json.dumps({"texts": [*texts, "more"]}).encode(),
        lambda texts: json.dumps({"texts": [7 for _ in texts]}).encode(),
        lambda texts: json.dumps(texts).encode(),
        lambda _: b"<html>",
        lambda _: b"",
        lambda texts: json.dumps({"texts": ["x" * 4_000_000 for _ in texts]}).encode(),
    ],
)
def test_an_answer_not_as_agreed_withholds_content(webhook: Webhook, ask: Any, answer: Answer) -> None:
    webhook.answer = answer
    assert ask("a secret", "b") == [("", "withheld"), ("", "withheld")]


def test_a_failing_webhook_withholds_content(webhook: Webhook, ask: Any) -> None:
    for status in (500, 404, 302):
        webhook.status = status
        assert ask("a secret") == [("", "withheld")]
    webhook.status = 200
    asked = len(webhook.asked)
    assert ask("a secret") == [("", "withheld")]  # three failures in a row: it is left alone for a while
    assert len(webhook.asked) == asked


def test_a_slow_webhook_withholds_content_in_time(
    webhook: Webhook, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlp, "SECONDS", 0.2)
    webhook.hang = threading.Event()
    assert ask("a secret") == [("", "withheld")]


def test_a_webhook_that_is_away_or_private_withholds_content(
    webhook: Webhook, ask: Any, tmp_path: Path
) -> None:
    webhook.server.shutdown()
    webhook.server.server_close()
    assert ask("a secret") == [("", "withheld")]
    guarded = dlp.Dlp(Settings(data=tmp_path))  # loopback is not allowed
    assert guarded.redact(webhook.url, ["a secret"]) is None
    guarded.close()
