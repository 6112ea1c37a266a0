"""Feedback over real sockets: given before and after its call, kept once, read by whom it may be, never lost."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from holdfast.commands import create_key
from otlp_made import body, span
from running_core import PAUSE, CoreProcess, Workspace, until

SAID = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "holdfast.route": "refunds",
    "holdfast.release": "v7",
    "session.id": "s-1",
}


def send(workspace: Workspace, method: str, path: str, sent: Any = None, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return workspace.core.client.request(
        method, f"/api/v1/{path}", json=sent, headers={"authorization": f"Bearer {workspace.key}", **named}
    )


def give(workspace: Workspace, **told: Any) -> dict[str, Any]:
    answer = send(workspace, "POST", "feedback", told)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["items"][0]
    return found


def joined(workspace: Workspace, id: str) -> dict[str, Any]:
    until(lambda: bool(workspace.get(f"feedback/{id}")["call"]), what="the joining")
    found: dict[str, Any] = workspace.get(f"feedback/{id}")
    return found


def new_trace() -> str:
    return uuid.uuid4().hex


def call(workspace: Workspace, trace: str, span_id: str = "ab" * 8, **said: Any) -> None:
    made = span(trace, span_id, start_ns=time.time_ns() - 10**9, attributes={**SAID, **said})
    assert workspace.post(body([made])).status_code == 200


@pytest.mark.parametrize("first", ["feedback", "call"])
def test_feedback_finds_its_call_whichever_came_first(workspace: Workspace, first: str) -> None:
    trace, span_id = new_trace(), uuid.uuid4().hex[:16]
    if first == "call":
        call(workspace, trace, span_id)
        workspace.count()
    by_call = give(workspace, call_id=span_id, rating=-1)["id"]
    by_trace = give(workspace, trace_id=trace.upper(), score=0.9, author="u-1")["id"]
    if first == "feedback":
        assert workspace.get(f"feedback/{by_call}")["call"] is None, "unknown, and taken all the same"
        call(workspace, trace, span_id)
    for id in (by_call, by_trace):
        found = joined(workspace, id)["call"]
        assert (found["call_id"], found["trace_id"], found["route"]) == (span_id, trace, "refunds")
        assert (found["release"], found["session"], found["model"]) == ("v7", "s-1", "gpt-4o-mini")
    assert [one["id"] for one in workspace.get("feedback", route="refunds", rating=1)["items"]] == [
        by_trace,
        by_call,
    ]


def test_feedback_of_a_trace_with_several_calls_knows_what_they_agree_on(workspace: Workspace) -> None:
    trace = new_trace()
    call(workspace, trace, "aa" * 8)
    call(workspace, trace, "bb" * 8, **{"holdfast.release": "v8"})
    workspace.count()
    found = joined(workspace, give(workspace, trace_id=trace, rating=1)["id"])["call"]
    assert (found["call_id"], found["route"], found["release"]) == (None, "refunds", None)


def test_sent_again_it_is_kept_once(workspace: Workspace) -> None:
    told = {"id": "mine-1", "trace_id": new_trace(), "rating": 1}
    assert give(workspace, **told)["became"] == "added"
    assert give(workspace, **told)["became"] == "known"
    changed = send(workspace, "POST", "feedback", {**told, "rating": -1})
    assert changed.status_code == 409
    assert "mine-1" in changed.json()["detail"]
    once = {"trace_id": new_trace(), "rating": 1}
    first = send(workspace, "POST", "feedback", once, idempotency_key="k-1").json()["items"][0]
    again = send(workspace, "POST", "feedback", once, idempotency_key="k-1").json()["items"][0]
    assert (first["id"], first["became"], again["became"]) == (again["id"], "added", "known")
    assert len(workspace.get("feedback")["items"]) == 2


def test_a_batch_is_kept_whole_or_not_at_all(workspace: Workspace) -> None:
    good = [{"id": f"b-{number}", "session": "s", "score": 0.5} for number in range(3)]
    bad = [*good, {"id": "b-9", "session": "s", "rating": 7}, {"id": "b-10", "rating": 1}]
    refused = send(workspace, "POST", "feedback/batch", {"items": bad})
    assert refused.status_code == 422
    assert [one["where"] for one in refused.json()["errors"]] == ["items.3.rating", "items.4.call_id"]
    assert workspace.get("feedback")["items"] == []
    kept = send(workspace, "POST", "feedback/batch", {"items": good}, idempotency_key="k")
    assert [one["became"] for one in kept.json()["items"]] == ["added"] * 3
    assert len(workspace.get("feedback")["items"]) == 3
    twice = send(workspace, "POST", "feedback/batch", {"items": [good[0], good[0]]})
    assert twice.status_code == 422


def test_secrets_and_personal_data_are_taken_out_of_words(workspace: Workspace) -> None:
    given = give(
        workspace,
        session="s",
        rating=-1,
        comment="Write to ada@example.org, card 4111 1111 1111 1111",
        metadata={"from": ["eve@example.org"]},
        author="ada@example.org",
    )
    found = workspace.get(f"feedback/{given['id']}")
    assert found["words"] == "redacted"
    assert found["comment"] == "Write to [EMAIL], card [CARD]"
    assert found["metadata"] == {"from": ["[EMAIL]"]}
    assert found["author"].startswith("p_")
    again = give(workspace, session="s2", rating=-1, author="Ada@Example.org")
    assert workspace.get(f"feedback/{again['id']}")["author"] == found["author"], "one person, one pseudonym"


def test_a_policy_that_keeps_no_content_keeps_no_words(workspace: Workspace) -> None:
    policy = {
        "capture": "off", "sample_rate": 1.0, "redact_kinds": [], "dlp_webhook": "",
        "content_days": 30, "span_days": 400, "call_days": 800,
    }  # fmt: skip
    assert send(workspace, "PUT", "data-policies", policy).status_code in (200, 204)
    given = give(workspace, session="s", rating=-1, comment="my mother's name is …")
    found = workspace.get(f"feedback/{given['id']}")
    assert (found["words"], found["comment"], found["rating"]) == ("withheld", None, -1)


def test_words_are_for_those_who_may_read_content(workspace: Workspace) -> None:
    id = give(workspace, session="s", rating=-1, comment="quite wrong")["id"]
    reader = Workspace(
        workspace.core, workspace.slug, create_key(workspace.core.settings, workspace.slug, "read", "r")
    )
    found = reader.get(f"feedback/{id}")
    assert (found["comment"], found["words"], found["rating"]) == (None, "denied", -1)
    lines = send(reader, "GET", "feedback/export").text.splitlines()
    assert json.loads(lines[0])["comment"] is None
    assert send(reader, "POST", "feedback", {"session": "s", "rating": 1}).status_code == 403
    assert send(reader, "DELETE", f"feedback/{id}/words").status_code == 403
    assert send(workspace, "DELETE", f"feedback/{id}/words").status_code == 204
    assert workspace.get(f"feedback/{id}")["words"] == "erased"


def test_what_was_set_aside_is_not_open(workspace: Workspace) -> None:
    id = give(workspace, session="s", rating=-1)["id"]
    aside = send(workspace, "PUT", f"feedback/{id}/handling", {"handling": "dismissed", "note": "a test"})
    assert aside.json()["handled"] == "dismissed:a test"
    assert workspace.get("feedback", open=True)["items"] == []
    send(workspace, "PUT", f"feedback/{id}/handling", {"handling": "open"})
    assert [one["id"] for one in workspace.get("feedback", open=True)["items"]] == [id]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"rating": 1}, 422),
        ({"session": "s"}, 422),
        ({"session": "s", "rating": 2}, 422),
        ({"session": "s", "score": 0.5, "created_at": "yesterday"}, 422),
        ({"session": "s", "rating": 1, "raiting": 1}, 422),
        ({"session": "s", "comment": "x" * 20_001}, 422),
        ([], 422),
    ],
)
def test_what_cannot_be_taken_is_a_problem_with_a_remedy(
    workspace: Workspace, sent: Any, status: int
) -> None:
    answer = send(workspace, "POST", "feedback", sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_body_that_is_too_large_is_not_read(workspace: Workspace) -> None:
    answer = send(workspace, "POST", "feedback", {"session": "s", "comment": "x" * (9 << 20)})
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:holdfast:problem:too-large"


class Giver(threading.Thread):
    """Gives feedback again and again until it is acknowledged; some twice."""

    def __init__(self, number: int, workspace: Workspace) -> None:
        super().__init__(daemon=True)
        self.number, self.workspace = number, workspace
        self.acknowledged: list[str] = []
        self.ended = threading.Event()
        self.fault = ""

    def run(self) -> None:
        count = 0
        while not self.ended.is_set():
            ids = [f"g-{self.number}-{count}-{part}" for part in range(3)]
            sent = {"items": [{"id": one, "session": "s", "rating": 1} for one in ids]}
            count += 1
            for _ in range(2 if count % 4 == 0 else 1):
                self._until_acknowledged(sent)
            if not self.ended.is_set():
                self.acknowledged += ids

    def _until_acknowledged(self, sent: Any) -> None:
        while not self.ended.is_set():
            try:
                answer = send(self.workspace, "POST", "feedback/batch", sent)
            except (httpx2.TransportError, RuntimeError):
                PAUSE.wait(0.05)
                continue
            if answer.status_code == 201:
                return
            self.fault = answer.text
            return


def all_ids(workspace: Workspace) -> list[str]:
    lines = send(workspace, "GET", "feedback/export").text.splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_what_was_acknowledged_survives_kill_9_and_is_there_once(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    workspace = core.workspace()
    givers = [Giver(number, workspace) for number in range(3)]
    for one in givers:
        one.start()
    enough: Callable[[int], bool] = lambda least: sum(len(one.acknowledged) for one in givers) >= least  # noqa: E731
    for kill in range(1, 4):
        until(lambda least=kill * 30: enough(least), what="more feedback")  # type: ignore[misc]
        core.kill()
        certain = {id for one in givers for id in list(one.acknowledged)}
        core.start()
        found = all_ids(workspace)
        assert certain <= set(found)
        assert len(found) == len(set(found))
    for one in givers:
        one.ended.set()
        one.join(timeout=30)
    core.stop()
    assert [one.fault for one in givers if one.fault] == []
