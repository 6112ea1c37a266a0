"""Geometry of charts, by known cases and by properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.web.charts import Bar, Row, columns, log_share, share, spark_area, spark_line, ticks, waterfall


def test_a_line_runs_from_the_floor_to_the_ceiling() -> None:
    assert spark_line([0, 5, 10], 64, 20, 0) == "M0 20L32 10L64 0"


def test_unknown_leaves_a_gap_and_is_not_drawn_as_zero() -> None:
    path = spark_line([10, 10, None, 10, 10], 40, 20, 0)
    assert path.count("M") == 2
    assert "20 20" not in path
    assert spark_area([10, 10, None, 10, 10], 40, 20, 0).count("Z") == 2


def test_a_value_alone_is_a_dot_and_nothing_known_is_nothing() -> None:
    assert spark_line([None, 4, None], 40, 20, 0).endswith("h1")
    assert spark_line([None, None]) == spark_line([]) == spark_area([float("nan")]) == ""


def test_zeros_lie_on_the_floor() -> None:
    assert spark_line([0, 0], 10, 20, 0) == "M0 20L10 20"


def test_one_failure_among_thousands_is_seen() -> None:
    bar = columns([5000], [1], 100, 60)[0]
    assert (bar.height, bar.part_height) == (60, 2.0)
    assert bar.part_y == 58.0


def test_columns_need_parts_of_one_length() -> None:
    with pytest.raises(ValueError, match="length"):
        columns([1, 2], [1])


@given(st.lists(st.integers(0, 10**9), max_size=50))
def test_columns_stay_in_the_box(totals: list[int]) -> None:
    for bar in columns(totals, [total // 2 for total in totals], 1000, 60):
        assert bar.x >= 0 and bar.x + bar.width <= 1000.01
        assert bar.y >= 0 and bar.height <= 60 and bar.part_height <= max(bar.height, 2)


@pytest.mark.parametrize(
    ("value", "whole", "percent"), [(1, 3, 33.3), (None, 3, 0), (3, 0, 0), (9, 3, 100), (3, None, 0)]
)
def test_share(value: float | None, whole: float | None, percent: float) -> None:
    assert share(value, whole) == percent


def test_log_share_is_one_fixed_scale() -> None:
    assert [log_share(ms) for ms in (None, 5, 10, 1000, 100_000, 1e9)] == [0, 0, 0, 50, 100, 100]


def test_a_tree_in_time() -> None:
    rows = waterfall(
        [Bar("b", "a", 60, 100), Bar("a", "", 0, 100), Bar("c", "a", 10, 20), Bar("d", "c", 12, 13)]
    )
    assert [(row.id, row.depth) for row in rows] == [("a", 0), ("c", 1), ("d", 2), ("b", 1)]
    assert rows[0] == Row("a", 0, 0.0, 100.0, 2, False)
    assert (rows[3].left, rows[3].width) == (60.0, 40.0)


def test_a_lost_parent_makes_an_orphan_at_the_top() -> None:
    rows = waterfall([Bar("a", "", 0, 10), Bar("x", "gone", 5, 6)])
    assert [(row.id, row.depth, row.orphan) for row in rows] == [("a", 0, False), ("x", 0, True)]


def test_a_cycle_of_parents_comes_out_once_each() -> None:
    rows = waterfall([Bar("a", "b", 0, 10), Bar("b", "a", 1, 9), Bar("c", "c", 2, 3)])
    assert sorted(row.id for row in rows) == ["a", "b", "c"]


def test_an_end_before_the_start_is_drawn_as_a_point() -> None:
    rows = waterfall([Bar("a", "", 0, 100), Bar("b", "a", 100, 40)])
    assert rows[1].width == 0.4 and rows[1].left <= 99.6


BARS = st.builds(
    Bar,
    st.sampled_from("abcdefgh"),
    st.sampled_from("abcdefgh "),
    st.integers(0, 10**18),
    st.integers(0, 10**18),
)


@given(st.lists(BARS, max_size=12))
def test_every_bar_once_and_inside_the_box(bars: list[Bar]) -> None:
    rows = waterfall(bars)
    assert sorted(row.id for row in rows) == sorted({bar.id for bar in bars})
    for row in rows:
        assert 0 <= row.left <= 100 and 0 < row.width <= 100 and row.left + row.width <= 100.01


def test_a_deep_chain_does_not_overflow_the_stack() -> None:
    rows = waterfall(Bar(str(n), str(n - 1) if n else "", n, n + 1) for n in range(5000))
    assert rows[-1].depth == 4999


def test_ticks_are_round() -> None:
    assert [value for _, value in ticks(4310)] == [0, 1000, 2000, 3000, 4000]
    assert ticks(10, 5)[-1] == (100.0, 10.0)
    assert ticks(0) == [(0.0, 0.0)]


@given(st.floats(1e-6, 1e12))
def test_ticks_are_few_and_inside(whole: float) -> None:
    marks = ticks(whole)
    assert 1 <= len(marks) <= 8 and all(0 <= place <= 100.1 for place, _ in marks)
