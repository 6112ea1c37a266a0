"""The traffic's plan: the same for the same seed, with a day's rhythm and bursts; and where it goes."""

from __future__ import annotations

from itertools import islice

import pytest
from demo.assistant.policies import POLICIES
from demo.assistant.retrieval import PolicyIndex, embedder
from demo.assistant.upstream import LOCAL_MODEL, Upstream, upstream
from demo.questions import NEW_TOPIC, POLICY
from demo.rhythm import BASE_SECONDS, OPENING, busyness, conversations, pause_seconds

pytestmark = pytest.mark.demo


def test_the_plan_follows_from_the_seed() -> None:
    first = list(islice(conversations(20), 200))
    assert first == list(islice(conversations(20), 200))
    assert first != list(islice(conversations(21), 200))


def test_all_routes_and_tenants_appear_and_some_conversations_have_turns() -> None:
    plan = list(islice(conversations(20), 300))
    assert {one.route for one in plan} == {"policy-question", "leave-request", "summarise-ticket"}
    assert len({one.tenant for one in plan}) == 3
    assert {len(one.turns) for one in plan} == {1, 2}


def test_the_pace_follows_the_hour_and_stays_bearable() -> None:
    plan = list(islice(conversations(20), OPENING, 3000))
    mean = sum(pause_seconds(one, 10) for one in plan) / len(plan)
    assert 0.7 * BASE_SECONDS < mean < BASE_SECONDS
    assert busyness(3) < busyness(17) < busyness(10) == 1.0
    assert pause_seconds(plan[0], 3) == pytest.approx(pause_seconds(plan[0], 10) / busyness(3))
    assert sum(one.pause == 0.05 for one in plan) > 0.1 * len(plan)


def test_whoever_starts_it_sees_calls_at_once() -> None:
    assert sum(pause_seconds(one, 3) for one in islice(conversations(20), OPENING)) < 3


def test_retrieval_finds_the_right_policy_for_most_questions_and_little_for_a_new_topic() -> None:
    index = PolicyIndex(embedder())
    known = [index.search(turns[0])[0] for turns in POLICY]
    assert [one.policy.id for one in known].count("remote-work") == 1
    right = sum(found.policy.id == policy.id for found, policy in zip(known, POLICIES, strict=True))
    assert right >= 14
    unknown = [index.search(question)[0].score for turns in NEW_TOPIC for question in turns]
    assert sum(unknown) / len(unknown) < sum(one.score for one in known) / len(known) - 0.15


def test_three_settings_put_the_readers_own_upstream_in_place() -> None:
    own = {
        "HOLDFAST_DEMO_BASE_URL": "https://llm.example/v1",
        "HOLDFAST_DEMO_API_KEY": "k",
        "HOLDFAST_DEMO_MODEL": "big",
    }
    assert upstream(own, local_url="http://x/v1") == Upstream(
        "https://llm.example/v1", "k", "big", local=False
    )
    assert upstream({}, local_url="http://x/v1") == Upstream("http://x/v1", "none", LOCAL_MODEL, local=True)
    with pytest.raises(ValueError, match="HOLDFAST_DEMO_MODEL"):
        upstream({"HOLDFAST_DEMO_BASE_URL": "https://llm.example/v1"})
    with pytest.raises(ValueError, match="no model"):
        upstream({})
