"""A whole answer, in the other dialect. Ids stay those of the upstream, by which its vendor knows the call.

A model's reasoning is left out: Chat Completions has no place for it, and a `thinking` block is worth something only
with the signature of the vendor that made it (an unsigned one would be refused when the client sends it back). Its
tokens stay counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import usage
from holdfast.gateway.translation.messages import REASONING
from holdfast.gateway.translation.parts import text_part
from holdfast.gateway.translation.tools import block_to_call, calls_to_blocks
from holdfast.gateway.translation.words import (
    FINISH_OF_STOP,
    SERVED_OF_ANTHROPIC,
    SERVED_OF_OPENAI,
    Untranslatable,
    mapping,
    neutral,
    refuse,
    sequence,
    stop_of_finish,
    string,
)


def answer(body: Mapping[str, Any], source: Dialect, target: Dialect, *, created: int) -> dict[str, Any]:
    """An upstream's answer (in the source's dialect) as the client's. `created` is in Unix seconds, for OpenAI.

    Raises Untranslatable, with the place in the upstream's answer, for what the client's dialect cannot say: arguments
    of a call that are no JSON object, several choices, audio, blocks of tools that the vendor runs.
    """
    if (source, target) == (Dialect.ANTHROPIC, Dialect.OPENAI):
        return _to_openai(body, created)
    if (source, target) == (Dialect.OPENAI, Dialect.ANTHROPIC):
        return _to_anthropic(body)
    raise Untranslatable(f"Answers are not translated from {source} to {target}.")


def _to_openai(body: Mapping[str, Any], created: int) -> dict[str, Any]:
    texts, calls = [], []
    for number, one in enumerate(sequence(body.get("content"), "content")):
        where = f"content[{number}]"
        block = mapping(one, where)
        kind = block.get("type")
        if kind == "text":
            texts.append(text_part(block, where))
        elif kind == "tool_use":
            calls.append(block_to_call(block, where))
        elif kind not in REASONING:
            refuse(f"{where}.type", f"{kind} is nothing that the other dialect knows")
    stop = string(body.get("stop_reason"), "stop_reason")
    explained = (body.get("stop_details") or {}).get("explanation") if stop == "refusal" else None
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": explained,
    }
    if calls:
        message["tool_calls"] = calls
    used = body.get("usage") or {}
    said: dict[str, Any] = {
        "id": body.get("id"),
        "object": "chat.completion",
        "created": created,
        "model": body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": FINISH_OF_STOP.get(stop, stop),
            }
        ],
        "usage": usage.to_openai(used),
    }
    served = SERVED_OF_ANTHROPIC.get(used.get("service_tier") or "")
    if served is not None:
        said["service_tier"] = served
    return said


def _to_anthropic(body: Mapping[str, Any]) -> dict[str, Any]:
    choices = sequence(body.get("choices"), "choices")
    if len(choices) != 1:
        refuse("choices", "the other dialect gives one answer")
    choice = mapping(choices[0], "choices[0]")
    where = "choices[0].message"
    message = mapping(choice.get("message"), where)
    neutral(message, "audio", where, "there is no audio in the other dialect")
    neutral(message, "function_call", where, "it is out of use; tool_calls can be said")
    neutral(message, "annotations", where, "there are no such citations in the other dialect", [])
    refusal = message.get("refusal")
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": string(text, where)} for text in (message.get("content"), refusal) if text
    ]
    calls = message.get("tool_calls") or ()
    source = str(body.get("id"))
    blocks += calls_to_blocks(sequence(calls, f"{where}.tool_calls"), f"{where}.tool_calls", source)
    finish = string(choice.get("finish_reason"), "choices[0].finish_reason")
    said: dict[str, Any] = {
        "id": body.get("id"),
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": blocks,
        "stop_reason": stop_of_finish(finish, called=bool(calls), refused=bool(refusal)),
        "stop_sequence": None,
        "usage": usage.to_anthropic(body.get("usage")),
    }
    if said["stop_reason"] == "refusal":
        said["stop_details"] = refusal_details(refusal)
    served = SERVED_OF_OPENAI.get(body.get("service_tier") or "")
    if served is not None:
        said["usage"]["service_tier"] = served
    return said


def refusal_details(explanation: str | None) -> dict[str, Any]:
    """Anthropic's `stop_details` of an answer that was refused."""
    return {"type": "refusal", "category": None, "explanation": explanation or None}
