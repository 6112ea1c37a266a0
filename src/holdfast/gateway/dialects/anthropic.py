"""Anthropic's Messages and the counting of their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.dialects.openai import error_of
from holdfast.gateway.dialects.speech import (
    Answer,
    Asked,
    Body,
    Changes,
    Events,
    count_of,
    encode,
    field,
    laid_over,
    model_of,
    said_of,
    system_of,
)
from holdfast.gateway.model import Dialect
from holdfast.pricing.model import Usage
from holdfast.pricing.rules.usage import partition_anthropic


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class _Delta(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_message = msgspec.json.Decoder(_Message)
_event = msgspec.json.Decoder(_Event)


def _usage(raw: Mapping[str, Any] | None) -> Usage | None:
    if not raw:
        return None
    usage = partition_anthropic(raw).usage
    return None if usage.input_total is None and usage.output is None else usage


def _tier(raw: Mapping[str, Any] | None) -> str | None:
    tier = raw.get("service_tier") if raw else None
    return tier if isinstance(tier, str) else None


class Messages:
    """`/v1/messages`."""

    dialect = Dialect.ANTHROPIC
    operation = "chat"

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says. Raises Invalid."""
        metadata = field(body, "metadata", dict[str, Any], {})
        user = metadata.get("user_id")
        return Asked(
            model_of(body),
            field(body, "stream", bool, False),
            count_of(body, "max_tokens"),
            1,
            user if isinstance(user, str) else "",
            metadata,
        )

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""
        made = laid_over(body, changes)
        if changes.prompt:
            own = field(body, "system", str | list[msgspec.Raw], [])
            texts = [{"type": "text", "text": text} for text in system_of(changes.prompt)]
            made["system"] = [*texts, *([{"type": "text", "text": own}] if isinstance(own, str) else own)]
            made["messages"] = [*said_of(changes.prompt), *field(body, "messages", list[msgspec.Raw], [])]
        if changes.max_output is not None:
            made["max_tokens"] = changes.max_output
        return encode(made)

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes."""
        return "/messages"

    def answer(self, raw: bytes) -> Answer:
        """What a whole answer says."""
        try:
            found = _message.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Answer(complete=False)
        reasons = (found.stop_reason,) if found.stop_reason else ()
        return Answer(
            found.id,
            found.model,
            _usage(found.usage),
            reasons,
            _tier(found.usage),
            error_of(found.error),
        )

    def meter(self, asked: Asked, *, hide_usage: bool) -> MessagesMeter:
        """A meter for a stream."""
        return MessagesMeter()


class CountTokens(Messages):
    """`/v1/messages/count_tokens`: nothing is generated, nothing is billed."""

    operation = ""

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says. Raises Invalid."""
        return Asked(model_of(body), max_output=0)

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes."""
        return "/messages/count_tokens"

    def answer(self, raw: bytes) -> Answer:
        """Nothing was generated."""
        return Answer()


class MessagesMeter:
    """Reads a stream of Messages. Its usage comes in two parts: at the start, and cumulative at the end."""

    __slots__ = ("_error", "_events", "_size", "_start", "_stop", "_usage", "done")

    def __init__(self) -> None:
        self._events = Events()
        self._start = _Message()
        self._usage: dict[str, Any] = {}
        self._stop: str | None = None
        self._error: str | None = None
        self._size = 0
        self.done = False

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came, and returns it."""
        for data in self._events.feed(chunk):
            try:
                self._read(_event.decode(data))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        return chunk

    def _read(self, event: _Event) -> None:
        delta = event.delta
        if delta is not None:
            for text in (delta.text, delta.thinking, delta.partial_json):
                if text:
                    self._size += len(text.encode())
            self._stop = delta.stop_reason or self._stop
        if event.message is not None:
            self._start = event.message
            self._usage.update(event.message.usage or {})
        if event.usage:
            self._usage.update({name: value for name, value in event.usage.items() if value is not None})
        if event.type == "error":
            self._error = error_of(event.error)
        self.done = self.done or event.type == "message_stop"

    def end(self) -> bytes:
        """Nothing is held back."""
        return b""

    def answer(self) -> Answer:
        """What the stream said until now. Until its end the usage has the output of the start alone: unknown then."""
        usage = _usage(self._usage)
        if usage is not None and self._stop is None:
            usage = usage._replace(output=None)
        return Answer(
            self._start.id,
            self._start.model,
            usage,
            (self._stop,) if self._stop else (),
            _tier(self._usage),
            self._error,
            self.done and not self._events.lost,
            self._size,
        )
