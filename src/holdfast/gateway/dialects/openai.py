"""OpenAI's Chat Completions and Embeddings, as spoken by OpenAI itself and by those compatible with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.dialects.speech import (
    LIST,
    OBJECT,
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
)
from holdfast.gateway.model import Dialect
from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import Usage
from holdfast.pricing.rules.usage import partition_openai


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None
    delta: _Delta | None = None


class _Whole(msgspec.Struct):
    """An answer, or a piece of a stream."""

    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    service_tier: str | None = None
    error: Any = None


_whole = msgspec.json.Decoder(_Whole)
_DONE = b"[DONE]"


def usage_of(raw: Mapping[str, Any] | None) -> Usage | None:
    """Usage in exclusive buckets; None where nothing of it is known."""
    if not raw:
        return None
    usage = partition_openai(raw).usage
    return None if usage.input_total is None and usage.output is None else usage


class _Openai:
    """What both operations share."""

    dialect = Dialect.OPENAI

    def answer(self, raw: bytes) -> Answer:
        """What a whole answer says."""
        try:
            whole = _whole.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Answer(complete=False)
        reasons = tuple(choice.finish_reason for choice in whole.choices or () if choice.finish_reason)
        error = error_of(whole.error)
        return Answer(whole.id, whole.model, usage_of(whole.usage), reasons, whole.service_tier, error)


class Chat(_Openai):
    """`/chat/completions`."""

    operation = "chat"

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says. Raises Invalid."""
        field(body, "messages", LIST)
        most = count_of(body, "max_completion_tokens")
        return Asked(
            model_of(body),
            field(body, "stream", bool, False),
            count_of(body, "max_tokens") if most is None else most,
            max(1, count_of(body, "n") or 1),
            field(body, "user", str, ""),
            field(body, "metadata", OBJECT, {}),
        )

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""
        made = laid_over(body, changes)
        if changes.prompt:
            made["messages"] = [*changes.prompt, *field(body, "messages", list[msgspec.Raw], [])]
        elif "messages" not in body:
            raise Invalid("give the messages; this route has no prompt of its own", where="messages")
        if changes.max_output is not None:
            made[changes.max_field] = changes.max_output
        if changes.ask_usage:
            made["stream_options"] = {
                **field(body, "stream_options", dict[str, msgspec.Raw], {}),
                "include_usage": True,
            }
        return encode(made)

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes."""
        return "/chat/completions"

    def meter(self, asked: Asked, *, hide_usage: bool) -> ChatMeter:
        """A meter for a stream."""
        return ChatMeter(hide_usage)


def tells_usage(body: Body) -> bool:
    """Whether a streaming request itself asks for the usage."""
    options = field(body, "stream_options", dict[str, Any], {})
    return options.get("include_usage") is True


class ChatMeter:
    """Reads a stream of Chat Completions."""

    __slots__ = ("_error", "_events", "_held", "_hide", "_last", "_reasons", "_usage", "bytes", "done")

    def __init__(self, hide_usage: bool) -> None:
        self._events = Events()
        self._hide = hide_usage
        self._held = b""
        self._last = _Whole()
        self._usage: dict[str, Any] | None = None
        self._reasons: list[str] = []
        self._error: str | None = None
        self.bytes = 0
        self.done = False

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came; returns it, without the piece that tells nothing but the usage where that is to be hidden."""
        for data in self._events.feed(chunk):
            self._read(data)
        return self._shown(chunk) if self._hide else chunk

    def _read(self, data: bytes) -> None:
        if data == _DONE:
            self.done = True
            return
        try:
            piece = _whole.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if piece.id is not None or piece.model is not None:
            self._last = piece
        if piece.error is not None:
            self._error = error_of(piece.error)
        for choice in piece.choices or ():
            if choice.finish_reason:
                self._reasons.append(choice.finish_reason)
            delta = choice.delta
            if delta is not None:
                for text in (delta.content, delta.reasoning_content, delta.refusal):
                    if text:
                        self.bytes += len(text.encode())
                if delta.tool_calls is not None:
                    self.bytes += len(delta.tool_calls)
        if piece.usage:
            self._usage = piece.usage

    def _shown(self, chunk: bytes) -> bytes:
        """Whole events alone, so that the one to hide is never half sent."""
        text = self._held + chunk
        mark = b"\r\n\r\n" if b"\r\n\r\n" in text else b"\n\n"
        *whole, self._held = text.split(mark)
        return b"".join(event + mark for event in whole if not _only_usage(event))

    def end(self) -> bytes:
        """What is left to send."""
        held, self._held = self._held, b""
        return b"" if _only_usage(held) else held

    def answer(self) -> Answer:
        """What the stream said until now."""
        last = self._last
        complete = (self.done or bool(self._reasons)) and not self._events.lost and self._error is None
        return Answer(
            last.id,
            last.model,
            usage_of(self._usage),
            tuple(self._reasons),
            last.service_tier,
            self._error,
            complete,
            self.bytes,
        )


def _only_usage(event: bytes) -> bool:
    if b'"usage"' not in event or not event.lstrip().startswith(b"data:"):
        return False
    try:
        piece = _whole.decode(event.lstrip()[5:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return bool(piece.usage) and not piece.choices


class Embeddings(_Openai):
    """`/embeddings`."""

    operation = "embeddings"

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says. Raises Invalid."""
        return Asked(model_of(body), max_output=0, user=field(body, "user", str, ""))

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""
        return encode(laid_over(body, changes))

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes."""
        return "/embeddings"

    def meter(self, asked: Asked, *, hide_usage: bool) -> ChatMeter:
        """Embeddings do not stream."""
        return ChatMeter(hide_usage)


def error_of(error: Any) -> str | None:
    """The type of an error object, in the vendor's word."""
    if error is None:
        return None
    if isinstance(error, dict):
        for name in ("type", "code", "status"):
            found = error.get(name)
            if isinstance(found, str) and found:
                return found[:200]
    return "error"
