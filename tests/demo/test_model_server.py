"""The local model answers for real: chat, streaming with usage, embeddings, structured output, a tool call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from demo.assistant.conversation import LEAVE_PROMPT, TICKET_FORMAT, TOOL_OPENING, WORKED_EXAMPLE
from demo.assistant.leave import TOOL
from demo.model_server import ALIAS

pytestmark = pytest.mark.demo
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def chat(model_url: str) -> Any:
    with openai.OpenAI(base_url=model_url, api_key="none") as client:
        yield client


def test_a_chat_is_answered_and_counted(chat: Any) -> None:
    reply = chat.chat.completions.create(
        model=ALIAS,
        messages=[{"role": "user", "content": "What is the capital of France?"}],
        max_tokens=40,
        temperature=0,
    )
    assert "Paris" in reply.choices[0].message.content
    assert reply.model == ALIAS
    assert reply.usage.prompt_tokens > 5
    assert 0 < reply.usage.completion_tokens <= 40


def test_a_stream_ends_with_its_usage(chat: Any) -> None:
    chunks = list(
        chat.chat.completions.create(
            model=ALIAS,
            messages=[{"role": "user", "content": "Count to three."}],
            max_tokens=16,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert len(chunks) > 3
    assert chunks[-1].usage.completion_tokens <= 16


def test_embeddings_are_on_beside_chat(chat: Any) -> None:
    vectors = chat.embeddings.create(model=ALIAS, input=["annual leave", "pay day"])
    assert [len(one.embedding) for one in vectors.data] == [576, 576]


def test_structured_output_keeps_to_the_schema(chat: Any) -> None:
    reply = chat.chat.completions.create(
        model=ALIAS,
        messages=[{"role": "user", "content": "Describe as a ticket: my payslip lacks overtime."}],
        response_format=TICKET_FORMAT,
        max_tokens=96,
        temperature=0,
    )
    ticket = json.loads(reply.choices[0].message.content)
    assert set(ticket) == {"summary", "category", "urgent"}
    assert ticket["category"] in ("leave", "payroll", "equipment", "other")


def test_a_tool_is_called_with_its_argument(chat: Any) -> None:
    reply = chat.chat.completions.create(
        model=ALIAS,
        messages=[
            {"role": "system", "content": LEAVE_PROMPT},
            *WORKED_EXAMPLE,
            {"role": "user", "content": "How many days of leave are left for employee E-1043?"},
            {"role": "assistant", "content": TOOL_OPENING},
        ],
        tools=[TOOL],
        tool_choice="required",
        max_tokens=64,
        temperature=0,
    )
    call = reply.choices[0].message.tool_calls[0]
    assert call.function.name == "leave_balance"
    assert json.loads(call.function.arguments)["employee_id"] == "E-1043"


def test_a_child_ends_when_its_parent_is_killed() -> None:
    child = (
        "import os,sys; from demo.lifeline import *; s=stop_on_signal(); die_with_parent(int(sys.argv[1])); "
    )
    child += "print(os.getpid(), flush=True); s.wait(60); print('ended', flush=True)"
    parent = "import os,subprocess,sys; "
    parent += f"subprocess.run([sys.executable, '-c', {child!r}, str(os.getpid())])"
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    process.kill()
    process.wait(10)
    assert process.stdout.read() == "ended\n"  # returns only when the child's end of the pipe is closed too
    process.stdout.close()
