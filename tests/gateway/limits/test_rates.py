"""A minute that slides: never more than the limit in any 60 seconds, and at most a second too strict."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.gateway.limits.rates import Slide

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests."""

STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 5)), max_size=60)


@UNHURRIED
@given(STEPS, st.integers(1, 12))
def test_no_minute_holds_more_than_the_limit_and_little_is_refused_early(
    steps: list[tuple[float, int]], limit: int
) -> None:
    slide = Slide()
    now = 1_000.0
    taken: list[tuple[float, int]] = []
    for wait, count in steps:
        now += wait
        in_60 = sum(one for at, one in taken if at > now - 60)
        in_61 = sum(one for at, one in taken if at > now - 61)
        counted = slide.total(now)
        assert in_60 <= counted <= in_61 + sum(one for at, one in taken if int(at) == int(now) - 60)
        if counted + count <= limit:
            assert slide.fits_at(now, count, limit) == now
            slide.add(now, count)
            taken.append((now, count))
        elif count <= limit:
            at = slide.fits_at(now, count, limit)
            assert at is not None and now < at <= now + 62
            assert deepcopy(slide).total(at) + count <= limit
        else:
            assert slide.fits_at(now, count, limit) is None
    for at, _ in taken:
        assert sum(count for other, count in taken if at - 60 < other <= at) <= limit


def test_what_was_counted_too_high_is_given_back_where_it_was_counted() -> None:
    slide = Slide()
    first = slide.add(100.2, 500)
    slide.add(130.0, 50)
    slide.correct(first, -480)
    assert slide.total(130.0) == 70
    assert slide.total(161.0) == 50
    slide.correct(first, -20)  # long gone
    assert slide.total(161.0) == 50


def test_a_clock_that_steps_back_loses_nothing() -> None:
    slide = Slide()
    slide.add(100.0, 1)
    assert slide.add(90.0, 1) == 100
    assert slide.total(90.0) == 2
