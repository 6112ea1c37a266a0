"""Which traces were seen before, in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class SeenTraces:
    """Which trace ids were seen: never says no wrongly, says yes wrongly at most once in a hundred at 10 M traces.

    A Bloom filter of 2^27 bits and four probes, which are slices of the trace id: ids are random already.
    Plain bytes, because one id at a time is looked up: numpy's single values are slow.
    """

    def __init__(self) -> None:
        self._bits = bytearray(1 << 24)

    def add(self, trace_id: str) -> bool:
        """Notes an id; True where it may have been there before."""
        seen, bits = True, self._bits
        number = int(trace_id, 16)
        for shift in (0, 32, 64, 96):
            probe = (number >> shift) & 0x7FFFFFF
            byte, bit = probe >> 3, 1 << (probe & 7)
            if not bits[byte] & bit:
                seen = False
                bits[byte] |= bit
        return seen

    def maybe(self, trace_id: str) -> bool:
        """False where an id was surely never noted."""
        bits, number = self._bits, int(trace_id, 16)
        for shift in (0, 32, 64, 96):
            probe = (number >> shift) & 0x7FFFFFF
            if not bits[probe >> 3] & (1 << (probe & 7)):
                return False
        return True

    def add_all(self, probes: Sequence[np.ndarray[Any, np.dtype[np.uint32]]]) -> None:
        """Notes many ids at once, given as their four probes (see `spans.trace_probes`)."""
        bits = np.frombuffer(self._bits, dtype=np.uint8)
        for probe in probes:
            np.bitwise_or.at(bits, probe >> 3, (1 << (probe & 7)).astype(np.uint8))
