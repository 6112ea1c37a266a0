"""What a route serves while changes of it are open: the one that is under way decides, the others are known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from msgspec import structs

from holdfast.changes import store
from holdfast.changes.model import ENDED, LIVE, Change, State
from holdfast.changes.rules import splits
from holdfast.changes.rules.reading import policy_of
from holdfast.gateway import actions as gateway
from holdfast.gateway.model import Traffic, Variant
from holdfast.gateway.reads import applied
from holdfast.gateway.reads import traffic as decided
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, NotFound
from holdfast.storage.sql import Transaction

KEPT = timedelta(days=30)
"""For how long a release that served can be gone back to at once."""
MOST_KEPT = 20
OPEN = frozenset(State) - ENDED - {State.DRAFT}


def stable(ctx: Context, tx: Transaction, route: str) -> str:
    """The release that a route serves when no change is under way; empty where it has none of its own.

    Raises NotFound for no such route, Conflict where the configuration splits it.
    """
    found = decided.governed(ctx, tx).get(route)
    if found is not None:
        return found.traffic.stable
    version = applied.current(ctx, tx)
    configured = version.configuration.routes.get(route) if version else None
    if version is None or configured is None:
        raise NotFound(f"the gateway has no route {route}; apply a configuration that has it", where="route")
    if configured.variants or configured.shadow is not None:
        raise Conflict(
            f"the configuration splits the route {route} by itself; give it one release, and changes will split it"
        )
    return version.release_ids[configured.release]


def put(ctx: Context, tx: Transaction, change: Change) -> None:
    """Has the route of a change serve what follows from all its changes, of which this one is as it stands here."""
    open_ones = {one.id: one for one in store.listed(tx, ctx.workspace, states=OPEN, route=change.route)}
    if change.state in OPEN:
        open_ones[change.id] = change
    else:
        open_ones.pop(change.id, None)
    under_way = next((one for one in open_ones.values() if one.state in LIVE), None)
    if under_way is not None:
        whole = splits.traffic(under_way, policy_of(under_way), _kept(ctx, tx, change.route))
    elif change.state in (State.COMPLETED, State.ROLLED_BACK, State.FAILED) and change.began_at is not None:
        whole = splits.traffic(change, policy_of(change), _kept(ctx, tx, change.route))
    else:
        serving = stable(ctx, tx, change.route)
        if not serving:
            return
        whole = Traffic(variants=(Variant(release=serving, weight=splits.WHOLE),), stable=serving)
    candidates = [one.candidate for one in open_ones.values() if one.state is not State.HALTED]
    gateway.put_traffic(ctx, tx, change.route, _knowing(whole, candidates), change.id)


def under_way(ctx: Context, tx: Transaction, change: Change) -> Change | None:
    """Another change that decides what the same route serves now."""
    found = store.listed(tx, ctx.workspace, states=LIVE, route=change.route)
    return next((one for one in found if one.id != change.id), None)


def _knowing(whole: Traffic, candidates: Iterable[str]) -> Traffic:
    """With releases that can be asked for by name, though they serve nobody yet."""
    serving = {one.release for one in whole.variants}
    known = (one for one in (*whole.known, *candidates) if one not in serving)
    return structs.replace(whole, known=tuple(dict.fromkeys(known)))


def _kept(ctx: Context, tx: Transaction, route: str) -> tuple[str, ...]:
    """Releases that were wholly decided on within the last while, the latest first."""
    since = ctx.now - KEPT
    found: list[str] = []
    for one in decided.decided(ctx, tx, route):
        if one.traffic.stable and one.traffic.stable not in found:
            found.append(one.traffic.stable)
        if one.made_at < since or len(found) >= MOST_KEPT:
            break
    return tuple(found)
