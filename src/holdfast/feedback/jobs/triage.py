"""The job that triages: each week by itself, and whenever somebody asks."""

from __future__ import annotations

import logging
from datetime import timedelta

from holdfast.feedback.actions import triage as actions
from holdfast.feedback.jobs import triaging
from holdfast.feedback.states import TriageState
from holdfast.feedback.store import triage as store
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.services import Services
from holdfast.text.embeddings import Embedder

log = logging.getLogger("holdfast.feedback")
EVERY_SECONDS = 1.0
EVERY = timedelta(days=7)
LOOK_EVERY = timedelta(minutes=10)
TRIES = 3
FAILED = "something unforeseen happened; what is in the log of the core says more"


class Triaging:
    """Works on one triage at a time. One that a killed process left begins again, up to TRIES times in this one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._embedder = Embedder()
        self._tries: dict[str, int] = {}
        self._looked = services.clock()  # what is due can wait until the rest has started

    def turn(self) -> int:
        """Works on what is asked for and what is due; how many triages that were."""
        now = self._services.clock()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._ask_due()
        with self._services.database.reading() as tx:
            waiting = store.active(tx)
        for one in waiting:
            try:
                triaging.work(self._services, one, self._embedder)
            except Exception:
                log.exception("the triage %s was interrupted", one.id)
                self._tries[one.id] = self._tries.get(one.id, 0) + 1
                if self._tries[one.id] >= TRIES:
                    with self._services.database.transaction() as tx:
                        store.change(
                            tx,
                            one.id,
                            state=TriageState.FAILED,
                            note=FAILED,
                            finished_at=self._services.clock(),
                        )
        return len(waiting)

    def _ask_due(self) -> None:
        now = self._services.clock()
        with self._services.database.reading() as tx:
            due = store.due(tx, now - EVERY)
        for workspace in due:
            with self._services.database.transaction() as tx:
                actions.ask(Context(workspace, SYSTEM, now), tx)
