"""From grades to a score: what is unknown stays unknown, and one failed expectation is a fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.evals.model import Expectation, Grade
from holdfast.evals.rules.scoring import combined, question, seed_of


def grade(score: float | None, passed: bool | None) -> Grade:
    return Grade("exact", "1", score, passed)


def expected(*weights: float) -> list[Expectation]:
    return [Expectation("exact", weight=weight) for weight in weights]


@pytest.mark.parametrize(
    ("weights", "grades", "score", "passed"),
    [
        ((1,), [(1.0, True)], 1.0, True),
        ((1, 3), [(1.0, True), (0.0, False)], 0.25, False),
        ((1, 1), [(0.9, True), (0.7, True)], 0.8, True),
        ((1, 1), [(1.0, True), (None, None)], None, None),
        ((1, 1), [(0.0, False), (None, None)], None, False),
        ((1, 0), [(1.0, True), (0.0, False)], 1.0, True),
        ((1, 0), [(1.0, True), (None, None)], 1.0, True),
        ((0,), [(1.0, True)], None, None),
    ],
)
def test_score_and_pass(
    weights: tuple[float, ...],
    grades: list[tuple[float | None, bool | None]],
    score: float | None,
    passed: bool | None,
) -> None:
    found = combined(expected(*weights), [grade(*one) for one in grades])
    assert found == (pytest.approx(score) if score is not None else None, passed)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1)), min_size=1, max_size=6))
def test_a_score_lies_between_its_grades(parts: list[tuple[float, float]]) -> None:
    score, passed = combined(
        expected(*(weight for weight, _ in parts)), [grade(value, value > 0.5) for _, value in parts]
    )
    assert score is not None
    values = [value for _, value in parts]
    assert min(values) - 1e-9 <= score <= max(values) + 1e-9
    assert passed is all(value > 0.5 for value in values)


def test_what_answers_alike_must_be_known() -> None:
    assert question("", "case", "hash", 0, 1) == "", "without one release nobody knows what answered"
    one = ("r", "c", "h", 0, 1)
    others = [("s", *one[1:]), ("r", "d", *one[2:]), ("r", "c", "i", 0, 1), (*one[:3], 1, 1), (*one[:4], 2)]
    different = {question(*asked) for asked in [one, *others]} | {question(*one[:4], None)}
    assert len(different) == 7
    assert question(*one) == question(*one)


def test_each_repeat_has_a_seed_of_its_own() -> None:
    assert seed_of(None, 3) is None
    assert len({seed_of(seed, repeat) for seed in range(20) for repeat in range(100)}) == 2000
    assert all((seed_of((1 << 31) - 1, repeat) or 0) < 1 << 31 for repeat in range(100))
