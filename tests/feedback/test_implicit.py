"""What behaviour says: rules on turns, and the job that walks through sessions once."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feedback.given import NOON, minutes
from tests.feedback.test_doors import joined, send

from holdfast.app import open_services
from holdfast.feedback.jobs.implicit import Implicit
from holdfast.feedback.model import Signal
from holdfast.feedback.rules import implicit as rules
from holdfast.feedback.rules.implicit import Seen, Turn
from otlp_made import body, span
from running_core import CoreProcess

ASKED = "How do I return a broken kettle"


def turn(number: int, question: str | None, at: float, **told: Any) -> Turn:
    start = NOON + minutes(at)
    return Turn(f"call-{number}", f"trace-{number}", start, start + timedelta(seconds=5), question, **told)


def seen(*turns: Turn, later: float = 0, like: float | None = None) -> list[tuple[str, str]]:
    """(signal, call) of what is seen so many minutes after the last turn."""
    now = turns[-1].ended_at + minutes(later)
    found = rules.signals(turns, now, lambda _one, _two: like)
    assert all(0 < one.confidence < 1 for one in found)
    return [(one.signal.value, one.turn.call_id) for one in found]


def test_the_same_question_again_is_a_repeat() -> None:
    assert seen(turn(1, ASKED, 0), turn(2, f"{ASKED.upper()}?!", 1)) == [("repeat", "call-1")]


@pytest.mark.parametrize(("like", "found"), [(0.95, 1), (0.82, 1), (0.81, 0), (-0.1, 0)])
def test_a_like_question_is_a_rephrase(like: float, found: int) -> None:
    turns = (turn(1, ASKED, 0), turn(2, "My kettle broke, how to send it back?", 1))
    assert seen(*turns, like=like) == [("rephrase", "call-1")] * found


def test_without_vectors_words_must_do() -> None:
    assert seen(turn(1, ASKED, 0), turn(2, "How can I return a broken kettle", 1)) == [("rephrase", "call-1")]
    assert seen(turn(1, ASKED, 0), turn(2, "What does delivery to Norway cost", 1)) == []


@pytest.mark.parametrize(
    "second",
    [
        turn(2, ASKED, 30),  # much later
        turn(2, ASKED, 0.1),  # at once: a machine tries again
        turn(2, None, 1),  # what was said is not kept
    ],
)
def test_what_is_no_second_try_of_a_person(second: Turn) -> None:
    assert seen(turn(1, ASKED, 0), second) == []


def test_other_numbers_are_another_question() -> None:
    turns = (turn(1, "What did we sell in 2023 in Oslo", 0), turn(2, "What did we sell in 2024 in Oslo", 1))
    assert seen(*turns, like=0.99) == []


def test_short_words_and_failed_answers_do_not_count() -> None:
    assert seen(turn(1, "yes please", 0), turn(2, "yes please", 1)) == []
    assert seen(turn(1, ASKED, 0, failed=True), turn(2, ASKED, 1)) == []


@pytest.mark.parametrize(
    "said",
    ["Let me speak to a human", "I want to talk to someone in support", "a real person, please",
     "Ich möchte mit einem Mitarbeiter sprechen", "Je veux parler à un conseiller"],
)  # fmt: skip
def test_asking_for_a_person_is_an_escalation_of_the_answer_before(said: str) -> None:
    assert seen(turn(1, ASKED, 0), turn(2, said, 1), turn(3, said, 20)) == [("escalation", "call-1")]


def test_handing_over_by_a_tool_is_an_escalation() -> None:
    assert seen(turn(1, ASKED, 0), turn(2, None, 1, tools=("search", "handoff_to_agent"))) == [
        ("escalation", "call-2")
    ]
    assert seen(turn(1, "How does a human heart work inside", 0)) == []


def test_nothing_after_a_refusal_is_abandonment_once_the_session_is_over() -> None:
    turns = (turn(1, ASKED, 0), turn(2, "Can I pay with a cheque now", 5, refused=True))
    assert seen(*turns, later=29) == []
    assert seen(*turns, later=30) == [("abandonment", "call-2")]
    assert seen(turn(1, ASKED, 0, refused=None), later=60) == [], "unknown is not refused"


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_edit_distance_is_none_for_the_same_and_at_most_all(one: str, two: str) -> None:
    assert rules.edit_distance(one, one) == 0
    assert 0 <= rules.edit_distance(one, two) <= 1


@given(
    st.lists(
        st.tuples(st.sampled_from([None, ASKED, "speak to a human now", "ok"]), st.booleans()), max_size=8
    )
)
def test_an_answer_has_each_signal_at_most_once(told: list[tuple[str | None, bool]]) -> None:
    turns = [turn(number, text, number, refused=bad) for number, (text, bad) in enumerate(told)]
    found: list[Seen] = rules.signals(turns, NOON + timedelta(days=1), lambda _a, _b: 0.9)
    keys = [(one.signal, one.turn.call_id) for one in found]
    assert len(keys) == len(set(keys))


def test_the_job_reads_sessions_once_and_goes_on_where_it_was(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    workspace = core.workspace(scopes="ingest,read,content")
    start = time.time_ns() - 2 * 3600 * 10**9
    sent = []
    for number, text in enumerate(
        (ASKED, "My kettle is broken, how do I return it?", "let me talk to a human")
    ):
        said = {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "session.id": "s-1",
            "gen_ai.prompt": text, "gen_ai.completion": "You can send it back within thirty days.",
        }  # fmt: skip
        at = start + number * 60 * 10**9
        sent.append(
            span(f"{number + 1:032x}", f"{number + 1:016x}", start_ns=at, duration_ms=3000, attributes=said)
        )
    assert workspace.post(body(sent)).status_code == 200
    workspace.count()
    used = "You can send it back within fourteen days, unused."
    answer = send(workspace, "POST", "feedback", {"call_id": f"{1:016x}", "used": used}).json()
    joined(workspace, answer["items"][0]["id"])
    core.stop()
    services = open_services(core.settings)
    try:
        job = Implicit(services)
        assert job.turn() == 3
        assert job.turn() == 0, "what was read is not read again"
    finally:
        services.columns.close()
        services.database.close()
    core.start()
    try:
        items = workspace.get("feedback", source="implicit")["items"]
        found = {one["signal"]: one for one in items}
        assert set(found) == {Signal.REPHRASE, Signal.ESCALATION, Signal.EDIT}
        assert (found["rephrase"]["call_id"], found["escalation"]["call_id"]) == (f"{1:016x}", f"{2:016x}")
        assert found["rephrase"]["rating"] is None
        assert 0.3 < found["edit"]["score"] < 0.9
        assert len(workspace.get("feedback", source="explicit")["items"]) == 1
    finally:
        core.stop()
