"""Guardrails without a gateway: streams of each dialect made of text, judged, and read back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from holdfast.gateway.dialects.shelf import speech_of
from holdfast.gateway.dialects.speech import Events, Speech
from holdfast.gateway.guardrails.judging import Verdict
from holdfast.gateway.guardrails.shelf import judge_of
from holdfast.gateway.model import Guardrail, Side
from holdfast.gateway.proxy import hooks
from holdfast.gateway.proxy.arming import Armed
from holdfast.gateway.proxy.guarding import Watch
from holdfast.gateway.proxy.panel import Panel

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/m:streamGenerateContent",
}


def speech(dialect: str) -> Speech:
    found = speech_of(PATHS[dialect])
    assert found is not None
    return found


def armed(*written: Mapping[str, Any]) -> list[Armed]:
    made = []
    for number, one in enumerate(written):
        guardrail = msgspec.convert({"action": "redact", **one}, Guardrail)
        judge = None if guardrail.kind == "webhook" else judge_of(guardrail)
        made.append(Armed(f"g{number}", guardrail, judge))
    return made


async def nobody(one: Armed, side: Side, texts: list[str], before: list[str]) -> hooks.Answer:
    raise AssertionError("no webhook is asked")


def watch(dialect: str, guardrails: Sequence[Armed], ask: hooks.Asking = nobody) -> Watch:
    panel = Panel(guardrails, Side.OUTPUT, ask, keep=dialect == "responses")
    made = Watch(panel, speech(dialect))
    made.begin([(b"content-type", b"text/event-stream")])
    return made


def run(made: Watch, chunks: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """All that went out, and what went out after each chunk. Raises Blocked."""

    async def through() -> list[bytes]:
        out = [await made.feed(chunk, last=False) for chunk in chunks]
        return [*out, await made.end(b"")]

    pieces = asyncio.run(through())
    return b"".join(pieces), pieces


def data(value: Any, name: str = "") -> bytes:
    event = f"event: {name}\n".encode() if name else b""
    return event + b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def stream(dialect: str, pieces: Sequence[str]) -> list[bytes]:
    """The events of an answer whose text comes in these pieces."""
    text = "".join(pieces)
    if dialect == "chat":
        made = [data({"choices": [{"index": 0, "delta": {"content": piece}}]}) for piece in pieces]
        return [
            *made,
            data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            b"data: [DONE]\n\n",
        ]
    if dialect == "messages":
        deltas = [
            data(
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}},
                "content_block_delta",
            )
            for piece in pieces
        ]
        begun = data(
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            "content_block_start",
        )
        return [
            begun,
            *deltas,
            data({"type": "content_block_stop", "index": 0}),
            data({"type": "message_stop"}),
        ]
    if dialect == "responses":
        at = {"item_id": "m", "output_index": 0, "content_index": 0}
        deltas = [
            data({"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []})
            for piece in pieces
        ]
        done = data({"type": "response.output_text.done", **at, "text": text, "logprobs": []})
        part = {"type": "output_text", "text": text}
        whole = {"output": [{"type": "message", "content": [part]}], "instructions": "mail a@example.org"}
        return [*deltas, done, data({"type": "response.completed", "response": whole})]
    made = [data({"candidates": [{"content": {"parts": [{"text": piece}]}}]}) for piece in pieces]
    return [*made, data({"candidates": [{"finishReason": "STOP"}]})]


def said(dialect: str, raw: bytes) -> str:
    """The text of what a client got."""
    return "".join(_said(dialect, json.loads(one)) for one in Events().feed(raw + b"\n") if one != b"[DONE]")


def _said(dialect: str, event: dict[str, Any]) -> str:
    if dialect == "chat":
        return "".join(one["delta"].get("content") or "" for one in event.get("choices", ()))
    if dialect == "messages":
        return str(event.get("delta", {}).get("text", ""))
    if dialect == "responses":
        return event["delta"] if event["type"] == "response.output_text.delta" else ""
    return "".join(
        part.get("text", "")
        for one in event["candidates"]
        for part in one.get("content", {}).get("parts", ())
    )


def told(made: Watch) -> dict[str, Verdict]:
    return {one.guardrail: one for one in made.verdicts()}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
