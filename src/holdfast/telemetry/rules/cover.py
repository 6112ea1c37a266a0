"""Which stored buckets answer for a window of time, and which parts of it must be read from the calls themselves.

Instants are Unix nanoseconds. Coarse buckets are taken where they lie wholly inside the window, are closed, and hold no
minute that changed since; what remains goes to the next finer level, and at last to the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NS = 1_000_000_000
HOUR, DAY = 3600 * NS, 86_400 * NS
MOST_PIECES = 64
"""A window in more pieces than this is read from the calls between the first and the last change instead."""


@dataclass(frozen=True, slots=True)
class Level:
    """A kind of stored bucket."""

    cuboid: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a window, half open, and where it is read from: a cuboid, or the calls (empty text)."""

    cuboid: str
    start: int
    end: int


def cover(
    start: int, end: int, levels: Sequence[Level], closed: int, changed: Sequence[int]
) -> tuple[Piece, ...]:
    """The pieces of a window in order: they do not overlap and leave nothing out.

    `levels` come coarsest first. `closed`: buckets that end by then are stored. `changed`: starts of minutes that have
    news which the stored buckets do not know.
    """
    inside = sorted(minute for minute in set(changed) if start - 60 * NS < minute < end)
    pieces = _joined(_cover(start, end, levels, closed, inside))
    if len(pieces) > MOST_PIECES and inside:
        first, last = max(inside[0], start), min(inside[-1] + 60 * NS, end)
        before, after = cover(start, first, levels, closed, ()), cover(last, end, levels, closed, ())
        pieces = _joined([*before, Piece("", first, last), *after])
    return tuple(pieces)


def _cover(start: int, end: int, levels: Sequence[Level], closed: int, changed: list[int]) -> list[Piece]:
    if start >= end:
        return []
    if not levels:
        return [Piece("", start, end)]
    size, finer = levels[0].seconds * NS, levels[1:]
    low, high = -(-start // size) * size, min(end, closed) // size * size
    if low >= high:
        return _cover(start, end, finer, closed, changed)
    pieces = _cover(start, low, finer, closed, changed)
    at = low
    for bucket in sorted({minute // size * size for minute in changed if low <= minute < high}):
        if at < bucket:
            pieces.append(Piece(levels[0].cuboid, at, bucket))
        pieces += _cover(bucket, bucket + size, finer, closed, changed)
        at = bucket + size
    if at < high:
        pieces.append(Piece(levels[0].cuboid, at, high))
    return pieces + _cover(high, end, finer, closed, changed)


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbours from one source as one piece."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].cuboid == piece.cuboid and joined[-1].end == piece.start:
            joined[-1] = Piece(piece.cuboid, joined[-1].start, piece.end)
        else:
            joined.append(piece)
    return joined


def aligned(pieces: Sequence[Piece], size: int) -> tuple[list[Piece], list[Piece]]:
    """Pieces cut at the first and the last border in them of days or hours (`size`): what lies between, and outside.

    As time goes on, what lies between stays the same for a whole day or hour.
    """
    if not pieces:
        return [], []
    low = -(-min(piece.start for piece in pieces) // size) * size
    high = max(max(piece.end for piece in pieces) // size * size, low)
    inside: list[Piece] = []
    outside: list[Piece] = []
    for piece in pieces:
        for into, start, end in (
            (outside, piece.start, low),
            (inside, low, high),
            (outside, high, piece.end),
        ):
            cut = Piece(piece.cuboid, max(piece.start, start), min(piece.end, end))
            if cut.start < cut.end:
                into.append(cut)
    return inside, outside
