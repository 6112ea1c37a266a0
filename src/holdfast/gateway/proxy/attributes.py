"""OpenTelemetry attributes in protobuf's wire form, written directly: a call has about thirty, and most are the same again.

In protobuf (Encoding: length-delimited records, varints, last one wins, repeated fields one after the other) a message may
be written in parts, so attributes written here follow the rest of a span as protobuf itself wrote it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

SHORT = 200
"""Characters up to which a value is likely to come again."""
_KEY, _VALUE = b"\x0a", b"\x12"  # fields 1 and 2 of KeyValue
_STRING, _BOOL, _INT, _DOUBLE, _ARRAY = b"\x0a", b"\x10", b"\x18", b"\x21", b"\x2a"  # fields of AnyValue
_SMALL = [bytes((number,)) for number in range(0x100)]


def attribute(name: str, value: Any, field: bytes = b"\x4a") -> bytes:
    """A KeyValue as one more element of a repeated field; `field` is its tag, that of Span.attributes by default.

    `value` is text, a bool, an int of 64 bits, a float, a list of these, or a tuple of text; anything else is its text.
    """
    kind = type(value)
    if kind is str:
        if len(value) <= SHORT:
            return _again(name, value, field)
    elif kind is int or kind is bool:
        return _plain(name, value, field)
    elif kind is tuple and sum(map(len, value)) <= SHORT:
        return _again(name, value, field)
    return _written(name, value, field)


def attributes(said: Iterable[tuple[str, Any]]) -> bytes:
    """Attributes of a span, names with values; what is unknown or empty is left out."""
    return b"".join([attribute(name, value) for name, value in said if value or value == 0])


def delimited(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field."""
    size = len(body)
    return tag + (_SMALL[size] if size < 0x80 else varint(size)) + body


def varint(number: int) -> bytes:
    """A whole number of 0 or more."""
    if number < 0x80:
        return _SMALL[number]
    low = _SMALL[number & 0x7F | 0x80]
    return low + (_SMALL[number >> 7] if number < 0x4000 else varint(number >> 7))


def _written(name: str, value: Any, field: bytes) -> bytes:
    return delimited(field, _name(name) + delimited(_VALUE, _any(value)))


_again = lru_cache(8192)(_written)
_plain = lru_cache(8192, typed=True)(_written)


@lru_cache(1024)
def _name(name: str) -> bytes:
    return delimited(_KEY, name.encode())


def _any(value: Any) -> bytes:
    if type(value) is str:
        return delimited(_STRING, value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return _BOOL + (b"\x01" if value else b"\x00")
    if isinstance(value, int):
        return _INT + varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return _DOUBLE + struct.pack("<d", value)
    if isinstance(value, (list, tuple)):
        return delimited(_ARRAY, b"".join([delimited(b"\x0a", _any(one)) for one in value]))
    return _any(str(value))
