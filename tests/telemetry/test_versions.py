"""The numbers of commits and the versions of calls: whoever saw more of a trace wins, whatever the clocks say."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.rules.versions import WRITERS, commit_number, version

NOW = 1_795_000_000_000_000_000  # November 2026
TIMES = st.integers(NOW // 10**6 - 10**9, NOW // 10**6 + 10**9).map(lambda ms: ms * 2**20)
"""A thousand seconds around, in steps of a unit: clocks that do not agree at all."""


@given(st.dictionaries(st.integers(0, 50), TIMES, min_size=1), st.lists(st.tuples(st.integers(0, 60), TIMES)))
def test_who_sees_more_has_the_higher_version(seen: dict[int, int], later: list[tuple[int, int]]) -> None:
    view, last = dict(seen), version(seen.values())
    for span, commit in later:
        grown = {**view, span: max(commit, view.get(span, 0))}  # a store shows the latest of a span
        now = version(grown.values())
        assert now > last if grown != view else now == last
        view, last = grown, now


@given(st.lists(TIMES, min_size=1))
def test_the_order_does_not_matter_and_a_version_is_never_below_a_commit(commits: list[int]) -> None:
    mixed = random.Random(1).sample(commits, len(commits))
    assert version(mixed) == version(commits) >= max(commits)


def test_a_large_trace_in_a_far_year_fits_the_column() -> None:
    far = NOW + 30 * 365 * 86_400 * 10**9
    assert version([far] * 1_000_000) < 2**64


@given(
    st.integers(0, WRITERS - 1), st.lists(st.integers(-(10**12), 10**12).map(lambda ns: NOW + ns), min_size=2)
)
def test_commit_numbers_rise_and_name_their_writer(writer: int, clock: list[int]) -> None:
    numbers, last = [], 0
    for now in clock:
        last = commit_number(last, now, writer)
        numbers.append(last)
        assert last % WRITERS == writer
        assert last > now - 2 * WRITERS
    assert numbers == sorted(set(numbers))


def test_two_writers_at_the_same_instant_give_different_numbers() -> None:
    assert commit_number(0, NOW, 1) != commit_number(0, NOW, 2)
    assert commit_number(NOW + 5, NOW, None) == NOW + 6
