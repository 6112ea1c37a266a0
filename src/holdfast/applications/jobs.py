"""The clock of applications: who runs what nobody registered is found, and people are told."""

from __future__ import annotations

import logging
from datetime import timedelta

from holdfast.applications.actions import unrecorded as actions
from holdfast.applications.governing import Finding
from holdfast.applications.reads import unrecorded as reads
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.telemetry.reads import recorded

log = logging.getLogger("holdfast.applications")

EVERY_SECONDS = 15.0
NEWS = timedelta(hours=24)
"""A configuration whose first call is longer ago is history: it is listed, and nobody is called for it."""
SETTLED = 5
"""Calls after which it is not one text among many that vary from call to call."""


class Unrecorded:
    """Looks at what ran under new configurations in all workspaces."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def turn(self) -> None:
        """One look at each workspace; one that goes wrong keeps no other from its turn."""
        with self._services.database.reading() as tx:
            workspaces = tenancy.all_workspaces(tx)
        for one in workspaces:
            try:
                self.look(one.id)
            except Exception:
                log.exception("configurations of the workspace %s are compared later", one.slug)

    def look(self, workspace: str) -> int:
        """How many were found that people are told of now."""
        held = self._services
        ctx = Context(workspace, SYSTEM, held.clock())
        if not recorded.any_since(held.database, workspace, ctx.now - NEWS):
            return 0
        told = 0
        for one in reads.findings(ctx, held.columns, held.database):
            if one.flagged is None and news(ctx, one):
                with held.database.transaction() as tx:
                    told += actions.found(ctx, tx, one)
        return told


def news(ctx: Context, one: Finding) -> bool:
    """Whether people have to know: something else ran there before, or releases are registered and this is none."""
    fresh = one.seen.first_at >= ctx.now - NEWS and one.seen.calls >= SETTLED
    change = bool(one.seen.changed) or (one.seen.before is None and one.compared.release is not None)
    return one.unrecorded and fresh and change
