"""Verbs on items: add them, note what became of one, erase what one says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.feedback.model import Item
from holdfast.feedback.rules import said
from holdfast.feedback.store import items as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, NotFound
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction


class Became(StrEnum):
    """What became of an item that was sent."""

    ADDED = "added"
    KNOWN = "known"  # it was there: sent again
    REVISED = "revised"  # what it says replaced what it said


@dataclass(frozen=True, slots=True)
class Added:
    """An item that was sent, by its id. `same_as`: an earlier one that says the same, which alone counts."""

    id: str
    became: Became
    same_as: str | None


def add(
    ctx: Context,
    tx: Transaction,
    items: Sequence[Item],
    *,
    digests: Mapping[str, str] | None = None,
    revise: bool = False,
) -> list[Added]:
    """Keeps items, all or none; one that is there already is kept once, however often it is sent.

    The items were checked (`rules.said.faults`), and their words made fit to keep. `digests`: by id, of what was sent
    before that. With `revise` another word under a known id replaces the earlier one. Raises Conflict where an id is
    taken by something else.
    """
    done, taken = [], []
    for one in items:
        told = (digests or {}).get(one.id) or said.digest(one)
        like = said.likeness(one)
        first = store.first_like(tx, ctx.workspace, like) if like else None
        item = replace(one, workspace=ctx.workspace, same_as=first if first != one.id else None)
        if store.add(tx, item, told, like, ctx.now):
            done.append(Added(item.id, Became.ADDED, item.same_as))
            continue
        known = store.digest(tx, ctx.workspace, item.id)
        if known == told or known == store.GONE:
            kept = store.one(tx, ctx.workspace, item.id)
            done.append(Added(item.id, Became.KNOWN, kept.same_as if kept else None))
        elif revise:
            store.revise(tx, item, told, like)
            done.append(Added(item.id, Became.REVISED, item.same_as))
        else:
            taken.append(item.id)
    if taken:
        raise Conflict(
            f"{len(taken):,} of these ids are taken by feedback that says something else: {', '.join(taken[:5])}; "
            "send each piece of feedback under an id of its own, and the same id only for the same words",
            errors=tuple((one, "this id is taken") for one in taken[:100]),
        )
    return done


def handle(ctx: Context, tx: Transaction, id: str, handled: str | None) -> None:
    """Notes what became of an item (`case:suite/id`, `dismissed:why`), None: it is open again. Raises NotFound."""
    if store.one(tx, ctx.workspace, id) is None:
        raise NotFound("there is no such feedback in this workspace")
    store.handle(tx, ctx.workspace, id, handled, ctx.actor.id, ctx.now)
    audit.record(
        ctx, tx, action="feedback.handled", subject=f"feedback:{id}", details={"handled": handled or "open"}
    )


def erase(ctx: Context, tx: Transaction, id: str) -> None:
    """Takes away for good what an item says in words, and whose it is; its figures stay. Raises NotFound."""
    if store.one(tx, ctx.workspace, id) is None:
        raise NotFound("there is no such feedback in this workspace")
    store.erase(tx, ctx.workspace, id)
    audit.record(ctx, tx, action="feedback.erased", subject=f"feedback:{id}")
