"""Verbs on a change that is under way: have it go on, stand still, or be rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.changes import store
from holdfast.changes.actions import routing
from holdfast.changes.actions.keeping import keep, load
from holdfast.changes.actions.persons import permit, person_of
from holdfast.changes.model import LIVE, Change, State
from holdfast.changes.rules import states
from holdfast.changes.rules.reading import policy_of
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict
from holdfast.storage.sql import Transaction


def advance(ctx: Context, tx: Transaction, id: str, reason: str, blocked: str) -> Change:
    """One stage on, before its dwell or samples are there; `blocked`: why nothing may go on now. Raises Conflict, Denied."""
    return _by_person(ctx, tx, id, "advance", "advanced", states.Advanced(reason, blocked))


def hold(ctx: Context, tx: Transaction, id: str, reason: str) -> Change:
    """Has it stand still, with the traffic that it has. Raises Conflict, Denied."""
    return _by_person(ctx, tx, id, "hold", "held", states.Held(reason))


def resume(ctx: Context, tx: Transaction, id: str, reason: str) -> Change:
    """Lets it go on: its stage begins again. Raises Conflict, Denied."""
    return _by_person(ctx, tx, id, "advance", "resumed", states.Resumed(reason))


def roll_back(ctx: Context, tx: Transaction, id: str, reason: str) -> Change:
    """Takes traffic off it at once, in every state and inside every freeze.

    Raises Denied, and Conflict where it never served, or where its route serves something later by now.
    """
    found = load(ctx, tx, id)
    if found.state is State.COMPLETED and routing.stable(ctx, tx, found.route) != found.candidate:
        raise Conflict("a later change decides what its route serves: roll that one back")
    if found.state is State.COMPLETED and routing.under_way(ctx, tx, found) is not None:
        raise Conflict("another change of its route is under way: roll that one back first")
    return _by_person(ctx, tx, id, "roll_back", "rolled_back", states.RolledBack(reason))


def roll_back_route(ctx: Context, tx: Transaction, route: str, reason: str) -> Change:
    """Rolls back what is under way on a route, else what it completed last. Raises Conflict where there is neither."""
    live = store.listed(tx, ctx.workspace, states=LIVE, route=route, limit=1)
    done = store.listed(tx, ctx.workspace, states={State.COMPLETED}, route=route, limit=1)
    if not (live or done):
        raise Conflict(
            f"no change of the route {route} is under way or completed: there is nothing to roll back"
        )
    return roll_back(ctx, tx, (live or done)[0].id, reason)


def look(
    ctx: Context, tx: Transaction, change: Change, seen: states.Looked, facts: Mapping[str, Any]
) -> Change:
    """What follows from a look; the same change where nothing does. Raises Conflict where another came between."""
    after = states.step(change, policy_of(change), seen, ctx.now)
    if after == change:
        return change
    moved = (after.state, after.stage) != (change.state, change.stage)
    event = after.state.value if moved else "looked"
    return keep(ctx, tx, change, after, event, facts)


def _by_person(ctx: Context, tx: Transaction, id: str, act: str, event: str, said: states.Event) -> Change:
    before = load(ctx, tx, id)
    policy = policy_of(before)
    person = person_of(ctx, tx, before.system)
    permit(policy, act, person)
    after = states.step(before, policy, said, ctx.now)
    if after == before:
        return before
    return keep(ctx, tx, before, after, event, {"person": person.id, "person_name": person.name})
