"""Claude on Amazon Bedrock: Anthropic's Messages by `InvokeModel`, streams in frames of AWS's event stream.

The model is named in the path, the version of the protocol and its betas in the body. Nobody asks the gateway in this
dialect: clients speak Anthropic's or OpenAI's.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from holdfast.gateway.dialects.anthropic import Messages, MessagesMeter
from holdfast.gateway.dialects.errors import error_event
from holdfast.gateway.dialects.speech import Asked, Body, Changes, count_of, encode, field, parse
from holdfast.gateway.model import Dialect

VERSION: Final = "bedrock-2023-05-31"
_STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "validationException": 400,
        "accessDeniedException": 403,
        "throttlingException": 429,
        "modelTimeoutException": 504,
        "serviceUnavailableException": 503,
    }
)
"""What an exception in the middle of a stream would have been as an answer; others are 500."""


class _Chunk(msgspec.Struct):
    bytes: str = ""


class _Exception(msgspec.Struct):
    message: str = ""


class _Named(msgspec.Struct):
    type: str = ""


_chunk = msgspec.json.Decoder(_Chunk)
_exception = msgspec.json.Decoder(_Exception)
_named = msgspec.json.Decoder(_Named)


class Claude(Messages):
    """`/model/{model}/invoke` and `/invoke-with-response-stream`. Bodies and answers are those of Messages."""

    dialect = Dialect.BEDROCK

    def asked(self, path: str, body: Body) -> Asked:
        """What a request says; its path has the model. Raises Invalid."""
        return Asked("", path.endswith("-stream"), count_of(body, "max_tokens"))

    def prepared(self, body: Body, changes: Changes) -> bytes:
        """The body as it goes upstream."""
        made: dict[str, Any] = {**parse(super().prepared(body, changes))}
        for name in ("model", "stream"):
            made.pop(name, None)
        made.setdefault("anthropic_version", VERSION)
        if changes.betas:
            own = field(body, "anthropic_beta", list[str], [])
            made["anthropic_beta"] = list(dict.fromkeys([*own, *changes.betas]))
        return encode(made)

    def path(self, model: str, asked: Asked) -> str:
        """Where under the base URL it goes. The `:` and `/` of an inference profile's name or ARN are escaped."""
        return f"/model/{quote(model, safe='')}/invoke{'-with-response-stream' if asked.stream else ''}"

    def meter(self, asked: Asked, *, hide_usage: bool) -> Frames:
        """A meter for a stream."""
        return Frames()


class Frames(MessagesMeter):
    """Reads frames of an event stream; what goes on to the client are Anthropic's server-sent events."""

    __slots__ = ("_buffer", "_torn")

    def __init__(self) -> None:
        super().__init__()
        from botocore import eventstream  # a tenth of a second, for those alone who need it

        self._buffer = eventstream.EventStreamBuffer()
        self._torn: type[Exception] = eventstream.ParserError

    def feed(self, chunk: bytes) -> bytes:
        """Takes what came, and returns it as server-sent events.

        Raises msgspec.DecodeError where it is no frame, or not as its checksum says.
        """
        self._buffer.add_data(chunk)
        made = []
        try:
            for frame in self._buffer:
                made.append(_said(frame.headers, frame.payload))
        except (self._torn, NotBase64, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(f"this is no event stream: {error}") from None
        events = b"".join(made)
        return super().feed(events) if events else b""


def _said(headers: Mapping[str, Any], payload: bytes) -> bytes:
    """The server-sent event that a frame stands for; empty for what tells nothing."""
    kind = headers.get(":message-type")
    if kind == "event":
        if headers.get(":event-type") != "chunk":
            return b""
        data = b64decode(_chunk.decode(payload).bytes)
        name = _named.decode(data).type
        return b"event: " + name.encode() + b"\ndata: " + data.replace(b"\n", b" ") + b"\n\n"
    if kind == "exception":
        name = str(headers.get(":exception-type") or "exception")
        words = _exception.decode(payload).message if payload else ""
    elif kind == "error":
        name = str(headers.get(":error-code") or "error")
        words = str(headers.get(":error-message") or "")
    else:
        return b""
    status = _STATUS.get(name[:1].lower() + name[1:], 500)
    return error_event(words or name, name, Dialect.ANTHROPIC, status=status)
