"""Tool calls, retrievals and agent runs of a trace: each once, with its steps, whatever saw it and in whatever order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.telemetry.model import Facts, Kind, Observation
from holdfast.telemetry.rules.merge import resolve
from holdfast.telemetry.rules.operations import Done, operate

SECOND = 10**9


def seen(
    span: str, parent: str = "", kind: Kind = Kind.OTHER, at: float = 0, lasts: float = 1, **told: Any
) -> Observation:
    """What one span says; `scope`, `error`, `sequence` and fields of Facts."""
    scope, error, sequence = told.pop("scope", "app"), told.pop("error", False), told.pop("sequence", 1)
    facts = Facts(kind, "test", **told)
    start = int(at * SECOND)
    return Observation(span, parent, start, start + int(lasts * SECOND), error, scope, sequence, facts)


def tool(span: str, parent: str = "", name: str | None = "search", **told: Any) -> Observation:
    return seen(span, parent, Kind.TOOL, tool_name=name, **told)


def run(span: str, parent: str = "", name: str | None = "planner", **told: Any) -> Observation:
    return seen(span, parent, Kind.AGENT, agent=name, **told)


def llm(span: str, parent: str = "", **told: Any) -> Observation:
    return seen(span, parent, Kind.INFERENCE, request_model="gpt-5", **told)


def search(span: str, parent: str = "", **told: Any) -> Observation:
    return seen(span, parent, Kind.RETRIEVAL, **told)


def made(*observations: Observation) -> dict[str, Done]:
    calls = resolve(observations, {})
    return {one.span_id: one for one in operate(observations, calls)}


def steps(one: Done) -> tuple[int | None, int | None]:
    return one.llm_calls, one.tool_calls


def test_a_run_has_the_steps_that_no_run_within_it_has() -> None:
    found = made(
        run("a", lasts=10),
        seen("x", "a", Kind.WORKFLOW, lasts=9),
        llm("l1", "x"),
        tool("t1", "x", at=1, lasts=5),
        run("b", "t1", name="helper", at=1, lasts=4),
        llm("l2", "b", at=2),
        llm("l3", "b", at=3),
        seen("e", "a", Kind.EMBEDDINGS, at=6),
        llm("l4", "a", at=7),
    )
    assert steps(found["a"]) == (2, 1)
    assert steps(found["b"]) == (2, 0)
    assert found["t1"].facts.agent == "planner", "lent by the run that it belongs to"


def test_a_run_without_a_call_does_not_show_its_steps() -> None:
    found = made(run("a"), tool("t", "a"), run("made", operation="create_agent"))
    assert set(found) == {"a", "t"}
    assert steps(found["a"]) == (None, None)


def test_a_failed_attempt_is_no_step() -> None:
    found = made(
        run("a", lasts=10),
        llm("l", "a", lasts=5, scope="sdk", response_id="r1"),
        llm("try", "l", at=1, error=True, scope="http"),
        llm("done", "l", at=2, scope="http", response_id="r1"),
    )
    assert steps(found["a"]) == (1, 0)


def test_one_tool_call_seen_by_framework_client_and_server() -> None:
    found = made(
        tool("f", lasts=9, scope="framework"),
        tool("c", "f", lasts=8, scope="mcp", error=True, error_type="timeout"),
        seen("http", "c", lasts=7),
        tool("s", "http", lasts=6, scope="mcp"),
    )
    assert [one.observations for one in found.values()] == [("f", "c", "s")]
    assert not found["f"].error and found["f"].facts.error_type is None, "as the outermost ended"


@pytest.mark.parametrize(
    ("inner", "count"),
    [
        (tool("i", "o", name="read", scope="other"), 2),  # another tool
        (tool("i", "o", name=None, scope="other"), 1),
        (tool("i", "o", name=None), 2),  # the same scope sees a second one
        (tool("i", "o"), 1),
        (run("i", "o", name="search"), 2),
    ],
)
def test_a_tool_within_a_tool(inner: Observation, count: int) -> None:
    assert len(made(tool("o"), inner)) == count


def test_a_call_between_keeps_tools_apart() -> None:
    assert len(made(tool("o", lasts=9), llm("l", "o", lasts=8), tool("i", "l"))) == 2


def test_tools_side_by_side() -> None:
    both = (tool("one", "p", lasts=3, scope="a"), tool("two", "p", at=0.1, scope="b"))
    assert [one.observations for one in made(*both).values()] == [("one", "two")]
    assert len(made(tool("one", "p"), tool("two", "p"))) == 2, "one scope saw both"
    assert len(made(tool("one", "p", scope="a"), tool("two", "p", at=5, scope="b"))) == 2


def test_a_retrieval_takes_what_it_does_not_say_from_the_one_within() -> None:
    found = made(
        search("r", lasts=5), search("db", "r", documents=3, top_score=0.5, data_source="docs", scope="db")
    )
    assert (found["r"].facts.documents, found["r"].facts.data_source) == (3, "docs")
    several = made(search("r", lasts=5), search("x", "r", documents=3), search("y", "r", documents=0))
    assert list(several) == ["r"]
    assert several["r"].facts.documents is None, "what they found together, neither says"


def test_what_says_an_error_type_failed() -> None:
    from holdfast.telemetry.model import ErrorClass

    found = made(tool("t", error_class=ErrorClass.APPLICATION, error_type="tool_error"))
    assert found["t"].error


def lent(*observations: Observation) -> dict[str, dict[str, Any]]:
    """The parameters of each call."""
    calls = resolve(observations, {})
    operate(observations, calls)
    return {one.span_id: one.facts.parameters for one in calls}


def test_calls_are_told_of_retrievals_that_the_application_made_before() -> None:
    found = lent(
        run("a", lasts=20),
        llm("before", "a"),
        search("r", "a", at=2, data_source="handbook", parameters={"top_k": 3}),
        llm("after", "a", at=4),
        tool("t", "a", at=5, lasts=9),
        search("chosen", "t", at=6, data_source="web"),
        llm("within", "t", at=8),
        llm("last", "a", at=15),
        llm("other", at=16),
    )
    told = {"retrieval.data_source": "handbook", "retrieval.top_k": 3}
    assert found == {
        "before": {},
        "after": told,
        "within": {"retrieval.data_source": "web"},
        "last": told,
        "other": {},
    }


def test_what_a_call_says_itself_holds() -> None:
    found = lent(
        search("r", data_source="b"),
        search("s", data_source="a"),
        llm("l", at=2, parameters={"retrieval.data_source": "own"}),
        llm("m", at=2),
    )
    assert found["l"] == {"retrieval.data_source": "own"}
    assert found["m"] == {"retrieval.data_source": ["a", "b"]}


@st.composite
def traces(draw: st.DrawFn) -> list[Observation]:
    """Any spans under one another, malformed trees among them."""
    names = [f"s{n}" for n in range(draw(st.integers(1, 9)))]
    kinds = st.sampled_from((Kind.TOOL, Kind.AGENT, Kind.RETRIEVAL, Kind.INFERENCE, Kind.OTHER))
    few = st.sampled_from(("", "x", "y"))
    return [
        seen(
            name,
            draw(st.sampled_from(["", *names])),
            draw(kinds),
            at=draw(st.integers(0, 5)),
            lasts=draw(st.integers(0, 5)),
            scope=draw(few),
            error=draw(st.booleans()),
            sequence=draw(st.integers(1, 2)),
            tool_name=draw(few) or None,
            agent=draw(few) or None,
            data_source=draw(few) or None,
            documents=draw(st.sampled_from((None, 0, 2))),
        )
        for name in (*names, *names[:2])
    ]


@settings(max_examples=300, deadline=None)
@given(traces(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(observations: list[Observation], rng: random.Random) -> None:
    again = [*observations, *observations[:3]]
    rng.shuffle(again)
    first = operate(observations, resolve(observations, {}))
    assert operate(again, resolve(again, {})) == first
    members = [span for one in first for span in one.observations]
    assert len(members) == len(set(members)), "no span is part of two"
    spent = sum((one.llm_calls or 0) for one in first)
    assert spent <= len([one for one in resolve(observations, {}) if one.facts.kind is Kind.INFERENCE])
