"""Chunks of Chat Completions as Anthropic's events.

Anthropic states the input's tokens at the start, OpenAI at the end: `message_start` says 0 used so far, `message_delta`
has the totals, which by that protocol replace the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.dialects.errors import error_event, read, status_of
from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import usage
from holdfast.gateway.translation.answers import refusal_details
from holdfast.gateway.translation.stream_to_openai import CUT
from holdfast.gateway.translation.words import (
    SERVED_OF_OPENAI,
    call_id,
    mapping,
    neutral,
    refuse,
    sequence,
    stop_of_finish,
    string,
)

_TEXT = ("text", "")
_DELTA = "choices[0].delta"
_CALLS = f"{_DELTA}.tool_calls"


class ToAnthropic:
    """One stream. `finished` is true once the upstream has said that the answer is complete.

    Anthropic's blocks come one after the other, each closed before the next: a call that goes on after a later one has
    begun is refused.
    """

    def __init__(self) -> None:
        self.finished = False
        self._failed = False
        self._id: str | None = None  # None: nothing has come
        self._open: tuple[str, str] | None = None  # text, or the id of a call
        self._blocks = 0  # begun so far, the open one too
        self._calls: dict[object, str] = {}  # index of a call in the chunks → its id
        self._finish: str | None = None
        self._refusal = ""
        self._usage: Mapping[str, Any] | None = None

    def feed(self, event: str, data: bytes) -> bytes:
        """What the client gets for one event of the upstream. Raises Untranslatable as `answer` does."""
        if self._failed or self.finished:
            return b""
        if data.strip() == b"[DONE]":
            return self._close()
        chunk = mapping(msgspec.json.decode(data), "the event")
        if chunk.get("error"):
            self._failed = True
            message, fault = read(chunk)
            return error_event(message, fault, Dialect.ANTHROPIC, status=status_of(fault))
        if chunk.get("usage") is not None:
            self._usage = mapping(chunk["usage"], "usage")
        choices = sequence(chunk.get("choices") or (), "choices")
        if not choices:
            return b""
        choice = mapping(choices[0], "choices[0]")
        if len(choices) > 1 or choice.get("index"):
            refuse("choices", "the other dialect gives one answer")
        said = [] if self._id is not None else [self._start(chunk)]
        self._delta(mapping(choice.get("delta") or {}, _DELTA), said)
        if choice.get("finish_reason") is not None:
            self._finish = string(choice["finish_reason"], "choices[0].finish_reason")
        return b"".join(said)

    def end(self) -> bytes:
        """What stands at the end where the upstream did not say `[DONE]`: the same, or an error if the answer is cut."""
        return b"" if self._failed or self.finished else self._close()

    def _start(self, chunk: Mapping[str, Any]) -> bytes:
        self._id = str(chunk.get("id") or "")
        used: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0}
        served = SERVED_OF_OPENAI.get(chunk.get("service_tier") or "")
        if served is not None:
            used["service_tier"] = served
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": chunk.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": used,
        }
        return _event("message_start", message=message)

    def _delta(self, delta: Mapping[str, Any], said: list[bytes]) -> None:
        neutral(delta, "function_call", _DELTA, "it is out of use; tool_calls can be said")
        neutral(delta, "audio", _DELTA, "there is no audio in the other dialect")
        refusal = delta.get("refusal")
        if refusal:
            self._refusal += string(refusal, f"{_DELTA}.refusal")
        for text in (delta.get("content"), refusal):
            if text:
                string(text, f"{_DELTA}.content")
                if self._open != _TEXT:
                    self._begin(_TEXT, {"type": "text", "text": ""}, said)
                said.append(self._piece({"type": "text_delta", "text": text}))
        for one in sequence(delta.get("tool_calls") or (), _CALLS):
            self._call(mapping(one, _CALLS), said)

    def _call(self, call: Mapping[str, Any], said: list[bytes]) -> None:
        """A piece of a call. Another id at the same index is another call: some servers number them all 0."""
        function = mapping(call.get("function") or {}, f"{_CALLS}.function")
        key = call.get("index")
        given = call.get("id")
        known = self._calls.get(key)
        if known is None or (given and call_id(given) != known):
            if call.get("type") not in (None, "function"):
                refuse(f"{_CALLS}.type", "only function calls can be said")
            known = call_id(given or f"{self._id}:{len(self._calls)}")
            self._calls[key] = known
            name = string(function.get("name"), f"{_CALLS}.function.name")
            block = {"type": "tool_use", "id": known, "name": name, "input": {}}
            self._begin(("call", known), block, said)
        elif self._open != ("call", known):
            refuse(_CALLS, "a call cannot go on after something else has begun")
        if function.get("arguments"):
            piece = string(function["arguments"], f"{_CALLS}.function.arguments")
            said.append(self._piece({"type": "input_json_delta", "partial_json": piece}))

    def _begin(self, key: tuple[str, str], block: dict[str, Any], said: list[bytes]) -> None:
        if self._open is not None:
            said.append(_event("content_block_stop", index=self._blocks - 1))
        self._open = key
        self._blocks += 1
        said.append(_event("content_block_start", index=self._blocks - 1, content_block=block))

    def _piece(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._blocks - 1, delta=delta)

    def _close(self) -> bytes:
        if self._finish is None:
            self._failed = True
            return error_event(CUT, "upstream_cut", Dialect.ANTHROPIC)
        self.finished = True
        said = [] if self._open is None else [_event("content_block_stop", index=self._blocks - 1)]
        stop = stop_of_finish(self._finish, called=bool(self._calls), refused=bool(self._refusal))
        delta: dict[str, Any] = {"stop_reason": stop, "stop_sequence": None}
        if stop == "refusal":
            delta["stop_details"] = refusal_details(self._refusal)
        said.append(_event("message_delta", delta=delta, usage=usage.to_anthropic(self._usage)))
        said.append(_event("message_stop"))
        return b"".join(said)


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))
