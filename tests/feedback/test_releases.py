"""What people say of a release's calls: each call once, of the time in which it began, and of its own workspace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.feedback.given import NOON, Inbox, item, minutes

from holdfast.feedback.model import Joined, Source
from holdfast.feedback.reads import rates
from holdfast.feedback.store import items as store
from holdfast.storage.sql import Database


def given(inbox: Inbox, id: str, call: str | None, release: str = "v1", at: Any = NOON, **told: Any) -> None:
    """An item whose call is known."""
    made = item(id, call_id=call or "unknown", author=id, **told)
    inbox.add(made)
    facts = Joined(call, "t" * 32, None, "shop", "prod", "ask", release, "m", at)
    with inbox.database.transaction() as tx:
        store.join(tx, inbox.item(id), facts, NOON, 1, None)


def told(inbox: Inbox) -> dict[str, tuple[int, int]]:
    with inbox.database.reading() as tx:
        return rates.by_release(inbox.ctx, tx, "ask", ["v1", "v2"], NOON, NOON + timedelta(hours=1))


def test_a_call_counts_once_and_is_bad_where_anybody_says_so(inbox: Inbox) -> None:
    given(inbox, "a", "call 1", rating=1)
    given(inbox, "b", "call 1", rating=-1)
    given(inbox, "c", "call 2", rating=1)
    given(inbox, "d", "call 3", "v2", rating=-1)
    assert told(inbox) == {"v1": (2, 1), "v2": (1, 1)}


def test_what_says_neither_or_belongs_to_no_single_call_or_another_time_does_not_count(inbox: Inbox) -> None:
    given(inbox, "a", "call 1", rating=None, label="hm")
    given(inbox, "b", None)
    given(inbox, "c", "call 2", at=NOON - minutes(1))
    given(inbox, "d", "call 3", at=NOON + timedelta(hours=1))
    given(inbox, "e", "call 4", "v3")
    given(inbox, "f", "call 5", source=Source.IMPLICIT, rating=None)
    assert told(inbox) == {}


def test_a_neighbour_sees_nothing(inbox: Inbox, database: Database, clock: Any) -> None:
    given(inbox, "a", "call 1")
    assert told(Inbox(database, clock, "other")) == {}
