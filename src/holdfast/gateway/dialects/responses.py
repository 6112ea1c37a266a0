"""OpenAI's Responses."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.gateway.dialects.openai import error_of, usage_of
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


class _Why(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: dict[str, Any] | None = None
    service_tier: str | None = None
    incomplete_details: _Why | None = None
    error: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    delta: Any = None
    code: str | None = None


_response = msgspec.json.Decoder(_Response)
_event = msgspec.json.Decoder(_Event)
_LAST = ("response.completed", "response.incomplete", "response.failed")


def _answer(found: _Response, *, complete: bool, error: str | None = None, size: int = 0) -> Answer:
    reason = found.incomplete_details.reason if found.incomplete_details else None
    word = reason or ("stop" if found.status == "completed" else found.status)
    reasons = (word,) if word and found.status in ("completed", "incomplete", "failed") else ()
    return Answer(
        found.id,
        found.model,
        usage_of(found.usage),
        reasons,
        found.service_tier,
        error or error_of(found.error),
        complete,
        size,
    )


class Responses:
    """`/responses`."""

    dialect = Dialect.OPENAI
    operation = "chat"

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says. Raises Invalid."""
        return Asked(
            model_of(body),
            field(body, "stream", bool, False),
            count_of(body, "max_output_tokens"),
            1,
            field(body, "user", str, ""),
            field(body, "metadata", dict[str, Any], {}),
            stores=True,
        )

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""
        made = laid_over(body, changes)
        if changes.prompt:
            own = field(body, "instructions", str)
            made["instructions"] = "\n\n".join([*system_of(changes.prompt), *([own] if own else [])])
            said = field(body, "input", str | list[msgspec.Raw], [])
            asked = [{"role": "user", "content": said}] if isinstance(said, str) else said
            made["input"] = [*said_of(changes.prompt), *asked]
        if changes.max_output is not None:
            made["max_output_tokens"] = changes.max_output
        return encode(made)

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes."""
        return "/responses"

    def answer(self, raw: bytes) -> Answer:
        """What a whole answer says."""
        try:
            return _answer(_response.decode(raw), complete=True)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Answer(complete=False)

    def meter(self, asked: Asked, *, hide_usage: bool) -> ResponsesMeter:
        """A meter for a stream."""
        return ResponsesMeter()


class ResponsesMeter:
    """Reads a stream of Responses."""

    __slots__ = ("_error", "_events", "_found", "_size", "done")

    def __init__(self) -> None:
        self._events = Events()
        self._found = _Response()
        self._error: str | None = None
        self._size = 0
        self.done = False

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came, and returns it."""
        for data in self._events.feed(chunk):
            try:
                event = _event.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if event.response is not None:
                self._found = event.response
                self.done = self.done or event.type in _LAST
            elif event.type == "error":
                self._error = event.code or "error"
            elif isinstance(event.delta, str):
                self._size += len(event.delta.encode())
        return chunk

    def end(self) -> bytes:
        """Nothing is held back."""
        return b""

    def answer(self) -> Answer:
        """What the stream said until now."""
        complete = self.done and not self._events.lost
        return _answer(self._found, complete=complete, error=self._error, size=self._size)
