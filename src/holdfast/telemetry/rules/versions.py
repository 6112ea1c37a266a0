"""Numbers that several processes give without asking one another. Pure.

A **commit number** is nanoseconds of Unix time whose lowest ten bits name the writer, of whom each has its own while it
lives: two writers never give the same, and one gives ever higher ones.

The **version of a call** says how much of its trace was seen, so that of two processes that count a trace, the one that
saw more wins whatever their clocks say. What can be seen of a trace is a map from span id to commit number that only
grows: a span is added, or one is replaced by a later commit (a store shows the later). The sum below grows with either,
so of two views, one of which contains the other, the larger has the higher version, and equal views have equal ones.
"""

from __future__ import annotations

from collections.abc import Iterable

WRITER_BITS = 10
WRITERS = 1 << WRITER_BITS
_EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01
_UNIT_NS = 1 << 20
"""Commits of one span that are less than this (1 ms) apart may count alike, when a later span of the trace is there."""


def commit_number(previous: int, now_ns: int, writer: int | None) -> int:
    """The number of the next commit: above `previous`, and time where the clock allows. No writer: the only one."""
    if writer is None:
        return max(previous + 1, now_ns)
    return (max(previous // WRITERS + 1, now_ns // WRITERS)) * WRITERS + writer


def version(commits: Iterable[int]) -> int:
    """The version of the calls of a trace of which these commits are seen, one of each span; below 2^64.

    The highest commit, and for every span one and the age of the present time over its unit: after ten years
    a span adds 300 s, so that a trace of a million spans stays far below the limit.
    """
    numbers = list(commits)
    return max(numbers, default=0) + sum(1 + max(one - _EPOCH_NS, 0) // _UNIT_NS for one in numbers)
