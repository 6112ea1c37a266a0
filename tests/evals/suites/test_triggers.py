"""Triggers as they are kept: made, changed, looked at; missed schedules, runs that cannot begin, ill-made ones refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.evals.suites.keeping import Shelf

from holdfast.evals.actions import runs as run_actions
from holdfast.evals.actions import suites as suite_actions
from holdfast.evals.actions import triggers as actions
from holdfast.evals.reads import triggers as reads
from holdfast.evals.rules.triggers import News
from holdfast.evals.states import Run, RunState, RunTrigger, Trigger
from holdfast.evals.store import runs as run_store
from holdfast.gateway.actions import configuration
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.settings import Settings

SUITE = "cases:\n- {id: one, prompt: a, expect: {exact: b}}\n"
GATEWAY = {
    "upstreams": {"one": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}},
    "releases": {"v1": {"chain": [{"upstream": "one", "model": "m"}]}},
    "routes": {"r": {"release": "v1"}},
}
NIGHTLY = actions.Wanted("asked", Trigger.SCHEDULE, cron="0 3 * * *", time_zone="Europe/Berlin")
CALLED = [News("", "schedule")]


@pytest.fixture
def at(shelf: Shelf) -> Context:
    ctx = replace(shelf.ctx(), now=datetime(2026, 11, 23, 12, tzinfo=UTC))
    shelf.apply(ctx, *suite_actions.read_all({"asked.yaml": b"route: r\n" + SUITE.encode()}))
    shelf.apply(ctx, *suite_actions.read_all({"adrift.yaml": SUITE.encode()}))
    judged = configuration.judge(Settings(outbound_allow="127.0.0.1"), GATEWAY)
    with shelf.database.transaction() as tx:
        configuration.apply(ctx, tx, judged)
    return ctx


def make(shelf: Shelf, ctx: Context, wanted: actions.Wanted) -> RunTrigger:
    with shelf.database.transaction() as tx:
        return actions.make(ctx, tx, wanted)


def look(
    shelf: Shelf, ctx: Context, id: str, found: dict[str, str], called: list[News], **later: Any
) -> list[Run]:
    with shelf.database.transaction() as tx:
        return actions.looked(replace(ctx, now=ctx.now + timedelta(**later)), tx, id, found, called)


def only(shelf: Shelf, ctx: Context) -> RunTrigger:
    with shelf.database.reading() as tx:
        [one] = reads.triggers(ctx, tx)
        return one


def over(shelf: Shelf, run: Run, outcome: str) -> None:
    with shelf.database.transaction() as tx:
        suite = {"dimension": "", "value": "", "outcome": outcome, "reasons": [], "cases": 1, "graded": 1}
        verdict = json.dumps({"outcome": outcome, "reasons": [], "suite": suite, "critical": None})
        run_store.change(tx, run.id, frozenset(RunState), state=RunState.DONE, verdict=verdict)


def test_a_schedule_begins_one_run_however_often_it_was_missed(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, replace(NIGHTLY, repeats=3, max_cost=Decimal("1.50")))
    assert made.due_at == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert look(shelf, at, made.id, {}, CALLED, hours=13) == [], "not due yet"
    [run] = look(shelf, at, made.id, {}, CALLED, days=4)
    assert (run.trigger, run.because, run.created_by) == (Trigger.SCHEDULE, "schedule", "somebody")
    assert (run.bars.repeats, run.max_cost, run.reuse) == (3, Decimal("1.50"), False)
    one = only(shelf, at)
    assert (one.due_at, one.last_run) == (datetime(2026, 11, 28, 2, tzinfo=UTC), run.id)
    assert look(shelf, at, made.id, {}, CALLED, days=4) == [], "the same look again"


def test_no_run_begins_while_the_one_before_is_not_over(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, NIGHTLY)
    [run] = look(shelf, at, made.id, {}, CALLED, days=1)
    assert look(shelf, at, made.id, {}, CALLED, days=2) == []
    assert only(shelf, at).problem == f"the run before, {run.id}, is not over yet"
    over(shelf, run, "fail")
    [again] = look(shelf, at, made.id, {}, CALLED, days=3)
    assert (again.baseline, only(shelf, at).problem) == ("", "")


def test_a_run_is_held_against_the_latest_that_passed(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, NIGHTLY)
    [passed] = look(shelf, at, made.id, {}, CALLED, days=1)
    over(shelf, passed, "pass")
    [failed] = look(shelf, at, made.id, {}, CALLED, days=2)
    assert failed.baseline == passed.id
    over(shelf, failed, "fail")
    [third] = look(shelf, at, made.id, {}, CALLED, days=3)
    assert third.baseline == passed.id


def test_what_is_there_at_the_first_look_begins_no_run(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, actions.Wanted("asked", Trigger.MODEL))
    assert only(shelf, at).seen is None
    assert look(shelf, at, made.id, {"m-1": "m-1"}, []) == []
    assert only(shelf, at).seen == ("m-1",)
    [run] = look(shelf, at, made.id, {"m-1": "m-1", "m-2": "m-2"}, [News("", "new", ("m-2",))])
    assert run.because == "new"
    assert only(shelf, at).seen == ("m-1", "m-2")


def test_what_could_not_begin_is_news_again(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, actions.Wanted("asked", Trigger.CHANGE))
    look(shelf, at, made.id, {"rel_1": "v1"}, [])
    called = [News("v1", "good", ("rel_2",)), News("gone", "bad", ("rel_3",))]
    [run] = look(shelf, at, made.id, {"rel_1": "v1", "rel_2": "v1", "rel_3": "gone"}, called)
    assert run.release == "v1"
    one = only(shelf, at)
    assert one.seen == ("rel_1", "rel_2")
    assert "no release 'gone'" in one.problem


def test_one_that_is_switched_on_again_looks_afresh(shelf: Shelf, at: Context) -> None:
    wanted = actions.Wanted("asked", Trigger.MODEL)
    made = make(shelf, at, wanted)
    look(shelf, at, made.id, {"m-1": "m-1"}, [])
    with shelf.database.transaction() as tx:
        actions.change(at, tx, made.id, replace(wanted, enabled=False))
    assert look(shelf, at, made.id, {"m-2": "m-2"}, [News("", "x", ("m-2",))]) == [], "it is switched off"
    assert only(shelf, at).seen is None
    with shelf.database.transaction() as tx:
        actions.change(at, tx, made.id, wanted)
    assert only(shelf, at).seen is None


def test_each_step_is_on_the_audit_log(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, NIGHTLY)
    with shelf.database.transaction() as tx:
        actions.change(at, tx, made.id, replace(NIGHTLY, enabled=False))
        actions.remove(at, tx, made.id)
    told = [
        (action, details["enabled"]) for action, subject, details in shelf.audit(at) if subject == made.id
    ]
    assert told == [
        ("eval.trigger_made", True),
        ("eval.trigger_changed", False),
        ("eval.trigger_removed", False),
    ]


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (replace(NIGHTLY, cron="0 3 * *"), "cron"),
        (replace(NIGHTLY, time_zone="Berlin"), "time_zone"),
        (replace(NIGHTLY, suite="adrift"), "release"),
        (replace(NIGHTLY, kind=Trigger.DEMAND, cron=""), "kind"),
        (replace(NIGHTLY, kind=Trigger.MODEL), "cron"),
        (replace(NIGHTLY, repeats=0), "repeats"),
        (replace(NIGHTLY, concurrency=65), "concurrency"),
        (replace(NIGHTLY, max_cost=Decimal(0)), "max_cost"),
        (actions.Wanted("adrift", Trigger.CHANGE), "suite"),
        (actions.Wanted("adrift", Trigger.KNOWLEDGE, release="v1"), "suite"),
        (actions.Wanted("asked", Trigger.CHANGE, release="v1"), "release"),
    ],
)
def test_ill_made_ones_are_refused(shelf: Shelf, at: Context, wanted: actions.Wanted, where: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(shelf, at, wanted)
    assert refused.value.where == where


def test_nothing_of_another_workspace_is_found(shelf: Shelf, at: Context) -> None:
    made = make(shelf, at, NIGHTLY)
    other = shelf.ctx("globex")
    with shelf.database.transaction() as tx:
        assert reads.triggers(other, tx) == []
        for verb in (
            lambda: actions.remove(other, tx, made.id),
            lambda: actions.change(other, tx, made.id, NIGHTLY),
        ):
            with pytest.raises(NotFound):
                verb()
        run = run_actions.register(at, tx, run_actions.Wanted("asked"))
        with pytest.raises(NotFound):
            actions.make(other, tx, replace(NIGHTLY, baseline=run.id))
