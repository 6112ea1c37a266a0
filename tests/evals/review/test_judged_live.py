"""A judge on a sample of live calls, by a real core, gateway and vendor: asked once, within a ceiling, unknown told."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.evals.judges.referee import Referee, answer, apply, judge, pairs
from tests.evals.review.live import Live, chat, sent
from tests.evals.runs.desk import Desk, desk

from running_core import PAUSE, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
NAMES = ("truth", "strange", "thrifty", "poor", "away", "masked")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("judged"), Referee()) as made:
        apply(made, "kept", *(judge(name) for name in NAMES), judge("pairs", kind="pairwise", labels=pairs()))
        yield made


@pytest.fixture
def live(at: Desk) -> Iterator[Live]:
    made = Live(at.workspace)
    made.followed()
    yield made
    assert isinstance(at.vendor, Referee)
    at.vendor.raw = None
    at.vendor.tell("late", "well")
    put(made)


def put(live: Live, *judges: dict[str, Any], status: int = 200) -> Any:
    """Puts a policy in force that names these judges."""
    asked = {"version": live.get("policy")["version"], "policy": {"judges": list(judges)}}
    answered = live.ask("PUT", "policy", json=asked)
    assert answered.status_code == status, answered.text
    return answered.json()


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"judge": name, "dimension": "factual consistency", "rate": 1, "max_cost": "5", **more}


def rate(live: Live, name: str) -> dict[str, Any]:
    """How it stands by a judge."""
    found = [one for one in live.get("rates")["judges"] if one["judge"] == name]
    return dict(found[0]) if found else {"judged": 0, "unknown": {}, "waiting": 0}


def settled(live: Live, name: str, calls: int) -> dict[str, Any]:
    """Waits until a judge has judged so many calls, or they are unknown."""
    until(
        lambda: (found := rate(live, name))["judged"] + sum(found["unknown"].values()) >= calls,
        60,
        f"{calls} calls settled",
    )
    return rate(live, name)


def say(live: Live, *numbers: int) -> None:
    assert live.at.post(sent(*(chat(answer(n)) for n in numbers))).status_code == 200


def findings(live: Live, name: str) -> list[dict[str, Any]]:
    found = [one for item in live.items() for one in item["findings"]]
    return [one for one in found if one["rule"] == f"judge {name}"]


def test_a_policy_names_only_judges_that_can_judge_live_calls(at: Desk, live: Live) -> None:
    assert "there is no judge 'gone'" in str(put(live, entry("gone"), status=422))
    assert "judges[0].judge" in str(put(live, entry("pairs"), status=422))


def test_a_judge_is_shown_each_call_once_and_what_it_fails_waits_for_people(at: Desk, live: Live) -> None:
    put(live, entry("truth"))
    asked = at.vendor.meter["asked"]
    say(live, *range(24))
    found = settled(live, "truth", 24)
    assert at.vendor.meter["asked"] == asked + 24
    assert (found["judged"], found["waiting"], found["unknown"]) == (24, 0, {})
    assert found["alone"]["value"] == 0.25, "wrong are 2, 5, 8 … 23; of those the judge lets 8 and 20 pass"
    assert found["corrected"] is None and "not to be trusted" in found["note"]
    assert 0 < Decimal(found["cost"]) == Decimal(found["today"]) < Decimal(found["max_cost"])
    failed = findings(live, "truth")
    assert [(one["version"], one["basis"], one["confidence"]) for one in failed] == [
        ("1", "uncorrected judge", 1.0)
    ] * 6
    framed = at.vendor.seen[-1]["body"]["messages"][-1]["content"]
    assert "<<QUESTION" in framed and "user: May I give shoes back?" in framed and "<<ANSWER" in framed

    made = at.core.client.post("/api/v1/evals/judges/truth/checks", headers=at.headers).json()
    one = f"/api/v1/evals/checks/{made['id']}"
    until(
        lambda: at.core.client.get(one, headers=at.headers).json()["state"] == "done", 60, "the check's end"
    )
    say(live, *range(24, 36))
    found = settled(live, "truth", 36)
    labels = 24  # of the 8 bad ones it fails 6, and passes every good one
    assert found["corrected"]["labels"] == labels
    assert found["corrected"]["value"] == pytest.approx(9 / 36 / (6 / 8)), "a third, as it truly is"
    assert found["note"] == ""
    assert {one["basis"] for one in findings(live, "truth")} == {"uncorrected judge", "judge"}
    ours = [one for one in live.items() if one["findings"][0]["rule"] == "judge truth"]
    first = next(one for one in ours if not one["two_look"])
    live.ask("POST", f"items/{first['id']}/decide", json={"decisions": {"factual consistency": "confirmed"}})
    assert settled(live, "truth", 24)["confirmed"]["value"] == 1.0
    assert live.rate("factual consistency")["confirmed"]["value"] is None, "no rule found it"


def test_what_is_no_verdict_is_unknown_and_none_of_it_is_kept(at: Desk, live: Live) -> None:
    assert isinstance(at.vendor, Referee)
    put(live, entry("strange"))
    at.vendor.raw = '{"verdict": "abstain", "reason": "a zebra said so"}'
    say(live, 31)
    settled(live, "strange", 1)
    at.vendor.raw = "a zebra"
    say(live, 32)
    found = settled(live, "strange", 2)
    assert found["judged"] == 0 and found["alone"]["value"] is None
    assert found["unknown"] == {"the judge abstains": 1, "the judge's reply is no verdict of its scale": 1}
    files = [one for one in at.core.data.iterdir() if one.is_file() and "sqlite" in one.name]
    for file in files:
        assert b"zebra" not in file.read_bytes()
    asked = at.vendor.meter["asked"]
    live.at.post(sent(chat(None), chat("cut", **{"gen_ai.response.finish_reasons": ["length"]})))
    found = settled(live, "strange", 3)
    assert found["unknown"]["only a part of the answer is there"] == 1
    assert at.vendor.meter["asked"] == asked, "without content, or with a part of it, nobody is asked"


def test_a_days_ceiling_and_a_budget_leave_the_rest_unknown(at: Desk, live: Live) -> None:
    put(live, entry("thrifty", max_cost="0.0007"))
    say(live, *range(41, 51))
    found = settled(live, "thrifty", 10)
    assert 1 <= found["judged"] < 10
    assert Decimal(found["cost"]) <= Decimal("0.0007")
    assert all("USD a day" in why for why in found["unknown"])
    at.configure(budgets=[{"scope": "key", "only": ["judges"], "amount": "0.000001", "period": "day"}])
    try:
        put(live, entry("poor"))
        say(live, 51, 52)
        found = settled(live, "poor", 2)
    finally:
        at.configure()
    assert found["judged"] == 0
    assert found["unknown"] == {"a budget of the gateway leaves nothing for the judge poor": 2}


def test_a_gateway_that_is_away_is_waited_for_and_rules_do_not_wait(at: Desk, live: Live) -> None:
    put(live, entry("away"))
    looked = live.get("rates")["standing"]["looked"]
    at.gateway.kill()
    try:
        say(live, 61, 62)
        live.looked(looked + 2)
        assert rate(live, "away")["waiting"] == 2
    finally:
        at.gateway.start()
    assert settled(live, "away", 2)["judged"] == 2


def test_a_killed_core_asks_and_pays_for_each_call_once(tmp_path: Path) -> None:
    rng = random.Random(4)
    with desk(tmp_path, Referee()) as at:
        apply(at, "kept", judge())
        live = Live(at.workspace)
        live.followed()
        put(live, entry("truth"))
        at.vendor.tell("late", *(["slow 200"] * 12), "well")
        asked = at.vendor.meter["asked"]
        say(live, *range(30))
        for done in (1, 4, 8):
            until(lambda: rate(live, "truth")["judged"] >= done, 60, "some verdicts")  # noqa: B023
            PAUSE.wait(rng.uniform(0.1, 0.6))
            at.core.stop(signal.SIGKILL)
            at.core.start()
        found = settled(live, "truth", 30)
        assert (found["judged"], found["unknown"]) == (30, {})
        assert at.vendor.meter["asked"] - asked == 30, "each call was asked about once"
        until(lambda: at.workspace.count()[0] == 60, 60, "the records of the calls")
        stored = [one for one in at.workspace.calls() if one["environment"] == "evaluation"]
        assert sum(Decimal(one["cost_amount"]) for one in stored) == Decimal(found["cost"])
        assert len(findings(live, "truth")) == sum(n % 3 == 2 and n % 4 != 0 for n in range(30))
        assert live.get("rates")["standing"]["looked"] == 30, "what judges are asked is no live call"
