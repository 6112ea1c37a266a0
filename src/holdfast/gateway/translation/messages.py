"""The conversation: who said what, in which order, with which tool calls and results.

Anthropic keeps instructions in `system`, tool results in the user's turns, and lets a conversation end with the start
of the answer; OpenAI has a role for each of the first two and no word for the third.

Left out without a word is a model's earlier reasoning (`thinking`, `redacted_thinking`, `reasoning_content`, …): it is
signed or hidden by the vendor whose model made it, no other model can be given it, and what was said stays.
An assistant's turn that says nothing else is left out with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.gateway.translation.parts import in_blocks, texts, to_blocks, to_part
from holdfast.gateway.translation.tools import block_to_call, calls_to_blocks
from holdfast.gateway.translation.words import call_id, mapping, neutral, only, refuse, sequence, string

REASONING = frozenset({"thinking", "redacted_thinking"})
"""Blocks that are left out."""

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
_ASSISTANT = frozenset(
    {"role", "content", "tool_calls", "refusal", "name", "audio", "function_call", "annotations"}
)
_NAME = "a speaker has no name in the other dialect"
_FAILED = "Error:"
"""Stands before the result of a tool call that failed: OpenAI has no flag for it."""


def to_anthropic(messages: object) -> tuple[str | list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """OpenAI's messages as Anthropic's `system` (None where there is none) and `messages`.

    Instructions before the conversation go to `system`. Later ones stay where they are, which Anthropic takes after a
    user's turn and before an assistant's, or at the end; elsewhere they are refused.
    """
    system: list[str] | None = None
    said: list[dict[str, Any]] = []
    origins: list[int] = []  # which message each came from
    results: list[dict[str, Any]] | None = None  # the turn of results that further ones join
    given = sequence(messages, "messages")
    for number, one in enumerate(given):
        where = f"messages[{number}]"
        message = mapping(one, where)
        role = message.get("role")
        if role == "tool":
            result = _result_block(message, where)
            if results is None:
                results = [result]
                said.append({"role": "user", "content": results})
                origins.append(number)
            else:
                results.append(result)
            continue
        results = None
        if role in ("system", "developer"):
            pieces = _instructions(message, where)
            if not said:
                system = [*(system or []), *pieces]
                continue
            turn = _later_instructions(said, pieces)
        elif role == "user":
            turn = _user_turn(message, where)
        elif role == "assistant":
            turn = _assistant_turn(message, where)
        else:
            refuse(f"{where}.role", f"{role} is no role in the other dialect")
        if turn is not None:
            said.append(turn)
            origins.append(number)
    _check_order(said, origins)
    return (None if system is None else in_blocks(system)), said


def _instructions(message: Mapping[str, Any], where: str) -> list[str]:
    neutral(message, "name", where, _NAME)
    only(message, ("role", "content"), where)
    return texts(message.get("content"), f"{where}.content")


def _later_instructions(said: list[dict[str, Any]], pieces: list[str]) -> dict[str, Any] | None:
    """A system turn; None where they join the one before."""
    blocks = [{"type": "text", "text": text} for text in pieces]
    if said[-1]["role"] == "system":
        said[-1]["content"].extend(blocks)
        return None
    return {"role": "system", "content": blocks}


def _user_turn(message: Mapping[str, Any], where: str) -> dict[str, Any]:
    neutral(message, "name", where, _NAME)
    only(message, ("role", "content"), where)
    return {"role": "user", "content": to_blocks(message.get("content"), f"{where}.content")}


def _assistant_turn(message: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    neutral(message, "name", where, _NAME)
    neutral(message, "audio", where, "there is no audio in the other dialect")
    neutral(message, "function_call", where, "it is out of use; tool_calls can be said")
    neutral(message, "annotations", where, "there is no such thing in the other dialect", [])
    only(message, (*_ASSISTANT, *_REASONING_FIELDS), where)
    content = message.get("content")
    said = [] if content is None else texts(content, f"{where}.content", "refusal")
    if message.get("refusal") is not None:  # what was said, said as text
        said.append(string(message["refusal"], f"{where}.refusal"))
    said = [text for text in said if text]
    calls = message.get("tool_calls")
    if not calls:
        return {"role": "assistant", "content": in_blocks(said)} if said else None
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in said]
    blocks += calls_to_blocks(sequence(calls, f"{where}.tool_calls"), f"{where}.tool_calls", where)
    return {"role": "assistant", "content": blocks}


def _result_block(message: Mapping[str, Any], where: str) -> dict[str, Any]:
    only(message, ("role", "content", "tool_call_id"), where)
    return {
        "type": "tool_result",
        "tool_use_id": call_id(string(message.get("tool_call_id"), f"{where}.tool_call_id")),
        "content": in_blocks(texts(message.get("content"), f"{where}.content")),
    }


def _check_order(said: list[dict[str, Any]], origins: list[int]) -> None:
    if not said:
        refuse("messages", "there must be a turn of the user")
    for place, turn in enumerate(said):
        if turn["role"] != "system":
            continue
        after = said[place + 1]["role"] if place + 1 < len(said) else "assistant"
        if said[place - 1]["role"] != "user" or after != "assistant":
            why = "later instructions can stand only after a user's turn and before an assistant's, or at the end"
            refuse(f"messages[{origins[place]}]", why)
    if said[-1]["role"] == "assistant":
        refuse(f"messages[{origins[-1]}]", "it would be taken for the start of the answer, to be continued")


def to_openai(system: object, messages: object) -> list[dict[str, Any]]:
    """Anthropic's `system` (may be None) and `messages` as OpenAI's messages."""
    said: list[dict[str, Any]] = []
    if system is not None:
        pieces = texts(system, "system")
        if pieces:
            said.append({"role": "system", "content": in_blocks(pieces)})
    given = sequence(messages, "messages")
    for number, one in enumerate(given):
        where = f"messages[{number}]"
        message = mapping(one, where)
        only(message, ("role", "content"), where)
        role = message.get("role")
        content = message.get("content")
        if role == "user":
            said += _user_messages(content, f"{where}.content")
        elif role == "assistant":
            said += _assistant_messages(content, f"{where}.content")
        elif role == "system":
            said.append({"role": "system", "content": in_blocks(texts(content, f"{where}.content"))})
        else:
            refuse(f"{where}.role", f"{role} is no role in the other dialect")
    if not given:
        refuse("messages", "there must be a turn of the user")
    if said and said[-1]["role"] == "assistant":
        refuse(f"messages[{len(given) - 1}]", "the other dialect cannot continue an answer that is begun")
    return said


def _user_messages(content: object, where: str) -> list[dict[str, Any]]:
    """Results of tools, one message each, and after them what the user says."""
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    said: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for number, one in enumerate(sequence(content, where)):
        here = f"{where}[{number}]"
        block = mapping(one, here)
        if block.get("type") != "tool_result":
            parts.append(to_part(block, here))
        elif parts:
            refuse(here, "results of tools must come before what the user says")
        else:
            said.append(_result_message(block, here))
    if parts or not said:
        plain = len(parts) == 1 and parts[0]["type"] == "text"
        said.append({"role": "user", "content": parts[0]["text"] if plain else parts})
    return said


def _result_message(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = ("type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name")
    only(block, known, where)
    neutral(block, "toolset_name", where, "a tool that the vendor itself defines exists at that vendor only")
    content = block.get("content")
    pieces = [] if content is None else texts(content, f"{where}.content")
    if block.get("is_error"):
        pieces = [_FAILED, *pieces]
    return {
        "role": "tool",
        "tool_call_id": call_id(string(block.get("tool_use_id"), f"{where}.tool_use_id")),
        "content": in_blocks(pieces) or "",
    }


def _assistant_messages(content: object, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"role": "assistant", "content": content}]
    pieces: list[str] = []
    calls: list[dict[str, Any]] = []
    for number, one in enumerate(sequence(content, where)):
        here = f"{where}[{number}]"
        block = mapping(one, here)
        kind = block.get("type")
        if kind in REASONING:
            continue
        if kind == "tool_use":
            calls.append(block_to_call(block, here))
        elif kind == "text":
            if calls:
                refuse(here, "an assistant's words come before its tool calls in the other dialect")
            pieces += texts([block], where)
        else:
            refuse(f"{here}.type", f"{kind} is nothing that the other dialect knows")
    if not pieces and not calls:
        return []
    message: dict[str, Any] = {"role": "assistant", "content": in_blocks(pieces) or None}
    if calls:
        message["tool_calls"] = calls
    return [message]
