"""Trends, causes and calibration by table: what chance makes stays unsaid, what it does not is told with its bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from scipy import stats

from holdfast.feedback.rules.failures import Mode, calibration, hint
from holdfast.feedback.rules.triage import causes, trend, week_of

NOW = date(2026, 11, 16)
EARLIER = date(2026, 11, 9)


@pytest.mark.parametrize(
    ("now", "of_now", "before", "of_before", "direction"),
    [
        (40, 100, 10, 100, "up"),
        (10, 100, 40, 100, "down"),
        (11, 100, 10, 100, ""),
        (40, 400, 10, 100, ""),  # as many more as there is more of everything
        (3, 10, 0, 100, "up"),
        (1, 100, 0, 10, ""),
        (0, 100, 40, 100, "down"),
    ],
)
def test_a_trend_is_of_the_share(now: int, of_now: int, before: int, of_before: int, direction: str) -> None:
    found = trend({NOW: now, EARLIER: before}, {NOW: of_now, EARLIER: of_before}, NOW, 3)
    assert found.direction == direction
    assert found.weeks == (0, 0, before, now)
    if found.ratio is not None:
        assert found.low is not None
        assert found.low <= found.ratio <= (found.high or np.inf)


def test_an_unknown_trend_is_unknown() -> None:
    assert trend({NOW: 3}, {NOW: 3}, NOW, 3).low is None
    assert trend({}, {NOW: 3, EARLIER: 3}, NOW, 3).ratio is None
    assert trend({EARLIER: 2}, {EARLIER: 3}, NOW, 3).direction == ""


def test_trends_without_change_are_told_seldom() -> None:
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(400):
        now, before = rng.binomial(200, 0.1), rng.binomial(800, 0.1)
        told += bool(trend({NOW: now, EARLIER: before}, {NOW: 200, EARLIER: 800}, NOW, 1).direction)
    assert told <= 30  # 5 % of 400 are 20


def test_weeks_begin_on_monday_in_utc() -> None:
    assert week_of(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == NOW
    assert week_of(datetime(2026, 11, 23, tzinfo=UTC)) == date(2026, 11, 23)


def test_a_cause_is_told_with_fisher_s_p() -> None:
    rows = [("a", {"release": "new"})] * 30 + [("a", {"release": "old"})] * 10
    rows += [("b", {"release": "new"})] * 10 + [("b", {"release": "old"})] * 50
    found = causes(rows, ["release"])
    assert [(one.category, one.value, one.count, one.of, one.others, one.of_others) for one in found] == [
        ("a", "new", 30, 40, 10, 60),
        ("b", "old", 50, 60, 10, 40),
    ]
    single = stats.fisher_exact([[30, 10], [10, 50]], alternative="greater").pvalue
    assert found[0].p == pytest.approx(4 * single)  # Holm: the least of four


def test_without_causes_none_are_told() -> None:
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(60):
        rows = [
            (f"c{rng.integers(10)}", {"release": f"r{rng.integers(4)}", "model": f"m{rng.integers(3)}"})
            for _ in range(600)
        ]
        told += bool(causes(rows, ["release", "model"]))
    assert told <= 8  # 5 % of 60 are 3
    assert causes([], ["release"]) == []
    assert causes([("a", {"release": ""})] * 20, ["release"]) == []


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        ("wrong fact", Mode.WRONG),
        ("too_long", Mode.LONG),
        ("Rude", Mode.TONE),
        ("ticket 7", None),
        (None, None),
    ],
)
def test_a_label_that_names_a_mode_is_one(label: str | None, mode: Mode | None) -> None:
    assert hint(label) is mode


@pytest.mark.parametrize("count", [30, 500])
def test_calibrated_confidence_is_the_share_that_is_right(count: int) -> None:
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(40):
        scores = rng.random(count)
        right = rng.random(count) < 0.2 + 0.6 * scores**2
        found = calibration(scores.tolist(), right.tolist())
        fresh = rng.random(2000)
        errors.append(float(np.mean(np.abs(found.of(fresh) - (0.2 + 0.6 * fresh**2)))))
        assert (np.diff(found.of(np.linspace(0, 1, 50))) >= -1e-12).all()
    assert np.mean(errors) < (0.12 if count == 30 else 0.07)


def test_too_few_decisions_calibrate_nothing() -> None:
    found = calibration([0.5] * 19, [True] * 19)
    assert (found.method, found.confirmed) == ("", 19)
    assert calibration([0.5] * 100, [True] * 100).of(np.array([0.5]))[0] < 1
