"""The job that looks at every trigger, and has runs begin."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from holdfast.evals.actions import triggers as actions
from holdfast.evals.reads import triggers as reads
from holdfast.evals.rules.triggers import News, explained, news
from holdfast.evals.states import RunTrigger, Trigger
from holdfast.evals.store import triggers as store
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.services import Services

log = logging.getLogger("holdfast.evals")

EVERY_SECONDS = 15.0


class Triggers:
    """Looks at what is enabled in all workspaces; one that goes wrong keeps no other from its turn."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def turn(self) -> None:
        """One look at each."""
        with self._services.database.reading() as tx:
            enabled = store.enabled(tx)
        for one in enabled:
            try:
                self._look(one)
            except Exception:
                log.exception("the trigger %s could not be looked at; it is tried again", one.id)

    def _look(self, one: RunTrigger) -> None:
        services = self._services
        ctx = Context(one.workspace, SYSTEM, services.clock())
        if one.kind is Trigger.SCHEDULE:
            if one.due_at is None or one.due_at > ctx.now:
                return
            found: Mapping[str, str] = {}
            called = [News("", f"schedule: {explained(one.cron)}, {one.time_zone}")]
        else:
            found = reads.found(ctx, services.columns, services.database, one)
            called = [] if one.seen is None else news(one.kind, one.seen, found)
            if one.seen is not None and {*found} <= {*one.seen} and not one.problem:
                return
        with services.database.transaction() as tx:
            made = actions.looked(ctx, tx, one.id, found, called)
        for run in made:
            log.info("the run %s of %s began: %s", run.id, run.suite, run.because)
