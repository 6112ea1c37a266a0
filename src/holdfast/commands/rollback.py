"""`holdfast rollback`: takes traffic off a change while no core need run, and tells every gateway itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from holdfast.changes.actions import rolling
from holdfast.changes.model import Change
from holdfast.commands import CLI, only_workspace, open_database
from holdfast.gateway.actions.pushing import Told, push
from holdfast.gateway.model import Snapshot
from holdfast.gateway.reads import processes
from holdfast.gateway.reads.snapshot import signed, snapshot
from holdfast.kernel.context import Context
from holdfast.kernel.time import iso, utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.pricing.reads import Pricer

CHANGE = "chg_"


def roll_back(settings: Settings, subject: str, reason: str, workspace: str) -> tuple[int, str]:
    """Rolls back a change, or what is under way on a route, else what it completed last.

    Returns 0 where every gateway serves it, 2 where that is not known of one, and what to tell. Raises Conflict, Invalid,
    NotFound.
    """
    slug = only_workspace(settings, workspace)
    with (
        ThreadPoolExecutor(1, "prices") as apart,
        closing(open_database(settings)) as database,
    ):
        prices = apart.submit(Pricer)  # takes a second
        with database.transaction() as tx:
            decided_at = utc_now()
            began = time.monotonic()
            ctx = Context(tenancy.workspace_by_slug(tx, slug).id, CLI, decided_at)
            if subject.startswith(CHANGE):
                change = rolling.roll_back(ctx, tx, subject, reason)
            else:
                change = rolling.roll_back_route(ctx, tx, subject, reason)
        with database.reading() as tx:
            made = snapshot(tx, utc_now(), prices.result())
            known = processes.known(tx, utc_now())
    told = push(settings, signed(settings.data, made), known)
    lines = [
        f"{change.id} ({change.title}): {change.state.replace('_', ' ')}, decided at {iso(decided_at)}",
        f"route {change.route} serves {_served(made, change)} by epoch {made.epoch}",
        *(_line(one, made.epoch) for one in told),
    ]
    if not told:
        lines.append("no gateway is known: none has told a core anything for an hour")
    unknown = [one for one in told if one.epoch is None or one.epoch < made.epoch]
    if unknown or not told:
        lines.append(
            "what a gateway serves that was not reached is unknown: it takes this up from the core as soon as it reaches"
            " one, and goes back by itself once it has not heard of one for the policy's stale_seconds"
        )
    else:
        lines.append(f"in force on all gateways {time.monotonic() - began:.1f} s after it was decided")
    return (2 if unknown or not told else 0), "\n".join(lines)


def _served(made: Snapshot, change: Change) -> str:
    found = made.workspaces[change.workspace].governed.get(change.route)
    shares = {one.release: one.weight for one in found.variants if one.weight} if found else {}
    whole = sum(shares.values())
    return (
        ", ".join(f"{id} ({share / whole:.0%})" for id, share in shares.items()) or "what it is configured to"
    )


def _line(one: Told, epoch: int) -> str:
    if one.epoch is None:
        return f"  gateway {one.id}: unknown: {one.why}"
    if one.epoch < epoch:
        return f"  gateway {one.id}: still serves epoch {one.epoch}"
    return f"  gateway {one.id}: serves it"
