"""Webhooks that judge: what they are asked, what they may do, and what becomes of calls when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from guarded import MAIL, WORDS, chat, configure, post, verdicts
from hook import Hook
from running_gateway import Worker
from vendor import Vendor


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.stop()


@pytest.fixture(scope="module", autouse=True)
def configured(worker: Worker, vendor: Vendor, hook: Hook) -> None:
    configure(worker, vendor, hook)


@pytest.fixture(autouse=True)
def usual(vendor: Vendor, hook: Hook) -> Iterator[None]:
    yield
    vendor.words, hook.says = list(WORDS), lambda asked: {"verdict": "allow"}
    vendor.tell("m", "well")


def test_a_webhook_is_asked_with_what_others_left(worker: Worker, vendor: Vendor, hook: Hook) -> None:
    vendor.words = ["Ann ", MAIL]

    def says(asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "verdict": "redact",
            "texts": [one.replace("Ann", "[WHO]") for one in asked["texts"]],
            "labels": ["name"],
        }

    hook.says = says
    hook.asked.clear()
    answer = chat(worker, "gpt-mask-hook", f"I am Ann, {MAIL}")
    assert vendor.seen[-1]["body"]["messages"][0]["content"] == "I am [WHO], [EMAIL]"
    assert "[WHO] [EMAIL]" in answer.text
    first, second = hook.asked
    assert (first["guardrail"], first["at"], first["texts"]) == ("hook", "input", ["I am Ann, [EMAIL]"])
    assert (second["at"], second["texts"][0]) == ("output", "Ann [EMAIL]")
    assert second["call_id"] == answer.headers["x-holdfast-call-id"]
    assert hook.headers[-1]["authorization"].startswith("Bearer /")
    record = worker.records()[-1]
    assert verdicts(record)[1] == ("hook", "input", "redact", 1)
    assert record.verdicts[1].entities == ("name",)


@pytest.mark.parametrize("chain", ["gpt", "claude"])
def test_a_webhook_judges_a_stream_window_by_window(
    chain: str, worker: Worker, vendor: Vendor, hook: Hook
) -> None:
    vendor.words = [f"word{number} " for number in range(200)] + ["Ann", " of here."]
    path = "/v1/chat/completions" if chain == "gpt" else "/v1/messages"
    body = {"max_tokens": 9, "messages": [], "stream": True}

    def says(asked: dict[str, Any]) -> dict[str, Any]:
        return {"verdict": "redact", "texts": [one.replace("Ann", "[WHO]") for one in asked["texts"]]}

    hook.says = says
    hook.asked.clear()
    answer = post(worker, f"{chain}-hook", path, **body)
    assert "[WHO]" in answer.text
    assert "Ann" not in answer.text
    texts = [one["texts"][0] for one in hook.asked]
    assert "".join(texts) == "".join(vendor.words)
    assert all(len(text) >= 256 for text in texts[:-1])
    hook.says = lambda asked: {"verdict": "block" if "word100" in asked["texts"][0] else "allow"}
    answer = post(worker, f"{chain}-hook", path, **body)
    assert "word100" not in answer.text
    assert "holdfast_guardrail" in answer.text
    assert worker.records()[-1].error == "guardrail_blocked"


BROKEN: list[Any] = [
    (500, b"no"),
    (200, b"no JSON"),
    (200, b'{"verdict": "perhaps"}'),
    (200, b'{"verdict": "redact", "texts": []}'),
    (200, b" " * 200_000 + b'{"verdict": "allow"}'),
    (302, b"http://169.254.169.254/latest"),
    "slow",
]


@pytest.mark.parametrize("how", BROKEN, ids=str)
def test_a_webhook_that_fails_is_handled_by_policy(
    how: Any, worker: Worker, vendor: Vendor, hook: Hook
) -> None:
    hook.says = hook.slow if how == "slow" else lambda asked: how
    word = "timeout" if how == "slow" else "error"
    opened = chat(worker, "gpt-hook-open")
    assert (opened.status_code, opened.headers["x-holdfast-guardrail"]) == (200, f"hook-open={word}")
    assert (worker.records()[-1].verdicts[0].verdict, worker.records()[-1].verdicts[0].policy) == (
        word,
        "open",
    )
    asked = vendor.meter["asked"]
    closed = chat(worker, "gpt-hook-closed")
    assert (closed.status_code, closed.json()["error"]["code"]) == (503, "holdfast_guardrail")
    assert vendor.meter["asked"] == asked
    record = worker.records()[-1]
    assert (record.error, record.verdicts[0].verdict, record.verdicts[0].policy) == (
        "guardrail_failed",
        word,
        "closed",
    )
    if how == "slow":
        assert 250 < record.verdicts[0].ms < 2000


def test_a_webhook_inside_a_private_network_is_not_reached(worker: Worker, vendor: Vendor) -> None:
    asked = vendor.meter["asked"]
    answer = chat(worker, "gpt-metadata")
    assert (answer.status_code, answer.headers["x-holdfast-guardrail"]) == (503, "metadata=error")
    assert vendor.meter["asked"] == asked


def test_a_webhook_that_may_only_note_changes_nothing(worker: Worker, vendor: Vendor, hook: Hook) -> None:
    hook.says = lambda asked: {"verdict": "block"}
    answer = chat(worker, "gpt-hook-note")
    assert (answer.status_code, answer.headers["x-holdfast-guardrail"]) == (
        200,
        "hook-note=flag",
    )
    hook.says = lambda asked: {"verdict": "redact", "texts": ["other"]}
    assert chat(worker, "gpt-hook-note").content == chat(worker, "gpt-").content
