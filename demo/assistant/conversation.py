"""The assistant itself: two agents, three routes, one tool, written as an application team would write it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from openai import OpenAI
from opentelemetry.trace import SpanKind

from demo.assistant.instruments import dimensions, operation
from demo.assistant.knobs import Knobs
from demo.assistant.leave import TOOL, UnknownEmployee, leave_balance
from demo.assistant.retrieval import Found, PolicyIndex
from demo.assistant.upstream import Upstream

Message = dict[str, Any]
POLICY_PROMPT = "You are Northwind HR. Answer the question in one short sentence, using the policy text."
LEAVE_PROMPT = "You are Northwind's leave assistant. Look up the balance, then answer in one sentence."
TICKET_PROMPT = "Summarise the employee's ticket as JSON with summary, category and urgent."
TOOL_OPENING = "<tool_call>\n"
WORKED_EXAMPLE: tuple[Mapping[str, Any], ...] = (
    {"role": "user", "content": "How much leave does E-2001 have?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "example",
                "type": "function",
                "function": {"name": "leave_balance", "arguments": '{"employee_id": "E-2001"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "example", "content": '{"employee_id": "E-2001", "days_left": 7}'},
    {"role": "assistant", "content": "E-2001 has 7 days of leave left."},
)
TICKET_FORMAT: Mapping[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "ticket",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "summary": {"type": "string", "maxLength": 120},
                "category": {"type": "string", "enum": ["leave", "payroll", "equipment", "other"]},
                "urgent": {"type": "boolean"},
            },
            "required": ["summary", "category", "urgent"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Route:
    """A kind of request: the agent that takes it, the product feature it belongs to, its limits."""

    agent: str
    feature: str
    max_tokens: int
    temperature: float


ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        "policy-question": Route("policy-agent", "ask-hr", 64, 0.2),
        "leave-request": Route("leave-agent", "leave-desk", 64, 0.1),
        "summarise-ticket": Route("policy-agent", "ticket-desk", 96, 0.1),
    }
)


@dataclass(frozen=True)
class Caller:
    """Who asks: the system's own customer, a person there, and the conversation they are in."""

    tenant: str
    user: str
    conversation: str


class Assistant:
    """Northwind HR. Thread-safe: each conversation keeps its own history with the caller of `ask`."""

    def __init__(
        self,
        client: OpenAI,
        upstream: Upstream,
        index: PolicyIndex,
        knobs: Callable[[], Knobs] = Knobs,
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._index = index
        self._knobs = knobs

    def ask(self, caller: Caller, route: str, question: str, history: list[Message]) -> str:
        """One turn of a conversation: answers `question` and adds both to `history`.

        Raises openai.OpenAIError where the model cannot be reached, KeyError for an unknown route.
        """
        kind = ROUTES[route]
        values = {
            "holdfast.route": route,
            "holdfast.tenant": caller.tenant,
            "holdfast.feature": kind.feature,
            "user.id": caller.user,
            "gen_ai.conversation.id": caller.conversation,
            "gen_ai.agent.name": kind.agent,
        }
        asked = {"gen_ai.input.messages": [_parts("user", question)]}
        with dimensions(values), operation(f"invoke_agent {kind.agent}", "invoke_agent", asked) as span:
            answer = self._answer(kind, route, question, history)
            span.set_attribute("gen_ai.output.messages", json.dumps([_parts("assistant", answer)]))
        history += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return answer

    def _answer(self, kind: Route, route: str, question: str, history: list[Message]) -> str:
        if route == "leave-request":
            return self._leave(kind, question, history)
        if route == "summarise-ticket":
            return self._ticket(kind, question)
        return self._policy(kind, question, history)

    def _policy(self, kind: Route, question: str, history: list[Message]) -> str:
        text = " ".join(found.policy.text for found in self._retrieve(question)[:1])
        messages = [
            self._system(POLICY_PROMPT),
            *history[-2:],
            {"role": "user", "content": f"Policy: {text}\n\nQuestion: {question}"},
        ]
        chunks = self._chat(kind, messages, stream=True, stream_options={"include_usage": True})
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        return "".join(pieces).strip()

    def _retrieve(self, question: str) -> list[Found]:
        source = self._index.source
        attributes = {
            "gen_ai.data_source.id": source,
            "gen_ai.retrieval.query.text": question,
            "gen_ai.retrieval.top_k": 3,
        }
        with operation(f"retrieval {source}", "retrieval", attributes, SpanKind.CLIENT) as span:
            found = self._index.search(question, top=3)
            documents = [
                {"id": one.policy.id, "score": one.score, "title": one.policy.title} for one in found
            ]
            span.set_attribute("gen_ai.retrieval.documents", json.dumps(documents))
        return found

    def _leave(self, kind: Route, question: str, history: list[Message]) -> str:
        asked: list[Message] = [*history[-2:], {"role": "user", "content": question}]
        messages = [self._system(LEAVE_PROMPT), *map(dict, WORKED_EXAMPLE), *asked]
        opening = [{"role": "assistant", "content": TOOL_OPENING}] if self._upstream.local else []
        reply = (
            self._chat(kind, [*messages, *opening], tools=[TOOL], tool_choice="required").choices[0].message
        )
        if not reply.tool_calls:
            return str(reply.content or "").strip()
        call = reply.tool_calls[0]
        result = self._run_tool(call.id, call.function.name, call.function.arguments)
        asked += [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [call.model_dump(include={"id", "type", "function"})],
            },
            {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)},
        ]
        final = self._chat(kind, [self._system(LEAVE_PROMPT), *map(dict, WORKED_EXAMPLE), *asked])
        return str(final.choices[0].message.content or "").strip()

    def _run_tool(self, call: str, name: str, arguments: str) -> dict[str, Any]:
        attributes = {
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call,
            "gen_ai.tool.description": TOOL["function"]["description"],
            "gen_ai.tool.call.arguments": arguments,
        }
        try:
            with operation(f"execute_tool {name}", "execute_tool", attributes) as span:
                result = leave_balance(str(json.loads(arguments)["employee_id"]))
                span.set_attribute("gen_ai.tool.call.result", json.dumps(result))
                return result
        except (UnknownEmployee, ValueError, KeyError, TypeError) as error:
            return {"error": str(error)}

    def _ticket(self, kind: Route, question: str) -> str:
        messages = [self._system(TICKET_PROMPT), {"role": "user", "content": question}]
        reply = self._chat(kind, messages, response_format=TICKET_FORMAT)
        return str(reply.choices[0].message.content or "").strip()

    def _system(self, prompt: str) -> Message:
        return {"role": "system", "content": self._knobs().preamble + prompt}

    def _chat(self, kind: Route, messages: list[Message], **more: Any) -> Any:
        knobs = self._knobs()
        create: Any = self._client.chat.completions.create
        return create(
            model=self._upstream.model,
            messages=messages,
            max_tokens=round(kind.max_tokens * knobs.length),
            temperature=kind.temperature if knobs.temperature is None else knobs.temperature,
            **more,
        )


def _parts(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}
