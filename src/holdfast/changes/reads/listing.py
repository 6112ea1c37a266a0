"""Changes as they stand, what each step rested on, and what served when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from holdfast.changes import store
from holdfast.changes.model import Change, Evidence, Freeze, GateRun, PolicyVersion, Review, State
from holdfast.gateway.model import Governed
from holdfast.gateway.reads import traffic
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Whole:
    """A change with all that was decided and found about it."""

    change: Change
    evidence: tuple[Evidence, ...]
    reviews: tuple[Review, ...]
    gate: tuple[GateRun, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What a route served at an instant, and the change that decided it with those who approved it."""

    decided: Governed
    change: Change | None
    reviews: tuple[Review, ...]


def changes(
    ctx: Context,
    tx: Transaction,
    *,
    states: Collection[State] | None = None,
    route: str | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[Change]:
    """The latest made first."""
    return store.listed(tx, ctx.workspace, states=states, route=route, before=before, limit=limit)


def change(ctx: Context, tx: Transaction, id: str) -> Whole:
    """One with everything. Raises NotFound."""
    found = store.get(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such change in this workspace")
    return Whole(
        found,
        tuple(store.evidence_of(tx, ctx.workspace, id)),
        tuple(store.reviews_of(tx, ctx.workspace, id)),
        tuple(store.gates_of(tx, ctx.workspace, id, found.content)),
    )


def served(ctx: Context, tx: Transaction, route: str, at: datetime) -> Served:
    """What a governed route served at an instant, and who approved it. Raises NotFound where nothing was decided by then."""
    decided = traffic.decided_at(ctx, tx, route, at)
    if decided is None:
        raise NotFound(f"no change had decided by then what the route {route} serves")
    found = store.get(tx, ctx.workspace, decided.change)
    reviews = () if found is None else tuple(store.reviews_of(tx, ctx.workspace, found.id))
    return Served(decided, found, reviews)


def policy(ctx: Context, tx: Transaction) -> PolicyVersion | None:
    """The workspace's own, as it was written; None where what is shipped holds."""
    return store.policy(tx, ctx.workspace)


def freezes(ctx: Context, tx: Transaction) -> list[Freeze]:
    """Those that have not ended, what begins first first."""
    return store.freezes_of(tx, ctx.workspace, ctx.now)
