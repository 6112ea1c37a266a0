"""A backlog triaged: categories that keep their names, what went wrong, copies, decisions that hold, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.feedback.given import NOON, Inbox, item

from holdfast.feedback.actions import triage as actions
from holdfast.feedback.jobs import triaging
from holdfast.feedback.jobs.triage import Triaging
from holdfast.feedback.model import Item
from holdfast.feedback.reads import triage as reads
from holdfast.feedback.rules.summary import Summary
from holdfast.feedback.states import Placed, Triage, TriageState
from holdfast.feedback.store import triage as store
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.services import Services
from holdfast.text.embeddings import Embedder
from stand import FakeClock

pytestmark = pytest.mark.slow
EMBEDDER = Embedder()
TOPICS = {
    "parcel": ("where is my parcel", "my parcel is lost", "parcel has not arrived", "track the parcel", "parcel is late"),
    "password": (
        "reset my password", "password is not accepted", "forgot the password", "change my password", "password link",
    ),
    "tulips": ("when to plant tulips", "tulips do not bloom", "water tulips", "tulips in a pot", "deep do tulips go"),
}  # fmt: skip
WRONG = {"parcel": "too long", "password": "it refused to help me", "tulips": "this is wrong"}
ENDS = ("", " now", " in spring", " for my mother", " again", " at home", " from the shop")


def backlog(ends: tuple[str, ...] = ENDS, at: Any = NOON, prefix: str = "fb") -> list[Item]:
    made = []
    for topic, texts in TOPICS.items():
        for text in texts:
            for end in ends:
                id = f"{prefix}_{len(made)}"
                asked = {"question": f"{text}{end}"}
                one = item(id, call_id=None, session=id, comment=WRONG[topic], metadata=asked)
                made.append(replace(one, created_at=at, received_at=at))
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def services(inbox: Inbox, clock: FakeClock) -> Services:
    return Services(None, clock, inbox.database, None)  # type: ignore[arg-type]  # no item is joined with a call


def asked(inbox: Inbox) -> Triage:
    with inbox.database.transaction() as tx:
        return actions.ask(inbox.ctx, tx)


def triaged(services: Services, inbox: Inbox) -> Summary:
    one = asked(inbox)
    triaging.work(services, one, EMBEDDER)
    with inbox.database.reading() as tx:
        done = reads.triage(inbox.ctx, tx, one.id)
    assert done.state is TriageState.DONE
    found = reads.summary_of(done)
    assert found is not None
    return found


def places(inbox: Inbox) -> dict[str, Placed]:
    with inbox.database.reading() as tx:
        rows = tx.execute(tx.select(store.placed, inbox.ctx.workspace)).all()
        return {row.item: reads.placed(inbox.ctx, tx, row.item) for row in rows}


def test_what_is_asked_and_what_went_wrong(inbox: Inbox, services: Services) -> None:
    given = backlog()
    inbox.add(*given, item("thanks", call_id="other", rating=1, comment="great answer"))
    found = triaged(services, inbox)
    assert found.items == len(given), "thumbs up are no failures"
    put = places(inbox)
    assert put.keys() == {one.id for one in given}
    with inbox.database.reading() as tx:
        known = reads.categories(inbox.ctx, tx)
    for topic, mode in (("parcel", "too long"), ("password", "refusal"), ("tulips", "wrong fact")):
        mine = [one.id for one in given if topic in str(one.metadata["question"])]
        assert [put[id].mode for id in mine] == [mode] * len(mine)
        named = [known[category].name for id in mine if (category := put[id].category)]
        assert len(named) > 0.7 * len(mine)
        assert sum(topic in name for name in named) > 0.8 * len(named)
    assert sum(row.items for row in found.modes) == len(given)
    assert sum(row.items for row in found.categories) + found.unclustered == len(given)


def test_a_second_triage_changes_nothing_and_keeps_every_name(
    inbox: Inbox, services: Services, clock: FakeClock
) -> None:
    inbox.add(*backlog())
    first = triaged(services, inbox)
    before = places(inbox)
    again = triaged(services, inbox)
    assert places(inbox) == before
    assert replace(again, seconds={}) == replace(first, seconds={})


def test_next_week_s_items_join_the_categories_that_there_are(
    inbox: Inbox, services: Services, clock: FakeClock
) -> None:
    inbox.add(*backlog())
    triaged(services, inbox)
    with inbox.database.reading() as tx:
        before = reads.categories(inbox.ctx, tx)
    clock.move(days=7)
    inbox.ctx = replace(inbox.ctx, now=clock())
    later = NOON + timedelta(days=7)
    inbox.add(*backlog((" this week", " as I asked before"), later, "later"))
    found = triaged(services, inbox)
    now = {row.id for row in found.categories}
    assert len(now & before.keys()) >= 0.6 * len(before)
    assert all(row.trend.of_now == 30 for row in found.categories)


def test_what_a_person_decided_holds_for_all_that_say_the_same(inbox: Inbox, services: Services) -> None:
    same = {"question": "where is my parcel now"}
    copy = item("zz", call_id="1", comment="too long!", metadata={"question": "Where is my parcel, now?"})
    inbox.add(*backlog(), copy, item("unlike", call_id="2", comment="it was rude", metadata=same))
    triaged(services, inbox)
    put = places(inbox)
    assert put["zz"].first != "zz"
    assert put["unlike"].first == "unlike", "it says something else of the same question"
    with inbox.database.transaction() as tx:
        stands, count = actions.review(inbox.ctx, tx, "zz", category=None, mode="tone")
    assert stands.holds == (None, "tone")
    assert count == sum(one.first == put["zz"].first for one in put.values())
    found = triaged(services, inbox)
    assert places(inbox)["zz"].holds == (None, "tone")
    assert {row.id: row.items for row in found.modes}["tone"] == count + 1
    with inbox.database.reading() as tx:
        queue = reads.unsure(inbox.ctx, tx, 200)
    scores = [one.placed.score for one in queue]
    assert scores == sorted(scores)
    assert not {"zz", put["zz"].first} & {one.item.id for one in queue}


def test_a_name_that_a_person_gave_stays(inbox: Inbox, services: Services) -> None:
    inbox.add(*backlog())
    found = triaged(services, inbox)
    with inbox.database.transaction() as tx:
        actions.rename(inbox.ctx, tx, found.categories[0].id, "  Where it   is ")
        with pytest.raises(NotFound):
            actions.rename(inbox.ctx, tx, "cat_none", "x")
        with pytest.raises(Invalid):
            actions.rename(inbox.ctx, tx, found.categories[0].id, "  ")
    triaged(services, inbox)
    with inbox.database.reading() as tx:
        assert reads.categories(inbox.ctx, tx)[found.categories[0].id].name == "Where it is"


def test_confidence_is_no_probability_before_people_have_decided(inbox: Inbox, services: Services) -> None:
    inbox.add(*backlog())
    found = triaged(services, inbox)
    assert (found.calibration, found.confirmed) == ("", 0)
    put = places(inbox)
    assert all(one.confidence is None for one in put.values())
    with inbox.database.transaction() as tx:
        for one in [each for each in put.values() if each.first == each.item][:30]:
            actions.review(inbox.ctx, tx, one.item, category=one.category, mode=one.mode)
    found = triaged(services, inbox)
    assert found.calibration == "Platt"
    sure = [one.confidence for one in places(inbox).values()]
    assert all(one is not None and 0.8 < one < 1 for one in sure), "never surer than 30 decisions allow"


def test_one_triage_at_a_time_and_each_week_by_itself(
    inbox: Inbox, services: Services, clock: FakeClock
) -> None:
    job = Triaging(services)
    assert job.turn() == 0, "nothing to triage"
    inbox.add(*backlog(("",)))
    clock.move(minutes=11)
    assert job.turn() == 1
    clock.move(days=1)
    assert job.turn() == 0
    clock.move(days=6, minutes=20)
    assert job.turn() == 1
    assert asked(inbox).id == asked(inbox).id
    with inbox.database.reading() as tx:
        assert sorted(one.state for one in reads.triages(inbox.ctx, tx)) == ["done", "done", "queued"]


def test_one_that_was_left_under_way_begins_again(inbox: Inbox, services: Services) -> None:
    inbox.add(*backlog())
    one = asked(inbox)
    with inbox.database.transaction() as tx:
        store.change(tx, one.id, state=TriageState.RUNNING, phase="embedding", done=50, total=100)
    assert Triaging(services).turn() == 1
    assert len(places(inbox)) == len(backlog())


def test_nothing_to_triage_is_a_triage_of_nothing(inbox: Inbox, services: Services) -> None:
    found = triaged(services, inbox)
    assert (found.items, found.categories, found.causes) == (0, (), ())
