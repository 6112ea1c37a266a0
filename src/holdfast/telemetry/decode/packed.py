"""Spans as an import hands them over: MessagePack. From the data folder's owner alone, never from outside."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.model import Attributes, Rejected, Span

UNPACKABLE = (ValueError, TypeError, OverflowError, RecursionError)
"""What `pack` raises where a value of a span cannot be written."""


class Key(msgspec.Struct):
    """What names a span, and when it began."""

    trace_id: str
    span_id: str
    start_ns: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Span]).decode
_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_keys = msgspec.msgpack.Decoder(list[Key]).decode


def pack(spans: Sequence[Span]) -> bytes:
    """Spans as bytes. Raises UNPACKABLE."""
    return _encode(spans)


def traces(body: bytes) -> tuple[list[Span], list[Rejected]]:
    """The spans; neighbours of one resource share it. Raises Invalid."""
    try:
        found = _decode(body)
    except msgspec.DecodeError as error:
        raise Invalid(f"these are no spans of an import: {error}", where="body") from error
    last: Attributes = {}
    for span in found:
        if span.resource == last:
            span.resource = last
        else:
            last = span.resource
    return found, []


def largest(body: bytes) -> int:
    """Bytes of the largest span: no attribute of any is larger. Raises Invalid."""
    try:
        return max(map(len, map(bytes, _raw(body))), default=0)
    except msgspec.DecodeError as error:
        raise Invalid(f"these are no spans of an import: {error}", where="body") from error


def keys(body: bytes) -> list[Key]:
    """The ids of the spans, in order, without reading the rest. Raises Invalid."""
    try:
        return _keys(body)
    except msgspec.DecodeError as error:
        raise Invalid(f"these are no spans of an import: {error}", where="body") from error
