"""Evaluation on both engines: a transition is kept, told and recorded once, whoever evaluates."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from tests.platform.notify.receivers import web_server
from tests.signals.made import BASE, Post, rule, spend, window

from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.audit import store as audit_store
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.signals import actions, store
from holdfast.signals.jobs import Watch
from holdfast.signals.model import RuleKind, State


def recorded(post: Post) -> list[str]:
    with post.desk.database.reading() as tx:
        entries = audit_store.entries_from(tx, post.desk.workspace, 0, 1000)
    return [one.action for one in entries if one.action.startswith("alert.")]


def test_an_alert_opens_is_told_and_closes(post: Post) -> None:
    with web_server() as web:
        post.desk.hook(web.url())
        post.add(rule(system="shop"))
        assert post.turn(window(100, 1)) == []
        (opened,) = post.turn(window(100, 7))
        assert opened.title == "Shop: error rate at or over 5 %"
        assert opened.link.startswith(f"{BASE}/w/acme/calls?system=shop&status=error&sample=false&from=")
        assert post.turn(window(100, 50)) == [] and post.turn(window(100, 50)) == []
        assert post.alerts(True)[0].value == "50.0 % of 100 calls failed"
        assert post.turn(window(100, 0)) == [], "not at once"
        (closed,) = post.turn(window(100, 0), minutes=5)
        assert (closed.id, post.alerts(True)) == (opened.id, [])
        assert post.told() == ["firing", "resolved"]
        assert recorded(post) == ["alert.opened", "alert.closed"]
        while post.desk.courier.deliver_due():
            pass
        first, second = (json.loads(hit.body) for hit in web.hits)
        assert (first["type"], second["type"]) == ("alert.firing", "alert.resolved")
        assert first["data"]["alert"] == second["data"]["alert"] == opened.id
        assert first["data"]["link"] == opened.link and first["data"]["system"] == "shop"
        assert first["data"]["summary"] == "7.0 % of 100 calls failed."


def test_several_that_evaluate_at_once_open_one(post: Post) -> None:
    post.add(rule())
    post.figures.now = window(100, 50)
    now = post.desk.clock.move(seconds=15)
    opened: list[int] = []
    crowd = [
        threading.Thread(
            target=lambda n=n: opened.append(  # type: ignore[misc]
                len(
                    actions.evaluate(
                        post.desk.database, post.figures, post.rule, now + timedelta(milliseconds=n), BASE
                    )
                )
            )
        )
        for n in range(8)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert sorted(opened) == [0] * 7 + [1]
    assert (post.told(), recorded(post)) == (["firing"], ["alert.opened"])


def test_figures_that_come_late_change_nothing(post: Post) -> None:
    post.add(rule())
    post.turn(window(100, 0))
    workspace_rule, now = post.rule, post.desk.clock()
    with post.desk.database.transaction() as tx:
        workspace = tenancy.workspace_by_id(tx, post.desk.workspace)
        late = now - timedelta(seconds=1)
        assert actions.decide(tx, workspace, workspace_rule, window(100, 90), late, BASE) == []
    assert post.alerts() == []


def test_a_rule_goes_to_one_process_a_turn(post: Post) -> None:
    post.add(rule())
    database, clock = post.desk.database, post.desk.clock
    with database.transaction() as tx:
        assert [one.id for one in actions.claim_due(tx, clock())] == [post.rule.id]
    with database.transaction() as tx:
        assert actions.claim_due(tx, clock()) == []
    clock.move(seconds=15)
    with database.transaction() as tx:
        assert len(actions.claim_due(tx, clock())) == 1


def test_the_job_evaluates_every_workspace_and_survives_a_failure(post: Post) -> None:
    from holdfast.kernel.errors import Unavailable

    class Away:
        def of(self, *_: object) -> object:
            raise Unavailable("the call store is away")

    post.add(rule())
    services = Services(post.desk.settings, post.desk.clock, post.desk.database, None)  # type: ignore[arg-type]
    assert Watch(services, Away()).evaluate_due() == 1  # type: ignore[arg-type]
    assert post.memory().evaluated_at is None
    post.desk.clock.move(seconds=15)
    post.figures.now = window(100, 50)
    assert Watch(services, post.figures).evaluate_due() == 1
    assert Watch(services, post.figures).evaluate_due() == 0, "not before its time"
    assert post.memory().state is State.FIRING


def test_a_budget_is_told_once_a_threshold_in_the_zone_of_the_workspace(post: Post) -> None:
    post.desk.hook("http://127.0.0.1:9/")
    post.add(spend(), "America/New_York")  # it is 7 o'clock in the morning there
    assert [one.part for one in post.turn(window(9, USD="55"))] == ["50"]
    _, within = post.figures.asked[-1]
    assert within.start.isoformat() == "2026-11-20T05:00:00+00:00"
    assert post.turn(window(9, USD="70")) == [] and post.turn(window(9, USD="10")) == []
    assert [one.part for one in post.turn(window(9, USD="400"))] == ["80", "100"]
    assert [one.told for one in sorted(post.alerts(), key=lambda one: int(one.part))] == [True, False, True]
    assert post.told() == ["firing", "firing"]
    post.turn(window(0), hours=16)
    assert len(post.alerts(True)) == 3, "it is 11 in the evening there"
    assert len(post.turn(window(0), hours=1)) == 3
    assert post.alerts(True) == []
    assert sorted(post.told()) == ["firing", "firing", "resolved", "resolved"]
    assert [one.part for one in post.turn(window(9, USD="55"))] == ["50"], "a new day"


def test_silence_is_told_only_of_what_was_heard(post: Post) -> None:
    post.add(rule(RuleKind.NO_DATA, window=timedelta(minutes=10)))
    for _ in range(12):
        post.turn(window(), minutes=1)
    assert (post.memory().state, post.memory().note) == (State.UNKNOWN, "nothing has been seen here yet")
    post.figures.ever = window(1)
    assert len(post.turn(window(), minutes=1)) == 1
    # Holdfast was away: what it did not watch it does not tell
    post.turn(window(5), minutes=1)
    post.turn(window(), hours=3)
    assert post.memory().state is State.UNKNOWN
    assert len(post.alerts(True)) == 1, "and it ends nothing either"


def test_a_change_of_what_is_watched_ends_what_is_open(post: Post) -> None:
    post.add(rule())
    post.turn(window(100, 50))
    post.change(name="Another name", severity=post.rule.severity)
    assert len(post.alerts(True)) == 1
    post.change(share=0.2)
    assert [one.closed_because for one in post.alerts(False)] == ["the rule was changed"]
    assert len(post.turn(window(100, 50))) == 1, "and it opens anew where it still holds"
    post.change(enabled=False)
    assert post.alerts(True) == [] and post.turn(window(100, 50)) == []
    assert post.told() == ["firing", "resolved", "firing", "resolved"]
    with post.desk.database.transaction() as tx:
        assert actions.claim_due(tx, post.desk.clock.move(hours=1)) == []


def test_a_removed_rule_ends_its_alerts_and_is_gone(post: Post) -> None:
    post.add(rule())
    post.turn(window(100, 50))
    with post.desk.database.transaction() as tx:
        actions.remove_rule(post.desk.ctx, tx, post.rule.id, BASE)
    assert [one.closed_because for one in post.alerts(False)] == ["the rule was removed"]
    assert post.turn(window(100, 50)) == []
    with pytest.raises(NotFound), post.desk.database.transaction() as tx:
        actions.remove_rule(post.desk.ctx, tx, post.rule.id, BASE)


def test_only_channels_of_the_workspace_can_be_told(post: Post) -> None:
    with pytest.raises(Invalid) as refused:
        post.add(rule(channels=("ch_of_another",)))
    assert refused.value.where == "channels"


def test_what_is_kept_comes_back(post: Post) -> None:
    made = post.add(spend("12.34", currency="EUR", percents=(80, 20), system="s", route="r"))
    with post.desk.database.reading() as tx:
        found = store.rule(tx, post.desk.workspace, made.id)
    assert found is not None and found[0] == made
    assert made.percents == (20, 80)
