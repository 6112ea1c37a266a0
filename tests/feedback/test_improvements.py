"""The improvement cycle: closed only with what it changed, on a suite and in what people say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from tests.feedback.given import NOON, Inbox, item
from tests.feedback.test_doors import send

from holdfast.evals.actions import runs, suites
from holdfast.evals.model import Answer, Bars, Grade
from holdfast.evals.states import Graded, Run, RunState, Trigger
from holdfast.evals.store import runs as run_store
from holdfast.evals.store import suites as suite_store
from holdfast.feedback.actions import backlog
from holdfast.feedback.actions import improvements as actions
from holdfast.feedback.model import Improvement, Stage, Window
from holdfast.feedback.rules.triage import week_of
from holdfast.feedback.states import Category, Placed
from holdfast.feedback.store import triage as triage_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import store as audit_store
from running_core import Workspace

CASES = 40
DAY = timedelta(days=1)
BEFORE = Window(NOON - 20 * DAY, NOON - 10 * DAY)
AFTER = Window(NOON - 10 * DAY, NOON - DAY)
PLAN = {"title": "Right dates", "owner": "ada", "hypothesis": "Today's date helps.", "category": "label:date"}


def run_of(inbox: Inbox, passed: int, at: Any, *, over: bool = True) -> str:
    """A run of the desk suite, of whose cases so many passed."""
    ctx = Context(inbox.ctx.workspace, inbox.ctx.actor, at)
    with inbox.database.transaction() as tx:
        head = suite_store.head(tx, ctx.workspace, "desk")
        if head is None:
            lines = "".join(f"- {{id: c{n}, prompt: Ask {n}, expect: {{exact: x}}}}\n" for n in range(CASES))
            read = suites.read_all({"desk.yaml": f"cases:\n{lines}".encode()})
            suites.apply(ctx, tx, read, holdouts=True)
        suite = suite_store.suite(tx, ctx.workspace, "desk", 1)
        assert suite is not None
        run = Run(
            new_id("run"), ctx.workspace, suite.name, 1, suite.hash, "", "", "", "a-model", "", Bars(), CASES, None,
            1, None, True, Trigger.DEMAND, at, "tester", "", RunState.RUNNING, "", at,
        )  # fmt: skip
        run_store.add(tx, run)
        for number, case in enumerate(suite.cases):
            good = number < passed
            grade = Grade("exact", "1", float(good), good)
            graded = Graded(case.id, case.hash, 0, Answer("x"), (grade,), float(good), good, False, at)
            run_store.keep(tx, run, graded, "", None)
        if over:
            runs.finish(ctx, tx, run, runs.verdict_of(ctx, tx, run, suite), "")
    return run.id


def say(inbox: Inbox, within: Window, labelled: int, others: int) -> None:
    made = [
        item(
            f"{within.start:%d}-{number}",
            call_id=f"{within.start:%d}-{number}",
            label="date" if number < labelled else None,
            created_at=within.start + timedelta(minutes=number),
        )
        for number in range(labelled + others)
    ]
    inbox.add(*made)


def act(inbox: Inbox, verb: Any, *args: Any, **told: Any) -> Improvement:
    with inbox.database.transaction() as tx:
        found: Improvement = verb(inbox.ctx, tx, *args, **told)
        return found


def begun(inbox: Inbox, **told: str) -> str:
    made = act(inbox, actions.propose, **{**PLAN, "change_ref": "release v8", **told})
    return act(inbox, actions.start, made.id).id


def lacks(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [where for where, _ in error.value.errors]


def test_it_closes_with_its_measurement_and_that_is_on_the_log(inbox: Inbox) -> None:
    id = begun(inbox)
    old, new = run_of(inbox, 20, NOON - 12 * DAY), run_of(inbox, 34, NOON - 9 * DAY)
    say(inbox, BEFORE, 30, 70)
    say(inbox, AFTER, 5, 95)
    with pytest.raises(Conflict):
        act(inbox, actions.close, id)
    measured = act(inbox, actions.measure, id, before_run=old, after_run=new, before=BEFORE, after=AFTER)
    told = measured.measurement
    assert told is not None
    assert told.suite is not None
    assert told.feedback is not None
    assert (told.suite.before, told.suite.after, told.suite.better) == (0.5, 0.85, True)
    assert (told.feedback.before, told.feedback.after, told.feedback.better) == (0.3, 0.05, True)
    assert told.feedback.low < -0.25 < told.feedback.high < 0
    done = act(inbox, actions.close, id, "it helped")
    assert (done.stage, done.closed_at) == (Stage.CLOSED, inbox.ctx.now)
    with inbox.database.reading() as tx:
        entries = audit_store.entries_from(tx, inbox.ctx.workspace, 0, 100)
    assert [one.action for one in entries if str(one.action).startswith("improvement.")] == [
        "improvement.proposed",
        "improvement.started",
        "improvement.measured",
        "improvement.closed",
    ]
    with pytest.raises(Conflict):
        act(inbox, actions.drop, id, "no")


def test_a_category_of_the_triage_is_measured_among_what_was_triaged(inbox: Inbox) -> None:
    old, new = run_of(inbox, 20, NOON - 12 * DAY), run_of(inbox, 34, NOON - 9 * DAY)
    say(inbox, BEFORE, 40, 80)
    say(inbox, AFTER, 10, 90)
    vector = np.ones(384, dtype=np.float32) / np.float32(384**0.5)
    made = Category("cat_dates", "dates", "", ("date",), vector, "x", NOON, NOON)
    week = week_of(NOON)
    with inbox.database.transaction() as tx:
        triage_store.keep_category(tx, inbox.ctx.workspace, made)
        for window, count in ((BEFORE, 100), (AFTER, 100)):
            for number in range(count):  # twenty of the first window are not triaged yet
                id, said = f"{window.start:%d}-{number}", number < (40 if window is BEFORE else 10)
                placed = Placed(id, made.id if said else None, 1.0, "tone", 1.0, None, id, week)
                triage_store.place(tx, inbox.ctx.workspace, [placed])
        for number in range(10):  # people took ten of the first window out of it
            changed = {"said_category": None, "said_mode": "slow", "said_by": "ada"}
            triage_store.say(tx, inbox.ctx.workspace, f"{BEFORE.start:%d}-{number}", changed, NOON)
    for category, before, after in (("category:cat_dates", 0.3, 0.1), ("mode:slow", 0.1, 0.0)):
        id = begun(inbox, category=category)
        told = act(inbox, actions.measure, id, before_run=old, after_run=new, before=BEFORE, after=AFTER)
        assert told.measurement is not None
        assert told.measurement.feedback is not None
        found = told.measurement.feedback
        assert (found.before, found.after) == (before, after)
        assert found.words.endswith("of 100 after")
    with inbox.database.reading() as tx:
        steps = {one.group: one.items for one in backlog.planned(inbox.ctx, tx)}
    assert steps == {"dates": 40, "": 170, "date": 10}


def test_what_it_lacks_is_said_all_at_once(inbox: Inbox) -> None:
    made = act(inbox, actions.propose, title="Shorter answers")
    with pytest.raises(Invalid) as told:
        act(inbox, actions.start, made.id)
    assert lacks(told) == ["owner", "hypothesis", "category"]
    id = begun(inbox, change_ref="")
    with pytest.raises(Invalid) as told:
        act(inbox, actions.measure, id, before_run="a", after_run="b", before=BEFORE, after=AFTER)
    assert lacks(told) == ["change_ref"]


def test_a_measurement_without_feedback_or_without_a_finished_run_does_not_close(inbox: Inbox) -> None:
    id = begun(inbox)
    old = run_of(inbox, 20, NOON - 12 * DAY)
    new = run_of(inbox, 34, NOON - 9 * DAY, over=False)
    say(inbox, AFTER, 5, 95)
    measured = act(inbox, actions.measure, id, before_run=old, after_run=new, before=BEFORE, after=AFTER)
    assert measured.measurement is not None
    assert len(measured.measurement.lacks) == 2
    with pytest.raises(Invalid) as told:
        act(inbox, actions.close, id)
    assert lacks(told) == ["suite", "feedback"]
    assert "is running, not done" in told.value.detail
    with pytest.raises(NotFound):
        act(inbox, actions.measure, id, before_run="run_none", after_run=new, before=BEFORE, after=AFTER)


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        (BEFORE, Window(NOON - DAY, NOON + DAY), "after_to"),
        (BEFORE, Window(NOON - 15 * DAY, NOON - DAY), "after_from"),
        (Window(NOON, NOON - DAY), AFTER, "before_from"),
    ],
)
def test_windows_are_over_and_apart(inbox: Inbox, before: Window, after: Window, where: str) -> None:
    id = begun(inbox)
    with pytest.raises(Invalid) as told:
        act(inbox, actions.measure, id, before_run="a", after_run="b", before=before, after=after)
    assert where in lacks(told)


def test_another_change_is_measured_anew(inbox: Inbox) -> None:
    id = begun(inbox)
    old, new = run_of(inbox, 20, NOON - 12 * DAY), run_of(inbox, 20, NOON - 9 * DAY)
    say(inbox, BEFORE, 3, 7)
    say(inbox, AFTER, 3, 7)
    measured = act(inbox, actions.measure, id, before_run=old, after_run=new, before=BEFORE, after=AFTER)
    assert measured.measurement is not None
    assert measured.measurement.feedback is not None
    assert measured.measurement.feedback.better is None, "no change was shown"
    changed = act(inbox, actions.change, id, **PLAN, change_ref="release v9")
    assert (changed.stage, changed.measurement) == (Stage.IN_PROGRESS, None)


def test_the_doors_say_what_is_missing(workspace: Workspace) -> None:
    made = send(workspace, "POST", "improvements", {"title": "Right dates"}).json()
    refused = send(workspace, "POST", f"improvements/{made['id']}/start")
    assert refused.status_code == 422
    assert [one["where"] for one in refused.json()["errors"]] == ["owner", "hypothesis", "category"]
    assert send(workspace, "PUT", f"improvements/{made['id']}", PLAN).status_code == 200
    assert send(workspace, "POST", f"improvements/{made['id']}/start").json()["stage"] == "in_progress"
    assert send(workspace, "POST", f"improvements/{made['id']}/close", {}).status_code == 409
    bad = send(workspace, "PUT", f"improvements/{made['id']}", {**PLAN, "category": "dates"})
    assert bad.status_code == 422
    headers = {"authorization": f"Bearer {workspace.key}"}
    for path in ("improvements", f"improvements/{made['id']}"):
        page = workspace.core.client.get(f"/w/{workspace.slug}/{path}", headers=headers)
        assert page.status_code == 200, page.text[:300]
        assert "Right dates" in page.text
    dropped = send(workspace, "POST", f"improvements/{made['id']}/drop", {"note": "no time"})
    assert dropped.json()["stage"] == "dropped"
    assert [one["id"] for one in workspace.get("improvements", stage="dropped")] == [made["id"]]
    assert workspace.get("improvements", stage="closed") == []
