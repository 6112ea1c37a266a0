"""What was said in a call, and with which parameters, read from its bytes after it was answered.

Texts stay in the dialect's own form where telemetry reads that; streams are put together to one message first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from holdfast.gateway.dialects.speech import Events
from holdfast.gateway.model import Dialect
from holdfast.gateway.proxy.records import Record

_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "encoding_format": "gen_ai.request.encoding_formats",
    "dimensions": "gen_ai.embeddings.dimension.count",
}
_MOST = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_STOPS = ("stop", "stop_sequences")
_FORMATS = {"json_object": "json", "json_schema": "json", "text": "text"}


def attributes(record: Record) -> dict[str, Any]:
    """Attributes of a call's span; none where the bytes were not kept, or are not what they should be."""
    asked = _object(record.request)
    found = {} if asked is None else {**_parameters(asked), **_said(asked)}
    if record.operation in ("chat", "generate_content"):
        answered = _answered(record)
        if answered:
            found["gen_ai.output.messages"] = json_text(answered)
    return found


def _parameters(asked: dict[str, Any]) -> dict[str, Any]:
    settings = asked.get("generationConfig")
    source = {**asked, **_snake(settings)} if isinstance(settings, dict) else asked
    found: dict[str, Any] = {
        _PARAMETERS[field]: value
        for field, value in source.items()
        if field in _PARAMETERS and isinstance(value, (int, float, str))
    }
    most = next((source[one] for one in _MOST if isinstance(source.get(one), int)), None)
    if most is not None:
        found["gen_ai.request.max_tokens"] = most
    for field in _STOPS:
        stops = source.get(field)
        if stops:
            found["gen_ai.request.stop_sequences"] = (
                [stops] if isinstance(stops, str) else list(map(str, stops))
            )
    reasoning, form = asked.get("reasoning"), asked.get("response_format")
    if isinstance(reasoning, dict) and isinstance(reasoning.get("effort"), str):
        found["gen_ai.request.reasoning.level"] = reasoning["effort"]
    if isinstance(form, dict) and form.get("type") in _FORMATS:
        found["gen_ai.output.type"] = _FORMATS[form["type"]]
    return found


def _snake(settings: dict[str, Any]) -> dict[str, Any]:
    names = {
        "temperature": "temperature",
        "topP": "top_p",
        "topK": "top_k",
        "maxOutputTokens": "max_tokens",
        "stopSequences": "stop",
        "seed": "seed",
        "candidateCount": "n",
    }
    return {to: settings[name] for name, to in names.items() if name in settings}


def _said(asked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    messages = asked.get("messages", asked.get("contents", asked.get("input")))
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    system = asked.get("system", asked.get("instructions", asked.get("systemInstruction")))
    if isinstance(messages, list):
        parts = [one for one in messages if not _is_system(one)]
        if system is None:
            leading = [one.get("content") for one in messages if _is_system(one)]
            system = leading[0] if len(leading) == 1 else leading or None
        found["gen_ai.input.messages"] = json_text(parts)
    if system is not None:
        found["gen_ai.system_instructions"] = json_text(_system_parts(system))
    tools = asked.get("tools")
    if isinstance(tools, list) and tools:
        found["gen_ai.tool.definitions"] = json_text(tools)
    return found


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _system_parts(system: Any) -> list[Any]:
    if isinstance(system, str):
        return [{"type": "text", "content": system}]
    if isinstance(system, dict):
        return list(system.get("parts") or [system])
    if isinstance(system, list):
        return [part for one in system for part in _system_parts(one)]
    return [system]


def _answered(record: Record) -> list[Any]:
    if not record.response:
        return []
    if record.stream:
        pieces = [
            piece for data in Events().feed(record.response + b"\n") if (piece := _object(data)) is not None
        ]
        return _assembled(record.dialect, pieces)
    whole = _object(record.response)
    if whole is None:
        return []
    for name in ("choices", "output", "candidates"):
        if isinstance(whole.get(name), list):
            return [one.get("content", one) if name == "candidates" else one for one in whole[name]]
    return [{"role": "assistant", "content": whole["content"]}] if "content" in whole else []


def _assembled(dialect: Dialect, pieces: list[dict[str, Any]]) -> list[Any]:
    last = pieces[-1] if pieces else {}
    for piece in reversed(pieces):
        response = piece.get("response")
        if isinstance(response, dict) and response.get("output"):
            return list(response["output"])  # Responses say it whole at the end
    if dialect is Dialect.ANTHROPIC:
        return _blocks(pieces)
    if dialect is Dialect.GEMINI:
        text = "".join(_texts(pieces))
        return [{"role": "assistant", "content": text}] if text else []
    return _choices(pieces) if last else []


def _texts(pieces: list[dict[str, Any]]) -> Iterator[str]:
    for piece in pieces:
        for candidate in piece.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                yield part.get("text") or ""


def _blocks(pieces: list[dict[str, Any]]) -> list[Any]:
    blocks: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        at = piece.get("index", 0)
        if piece.get("type") == "content_block_start":
            blocks[at] = dict(piece.get("content_block") or {})
        delta = piece.get("delta") or {}
        if piece.get("type") == "content_block_delta" and at in blocks:
            for name, field in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                if isinstance(delta.get(name), str):
                    blocks[at][field] = blocks[at].get(field, "") + delta[name]
    for block in blocks.values():
        if "json" in block:
            block["input"] = _object(block.pop("json").encode()) or {}
    return [{"role": "assistant", "content": list(blocks.values())}] if blocks else []


def _choices(pieces: list[dict[str, Any]]) -> list[Any]:
    made: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        for choice in piece.get("choices") or ():
            if isinstance(choice, dict):
                whole = made.setdefault(choice.get("index", 0), {"message": {"role": "assistant"}})
                whole["finish_reason"] = choice.get("finish_reason") or whole.get("finish_reason")
                _lay(whole["message"], choice.get("delta") or {})
    return list(made.values())


def _lay(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("content", "refusal", "reasoning_content"):
        if isinstance(delta.get(name), str):
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        at = call.get("index", len(calls))
        while len(calls) <= at < 1000:
            calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
        function = call.get("function") or {}
        calls[at]["id"] = call.get("id") or calls[at].get("id")
        for name in ("name", "arguments"):
            calls[at]["function"][name] += function.get(name) or ""


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def json_text(value: Any) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()
