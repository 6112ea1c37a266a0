"""A judged run and a check whose core is killed, again and again: no judge is asked or paid twice."""

from __future__ import annotations

import random
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from tests.evals.judges.referee import Referee, apply, asking, judge
from tests.evals.runs.desk import desk

from running_core import PAUSE, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CASES = 60


def test_a_killed_judged_run_pays_no_judge_twice(tmp_path: Path) -> None:
    rng = random.Random(9)
    with desk(tmp_path, Referee()) as at:
        apply(at, "kept", judge(), cases=asking(CASES))
        at.vendor.tell("late", *(["slow 200"] * 20), "well")
        asked = at.vendor.meter["asked"]
        made = at.make("kept", concurrency=6, reuse=False)
        done = 0
        for _ in range(4):
            until(lambda: at.get(made["id"])["progress"]["done"] >= done, 30, "some answers")  # noqa: B023
            PAUSE.wait(rng.uniform(0.0, 0.4))
            at.core.stop(signal.SIGKILL)
            at.vendor.tell("late", *(["slow 200"] * 10), "well")
            at.core.start()
            done = min(at.get(made["id"])["progress"]["done"] + 8, CASES)
        found = at.over(made["id"], 90)
        assert found["state"] == "done" and found["progress"]["done"] == CASES
        assert at.vendor.meter["asked"] - asked == CASES * 2, (
            "each answer and each verdict was asked for once"
        )
        until(lambda: at.workspace.count()[0] == CASES * 2, 60, "the records of the calls")
        stored = sum(Decimal(one["cost_amount"]) for one in at.workspace.calls())
        assert stored == Decimal(found["progress"]["cost_usd"])
        path = "/api/v1/evals/judges/truth/checks"
        at.vendor.tell("late", *(["slow 200"] * 16), "well")
        check = at.core.client.post(path, headers=at.headers).json()
        PAUSE.wait(0.5)
        at.core.stop(signal.SIGKILL)
        at.core.start()
        one = f"/api/v1/evals/checks/{check['id']}"
        until(
            lambda: at.core.client.get(one, headers=at.headers).json()["state"] == "done",
            60,
            "the end of the check",
        )
        assert at.vendor.meter["asked"] - asked == CASES * 2 + 24
