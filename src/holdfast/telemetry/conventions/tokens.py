"""From whatever token counts a span states to exclusive buckets that add up, or to an honest refusal.

The rule of the OpenTelemetry GenAI conventions is the default: input includes cache reads and writes, output
includes reasoning. A scope may count otherwise (`ScopeOverride`), and a stated total is evidence that outweighs
both: where it equals the parts only under the other reading, the other reading is taken and named.

What is kept when numbers contradict one another:

- A count that is negative or no whole number is as good as not stated.
- Cache parts larger than the input they are part of: one of the two is wrong and nothing tells which, so the
  whole input side is unknown; the output stays. The same with reasoning larger than its output.
- A modality or a time-to-live split larger than its whole: that split alone is dropped.
- A total larger than the parts: the surplus is counted as output, which is where providers hide thinking.
- A total smaller than the parts: the parts stay; the total is the derived number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from holdfast.pricing.model import Usage

Counts = Mapping[str, int]

INPUT = "input"
OUTPUT = "output"
TOTAL = "total"
UNCACHED = "input_uncached"
READ = "input_cache_read"
WRITE = "input_cache_write"
WRITE_5M = "input_cache_write_5m"
WRITE_1H = "input_cache_write_1h"
REASONING = "output_reasoning"


class Evidence(NamedTuple):
    """What a stated total says about the parts: tokens that it has beyond them, and what it includes."""

    surplus: int
    input_includes_cache: bool
    output_includes_reasoning: bool


class InputSide(NamedTuple):
    uncached: int | None
    read: int | None
    write: int | None
    write_5m: int | None
    write_1h: int | None

    @property
    def total(self) -> int | None:
        return None if self.uncached is None else self.uncached + (self.read or 0) + (self.write or 0)


MODALITIES = frozenset(("input_audio", "input_image", "cache_read_audio", "output_audio", "output_image"))
NOTHING = InputSide(None, None, None, None, None)


def partition(
    counts: Counts, input_includes_cache: bool = True, output_includes_reasoning: bool = True
) -> tuple[Usage | None, list[str]]:
    """Exclusive buckets from stated counts (tokens, keyed by slot without `usage.`), and the quality codes met on the way.

    Returns None for the usage when nothing of it is known. No bucket is ever negative.
    """
    codes: list[str] = []
    evidence = _weigh(counts, input_includes_cache, output_includes_reasoning, codes)
    side = _input(counts, evidence.input_includes_cache, codes)
    output, reasoning = _output(counts, evidence, codes)
    if side.uncached is None and side.read is None and side.write is None and output is None:
        return None, codes
    if MODALITIES.isdisjoint(counts):
        return Usage(*side, output, reasoning), codes
    get = counts.get
    input_audio = _subset(get("input_audio"), side.total, codes)
    input_image = _subset(get("input_image"), _rest(side.total, input_audio), codes)
    cached = side.read if input_audio is None or side.read is None else min(side.read, input_audio)
    output_audio = _subset(get("output_audio"), output, codes)
    output_image = _subset(get("output_image"), _rest(output, output_audio), codes)
    audio_read = _subset(get("cache_read_audio"), cached, codes)
    usage = Usage(*side, output, reasoning, input_audio, input_image, audio_read, output_audio, output_image)
    return usage, codes


def _weigh(counts: Counts, with_cache: bool, with_reasoning: bool, codes: list[str]) -> Evidence:
    """Hold the stated total against the parts under the scope's own reading, then under the other one."""
    total, whole, output = counts.get(TOTAL), counts.get(INPUT), counts.get(OUTPUT)
    if total is None or whole is None or output is None or total == whole + output:
        return Evidence(0, with_cache, with_reasoning)
    difference = total - whole - output
    cache = counts.get(READ, 0) + counts.get(WRITE, 0)
    reasoning = counts.get(REASONING, 0)
    for cache_outside, reasoning_outside in ((True, False), (False, True), (True, True)):
        extra = cache * cache_outside + reasoning * reasoning_outside
        if extra and difference == extra:
            if cache and cache_outside and with_cache:
                codes.append("usage.cache_outside_input")
            if reasoning and reasoning_outside and with_reasoning:
                codes.append("usage.reasoning_outside_output")
            return Evidence(0, with_cache and not cache_outside, with_reasoning and not reasoning_outside)
    surplus = difference - (0 if with_cache else cache) - (0 if with_reasoning else reasoning)
    codes.append("usage.total_exceeds_parts" if surplus > 0 else "usage.total_below_parts")
    return Evidence(max(surplus, 0), with_cache, with_reasoning)


def _input(counts: Counts, includes_cache: bool, codes: list[str]) -> InputSide:
    """The input buckets; all unknown when the cache parts are larger than the input that holds them."""
    read, write = counts.get(READ), counts.get(WRITE)
    write_5m, write_1h = counts.get(WRITE_5M), counts.get(WRITE_1H)
    if write_5m is not None or write_1h is not None:
        split = (write_5m or 0) + (write_1h or 0)
        if write is None:
            write = split
        elif split > write:
            codes.append("usage.part_exceeds_whole")
            write_5m = write_1h = None
    cache = (read or 0) + (write or 0)
    whole, uncached = counts.get(INPUT), counts.get(UNCACHED)
    if uncached is not None:
        if whole is not None and whole not in (uncached, uncached + cache):
            codes.append("usage.parts_do_not_sum")
    elif whole is not None:
        uncached = whole - cache if includes_cache else whole
    elif cache:
        codes.append("usage.whole_missing")
    if uncached is not None and uncached < 0:
        codes.append("usage.part_exceeds_whole")
        return NOTHING
    return InputSide(uncached, read, write, write_5m, write_1h)


def _output(counts: Counts, evidence: Evidence, codes: list[str]) -> tuple[int | None, int | None]:
    """The output total with reasoning inside it, and the reasoning; both None when they contradict."""
    output, reasoning = counts.get(OUTPUT), counts.get(REASONING)
    if output is None:
        if reasoning:
            codes.append("usage.whole_missing")
        return None, None
    output += evidence.surplus
    if reasoning is not None and not evidence.output_includes_reasoning:
        output += reasoning
    elif reasoning is not None and reasoning > output:
        codes.append("usage.part_exceeds_whole")
        return None, None
    return output, reasoning


def _rest(whole: int | None, part: int | None) -> int | None:
    return None if whole is None else whole - (part or 0)


def _subset(part: int | None, whole: int | None, codes: list[str]) -> int | None:
    """A modality's share, dropped when it is larger than what it is a share of or that is unknown."""
    if part is None or whole is None:
        return None
    if part > whole:
        codes.append("usage.part_exceeds_whole")
        return None
    return part
