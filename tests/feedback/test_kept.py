"""What becomes of items that are sent: kept once by their id, found by what is wanted, in order."""

from __future__ import annotations

import pytest
from tests.feedback.given import CALL, NOON, TRACE, Inbox, item, minutes

from holdfast.feedback.actions import items as actions
from holdfast.feedback.actions.items import Became
from holdfast.feedback.model import Sentiment, Source, Wanted
from holdfast.feedback.reads import items as reads
from holdfast.feedback.rules import said
from holdfast.kernel.errors import Conflict, NotFound


def test_an_item_is_kept_as_it_was_given_and_what_was_not_said_is_unknown(inbox: Inbox) -> None:
    given = item(comment="Wrong\ndate.", metadata={"page": 3, "ü": None}, author="u-1")
    assert inbox.add(given)[0].became is Became.ADDED
    kept = inbox.item("fb_1")
    assert kept.comment == "Wrong\ndate."
    assert kept.metadata == {"page": 3, "ü": None}
    assert (kept.rating, kept.score, kept.label, kept.trace_id) == (-1, None, None, None)
    assert (kept.created_at, kept.joined, kept.handled) == (NOON, None, None)


def test_the_same_item_sent_again_is_kept_once(inbox: Inbox) -> None:
    inbox.add(item(), item("fb_2", rating=1))
    again = inbox.add(item(), item("fb_3", score=0.2))
    assert [one.became for one in again] == [Became.KNOWN, Became.ADDED]
    assert sorted(inbox.ids()) == ["fb_1", "fb_2", "fb_3"]


def test_another_word_under_a_known_id_is_refused_and_nothing_of_it_kept(inbox: Inbox) -> None:
    inbox.add(item())
    with pytest.raises(Conflict, match="fb_1"):
        inbox.add(item("fb_2"), item(rating=1))
    assert inbox.ids() == ["fb_1"]
    assert inbox.item("fb_1").rating == -1


def test_who_may_revise_replaces_what_was_said(inbox: Inbox) -> None:
    inbox.add(item(source=Source.LINK))
    done = inbox.add(item(source=Source.LINK, rating=1, comment="after all"), revise=True)
    assert done[0].became is Became.REVISED
    kept = inbox.item("fb_1")
    assert (kept.rating, kept.comment, kept.sentiment) == (1, "after all", Sentiment.POSITIVE)
    assert inbox.ids(sentiments=(Sentiment.POSITIVE,)) == ["fb_1"]


def test_items_that_say_the_same_of_one_call_count_once(inbox: Inbox) -> None:
    inbox.add(item(comment="Wrong date", author="u-1"))
    done = inbox.add(
        item("fb_2", comment="wrong  DATE", author="u-1"), item("fb_3", comment="Wrong date", author="u-2")
    )
    assert [one.same_as for one in done] == ["fb_1", None]
    assert sorted(inbox.ids(unique=True)) == ["fb_1", "fb_3"]
    with inbox.database.reading() as tx:
        assert reads.copies(inbox.ctx, tx, ["fb_1", "fb_3"]) == {"fb_1": 1}


def test_two_thumbs_for_one_session_are_two_opinions() -> None:
    assert said.likeness(item(call_id=None, session="s-1")) is None
    assert said.likeness(item(call_id=None, session="s-1", comment="too slow")) is not None


def test_items_are_found_by_what_they_say_and_in_order(inbox: Inbox) -> None:
    inbox.add(
        item("a", created_at=NOON - minutes(3), rating=1),
        item("b", created_at=NOON - minutes(2), rating=None, score=0.4, call_id=None, trace_id=TRACE),
        item("c", created_at=NOON - minutes(2), rating=None, label="tone", source=Source.LINK),
    )
    assert inbox.ids() == ["c", "b", "a"]
    assert inbox.ids(sentiments=(Sentiment.NEGATIVE,)) == ["b"]
    assert inbox.ids(sentiments=(Sentiment.UNKNOWN,)) == ["c"]
    assert inbox.ids(trace_id=TRACE) == ["b"]
    assert inbox.ids(call_id=CALL) == ["c", "a"]
    assert inbox.ids(sources=(Source.LINK,)) == ["c"]
    assert inbox.ids(start=NOON - minutes(2)) == ["c", "b"]
    assert inbox.ids(end=NOON - minutes(2)) == ["a"]
    assert inbox.ids(joined=True) == []
    assert inbox.ids(routes=("",)) == ["c", "b", "a"]
    with inbox.database.reading() as tx:
        assert reads.count(inbox.ctx, tx, Wanted(open=True)) == 3
        oldest_first = [one.id for one in reads.iterate(inbox.ctx, tx, Wanted(), size=1)]
        pages = []
        cursor = None
        while True:
            page = reads.items(inbox.ctx, tx, Wanted(), 1, cursor)
            pages += [one.id for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert oldest_first == ["a", "b", "c"]
    assert pages == ["c", "b", "a"]


def test_what_was_handled_is_open_no_more_and_can_be_opened_again(inbox: Inbox) -> None:
    inbox.add(item(), item("fb_2"))
    with inbox.database.transaction() as tx:
        actions.handle(inbox.ctx, tx, "fb_1", "dismissed:spam")
    assert inbox.ids(open=True) == ["fb_2"]
    assert inbox.item("fb_1").handled_by == "tester"
    with inbox.database.transaction() as tx:
        actions.handle(inbox.ctx, tx, "fb_1", None)
    assert len(inbox.ids(open=True)) == 2
    with inbox.database.transaction() as tx, pytest.raises(NotFound):
        actions.handle(inbox.ctx, tx, "fb_9", None)


def test_what_was_erased_says_nothing_and_does_not_come_back(inbox: Inbox) -> None:
    given = item(comment="I am Ada", author="ada", metadata={"name": "Ada"})
    inbox.add(given)
    with inbox.database.transaction() as tx:
        actions.erase(inbox.ctx, tx, "fb_1")
    assert inbox.add(given)[0].became is Became.KNOWN
    kept = inbox.item("fb_1")
    assert (kept.comment, kept.author, dict(kept.metadata), kept.rating) == (None, None, {}, -1)


def test_one_workspace_knows_nothing_of_another(inbox: Inbox) -> None:
    other = Inbox(inbox.database, lambda: NOON, "beta")
    inbox.add(item())
    assert other.ids() == []
    assert other.add(item(rating=1))[0].became is Became.ADDED
    assert inbox.item("fb_1").rating == -1


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"id": "a b"}, "id"),
        ({"rating": 5}, "rating"),
        ({"score": 1.01}, "score"),
        ({"score": float("nan")}, "score"),
        ({"trace_id": "XYZ"}, "trace_id"),
        ({"comment": "x" * 20_001}, "comment"),
        ({"comment": "a\x00b"}, "comment"),
        ({"metadata": {"a": "x" * 9000}}, "metadata"),
        ({"created_at": NOON + minutes(61)}, "created_at"),
        ({"rating": None}, ""),
        ({"call_id": None}, "call_id"),
    ],
)
def test_what_cannot_be_kept_is_named(told: dict[str, object], where: str) -> None:
    assert [place for place, _ in said.faults(item(**told))] == [where]
    assert said.faults(item()) == []
