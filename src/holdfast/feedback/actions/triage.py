"""Verbs of triage: ask for one, look at an item, name a category."""

from __future__ import annotations

from holdfast.feedback.rules.failures import Mode
from holdfast.feedback.rules.triage import week_of
from holdfast.feedback.states import Placed, Triage
from holdfast.feedback.store import triage as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

WEEKS = 12
"""How far back items are taken in, where nobody says otherwise."""
MOST_WEEKS = 104
LONGEST_NAME = 100


def ask(ctx: Context, tx: Transaction, weeks: int = WEEKS) -> Triage:
    """Has a triage begin; one that is under way is given back. Raises Invalid."""
    if not 1 <= weeks <= MOST_WEEKS:
        raise Invalid(f"a triage takes in 1 to {MOST_WEEKS} weeks", where="weeks")
    for one in store.active(tx, ctx.workspace):
        return one
    made = Triage(new_id("tri"), ctx.workspace, week_of(ctx.now), weeks, ctx.now, ctx.actor.id)
    store.add(tx, made)
    details = {"week": made.week.isoformat(), "weeks": weeks}
    audit.record(ctx, tx, action="feedback.triage_asked", subject=f"triage:{made.id}", details=details)
    return made


def review(
    ctx: Context, tx: Transaction, item: str, *, category: str | None, mode: str
) -> tuple[Placed, int]:
    """A person decides of an item, and of all that say the same; the item as it stands now, and how many they are.

    `category` None: of no category. It holds against every triage to come. Raises NotFound, Invalid.
    """
    found = store.place_of(tx, ctx.workspace, item)
    if found is None:
        raise NotFound("no triage has put this item anywhere yet")
    if mode not in set(Mode):
        raise Invalid(f"there is no failure mode {mode[:40]!r}; there are {', '.join(Mode)}", where="mode")
    if category is not None and all(one.id != category for one in store.all_categories(tx, ctx.workspace)):
        raise Invalid("there is no such category in this workspace", where="category")
    said = {"said_category": category, "said_mode": mode, "said_by": ctx.actor.id}
    count = store.say(tx, ctx.workspace, found.first, said, ctx.now)
    stands = store.place_of(tx, ctx.workspace, item)
    assert stands is not None
    details = {
        "category": {"was": found.category, "is": category},
        "mode": {"was": found.mode, "is": mode},
        "items": count,
    }
    audit.record(ctx, tx, action="feedback.reviewed", subject=f"feedback:{item}", details=details)
    return stands, count


def rename(ctx: Context, tx: Transaction, category: str, name: str) -> None:
    """A person calls a category something; triages leave that as it is. Raises NotFound, Invalid."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"a name has 1 to {LONGEST_NAME} characters", where="name")
    if not store.rename(tx, ctx.workspace, category, name, ctx.actor.id):
        raise NotFound("there is no such category in this workspace")
    details = {"name": name}
    audit.record(ctx, tx, action="feedback.category_named", subject=f"category:{category}", details=details)
