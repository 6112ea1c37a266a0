"""What people said goes with the person who is erased, and with the days that content is kept."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.feedback.given import NOON, TRACE, Inbox, item
from tests.feedback.test_doors import call, give, joined, new_trace, send

from holdfast.feedback.actions import erasing
from holdfast.feedback.model import Words
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.telemetry import actions as telemetry
from holdfast.telemetry.actions import Erased
from running_core import Workspace

ANN = "ann@people.example"


def erased(inbox: Inbox, folder: Path, of: Erased) -> int:
    with inbox.database.transaction() as tx:
        return erasing.ErasePerson(Settings(data=folder))(inbox.ctx, tx, of)["feedback"]


def test_feedback_on_their_traces_and_by_them_loses_its_words(inbox: Inbox, tmp_path: Path) -> None:
    inbox.add(
        item("on", trace_id=TRACE, call_id=None, comment="wrong date"),
        item("in", call_id="c1", session="s-1", correction="the 12th", metadata={"who": "Ann"}),
        item("by", call_id="c2", author="Ann-12345678", used="a text"),
        item("tells", call_id="c3", comment=f"ask {ANN}", author="bob"),
        item("else", call_id="c4", comment="too long", author="bob"),
    )
    scrub = re.compile(re.escape(ANN)).sub
    of = Erased("ann-12345678", frozenset({TRACE}), frozenset({"s-1"}), lambda text: scrub("[erased]", text))
    assert erased(inbox, tmp_path, of) == 4
    for id in ("on", "in", "by"):
        found = inbox.item(id)
        assert found.words is Words.ERASED
        assert (found.comment, found.correction, found.used, found.author, dict(found.metadata)) == (
            (None,) * 4 + ({},)
        )
        assert found.rating == -1, "figures stay"
    assert (inbox.item("tells").comment, inbox.item("tells").author) == ("ask [erased]", "bob")
    assert inbox.item("else").comment == "too long"


def test_a_short_name_is_not_sought_in_words(inbox: Inbox, tmp_path: Path) -> None:
    inbox.add(item("a", comment="42 of them"), item("b", call_id="c2", author="42", comment="x"))
    assert erased(inbox, tmp_path, Erased("42", frozenset(), frozenset(), None)) == 1
    assert (inbox.item("a").comment, inbox.item("b").comment) == ("42 of them", None)


def test_words_expire_by_the_day_they_came_and_the_policy_of_their_system(inbox: Inbox) -> None:
    old = NOON - timedelta(days=90)
    inbox.add(
        item("old", comment="x", received_at=old),
        item("backlog", call_id="c2", comment="x", created_at=old),  # taken in today
        item("silent", call_id="c3", received_at=old),
    )
    ctx = replace(inbox.ctx, now=NOON)
    with inbox.database.transaction() as tx:
        tenancy.set_policy(ctx, tx, DataPolicy(ctx.workspace, content_days=100))
        assert erasing.expire(ctx, tx) == 0
        tenancy.set_policy(ctx, tx, DataPolicy(ctx.workspace, content_days=30))
        hold = telemetry.place_hold(ctx, tx, "a case", "", "", old, NOON)
        assert erasing.expire(ctx, tx) == 0, "a hold is in force"
        telemetry.release_hold(ctx, tx, hold.id)
        assert erasing.expire(ctx, tx) == 1
        assert erasing.expire(ctx, tx) == 0
    words = {id: inbox.item(id).words for id in ("old", "backlog", "silent")}
    assert words == {"old": Words.ERASED, "backlog": Words.WHOLE, "silent": Words.WHOLE}


@pytest.mark.slow
def test_erasing_a_person_erases_what_they_said(workspace: Workspace) -> None:
    trace, span_id, who = new_trace(), uuid.uuid4().hex[:16], "visitor-bellwether-77"
    call(workspace, trace, span_id, **{"user.id": who, "session.id": "s-of-theirs"})
    workspace.count()
    id = give(workspace, call_id=span_id, rating=-1, comment="my name is Bell", author=who)["id"]
    other = give(workspace, session="s-other", rating=-1, comment=f"like {who} said")["id"]
    assert joined(workspace, id)["comment"] == "my name is Bell"
    answer = send(workspace, "POST", "erasures", {"subject": who})
    assert answer.status_code == 201, answer.text
    assert answer.json()["counts"]["feedback"] == 2
    found = workspace.get(f"feedback/{id}")
    assert (found["comment"], found["author"], found["words"], found["rating"]) == (None, None, "erased", -1)
    assert workspace.get(f"feedback/{other}")["comment"] == "like [erased] said"
