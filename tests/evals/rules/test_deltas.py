"""What answers cost, how long they take and whether they keep their format, held against another run's."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from holdfast.evals.model import Answer, Delta
from holdfast.evals.rules.deltas import EARLIER, Told, deltas


def told(text: str = "well", *, family: str = "", reused: bool = False, **more: Any) -> Told:
    return Told(Answer(text=text, **more), reused, family)


def by_name(before: dict[str, list[Told]], after: dict[str, list[Told]]) -> dict[str, Delta]:
    return {one.name: one for one in deltas(before, after)}


def priced(costs: list[str | None]) -> dict[str, list[Told]]:
    return {
        f"c{place}": [told(cost=None if cost is None else Decimal(cost))] for place, cost in enumerate(costs)
    }


def test_cost_is_the_ratio_of_what_all_cases_cost() -> None:
    found = by_name(priced(["0.01", "0.03"]), priced(["0.02", "0.03"]))["cost"]
    assert (found.before, found.after) == (pytest.approx(0.02), pytest.approx(0.025))
    assert found.change == pytest.approx(0.25) and found.pairs == 2
    assert found.low is not None and found.high is not None and found.low < 0.25 < found.high


def test_every_case_a_tenth_dearer_is_a_tenth_with_no_doubt() -> None:
    found = by_name(priced(["0.01", "0.03", "0.05"]), priced(["0.011", "0.033", "0.055"]))["cost"]
    assert (found.low, found.change, found.high) == (pytest.approx(0.1),) * 3


def test_an_unknown_price_is_not_zero() -> None:
    found = by_name(priced(["0.01", "0.03", "0.01"]), priced(["0.01", None, "0.01"]))["cost"]
    assert (found.change, found.pairs, found.untold) == (pytest.approx(0.0), 2, 1)
    nothing = by_name(priced([None, None]), priced(["0.01", "0.01"]))["cost"]
    assert (nothing.change, nothing.before, nothing.pairs, nothing.untold) == (None, None, 0, 2)
    assert nothing.note == "no price is known"


def test_a_repeat_without_a_price_makes_its_case_unknown() -> None:
    before = {"c": [told(cost=Decimal("0.01")), told(cost=None)]}
    assert by_name(before, before)["cost"].pairs == 0


def test_one_slow_answer_does_not_decide_how_long_it_takes() -> None:
    before = {f"c{place}": [told(latency_ms=100.0)] for place in range(21)}
    after = {f"c{place}": [told(latency_ms=100.0 if place else 60_000.0)] for place in range(21)}
    found = by_name(before, after)["latency"]
    assert found.change == pytest.approx(math.exp(math.log(600) / 21) - 1)
    assert found.after is not None and found.after > 2000, "the mean is told beside it"


def test_what_is_of_an_earlier_time_is_said() -> None:
    before = {"c": [told(latency_ms=100.0, reused=True)], "d": [told(latency_ms=90.0)]}
    after = {"c": [told(latency_ms=100.0)], "d": [told(latency_ms=90.0)]}
    assert by_name(before, after)["latency"].note == EARLIER
    both = {"c": [told(latency_ms=100.0, reused=True)]}
    assert by_name(both, both)["latency"].note == ""


@pytest.mark.parametrize(
    ("answer", "broken"),
    [
        (told('{"a": 1}'), 0.0),
        (told('{"a": 1'), 1.0),
        (told("words"), 1.0),
        (told('{"a": 1}', truncated=True), 1.0),
        (told(""), 1.0),
    ],
)
def test_where_the_baseline_answers_json_anything_else_breaks_its_format(answer: Told, broken: float) -> None:
    found = by_name({"c": [told('[{"a": 1}]')], "d": [told("{}")]}, {"c": [answer], "d": [told("{}")]})[
        "format"
    ]
    assert (found.before, found.after) == (0.0, broken / 2)


def test_words_need_be_no_json_and_a_refusal_is_no_empty_answer() -> None:
    before = {"c": [told("words")], "d": [told("", refusal="I cannot")]}
    assert by_name(before, {"c": [told('{"a": 1}')], "d": [told("", refusal="No")]})["format"].change == 0


def test_cases_of_one_run_alone_are_left_out() -> None:
    found = by_name(
        {"c": [told(latency_ms=1.0)], "e": [told()]}, {"c": [told(latency_ms=2.0)], "d": [told()]}
    )
    assert found["latency"].pairs == 1
    assert (found["latency"].low, found["latency"].high) == (None, None), (
        "one case tells nothing of the spread"
    )


def test_families_are_no_independent_evidence() -> None:
    rng = np.random.default_rng(1)

    def run(scale: float, family: bool) -> dict[str, list[Told]]:
        return {
            f"c{place}": [told(latency_ms=scale * factor, family=f"f{place // 10}" if family else "")]
            for place, factor in enumerate(np.repeat(rng.lognormal(0, 0.5, 10), 10))
        }

    def width(family: bool) -> float:
        nonlocal rng
        rng = np.random.default_rng(1)
        found = by_name(run(100, family), run(110, family))["latency"]
        assert found.low is not None and found.high is not None
        return found.high - found.low

    assert width(True) > 2 * width(False)


def test_bounds_hold_as_often_as_they_say() -> None:
    rng, inside = np.random.default_rng(7), 0
    for _ in range(400):
        base = rng.lognormal(-4, 0.7, 40)
        noise = rng.lognormal(0, 0.3, 40) / math.exp(0.045)
        before = {f"c{n}": [told(cost=Decimal(str(one)))] for n, one in enumerate(base)}
        after = {f"c{n}": [told(cost=Decimal(str(one)))] for n, one in enumerate(base * noise * 1.2)}
        found = by_name(before, after)["cost"]
        assert found.low is not None and found.high is not None
        inside += found.low <= 0.2 <= found.high
    assert 0.84 <= inside / 400 <= 0.95, inside / 400
