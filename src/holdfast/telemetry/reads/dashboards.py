"""Answers about dashboards."""

from __future__ import annotations

from holdfast.kernel.errors import NotFound
from holdfast.platform.access.model import Caller, Scope
from holdfast.storage.sql import Transaction
from holdfast.telemetry.rules import panels
from holdfast.telemetry.rules.panels import DEFAULT, Dashboard
from holdfast.telemetry.store import dashboards as store


def dashboards(caller: Caller, tx: Transaction) -> list[Dashboard]:
    """A workspace's dashboards, by name: all, or one's own for who may not read the whole workspace.

    A panel may name systems that its reader may not know of. Where none was kept, the one that is there from the
    beginning.
    """
    found = store.all_of(tx, caller.ctx.workspace)
    reach = caller.reach.get(Scope.READ)  # none: a key that may change dashboards and read nothing
    if reach is None or not reach.everywhere:
        found = [one for one in found if one.changed_by == caller.ctx.actor.id]
    return found or [first(caller)]


def dashboard(caller: Caller, tx: Transaction, slug: str) -> Dashboard:
    """One of them. Raises NotFound."""
    found = next((one for one in dashboards(caller, tx) if one.slug == slug), None)
    if found is None:
        raise NotFound("there is no such dashboard")
    return found


def first(caller: Caller) -> Dashboard:
    """The dashboard that is there before anybody kept one."""
    made = panels.overview(lambda n: f"panel-{n + 1}")
    return Dashboard(caller.ctx.workspace, DEFAULT, "Overview", made, "", caller.ctx.now)
