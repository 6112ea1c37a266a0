"""What the suites of a gate come to, and what cost, latency and format say beside them."""

from __future__ import annotations

from itertools import product

import pytest

from holdfast.changes.model import Verdict
from holdfast.changes.rules.gates import of_deltas, together
from holdfast.evals.model import Delta
from holdfast.evals.rules.deltas import EARLIER

MARGINS = {"cost": 0.25, "latency": 1.0, "format": 0.05}


def delta(name: str, change: float | None, low: float | None, high: float | None, note: str = "") -> Delta:
    known = None if change is None else 1.0
    return Delta(name, known, known, change, low, high, 40, 0, note)


def test_no_suite_is_never_a_pass() -> None:
    assert together([]) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("verdicts", list(product(Verdict, repeat=2)))
def test_one_that_fails_fails_all_and_one_that_cannot_tell_keeps_all_from_passing(
    verdicts: tuple[Verdict, Verdict],
) -> None:
    found = together(verdicts)
    assert (found is Verdict.FAIL) == (Verdict.FAIL in verdicts)
    assert (found is Verdict.PASS) == (set(verdicts) == {Verdict.PASS})


@pytest.mark.parametrize(
    ("one", "verdict", "said"),
    [
        (delta("cost", 0.1, 0.05, 0.2), Verdict.PASS, "+10.0% (+5.0% to +20.0%"),
        (
            delta("cost", 0.2, 0.1, 0.3),
            Verdict.INCONCLUSIVE,
            "not shown to be within the 25% that are allowed",
        ),
        (delta("cost", 0.5, 0.3, 0.7), Verdict.FAIL, "25% are allowed"),
        (delta("cost", -0.5, -0.6, -0.4), Verdict.PASS, "-50.0%"),
        (delta("cost", 0.0, None, None), Verdict.INCONCLUSIVE, "not shown"),
        (
            delta("cost", None, None, None, "no price is known"),
            Verdict.PASS,
            "not measured, because no price is known",
        ),
        (delta("latency", 1.5, 1.2, 1.9), Verdict.FAIL, "100% are allowed"),
        (delta("latency", 1.5, 1.2, 1.9, EARLIER), Verdict.INCONCLUSIVE, EARLIER),
        (delta("format", 0.02, -0.01, 0.2), Verdict.PASS, "+2.0%"),
        (delta("format", 0.07, -0.01, 0.2), Verdict.INCONCLUSIVE, "not shown"),
        (delta("format", 0.2, 0.1, 0.3), Verdict.FAIL, "5% are allowed"),
    ],
)
def test_each_delta_against_its_margin(one: Delta, verdict: Verdict, said: str) -> None:
    found, why = of_deltas(MARGINS, [one])
    assert found is verdict
    assert len(why) == 1 and said in why[0]


def test_what_is_not_asked_decides_nothing_and_is_said() -> None:
    found, why = of_deltas({"cost": None}, [delta("cost", 9.0, 8.0, 10.0), delta("latency", 9.0, 8.0, 10.0)])
    assert found is Verdict.PASS and len(why) == 2


def test_what_decides_is_said_first() -> None:
    found, why = of_deltas(
        MARGINS, [delta("cost", 0.0, 0.0, 0.0), delta("latency", 0.0, -0.1, 3.0), delta("format", 1, 0.9, 1)]
    )
    assert found is Verdict.FAIL
    assert [one.partition(":")[0] for one in why] == ["format", "latency", "cost"]
