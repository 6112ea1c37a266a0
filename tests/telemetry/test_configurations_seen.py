"""A prompt edit, a changed model or parameter in traffic is seen with its first call, though nobody recorded it."""

from __future__ import annotations

import json
import time
from typing import Any

from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace

PROMPT = "You are the help desk of a shop.\nBe brief.\nToday is 2026-11-22 and it is {}:15."


class Traffic:
    """An application that sends what it asks and what it is answered."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.at = time.time_ns() - 40 * 60 * 10**9
        self.sent = 0

    def calls(
        self,
        n: int,
        prompt: str = PROMPT,
        answered: str = "gpt-4o-mini-2024-07-18",
        route: str = "answer",
        failed: bool = False,
        **told: Any,
    ) -> str:
        """Sends calls one after another; the trace of the first."""
        first = ""
        for _ in range(n):
            self.at += 10**9
            self.sent += 1
            text = prompt.format(self.sent % 24)
            attributes = {
                **CHAT,
                "holdfast.route": route,
                "gen_ai.request.temperature": 0.2,
                "gen_ai.system_instructions": json.dumps([{"type": "text", "content": text}]),
                "gen_ai.input.messages": json.dumps(
                    [{"role": "user", "parts": [{"type": "text", "content": f"Question {self.sent}"}]}]
                ),
                **told,
            }
            if not failed:
                attributes["gen_ai.response.model"] = answered
            trace = f"{self.at:032x}"
            made = span(trace, start_ns=self.at, attributes=attributes)
            if failed:
                made.status.code = 2
            assert self.workspace.post(body([made])).status_code == 200
            first = first or trace
        return first

    def seen(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.workspace.get("configurations")
        return found


def test_edits_are_seen_with_their_first_call(workspace: Workspace) -> None:
    traffic = Traffic(workspace)
    traffic.calls(5)
    edited = traffic.calls(4, PROMPT.replace("Be brief.", "Be very brief."))
    silent = traffic.calls(
        3, PROMPT.replace("Be brief.", "Be very brief."), answered="gpt-4o-mini-2025-01-01"
    )
    warmer = traffic.calls(
        2,
        PROMPT.replace("Be brief.", "Be very brief."),
        answered="gpt-4o-mini-2025-01-01",
        **{"gen_ai.request.temperature": 0.9},
    )
    seen = traffic.seen()
    assert [one["calls"] for one in seen] == [5, 4, 3, 2]
    assert [one["first_call"]["trace_id"] for one in seen][1:] == [edited, silent, warmer]
    assert [one["changed"] for one in seen] == [
        [],
        ["system prompt edited: 1 sentences added, 1 removed of 3"],
        ["answered by gpt-4o-mini-2024-07-18 → gpt-4o-mini-2025-01-01"],
        ["temperature 0.2 → 0.9"],
    ]
    assert seen[1]["before"] == seen[0]["id"] and seen[1]["id"] == seen[2]["id"] != seen[3]["id"]
    assert seen[3]["figures"]["calls"] == 2 and seen[3]["figures_before"]["calls"] == 3
    assert len(workspace.get("calls", configuration=seen[1]["id"])["calls"]) == 7


def test_routes_do_not_change_one_another_and_going_back_is_no_new_configuration(
    workspace: Workspace,
) -> None:
    traffic = Traffic(workspace)
    for _ in range(3):
        traffic.calls(2)
        traffic.calls(2, "Sort this letter.", route="sort")
    seen = traffic.seen()
    assert [(one["route"], one["calls"], one["changed"]) for one in seen] == [
        ("answer", 6, []),
        ("sort", 6, []),
    ]


def test_a_failed_call_changes_nothing(workspace: Workspace) -> None:
    traffic = Traffic(workspace)
    traffic.calls(3)
    traffic.calls(2, failed=True)
    traffic.calls(3)
    seen = traffic.seen()
    assert {one["id"] for one in seen} == {seen[0]["id"]}
    assert [(one["answered_by"] is None, one["calls"]) for one in seen] == [(False, 6), (True, 2)]
    assert not any(one["changed"] for one in seen)


def test_a_variable_in_the_prompt_is_found_out(workspace: Workspace) -> None:
    traffic = Traffic(workspace)
    for number in range(30):
        traffic.calls(1, f"You are the help desk.\nBe brief.\nYou speak with customer x{number}y.")
    seen = traffic.seen()
    assert len(seen) == 1 and seen[0]["calls"] == 30
    assert seen[0]["prompt_varies"]


def test_content_that_is_not_captured_is_told_apart_all_the_same(core: CoreProcess) -> None:
    """Only fingerprints are kept, and they outlive a restart: a span that comes late finds its trace as it was."""
    workspace = core.workspace(scopes="ingest,read,admin")
    answer = core.client.put(
        "/api/v1/data-policies",
        json={"capture": "off"},
        headers={"authorization": f"Bearer {workspace.key}"},
    )
    assert answer.status_code == 200, answer.text
    traffic = Traffic(workspace)
    traffic.calls(2)
    traffic.calls(2, PROMPT + " Be kind.")
    before = traffic.seen()
    assert [one["calls"] for one in before] == [2, 2]
    time_of = before[0]["first_call"]["trace_id"]
    core.stop()
    core.start()
    late = span(time_of, start_ns=traffic.at, attributes={"holdfast.tenant": "acme"}, name="step")
    assert workspace.post(body([late])).status_code == 200
    assert workspace.count()[0] == 4
    assert [one["id"] for one in traffic.seen()] == [one["id"] for one in before]
