"""A backlog is taken in: checked whole, then kept piece by piece. Taken in again, it is kept once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from holdfast.feedback.actions.items import Became
from holdfast.feedback.actions.taking import Taking
from holdfast.feedback.model import SAID, Item, Wanted
from holdfast.feedback.rules import backlog as rules
from holdfast.feedback.rules import plan, said
from holdfast.feedback.rules.backlog import Backlog
from holdfast.feedback.rules.plan import Step
from holdfast.feedback.store import items as store
from holdfast.feedback.store import triage as triage_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict
from holdfast.platform.audit import actions as audit
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Transaction

PIECE = 500
MOST_PLANNED = 200_000
Tell = Callable[[int, int], None]
"""Told how many of how many are kept."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. `known` were there before; `copies` say the same as another; `behaviour` was left out."""

    rows: int
    added: int
    known: int
    copies: int
    behaviour: int


def read(
    ctx: Context, file: str, text: str, format: str, columns: Mapping[str, str], scale: int | None
) -> Backlog:
    """A file as items; see `rules.backlog.read`. Raises Invalid with every fault and its line."""
    return rules.read(file, text, rules.Form(format, columns, scale), ctx.workspace, ctx.now)


def take(
    taking: Taking,
    ctx: Context,
    backlog: Backlog,
    *,
    file: str = "",
    dry_run: bool = False,
    tell: Tell | None = None,
) -> Imported:
    """Keeps a backlog that was read. An import that was killed is taken up by taking the file in again.

    Raises Conflict, before anything is kept, where an id is taken by something else.
    """
    known = _known(taking, ctx, backlog.items)
    if dry_run:
        return Imported(backlog.rows, len(backlog.items) - known, known, 0, backlog.behaviour)
    added = copies = 0
    for start in range(0, len(backlog.items), PIECE):
        piece = backlog.items[start : start + PIECE]
        for one in taking.take(ctx, piece):
            added += one.became is Became.ADDED
            copies += one.became is Became.ADDED and one.same_as is not None
        if tell is not None:
            tell(min(start + PIECE, len(backlog.items)), len(backlog.items))
    done = Imported(backlog.rows, added, len(backlog.items) - added, copies, backlog.behaviour)
    with taking.database.transaction() as tx:
        details = {"file": file[:200], "rows": done.rows, "added": done.added, "known": done.known}
        audit.record(ctx, tx, action="feedback.imported", subject="feedback", details=details)
    return done


def _known(taking: Taking, ctx: Context, items: Sequence[Item]) -> int:
    known, taken = 0, []
    with taking.database.reading() as tx:
        for start in range(0, len(items), PIECE):
            piece = items[start : start + PIECE]
            digests = store.digests(tx, ctx.workspace, [one.id for one in piece])
            for one in piece:
                kept = digests.get(one.id)
                known += kept is not None
                if kept not in (None, store.GONE, said.digest(one)):
                    taken.append(one.id)
    if taken:
        errors = tuple((one, "this id is taken by feedback that says something else") for one in taken[:100])
        raise Conflict(
            f"nothing was kept: {len(taken):,} ids are taken by feedback that says something else: "
            f"{', '.join(taken[:5])}",
            errors=errors,
        )
    return known


def planned(ctx: Context, tx: Transaction) -> list[Step]:
    """What to do about all that people said and nobody handled: by the category of the triage, else by label, the heaviest
    groups first."""
    wanted = Wanted(sources=SAID, open=True, unique=True)
    found = store.listed(tx, ctx.workspace, wanted, MOST_PLANNED)
    owners = {one.slug: one.owner for one in tenancy.systems(tx, ctx.workspace)}
    sorted_as = triage_store.groups(tx, ctx.workspace)
    return plan.steps(((sorted_as.get(one.id) or one.label or "", one) for one in found), owners)
