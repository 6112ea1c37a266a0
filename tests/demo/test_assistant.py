"""A conversation with the sample assistant leaves the spans that its application would leave in production."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otlp_sink import Seen

pytestmark = pytest.mark.demo


def by_operation(spans: list[Seen], operation: str) -> list[Seen]:
    return [span for span in spans if span.operation == operation]


def test_a_policy_question_retrieves_and_streams(world: Any) -> None:
    spans = world.ask("policy-question", "How many days per week may I work from home?")
    assert [span.operation for span in spans] == ["invoke_agent", "retrieval", "chat"]
    agent, retrieval, chat = spans
    assert agent.name == "invoke_agent policy-agent"
    assert agent.parent == ""
    assert {retrieval.parent, chat.parent} == {agent.span_id}
    assert retrieval.name == "retrieval northwind-policies"
    documents = json.loads(retrieval.attributes["gen_ai.retrieval.documents"])
    assert documents[0]["id"] == "remote-work"
    assert documents[0]["score"] > documents[1]["score"] > documents[2]["score"]
    assert retrieval.attributes["gen_ai.retrieval.query.text"].startswith("How many days per week")
    assert chat.name == "chat smollm2-135m-instruct"
    assert chat.attributes["gen_ai.request.stream"] is True
    assert chat.attributes["gen_ai.usage.input_tokens"] > 40
    assert 0 < chat.attributes["gen_ai.usage.output_tokens"] <= 64
    assert 0 < chat.attributes["gen_ai.response.time_to_first_chunk"] < (chat.end - chat.start) / 1e9
    written = json.loads(chat.attributes["gen_ai.output.messages"])[0]["parts"][0]["content"]
    assert written.strip() == world.wrote[0]


def test_a_leave_request_runs_the_tool_between_two_chats(world: Any) -> None:
    spans = world.ask("leave-request", "How many days of leave are left for employee E-1043?")
    assert [span.operation for span in spans] == ["invoke_agent", "chat", "execute_tool", "chat"]
    tool = spans[2]
    assert tool.name == "execute_tool leave_balance"
    assert json.loads(tool.attributes["gen_ai.tool.call.arguments"]) == {"employee_id": "E-1043"}
    result = json.loads(tool.attributes["gen_ai.tool.call.result"])
    assert 0 <= result["days_left"] <= 27
    assert str(result["days_left"]) in world.wrote[0]
    assert spans[1].attributes["gen_ai.response.finish_reasons"] == ["tool_calls"]
    output = json.loads(spans[1].attributes["gen_ai.output.messages"])
    assert "tool_call" in [part["type"] for part in output[0]["parts"]]


def test_a_ticket_comes_back_as_json(world: Any) -> None:
    spans = world.ask("summarise-ticket", "My payslip for last month is missing the overtime hours.")
    assert [span.operation for span in spans] == ["invoke_agent", "chat"]
    assert spans[1].attributes["gen_ai.output.type"] == "json"
    assert set(json.loads(world.wrote[0])) == {"summary", "category", "urgent"}


def test_every_span_carries_the_dimensions_and_turns_share_a_conversation(world: Any) -> None:
    spans = world.ask("policy-question", "On which day is the salary paid?", "And if that is a weekend?")
    assert len({span.trace_id for span in spans}) == 2
    for span in spans:
        assert span.attributes["holdfast.route"] == "policy-question"
        assert span.attributes["holdfast.tenant"] == "acme-logistics"
        assert span.attributes["holdfast.feature"] == "ask-hr"
        assert span.attributes["user.id"] == "acme-007"
        assert span.attributes["gen_ai.agent.name"] == "policy-agent"
        assert "holdfast.sample" not in span.attributes
        assert span.resource["service.name"] == "hr-assistant"
        assert span.resource["deployment.environment.name"] == "production"
        assert span.resource["service.version"]
    second = by_operation(spans, "chat")[1]
    assert "On which day is the salary paid?" in second.attributes["gen_ai.input.messages"]


def test_a_tool_that_refuses_is_an_error_on_its_span_and_not_the_end(world: Any) -> None:
    result = world.assistant._run_tool("call_1", "leave_balance", '{"employee_id": "Smith"}')
    assert "no employee" in result["error"]
    world.telemetry.flush()
    failed = [s for s in world.sink.spans if s.attributes.get("gen_ai.tool.call.id") == "call_1"]
    assert [span.failed for span in failed] == [True]
    assert failed[0].attributes["error.type"] == "UnknownEmployee"
