"""Quantiles of merged histograms: exponential buckets as OpenTelemetry has them, exact to add up in any order.

Bucket i holds values v with base^i < v <= base^(i+1), where base = 2^(2^-SCALE) (OpenTelemetry metrics data model,
"ExponentialHistogram"). A quantile is the point in the bucket that is relatively nearest to both of its ends, so it is
off by at most (base - 1) / (base + 1) of itself (Masson, Rim, Lee: DDSketch, VLDB 2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

SCALE = 4
PER_OCTAVE = 1 << SCALE
BASE = 2.0 ** (1 / PER_OCTAVE)
RELATIVE_ERROR = (BASE - 1) / (BASE + 1)
"""2.2 %: how far a quantile can be from the value of that rank."""
ZERO = -(2**15)
"""The bucket of values that are not above zero."""

Histogram = dict[int, int]
"""Bucket → how many values are in it."""


def bucket(value: float) -> int:
    """The bucket of a value."""
    return ZERO if value <= 0 else math.ceil(math.log2(value) * PER_OCTAVE) - 1


def middle(index: int) -> float:
    """The value that stands for a bucket."""
    return 0.0 if index == ZERO else 2.0 * 2.0 ** ((index + 1) / PER_OCTAVE) / (BASE + 1)


def quantile(histogram: Mapping[int, int], q: float) -> float | None:
    """The value at rank ceil(q * n) (nearest rank, 1-based), to within RELATIVE_ERROR. None where there is no value."""
    total = sum(histogram.values())
    if not total:
        return None
    rank = max(math.ceil(q * total), 1)
    passed = 0
    for index in sorted(histogram):
        passed += histogram[index]
        if passed >= rank:
            return middle(index)
    return middle(max(histogram))
