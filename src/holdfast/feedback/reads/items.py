"""Answers on items: one, page by page, all in order, how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from holdfast.feedback.model import Item, Wanted
from holdfast.feedback.store import items as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.page import Page, decode_cursor, encode_cursor
from holdfast.kernel.time import iso, parse_instant
from holdfast.storage.sql import Transaction

MOST_LISTED = 500


def item(ctx: Context, tx: Transaction, id: str) -> Item:
    """One item. Raises NotFound."""
    found = store.one(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such feedback in this workspace")
    return found


def exists(ctx: Context, tx: Transaction, id: str) -> bool:
    """Whether there is one."""
    return store.digest(tx, ctx.workspace, id) is not None


def items(
    ctx: Context, tx: Transaction, wanted: Wanted, limit: int = 50, cursor: str | None = None
) -> Page[Item]:
    """Items, the latest first. Raises Invalid on a bad limit or cursor."""
    if not 1 <= limit <= MOST_LISTED:
        raise Invalid(f"a page holds 1 to {MOST_LISTED} items", where="limit")
    after = None
    if cursor:
        at, last = decode_cursor(cursor, (str, str))
        after = (parse_instant(str(at), "cursor"), str(last))
    found = store.listed(tx, ctx.workspace, wanted, limit + 1, after)
    more = len(found) > limit
    found = found[:limit]
    return Page(found, encode_cursor(iso(found[-1].created_at), found[-1].id) if more else None)


def iterate(
    ctx: Context, tx: Transaction, wanted: Wanted, after: tuple[datetime, str] | None = None, size: int = 2000
) -> Iterator[Item]:
    """Every item that is wanted, by (created_at, id), the oldest first, from behind `after` on; read page by page."""
    while True:
        found = store.listed(tx, ctx.workspace, wanted, size, after, oldest_first=True)
        yield from found
        if len(found) < size:
            return
        after = (found[-1].created_at, found[-1].id)


def count(ctx: Context, tx: Transaction, wanted: Wanted) -> int:
    """How many there are."""
    return store.count(tx, ctx.workspace, wanted)


def copies(ctx: Context, tx: Transaction, ids: Sequence[str]) -> dict[str, int]:
    """How many later items say the very same as each of these; one without any is left out."""
    return store.copies(tx, ctx.workspace, ids)
