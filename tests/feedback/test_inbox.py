"""The inbox: rates that know what they do not know, items narrowed down, and items that become cases."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feedback.given import NOON, Inbox, item, minutes
from tests.feedback.test_doors import call, give, joined, send

from holdfast.feedback.model import Sentiment, Signal, Source, Wanted
from holdfast.feedback.reads import rates as reads
from holdfast.feedback.rules import rates
from running_core import CoreProcess, Workspace

SUITE = "cases:\n- {id: a, prompt: Hi, expect: {exact: x}}\n"


@given(st.integers(0, 50), st.integers(0, 50))
def test_an_interval_holds_its_share(negative: int, positive: int) -> None:
    found = rates.of_counts(negative, positive)
    if negative + positive == 0:
        assert (found.share, found.low, found.high) == (None, None, None)
        return
    assert found.low is not None
    assert found.share is not None
    assert found.high is not None
    assert 0 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1


def test_intervals_are_those_of_the_books() -> None:
    low, high = rates.wilson(81, 263)  # Newcombe 1998, table I: 0.2553 to 0.3662
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    found = rates.change(rates.of_counts(48, 32), rates.of_counts(56, 14))  # table II, (a): 0.0524 to 0.3339
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert rates.change(rates.of_counts(0, 0), rates.of_counts(1, 1)) is None


def test_a_step_without_feedback_is_unknown_not_zero() -> None:
    marks = [(NOON, Sentiment.NEGATIVE), (NOON + timedelta(hours=2), Sentiment.UNKNOWN)]
    found = rates.over_time(marks, NOON, NOON + timedelta(hours=3), timedelta(hours=1))
    assert [one.share for _, one in found] == [1.0, None, None]
    assert found[2][1].unknown == 1


def test_behaviour_and_copies_do_not_count_in_rates(inbox: Inbox) -> None:
    inbox.add(
        item("a", comment="bad", author="u"),
        item("b", comment="bad", author="u"),
        item("c", rating=1),
        item("d", rating=None, source=Source.IMPLICIT, signal=Signal.REPEAT, confidence=0.9),
        item("e", rating=None, label="tone"),
    )
    with inbox.database.reading() as tx:
        course = reads.course(inbox.ctx, tx, Wanted(), NOON - minutes(5), NOON + minutes(5))
        by_route = reads.by(inbox.ctx, tx, Wanted(), "route")
    assert (course.whole.negative, course.whole.positive, course.whole.unknown) == (1, 1, 1)
    assert [(value, one.said) for value, one in by_route] == [(None, 2)]
    assert course.whole == by_route[0][1]


def page(workspace: Workspace, path: str) -> str:
    answer = workspace.core.client.get(
        f"/w/{workspace.slug}/{path}", headers={"authorization": f"Bearer {workspace.key}"}
    )
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def suite(workspace: Workspace) -> None:
    done = send(workspace, "PUT", "evals/suites", {"files": {"desk.yaml": SUITE}})
    assert done.status_code == 200, done.text


def heard(workspace: Workspace, **told: object) -> tuple[str, str]:
    """(trace, item) of feedback whose call is known, with what was asked."""
    trace, span_id = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    asked = {"gen_ai.prompt": "When do you open on Sunday?", "gen_ai.completion": "We never open."}
    call(workspace, trace, span_id, **asked)
    workspace.count()
    id = give(workspace, call_id=span_id, **told)["id"]
    joined(workspace, id)
    return trace, id


def test_an_item_becomes_a_case_with_where_it_came_from(workspace: Workspace) -> None:
    suite(workspace)
    _, id = heard(workspace, rating=-1, correction="At ten.", label="facts")
    made = send(workspace, "POST", f"feedback/{id}/case", {"suite": "desk"})
    assert made.status_code == 201, made.text
    assert made.json()["version"] == 2
    (case,) = [
        one["case"]
        for one in workspace.get("evals/suites/desk")["listed"]
        if one["id"] == made.json()["case"]
    ]
    assert case["prompt"] == "When do you open on Sunday?"
    assert case["expect"] == [{"similarity": "At ten."}]
    assert (case["provenance"]["source"], case["provenance"]["reference"]) == ("feedback", id)
    assert workspace.get(f"feedback/{id}")["handled"] == f"case:desk/{made.json()['case']}"
    again = send(workspace, "POST", f"feedback/{id}/case", {"suite": "desk"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("told", "words"), [({"rating": -1}, "right answer"), ({"rating": 1, "label": "good"}, "")]
)
def test_a_case_needs_to_know_what_is_right(
    workspace: Workspace, told: dict[str, object], words: str
) -> None:
    suite(workspace)
    _, id = heard(workspace, **told)
    answer = send(workspace, "POST", f"feedback/{id}/case", {"suite": "desk"})
    assert answer.status_code == (422 if words else 201), answer.text
    assert words in answer.text
    unheard = give(workspace, session="s", correction="At ten.")["id"]
    assert send(workspace, "POST", f"feedback/{unheard}/case", {"suite": "desk"}).status_code == 422
    assert send(workspace, "POST", f"feedback/{unheard}/case", {"suite": "none"}).status_code in (404, 422)


def test_the_inbox_shows_what_was_said_and_the_trace_shows_it_too(workspace: Workspace) -> None:
    assert "No feedback yet" in page(workspace, "feedback")
    trace, id = heard(workspace, rating=-1, comment="<b>they do open</b>")
    give(workspace, session="elsewhere", rating=1, comment="nice")
    shown = page(workspace, "feedback")
    assert "&lt;b&gt;they do open" in shown
    assert f"/traces/{trace}" in shown
    assert "not arrived" in shown
    assert "50" in shown
    assert "&lt;b&gt;they do open" in page(workspace, f"traces/{trace}")
    narrowed = page(workspace, "feedback?sentiment=positive")
    assert "nice" in narrowed
    assert id not in narrowed
    assert "Nothing matches" in page(workspace, "feedback?call=found&sentiment=positive")
    found = workspace.get("feedback/rates", group="route")
    assert (found["whole"]["share"], found["whole"]["said"]) == (0.5, 2)
    assert {one["value"] for one in found["groups"]} == {"refunds", None}


def test_what_is_no_filter_is_refused(core: CoreProcess, workspace: Workspace) -> None:
    headers = {"authorization": f"Bearer {workspace.key}", "accept": "application/json"}
    answer = core.client.get(f"/w/{workspace.slug}/feedback?sentiment=odd", headers=headers)
    assert answer.status_code == 422
