"""Tool calls of the newest turn, whatever the dialect."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.gateway.model import Dialect
from holdfast.gateway.rules.loops import latest_calls

OPENAI: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "tool_calls": [{"function": {"name": "look", "arguments": '{"at": 1, "how": "far"}'}}],
        },
        {"role": "tool", "content": "nothing"},
    ]
}
RESPONSES: dict[str, Any] = {
    "input": [
        {"type": "function_call", "name": "old", "arguments": "{}"},
        {"type": "function_call_output", "output": "x"},
        {"type": "function_call", "name": "look", "arguments": '{"how":"far","at":1}'},
        {"type": "function_call_output", "output": "x"},
    ]
}
ANTHROPIC: dict[str, Any] = {
    "messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "name": "old", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "x"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "hm"},
                {"type": "tool_use", "name": "look", "input": {"how": "far", "at": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "content": "x"}]},
    ]
}
GEMINI: dict[str, Any] = {
    "contents": [
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": 1, "how": "far"}}}]}
    ]
}


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (OPENAI, Dialect.OPENAI),
        (RESPONSES, Dialect.OPENAI),
        (ANTHROPIC, Dialect.ANTHROPIC),
        (GEMINI, Dialect.GEMINI),
        (ANTHROPIC, Dialect.BEDROCK),
    ],
)
def test_one_call_has_one_digest_in_every_dialect(body: dict[str, Any], dialect: Dialect) -> None:
    assert latest_calls(body, dialect) == latest_calls(OPENAI, Dialect.OPENAI)
    assert len(latest_calls(body, dialect)) == 1


def test_other_arguments_are_another_call() -> None:
    def of(name: str, arguments: str) -> tuple[bytes, ...]:
        call = {"function": {"name": name, "arguments": arguments}}
        return latest_calls({"messages": [{"role": "assistant", "tool_calls": [call]}]}, Dialect.OPENAI)

    said = [of("a", "{}"), of("b", "{}"), of("a", '{"x": 1}'), of("a", "not JSON"), of("a", '"\\ud800"')]
    assert len(set(said)) == 5


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {
            "messages": [
                1,
                {
                    "role": "assistant",
                    "tool_calls": [{"function": "f"}, {}],
                    "content": [{"functionCall": 1}],
                },
            ]
        },
        {"input": "hi", "contents": {}},
    ],
)
def test_no_calls(body: dict[str, Any], dialect: Dialect) -> None:
    assert latest_calls(body, dialect) == ()
