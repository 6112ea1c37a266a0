"""A run whose core is killed at random, again and again: it ends, and no case was paid for or graded twice."""

from __future__ import annotations

import random
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from tests.evals.runs.desk import cases, desk

from running_core import PAUSE, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KILLS = 5
CASES = 120
REPEATS = 2


def test_a_killed_run_resumes_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    rng = random.Random(5)
    with desk(tmp_path) as at:
        at.vendor.tell("m", *(["slow 200"] * 20), "well")
        at.suite("long", cases(CASES))
        asked = at.vendor.meter["asked"]
        made = at.make("long", repeats=REPEATS, concurrency=6, reuse=False)
        done = 0
        for _ in range(KILLS):
            until(lambda: at.get(made["id"])["progress"]["done"] >= done, 30, "some answers")  # noqa: B023
            PAUSE.wait(rng.uniform(0.0, 0.2))
            at.core.stop(signal.SIGKILL)
            at.vendor.tell("m", *(["slow 200"] * 10), "well")
            at.core.start()
            done = min(at.get(made["id"])["progress"]["done"] + 15, CASES * REPEATS)
        found = at.over(made["id"], 90)
        assert found["state"] == "done"
        assert found["progress"]["done"] == found["progress"]["passed"] == CASES * REPEATS
        assert at.vendor.meter["asked"] - asked == CASES * REPEATS, "each was asked once"
        answers = [one["answer"] for case in at.get(made["id"], "/cases") for one in case["answers"]]
        assert len({one["call_id"] for one in answers}) == CASES * REPEATS
        until(lambda: at.workspace.count()[0] == CASES * REPEATS, 60, "the records of the calls")
        stored = sum(Decimal(one["cost_amount"]) for one in at.workspace.calls())
        assert (
            stored == Decimal(found["progress"]["cost_usd"]) == sum(Decimal(one["cost"]) for one in answers)
        )
