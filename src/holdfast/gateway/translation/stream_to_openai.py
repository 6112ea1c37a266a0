"""Anthropic's events as chunks of Chat Completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.dialects.errors import error_event, read, status_of
from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import usage
from holdfast.gateway.translation.messages import REASONING
from holdfast.gateway.translation.tools import direct
from holdfast.gateway.translation.words import (
    FINISH_OF_STOP,
    SERVED_OF_ANTHROPIC,
    call_id,
    mapping,
    refuse,
    string,
)

_SILENT = frozenset({"thinking_delta", "signature_delta"})


class ToOpenAI:
    """One stream. `finished` is true once the upstream has said that the answer is complete."""

    def __init__(self, *, created: int, include_usage: bool) -> None:
        self.finished = False
        self._failed = False
        self._include_usage = include_usage
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": created}
        self._usage: dict[str, Any] = {}
        self._stop: str | None = None
        self._calls = 0
        self._given: Mapping[str, Any] | None = None  # the input that an open call began with
        self._argued = False  # whether arguments of the open call have come

    def feed(self, event: str, data: bytes) -> bytes:
        """What the client gets for one event of the upstream. Raises Untranslatable as `answer` does."""
        if self._failed or self.finished:
            return b""
        said = mapping(msgspec.json.decode(data), "the event")
        kind = said.get("type")
        if kind == "content_block_delta":
            return self._delta(mapping(said.get("delta"), "delta"))
        if kind == "content_block_start":
            return self._block(mapping(said.get("content_block"), "content_block"))
        if kind == "content_block_stop":
            return self._block_end()
        if kind == "message_start":
            return self._start(mapping(said.get("message"), "message"))
        if kind == "message_delta":
            return self._message_delta(said)
        if kind == "message_stop":
            self.finished = self._stop is not None
        elif kind == "error":
            self._failed = True
            message, fault = read(said)
            return error_event(message, fault, Dialect.OPENAI, status=status_of(fault))
        return b""  # ping, and kinds of events that are new: the vendor asks to pass over them

    def end(self) -> bytes:
        """What stands at the end: usage where the client wants it, and `[DONE]`; an error where the answer is cut."""
        if self._failed:
            return b""
        if not self.finished:
            self._failed = True
            return error_event(CUT, "upstream_cut", Dialect.OPENAI)
        last = b""
        if self._include_usage:
            chunk = {**self._head, "choices": [], "usage": usage.to_openai(self._usage)}
            last = b"data: " + msgspec.json.encode(chunk) + b"\n\n"
        return last + b"data: [DONE]\n\n"

    def _start(self, message: Mapping[str, Any]) -> bytes:
        self._head["id"] = message.get("id")
        self._head["model"] = message.get("model")
        self._count(message.get("usage"))
        served = SERVED_OF_ANTHROPIC.get(self._usage.get("service_tier") or "")
        if served is not None:
            self._head["service_tier"] = served
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _block(self, block: Mapping[str, Any]) -> bytes:
        kind = block.get("type")
        if kind == "text":
            return self._chunk({"content": block["text"]}) if block.get("text") else b""
        if kind == "tool_use":
            direct(block, "content_block")
            self._calls += 1
            self._given, self._argued = mapping(block.get("input") or {}, "content_block.input"), False
            call = {
                "index": self._calls - 1,
                "id": call_id(string(block.get("id"), "content_block.id")),
                "type": "function",
                "function": {"name": block.get("name"), "arguments": ""},
            }
            return self._chunk({"tool_calls": [call]})
        if kind not in REASONING:
            refuse("content_block.type", f"{kind} is nothing that the other dialect knows")
        return b""

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._chunk({"content": string(delta.get("text"), "delta.text")})
        if kind == "input_json_delta":
            piece = string(delta.get("partial_json"), "delta.partial_json")
            if not piece:
                return b""
            self._argued = True
            return self._arguments(piece)
        if kind not in _SILENT:
            refuse("delta.type", f"{kind} is nothing that the other dialect knows")
        return b""

    def _block_end(self) -> bytes:
        """A call without any piece of arguments: what it began with, usually nothing, which is `{}`."""
        given, self._given = self._given, None
        if given is None or self._argued:
            return b""
        return self._arguments(msgspec.json.encode(given).decode())

    def _message_delta(self, said: Mapping[str, Any]) -> bytes:
        self._count(said.get("usage"))
        delta = mapping(said.get("delta"), "delta")
        stop = delta.get("stop_reason")
        if stop is None or self._stop is not None:
            return b""
        self._stop = string(stop, "delta.stop_reason")
        explained = (delta.get("stop_details") or {}).get("explanation") if stop == "refusal" else None
        before = self._chunk({"refusal": explained}) if explained else b""
        return before + self._chunk({}, FINISH_OF_STOP.get(stop, stop))

    def _count(self, used: Mapping[str, Any] | None) -> None:
        """Counts are totals so far: a later one replaces an earlier, one that is not stated does not."""
        self._usage |= {name: count for name, count in (used or {}).items() if count is not None}

    def _arguments(self, piece: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls - 1, "function": {"arguments": piece}}]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**self._head, "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


CUT = "The upstream's stream ended before the answer was complete."
