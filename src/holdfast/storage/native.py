"""Columns of values as ClickHouse's Native format: what an insert sends, made without asking the engine.

A block is the number of columns and of rows, then each column's name, type and values one after the other. Types that
differ from the table's are converted by the engine, so a text for a LowCardinality column is sent as plain String.
Format: clickhouse.com/docs, "Native" and "Native protocol columns".

Every writer raises ValueError, TypeError or struct.error for a value that its type cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from itertools import accumulate, chain
from struct import pack
from typing import Any, NamedTuple

Write = Callable[[Sequence[Any]], bytes]
"""The values of one column, at least one, as bytes."""


class Column(NamedTuple):
    """A column of a table as it is sent."""

    name: str
    type: str
    write: Write


_LENGTHS = tuple(chr(number) for number in range(128))


def varint(number: int) -> bytes:
    """An unsigned LEB128 number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def texts(values: Sequence[str]) -> bytes:
    """String: each with its length in bytes before it."""
    first = values[0]
    if values.count(first) == len(values):
        return _text(first) * len(values)
    if max(map(len, values)) < 128:
        lengths = [_LENGTHS[len(value)] for value in values]
        joined = "".join(chain.from_iterable(zip(lengths, values, strict=True)))
        if joined.isascii():
            return joined.encode()
    return b"".join(map(_text, values))


def _text(value: str) -> bytes:
    raw = value.encode()
    size = len(raw)
    if size < 0x80:
        return _BYTES[size] + raw
    if size < 0x4000:
        return bytes((size & 0x7F | 0x80, size >> 7)) + raw
    return varint(size) + raw


_BYTES = tuple(bytes((number,)) for number in range(128))
_EXACT = Context(prec=80)


def numbers(code: str) -> Write:
    """Whole numbers or floats of one width; `code` is that of `struct`: b B h H i I q Q d."""

    def write(values: Sequence[Any]) -> bytes:
        return pack(f"<{len(values)}{code}", *values)

    return write


def flags(values: Sequence[bool]) -> bytes:
    """Bool."""
    return bytes(values)


def decimals(scale: int) -> Write:
    """Decimal(38, scale) from Decimals that have at most that many places."""

    def ticks(value: Decimal) -> bytes:
        scaled = value.scaleb(scale, _EXACT)
        whole = int(scaled)
        if whole != scaled:
            raise ValueError(f"{value} has more than {scale} places")
        return whole.to_bytes(16, "little", signed=True)

    def write(values: Sequence[Decimal]) -> bytes:
        return b"".join(map(ticks, values))

    return write


def nullable(write: Write, nothing: Any) -> Write:
    """A column of which values may be None; `nothing` is written in their place, and not read."""

    def written(values: Sequence[Any]) -> bytes:
        if None not in values:
            return bytes(len(values)) + write(values)
        missing = bytes([value is None for value in values])
        return missing + write([nothing if value is None else value for value in values])

    return written


def arrays(write: Write) -> Write:
    """A column of lists: where each ends, then all their values."""

    def written(values: Sequence[Sequence[Any]]) -> bytes:
        ends = pack(f"<{len(values)}Q", *accumulate(map(len, values)))
        flat = list(chain.from_iterable(values))
        return ends + (write(flat) if flat else b"")

    return written


def column(one: Column, values: Sequence[Any]) -> bytes:
    """One column with its name and type."""
    return _text(one.name) + _text(one.type) + one.write(values)


def body(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> bytes:
    """All columns of a block; `values` has those of each."""
    return b"".join([column(one, of_one) for one, of_one in zip(columns, values, strict=True)])


def block(columns: int, rows: int, body: bytes) -> bytes:
    """A block of so many columns, which `body` has one after the other."""
    return varint(columns) + varint(rows) + body
