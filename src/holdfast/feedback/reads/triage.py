"""Answers on triages: how far one is, what it found, what people should look at next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from holdfast.feedback.model import Item
from holdfast.feedback.reads import items as item_reads
from holdfast.feedback.rules.summary import Summary
from holdfast.feedback.states import ACTIVE, Category, Placed, Triage, TriageState
from holdfast.feedback.store import items as item_store
from holdfast.feedback.store import triage as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Review:
    """An item to look at. `copies` say the same, itself among them."""

    item: Item
    placed: Placed
    copies: int


def triage(ctx: Context, tx: Transaction, id: str) -> Triage:
    """One triage. Raises NotFound."""
    found = store.one(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such triage in this workspace")
    return found


def triages(ctx: Context, tx: Transaction, limit: int = 20) -> list[Triage]:
    """The latest first."""
    return store.latest(tx, ctx.workspace, limit)


def last(ctx: Context, tx: Transaction) -> Triage | None:
    """The latest that is done."""
    return next(iter(store.latest(tx, ctx.workspace, 1, TriageState.DONE)), None)


def active(ctx: Context, tx: Transaction) -> Triage | None:
    """The one that is waiting or under way."""
    return next(iter(store.active(tx, ctx.workspace)), None)


def summary_of(found: Triage) -> Summary | None:
    """What it found; None before its end."""
    return msgspec.json.decode(found.summary, type=Summary) if found.summary else None


def left(found: Triage, ctx: Context) -> timedelta | None:
    """An estimate of the time that embedding, which takes nearly all of it, still takes. None where nothing can be said."""
    if found.state not in ACTIVE or found.phase != "embedding" or not found.done or found.started_at is None:
        return None
    return (ctx.now - found.started_at) / found.done * (found.total - found.done)


def categories(ctx: Context, tx: Transaction) -> dict[str, Category]:
    """Every category by its id."""
    return {one.id: one for one in store.all_categories(tx, ctx.workspace)}


def unsure(
    ctx: Context, tx: Transaction, limit: int, *, category: str | None = None, mode: str | None = None
) -> list[Review]:
    """What people should look at next: what nobody has, the least sure first."""
    places = store.unsure(tx, ctx.workspace, limit, category=category, mode=mode)
    copies = store.copies(tx, ctx.workspace, [one.first for one in places])
    found = _items(ctx, tx, [one.item for one in places])
    return [Review(found[one.item], one, copies.get(one.first, 1)) for one in places if one.item in found]


def placed(ctx: Context, tx: Transaction, item: str) -> Placed:
    """Where an item was put. Raises NotFound."""
    item_reads.item(ctx, tx, item)
    found = store.place_of(tx, ctx.workspace, item)
    if found is None:
        raise NotFound("no triage has put this item anywhere yet")
    return found


def _items(ctx: Context, tx: Transaction, ids: Sequence[str]) -> dict[str, Item]:
    found = {}
    for id in ids:
        one = item_store.one(tx, ctx.workspace, id)
        if one is not None:
            found[id] = one
    return found
