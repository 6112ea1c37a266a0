"""Gemini's native `generateContent` and its kin: the model and the operation stand in the path."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from holdfast.gateway.dialects.openai import error_of
from holdfast.gateway.dialects.speech import HOLDFAST, Answer, Asked, Body, Changes, Events, encode, field
from holdfast.gateway.model import Dialect
from holdfast.kernel.errors import Invalid
from holdfast.pricing.rules.usage import partition_gemini

PATH = re.compile(r"/v1(?:beta|alpha)?/models/([A-Za-z0-9._/-]{1,300}):([A-Za-z]{1,40})")
STREAM = "streamGenerateContent"
OPERATIONS = {
    "generateContent": "generate_content",
    STREAM: "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
}
_KEPT = 8 << 20


class _Part(msgspec.Struct):
    text: str | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    finishReason: str | None = None  # noqa: N815 - their name
    content: _Content | None = None


class _Whole(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    usageMetadata: dict[str, Any] | None = None  # noqa: N815
    modelVersion: str | None = None  # noqa: N815
    responseId: str | None = None  # noqa: N815
    error: Any = None


_whole = msgspec.json.Decoder(_Whole)
_many = msgspec.json.Decoder(list[_Whole])


def _read(pieces: list[_Whole], *, complete: bool) -> Answer:
    known: Answer = Answer(complete=complete)
    size = 0
    for piece in pieces:
        usage = partition_gemini(piece.usageMetadata).usage if piece.usageMetadata else known.usage
        reasons = tuple(one.finishReason for one in piece.candidates or () if one.finishReason)
        for candidate in piece.candidates or ():
            for part in (candidate.content.parts if candidate.content else None) or ():
                size += len((part.text or "").encode())
        known = known._replace(
            id=piece.responseId or known.id,
            model=piece.modelVersion or known.model,
            usage=usage,
            finish_reasons=reasons or known.finish_reasons,
            error=error_of(piece.error) or known.error,
        )
    return known._replace(output_bytes=size)


class Gemini:
    """`/v1beta/models/{model}:{operation}`."""

    dialect = Dialect.GEMINI

    def __init__(self, method: str) -> None:
        """`method` is what stands after the colon."""
        self._method = method
        self.operation = OPERATIONS.get(method, "")

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says. Raises Invalid."""
        found = PATH.fullmatch(path)
        if found is None:
            raise Invalid("write the path like /v1beta/models/MODEL:generateContent", where="path")
        settings = field(body, "generationConfig", dict[str, Any], {})
        most, choices = settings.get("maxOutputTokens"), settings.get("candidateCount")
        generates = self.operation == "generate_content"
        return Asked(
            found[1],
            self._method == STREAM,
            (most if isinstance(most, int) and most >= 0 else None) if generates else 0,
            choices if isinstance(choices, int) and choices > 0 else 1,
        )

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""
        if changes.prompt:
            raise Invalid(
                "a managed prompt is not rendered in Gemini's native form; use /v1/chat/completions",
                where="route",
            )
        made: dict[str, Any] = {name: raw for name, raw in body.items() if name != HOLDFAST}
        made.update(changes.parameters)
        if changes.max_output is not None:
            settings = field(body, "generationConfig", dict[str, msgspec.Raw], {})
            made["generationConfig"] = {**settings, "maxOutputTokens": changes.max_output}
        return encode(made)

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes: the base names the version, …/v1beta."""
        return f"/models/{model}:{self._method}"

    def answer(self, raw: bytes) -> Answer:
        """What a whole answer says."""
        try:
            return _read([_whole.decode(raw)], complete=True)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Answer(complete=False)

    def meter(self, asked: Asked, *, hide_usage: bool) -> GeminiMeter:
        """A meter for a stream."""
        return GeminiMeter()


class GeminiMeter:
    """Reads a stream: server-sent events with `alt=sse`, else one JSON list that comes in pieces."""

    __slots__ = ("_events", "_kept", "_pieces", "_size")
    done = False  # this dialect has no last word

    def __init__(self) -> None:
        self._events = Events()
        self._pieces: list[_Whole] = []
        self._kept: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came, and returns it."""
        for data in self._events.feed(chunk):
            try:
                self._pieces.append(_whole.decode(data))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        if not self._pieces and self._size < _KEPT:
            self._kept.append(chunk)
            self._size += len(chunk)
        return chunk

    def end(self) -> bytes:
        """Nothing is held back."""
        return b""

    def answer(self) -> Answer:
        """What the stream said until now; it is complete when a candidate said why it finished."""
        pieces = self._pieces
        if not pieces and self._kept and self._size < _KEPT:
            try:
                pieces = _many.decode(b"".join(self._kept))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pieces = []
        found = _read(pieces, complete=False)
        return found._replace(complete=bool(found.finish_reasons) and not self._events.lost)
