"""A window is read whole and once, from the coarsest buckets that hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.rules.cover import MOST_PIECES, NS, Level, Piece, aligned, cover

DAY, HOUR, MINUTE = Level("day", 86_400), Level("hour", 3600), Level("minute", 60)
LEVELS = (DAY, HOUR, MINUTE)
SIZE = {level.cuboid: level.seconds * NS for level in LEVELS}
instants = st.integers(0, 5 * 86_400 * NS)
minutes = st.lists(st.integers(0, 5 * 1440).map(lambda n: n * 60 * NS), max_size=80)


@given(instants, instants, instants, minutes, st.sampled_from([LEVELS, (DAY,), (HOUR, MINUTE), ()]))
def test_nothing_is_left_out_or_read_twice(
    one: int, two: int, closed: int, changed: list[int], levels: tuple[Level, ...]
) -> None:
    start, end = min(one, two), max(one, two)
    pieces = cover(start, end, levels, closed, changed)
    at = start
    for piece in pieces:
        assert piece.start == at and piece.end > at
        at = piece.end
    assert at == (end if end > start else start)
    for piece in pieces:
        if piece.cuboid:
            assert piece.start % SIZE[piece.cuboid] == 0 == piece.end % SIZE[piece.cuboid]
            assert piece.end <= closed
            assert not any(piece.start - 60 * NS < minute < piece.end for minute in changed)
    assert len(pieces) <= 3 * MOST_PIECES


@given(instants, instants, instants, minutes, st.sampled_from([86_400, 3600]))
def test_whole_days_or_hours_and_the_rest_are_all_of_it(
    one: int, two: int, closed: int, changed: list[int], seconds: int
) -> None:
    stored = [p for p in cover(min(one, two), max(one, two), LEVELS, closed, changed) if p.cuboid]
    size = seconds * NS
    inside, outside = aligned(stored, size)
    assert sum(p.end - p.start for p in (*inside, *outside)) == sum(p.end - p.start for p in stored)
    for piece in (*inside, *outside):
        assert any(p.cuboid == piece.cuboid and p.start <= piece.start < piece.end <= p.end for p in stored)
    if inside:
        low, high = -(-stored[0].start // size) * size, stored[-1].end // size * size
        assert all(low <= p.start and p.end <= high for p in inside)
        assert all(p.end <= low or p.start >= high for p in outside)


def seconds(text: str) -> int:
    days, clock = text.split("T")
    hours, minutes = clock.split(":")
    return (int(days) * 86_400 + int(hours) * 3600 + int(minutes) * 60) * NS


@pytest.mark.parametrize(
    ("start", "end", "closed", "changed", "expected"),
    [
        ("0T00:00", "2T00:00", "2T00:00", [], [("day", "0T00:00", "2T00:00")]),
        (
            "0T22:30",
            "2T01:10",
            "2T01:05",
            [],
            [
                ("minute", "0T22:30", "0T23:00"),
                ("hour", "0T23:00", "1T00:00"),
                ("day", "1T00:00", "2T00:00"),
                ("hour", "2T00:00", "2T01:00"),
                ("minute", "2T01:00", "2T01:05"),
                ("", "2T01:05", "2T01:10"),
            ],
        ),
        (
            "0T00:00",
            "1T00:00",
            "1T00:00",
            ["0T10:30"],
            [
                ("hour", "0T00:00", "0T10:00"),
                ("minute", "0T10:00", "0T10:30"),
                ("", "0T10:30", "0T10:31"),
                ("minute", "0T10:31", "0T11:00"),
                ("hour", "0T11:00", "1T00:00"),
            ],
        ),
    ],
)
def test_which_buckets(
    start: str, end: str, closed: str, changed: list[str], expected: list[tuple[str, str, str]]
) -> None:
    found = cover(seconds(start), seconds(end), LEVELS, seconds(closed), [seconds(one) for one in changed])
    assert found == tuple(Piece(cuboid, seconds(a), seconds(b)) for cuboid, a, b in expected)
