"""A workspace with an inbox, and items as people give them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.feedback.actions import items as actions
from holdfast.feedback.actions.items import Added
from holdfast.feedback.model import Item, Source, Wanted
from holdfast.feedback.reads import items as reads
from holdfast.kernel.context import Actor, Context
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Database

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TRACE = "5b8efff798038103d269b633813fc60c"
CALL = "eee19b7ec3c1b174"


def item(id: str = "fb_1", **told: Any) -> Item:
    """A thumb down on a call, unless told otherwise."""
    made = Item(
        id=id, workspace="", source=Source.EXPLICIT, call_id=CALL, trace_id=None, session=None, rating=-1,
        score=None, label=None, comment=None, correction=None, used=None, author=None,
        created_at=NOON, received_at=NOON,
    )  # fmt: skip
    return replace(made, **told)


class Inbox:
    """The feedback of one workspace."""

    def __init__(self, database: Database, clock: Callable[[], datetime], slug: str = "acme") -> None:
        self.database = database
        actor = Actor("cli", "tester", "Tester")
        with database.transaction() as tx:
            made = tenancy.create_workspace(Context("", actor, clock()), tx, slug, slug.title())
        self.ctx = Context(made.id, actor, clock())

    def add(self, *items: Item, **how: Any) -> list[Added]:
        with self.database.transaction() as tx:
            return actions.add(self.ctx, tx, items, **how)

    def ids(self, **wanted: Any) -> list[str]:
        """Ids of what is wanted, the latest first."""
        with self.database.reading() as tx:
            return [one.id for one in reads.items(self.ctx, tx, Wanted(**wanted), 100).items]

    def item(self, id: str) -> Item:
        with self.database.reading() as tx:
            return reads.item(self.ctx, tx, id)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
