"""A stream that broke off and goes on at another upstream, so that the client reads one answer.

The next upstream is given what was said so far as the assistant's turn and asked for no more than what is left; its stream
is then fitted to the first: one head, one id, one run of blocks. Only text is continued: a call of a tool, a thought, an
answer of several choices cannot be told apart from their beginnings. Whether a model goes on where it is asked to, or
begins anew, is the model's: a release says whether it is to be tried.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import msgspec

from holdfast.gateway.dialects.speech import NamedEvents, encode
from holdfast.gateway.model import Dialect

BYTES_PER_TOKEN = 4


class SoFar(NamedTuple):
    """What a client has been told. `block` is the index of the text block that is open (Anthropic)."""

    text: str = ""
    id: str = ""
    block: int | None = None
    begun: bool = False


class Fitted(Protocol):
    """The next stream on its way to the client."""

    def feed(self, chunk: bytes) -> bytes:
        """What came, as it goes on."""


def so_far(dialect: Dialect, shown: bytes) -> SoFar | None:
    """What was said in a stream of `dialect` (Chat Completions or Messages); None where it cannot be continued."""
    read = _read_chat if dialect is Dialect.OPENAI else _read_messages
    found = SoFar()
    whole = shown[: shown.rfind(b"\n\n") + 2]  # the last event may be half sent
    if len(whole) < len(shown):
        return None
    for data in NamedEvents().feed(whole):
        try:
            event = msgspec.json.decode(data)
            told = read(found, event)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, IndexError):
            return None
        if told is None:
            return None
        found = told
    return found


def _read_chat(found: SoFar, event: Any) -> SoFar | None:
    if event.get("error"):
        return None
    found = found._replace(id=found.id or event.get("id") or "", begun=True)
    for choice in event.get("choices") or ():
        delta = choice.get("delta") or {}
        if (
            choice.get("index")
            or choice.get("finish_reason")
            or delta.keys() - {"role", "content", "refusal"}
        ):
            return None
        if delta.get("refusal"):
            return None
        found = found._replace(text=found.text + (delta.get("content") or ""))
    return found


def _read_messages(found: SoFar, event: Any) -> SoFar | None:
    kind = event["type"]
    if kind == "message_start":
        return found._replace(id=event["message"]["id"], begun=True)
    if kind == "content_block_start":
        block = event["content_block"]
        return (
            None
            if block["type"] != "text"
            else found._replace(block=event["index"], text=found.text + (block.get("text") or ""))
        )
    if kind == "content_block_delta":
        delta = event["delta"]
        return None if delta["type"] != "text_delta" else found._replace(text=found.text + delta["text"])
    return found if kind == "ping" else None


def continued(raw: bytes, told: SoFar, dialect: Dialect) -> bytes:
    """The request `raw`, as it goes upstream in `dialect`, with what was said so far, for what is left of its maximum."""
    text = told.text.rstrip() if dialect is Dialect.ANTHROPIC else told.text  # it takes no space at the end
    if not text:
        return raw
    body: dict[str, Any] = msgspec.json.decode(raw)
    body["messages"] = [*body["messages"], {"role": "assistant", "content": text}]
    used = -(-len(text.encode()) // BYTES_PER_TOKEN)
    for name in ("max_tokens", "max_completion_tokens"):
        if isinstance(body.get(name), int):
            body[name] = max(1, body[name] - used)
    return encode(body)


def fitted(dialect: Dialect, told: SoFar) -> Fitted:
    """Fits the next stream to what was told in a stream of `dialect`."""
    return _Chat(told) if dialect is Dialect.OPENAI else _Messages(told)


class _Chat:
    """Chat Completions: the first id, and the assistant's role told once."""

    def __init__(self, told: SoFar) -> None:
        self._told = told
        self._events = NamedEvents()

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(self._one(data) for data in self._events.feed(chunk))

    def _one(self, data: bytes) -> bytes:
        try:
            event = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return b"data: " + data + b"\n\n"
        if self._told.begun and isinstance(event, dict):
            event["id"] = self._told.id or event.get("id")
            for choice in event.get("choices") or ():
                delta = choice.get("delta")
                if delta and delta.pop("role", None) and not delta.get("content") and len(delta) <= 1:
                    return b""
        return b"data: " + encode(event) + b"\n\n"


class _Messages:
    """Messages: one head, and the open block of text goes on."""

    def __init__(self, told: SoFar) -> None:
        self._told = told
        self._events = NamedEvents()
        self._offset = told.block or 0
        self._first = told.block is not None

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(self._one(name, data) for name, data in self._events.named(chunk))

    def _one(self, name: str, data: bytes) -> bytes:
        try:
            event = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return _named(name, data)
        kind = event.get("type")
        if kind == "message_start" and self._told.begun:
            return b""
        if "index" not in event:
            return _named(name, data)
        before = b""
        if kind == "content_block_start" and self._first:
            self._first = False
            if event["content_block"].get("type") == "text":
                return b""
            closed = {"type": "content_block_stop", "index": self._offset}
            before = _named("content_block_stop", encode(closed))
            self._offset += 1
        event["index"] += self._offset
        return before + _named(name, encode(event))


def _named(name: str, data: bytes) -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"
