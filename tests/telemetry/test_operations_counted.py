"""Tool calls, retrievals and agent runs through the doors: each once, however often, in which order and company it comes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otlp_made import CHAT, MILLISECOND, body, span
from running_core import CoreProcess, Workspace

pytestmark = pytest.mark.timeout(1200)

MEASURES = (
    "calls", "tool_calls", "tool_errors", "agent_runs", "agent_steps", "agent_steps_known", "retrievals",
    "retrieval_documents", "retrieval_empty", "retrieval_cache_known",
)  # fmt: skip


def figures(workspace: Workspace, **more: Any) -> dict[str, Any]:
    """The figures of all that was sent."""
    assert workspace.count()
    [row] = workspace.get("metrics/query", measure=list(MEASURES), **more)["rows"]
    return dict(row["values"])


class Turns:
    """Turns of an agent, with what must be counted of them: added up as they are made."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.spans: list[Span] = []
        self.expected = dict.fromkeys(MEASURES, 0)

    def turn(self) -> None:
        """A retrieval by the application, then a loop of LLM calls and tool calls, with an agent within a tool."""
        pick, start = self.random, time.time_ns() - self.random.randrange(600, 3000) * 10**9
        trace = pick.randbytes(16).hex()

        def add(parent: str, at: int, told: dict[str, Any], failed: bool = False, lasts: int = 40) -> str:
            made = span(
                trace,
                pick.randbytes(8).hex(),
                parent,
                start_ns=start + at * MILLISECOND,
                duration_ms=lasts,
                attributes=told,
            )
            made.status.code = 2 if failed else 0
            self.spans.append(made)
            return made.span_id.hex()

        def count(**more: int) -> None:
            for name, value in more.items():
                self.expected[name] += value

        def agent(parent: str, at: int, name: str, steps: int, deep: int = 0) -> None:
            run = add(
                parent, at, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}, lasts=900
            )
            if pick.random() < 0.3:  # a second instrumentation sees it too
                run = add(run, at, {"openinference.span.kind": "AGENT", "agent.name": name}, lasts=899)
            count(agent_runs=1, agent_steps_known=1)
            for step in range(steps):
                begun = at + 60 + step * 100
                add(run, begun, CHAT | {"gen_ai.response.id": f"r{pick.random()}"})
                count(calls=1, agent_steps=1)
                if pick.random() < 0.6:
                    failed = pick.random() < 0.3
                    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": f"tool{step}"}
                    outer = add(run, begun + 50, told, failed)
                    count(tool_calls=1, agent_steps=1, tool_errors=int(failed))
                    if pick.random() < 0.5:
                        add(
                            outer,
                            begun + 51,
                            {"mcp.method.name": "tools/call", "gen_ai.tool.name": f"tool{step}"},
                        )
                    if deep and pick.random() < 0.5:
                        agent(outer, begun + 52, "helper", 1)

        found = pick.choice([None, 0, 2])
        told: dict[str, Any] = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "handbook"}
        if found is not None:
            told["gen_ai.retrieval.documents"] = json.dumps([{"id": str(n)} for n in range(found)])
        add("", 0, told)
        count(retrievals=1, retrieval_documents=found or 0, retrieval_empty=int(found == 0))
        agent("", 0, "planner", pick.randint(1, 4), deep=1)

    def send(self, workspace: Workspace, spans: list[Span]) -> None:
        """These spans at least once, in random order, grouping and repetition."""
        queue = spans + self.random.sample(spans, len(spans) // 3)
        self.random.shuffle(queue)
        while queue:
            size = self.random.randint(1, 14)
            group, queue = queue[:size], queue[size:]
            unique = list({one.span_id: one for one in group}.values())
            assert workspace.post(body(unique)).content == b""


def test_turns_of_agents_in_random_company(workspace: Workspace) -> None:
    turns = Turns(5)
    for _ in range(12):
        turns.turn()
    turns.send(workspace, turns.spans)
    assert figures(workspace) == turns.expected
    turns.send(workspace, turns.random.sample(turns.spans, len(turns.spans) // 2))
    assert figures(workspace) == turns.expected
    by_tool = workspace.get("metrics/query", measure="tool_calls", group_by="tool")["rows"]
    assert sum(row["values"]["tool_calls"] for row in by_tool) == turns.expected["tool_calls"]
    assert {row["group"]["tool"] for row in by_tool} <= {f"tool{n}" for n in range(4)}
    [one] = workspace.get("metrics/query", measure="tool_calls", tool="tool0")["rows"]
    assert one["values"]["tool_calls"] == by_tool_of(by_tool, "tool0")
    lent = workspace.get("metrics/query", measure="tool_calls", agent="unknown")["rows"]
    assert lent == [], "every tool call has the agent of its run"


def by_tool_of(rows: list[dict[str, Any]], name: str) -> int:
    return next(int(row["values"]["tool_calls"]) for row in rows if row["group"]["tool"] == name)


@pytest.fixture
def restartable(
    tmp_path_factory: pytest.TempPathFactory, new_stores: Callable[[], dict[str, str]]
) -> Iterator[CoreProcess]:
    """A core that a test may stop and start."""
    made = CoreProcess(tmp_path_factory.mktemp("operations") / "data", min_free_bytes=1, **new_stores())
    try:
        yield made.start()
    finally:
        made.stop()


def test_what_comes_after_a_restart_finds_its_trace_though_no_content_is_kept(
    restartable: CoreProcess,
) -> None:
    workspace = restartable.workspace(scopes="ingest,read,admin")
    answer = restartable.client.put(
        "/api/v1/data-policies",
        json={"capture": "off"},
        headers={"authorization": f"Bearer {workspace.key}"},
    )
    assert answer.status_code == 200, answer.text
    turns = Turns(11)
    for _ in range(10):
        turns.turn()
    turns.random.shuffle(turns.spans)
    half = len(turns.spans) // 2
    turns.send(workspace, turns.spans[:half])
    restartable.kill()
    restartable.start()
    turns.send(workspace, turns.spans[half:])
    assert figures(workspace) == turns.expected


def test_a_tool_call_that_turns_out_to_be_none_is_taken_away(workspace: Workspace) -> None:
    trace, ids = "ab" * 16, "cd" * 8
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    at = time.time_ns() - 10**11
    assert workspace.post(body([span(trace, ids, start_ns=at, attributes=tool)])).content == b""
    assert figures(workspace)["tool_calls"] == 1
    corrected = span(trace, ids, start_ns=at + 10**9, attributes=tool)
    assert workspace.post(body([corrected])).content == b""
    assert figures(workspace)["tool_calls"] == 1
    assert workspace.post(body([span(trace, ids, start_ns=at, attributes={"a": "b"})])).content == b""
    assert workspace.count()
    assert workspace.get("metrics/query", measure="tool_calls")["rows"] == []


def test_a_neighbour_sees_nothing_and_all_of_it_is_exported(workspace: Workspace, core: CoreProcess) -> None:
    turns = Turns(3)
    turns.turn()
    turns.send(workspace, turns.spans)
    figures(workspace)
    neighbour = core.workspace()
    assert neighbour.get("metrics/query", measure=list(MEASURES))["rows"] == []

    def exported(of: Workspace) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {of.key}"}
        answer = core.client.get("/api/v1/exports/operations", headers=headers)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    assert exported(neighbour) == []
    kinds = [one["kind"] for one in exported(workspace)]
    expected = turns.expected
    assert kinds.count("tool") == expected["tool_calls"]
    assert kinds.count("agent") == expected["agent_runs"]
    assert kinds.count("retrieval") == 1


def test_a_changed_retrieval_is_a_changed_configuration(workspace: Workspace) -> None:
    """Of the application's own retrieval, which the call's span does not name, and of a search that the vendor runs."""
    at = time.time_ns() - 20 * 60 * 10**9

    def ask(n: int, top_k: int, stores: list[str], late: bool = False) -> None:
        nonlocal at
        for _ in range(n):
            at += 10**9
            trace = f"{at:032x}"
            searched = {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": "handbook",
                "gen_ai.retrieval.top_k": top_k,
            }
            tools = [{"type": "file_search", "vector_store_ids": stores}]
            called = {
                **CHAT,
                "holdfast.route": "answer",
                "gen_ai.response.model": "m",
                "gen_ai.tool.definitions": json.dumps(tools),
            }
            both = [
                span(trace, start_ns=at, duration_ms=20, attributes=searched),
                span(trace, start_ns=at + 50 * MILLISECOND, attributes=called),
            ]
            for one in reversed(both) if late else both:
                assert workspace.post(body([one])).content == b""

    ask(3, 3, ["vs_a"])
    ask(2, 3, ["vs_a"], late=True)
    ask(2, 8, ["vs_a"])
    ask(2, 8, ["vs_a", "vs_b"])
    assert workspace.count()[0] == 9
    first, wider, more = workspace.get("configurations")
    assert [one["calls"] for one in (first, wider, more)] == [5, 2, 2]
    assert first["retrieval"] == {
        "data_source": '"handbook"',
        "file_search.vector_store_ids": '["vs_a"]',
        "top_k": "3",
    }
    assert first["parameters"] == {}
    assert wider["changed"] == ["retrieval top_k 3 → 8"]
    assert set(more["changed"]) == {
        "tool file_search changed",
        'retrieval file_search.vector_store_ids ["vs_a"] → ["vs_a", "vs_b"]',
    }
