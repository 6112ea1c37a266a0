"""Quantiles of merged exponential histograms stay within the stated error, in whatever order they are added."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.rules.adding import plus
from holdfast.telemetry.rules.histogram import (
    BASE,
    RELATIVE_ERROR,
    ZERO,
    Histogram,
    bucket,
    middle,
    quantile,
)

VALUES = st.lists(st.floats(min_value=1e-6, max_value=1e9), min_size=1, max_size=200)


def histogram(values: list[float]) -> Histogram:
    made: Histogram = {}
    for value in values:
        made[bucket(value)] = made.get(bucket(value), 0) + 1
    return made


@given(VALUES, st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_near_the_value_of_that_rank(values: list[float], q: float) -> None:
    true = sorted(values)[max(math.ceil(q * len(values)), 1) - 1]
    found = quantile(histogram(values), q)
    assert found is not None
    assert abs(found - true) <= true * (RELATIVE_ERROR + 1e-9)


@given(VALUES, VALUES)
def test_adding_histograms_is_counting_together(one: list[float], two: list[float]) -> None:
    first, second = {"latency": histogram(one)}, {"latency": histogram(two)}
    before = deepcopy((first, second))
    assert plus(first, second) == plus(second, first) == {"latency": histogram(one + two)}
    assert (first, second) == before, "they may be kept: neither is changed"


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_bucket_holds_its_values(value: float) -> None:
    index = bucket(value)
    assert BASE**index * (1 - 1e-9) < value <= BASE ** (index + 1) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("histogram", "q", "expected"),
    [
        ({}, 0.5, None),
        ({ZERO: 3}, 0.5, 0.0),
        ({ZERO: 1, 10: 1}, 0.5, 0.0),
        ({ZERO: 1, 10: 1}, 0.51, middle(10)),
    ],
)
def test_edges(histogram: Histogram, q: float, expected: float | None) -> None:
    assert quantile(histogram, q) == expected
