"""Live calls by OTLP into a real core: looked at, counted once, queued, decided, erased, made a case; and through kills."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.evals.review.live import QUESTION, SCOPES, Live, chat, sent

from running_core import PAUSE, CoreProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

DOCUMENTS = ("Shoes may be given back within 30 days of delivery.",)
RUDE = "You are an idiot. Read the manual."


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("review") / "data").start()
    yield made
    made.stop()


@pytest.fixture
def live(core: CoreProcess) -> Live:
    made = Live(core.workspace("", SCOPES))
    made.followed()
    return made


def test_what_comes_is_looked_at_once_and_what_is_no_live_call_is_not(live: Live) -> None:
    assert live.at.post(sent(chat(RUDE), chat("You may, within 30 days."), chat(None))).status_code == 200
    assert live.at.post(sent(chat(RUDE), environment="evaluation")).status_code == 200
    assert live.at.post(sent(chat(RUDE, **{"holdfast.sample": True}))).status_code == 200
    live.looked(3)
    assert live.at.post(sent(chat("You may, of course."))).status_code == 200
    live.looked(4)
    tone = live.rate("tone")
    assert (tone["flagged"], tone["judged"], tone["unknown"], tone["looked"]) == (1, 3, 1, 4)
    (item,) = live.items()
    assert item["findings"][0]["rule"] == "insults"
    assert item["environment"] == "prod"


def test_numbers_are_held_against_what_the_trace_retrieved(live: Live) -> None:
    live.at.post(
        sent(
            chat("You may give them back within 45 days.", documents=DOCUMENTS),
            chat("You may give them back within 30 days.", documents=DOCUMENTS),
        )
    )
    live.looked(2)
    facts = live.rate("factual consistency")
    assert (facts["flagged"], facts["judged"]) == (1, 2)
    assert live.rate("groundedness", "heads")["judged"] == 2


def test_a_part_of_an_answer_is_not_clean(live: Live) -> None:
    live.at.post(sent(chat("You may give", **{"gen_ai.response.finish_reasons": ["length"]})))
    live.looked(1)
    assert live.rate("tone")["unknown"] == 1
    assert live.rate("tone")["rate"]["value"] is None


def test_a_decision_settles_it_and_only_an_admin_changes_the_policy(live: Live) -> None:
    live.at.post(sent(chat(RUDE)))
    live.looked(1)
    (item,) = live.items()
    assert live.ask("POST", f"items/{item['id']}/claim").json()["state"] == "claimed"
    wrong = live.ask("POST", f"items/{item['id']}/decide", json={"decisions": {}})
    assert wrong.status_code == 422
    done = live.ask(
        "POST", f"items/{item['id']}/decide", json={"decisions": {"tone": "confirmed"}, "note": "rude"}
    )
    assert done.status_code == 200, done.text
    assert (
        live.ask("POST", f"items/{item['id']}/decide", json={"decisions": {"tone": "unclear"}}).status_code
        == 409
    )
    kept = live.get("policy")
    changed = {**kept["policy"], "second_look": 0.5}
    assert live.ask("PUT", "policy", json={"version": 0, "policy": changed}).json()["version"] == 1
    assert live.ask("PUT", "policy", json={"version": 0, "policy": changed}).status_code == 409
    bad = live.ask("PUT", "policy", json={"version": 1, "policy": {"rules": [{"name": "x"}]}})
    assert bad.status_code == 422
    assert "rules[0]" in bad.text
    reader = Live(live.at.core.workspace(live.at.slug, "read"))
    assert reader.ask("PUT", "policy", json={"version": 1, "policy": changed}).status_code == 403
    assert reader.ask("POST", f"items/{item['id']}/claim").status_code == 403


def test_rules_of_its_own_hold_for_what_comes_after(live: Live) -> None:
    own = {"name": "no-cats", "dimension": "policy compliance", "severity": "high", "confidence": 0.9}
    asked = {"version": 0, "policy": {"rules": [own | {"patterns": [r"\bcats?\b"], "routes": ["ask"]}]}}
    assert live.ask("PUT", "policy", json=asked).status_code == 200
    live.at.post(sent(chat("A cat may go back too.")))
    live.looked(1)
    (item,) = live.items(dimension="policy compliance")
    assert item["findings"][0]["version"] == live.get("policy")["rules"][0]["version"]


def test_a_report_by_hand_joins_the_queue(live: Live) -> None:
    spans = chat("All is well.")
    live.at.post(sent(spans))
    live.looked(1)
    (call,) = live.at.calls()
    asked = {"trace_id": call["trace_id"], "call_id": call["id"], "dimension": "tone"}
    made = live.ask("POST", "reports", json=asked)
    assert made.status_code == 201, made.text
    assert made.json()["why"] == "reported"
    assert live.ask("POST", "reports", json=asked).json()["id"] == made.json()["id"]
    assert live.ask("POST", "reports", json={**asked, "call_id": "none"}).status_code == 404


def test_a_queue_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path, soak: bool) -> None:
    rng = random.Random(7)
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    live = Live(core.workspace("acme", SCOPES))
    live.followed()
    sent_calls, decided, rounds, each = 0, 0, 5 if soak else 2, 40
    for number in range(rounds):
        calls = [chat(RUDE if n % 2 else "You may.") for n in range(each)]
        assert live.at.post(sent(*calls)).status_code == 200
        sent_calls += each
        for item in live.items()[:3]:
            done = live.ask("POST", f"items/{item['id']}/decide", json={"decisions": {"tone": "confirmed"}})
            assert done.status_code == 200, done.text
            decided += 1
        if number < rounds - 1:
            PAUSE.wait(rng.uniform(0.0, 3.0))
        core.stop(signal.SIGKILL)
        core.start()
    live.looked(sent_calls)
    PAUSE.wait(5)  # further turns, which must count nothing again
    assert live.get("rates")["standing"]["looked"] == sent_calls
    tone = live.rate("tone")
    assert (tone["flagged"], tone["judged"]) == (sent_calls / 2, sent_calls)
    waiting, done = live.items(), live.items(state="decided")
    voted = [one for one in waiting if one["decisions"]]  # of those that two look at
    assert len(done) + len(voted) == decided
    calls_there = [one["call_id"] for one in (*waiting, *done)]
    assert len(calls_there) == len(set(calls_there)) == sent_calls / 2
    core.stop()


def test_nothing_that_was_said_is_in_the_control_store(live: Live) -> None:
    live.at.post(sent(chat(RUDE)))
    live.looked(1)
    (item,) = live.items()
    assert "idiot" not in str(item)
    files = [one for one in live.at.core.data.iterdir() if one.is_file()]
    assert any(item["id"].encode() in one.read_bytes() for one in files)
    for file in files:
        assert b"idiot" not in file.read_bytes()
        assert QUESTION.encode() not in file.read_bytes()
