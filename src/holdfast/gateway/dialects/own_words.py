"""A text of the workspace's own as an answer in each dialect, whole or streamed: what is said when nothing else is left."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.gateway.dialects.speech import Asked, Speech
from holdfast.gateway.model import Dialect

JSON = b"application/json"
EVENTS = b"text/event-stream"


def spoken(speech: Speech, asked: Asked, text: str, call_id: str, created: int) -> tuple[bytes, bytes] | None:
    """Content type and body; None for operations that do not answer in words. It used no tokens, and says so."""
    if speech.operation == "embeddings" or not speech.operation:
        return None
    if speech.dialect is Dialect.ANTHROPIC:
        return _anthropic(asked, text, call_id)
    if speech.dialect is Dialect.GEMINI:
        said = {"role": "model", "parts": [{"text": text}]}
        whole = {"candidates": [{"content": said, "finishReason": "STOP"}], "modelVersion": asked.model}
        return (EVENTS, _data(whole)) if asked.stream else (JSON, msgspec.json.encode(whole))
    if speech.path("", asked) == "/responses":
        return _responses(asked, text, call_id, created)
    return _chat(asked, text, call_id, created)


def _data(value: Any, name: str = "") -> bytes:
    event = f"event: {name}\n".encode() if name else b""
    return event + b"data: " + msgspec.json.encode(value) + b"\n\n"


def _chat(asked: Asked, text: str, call_id: str, created: int) -> tuple[bytes, bytes]:
    head = {"id": f"chatcmpl-{call_id}", "created": created, "model": asked.model}
    if not asked.stream:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        used = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return JSON, msgspec.json.encode(
            {**head, "object": "chat.completion", "choices": [choice], "usage": used}
        )
    head["object"] = "chat.completion.chunk"
    said = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    pieces = [_data({**head, "choices": [said]}), _data({**head, "choices": [last]}), b"data: [DONE]\n\n"]
    return EVENTS, b"".join(pieces)


def _anthropic(asked: Asked, text: str, call_id: str) -> tuple[bytes, bytes]:
    whole = {
        "id": f"msg_{call_id}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    if not asked.stream:
        return JSON, msgspec.json.encode(whole)
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": {**whole, "content": [], "stop_reason": None}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": delta, "usage": {"output_tokens": 0}}),
        ("message_stop", {}),
    ]
    return EVENTS, b"".join(_data({"type": name, **value}, name) for name, value in events)


def _responses(asked: Asked, text: str, call_id: str, created: int) -> tuple[bytes, bytes]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": f"msg_{call_id}", "type": "message", "role": "assistant", "status": "completed"}
    whole = {
        "id": f"resp_{call_id}",
        "object": "response",
        "created_at": created,
        "status": "completed",
        "model": asked.model,
        "output": [{**item, "content": [part]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if not asked.stream:
        return JSON, msgspec.json.encode(whole)
    begun = {**whole, "status": "in_progress", "output": []}
    at = {"output_index": 0, "content_index": 0, "item_id": item["id"]}
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        (
            "response.output_item.added",
            {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        ),
        ("response.content_part.added", {**at, "part": {**part, "text": ""}}),
        ("response.output_text.delta", {**at, "delta": text, "logprobs": []}),
        ("response.output_text.done", {**at, "text": text, "logprobs": []}),
        ("response.content_part.done", {**at, "part": part}),
        ("response.output_item.done", {"output_index": 0, "item": {**item, "content": [part]}}),
        ("response.completed", {"response": whole}),
    ]
    return EVENTS, b"".join(
        _data({"type": name, **value, "sequence_number": number}, name)
        for number, (name, value) in enumerate(events)
    )
