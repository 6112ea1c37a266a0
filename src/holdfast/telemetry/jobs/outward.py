"""Sends figures of calls to other stacks: every closed minute once, in order, from where it stopped.

The position moves after the receiver's yes, and in the same transaction as the ledger of what was told. So nothing is left
out; where the process dies, or the answer is lost, between the yes and the position, that minute is sent again, with the
same start and end.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdfast.kernel.errors import HoldfastError
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import Workspace
from holdfast.telemetry.outward.emf import EmfTarget
from holdfast.telemetry.outward.otlp import OtlpTarget
from holdfast.telemetry.outward.shelf import Target, read_configs
from holdfast.telemetry.reads.outward import truth, turned
from holdfast.telemetry.rules.ledger import Ledger
from holdfast.telemetry.rules.outward import DIMENSIONS
from holdfast.telemetry.store import outward as store
from holdfast.telemetry.store.outward import Place

log = logging.getLogger("holdfast.export")
EVERY_SECONDS = 10.0
LONGEST_WAIT = timedelta(minutes=1)
BACKLOG = timedelta(hours=24)
"""A target that was away longer starts over here: what is older is left out, and the log says so."""
MOST_STEPS = 120
"""Steps of a workspace in one turn, so that one target that lags does not hold up the others for long."""


@dataclass(frozen=True, slots=True)
class ExportState:
    """How a target is doing. `error` is None while it works; `refused`: points that the receiver refused for good."""

    target: str
    error: str | None = None
    failures: int = 0
    retry_at: datetime | None = None
    refused: int = 0


def targets(services: Services) -> tuple[Target, ...]:
    """The targets of the setting. Raises Invalid."""
    settings = services.settings
    return tuple(
        EmfTarget(config) if config.kind == "emf" else OtlpTarget(config, settings)
        for config in read_configs(settings.metrics_export)
    )


class Outward:
    """Runs the exports of one process."""

    def __init__(self, services: Services, targets: Sequence[Target], most: int) -> None:
        self._services = services
        self._targets = targets
        self._most = most
        self._states = {one.config.name: ExportState(one.config.name) for one in targets}

    @property
    def states(self) -> list[ExportState]:
        """How every target is doing."""
        return list(self._states.values())

    def turn(self) -> int:
        """Sends what is due; returns how many steps were told. A target that fails waits longer each time."""
        if not self._targets:
            return 0
        with self._services.database.reading() as tx:
            workspaces = tenancy.all_workspaces(tx)
        told = 0
        for target in self._targets:
            state = self._states[target.config.name]
            if state.retry_at is None or self._services.clock() >= state.retry_at:
                told += self._serve(target, state, workspaces)
        return told

    def _serve(self, target: Target, state: ExportState, workspaces: Sequence[Workspace]) -> int:
        told = 0
        name = target.config.name
        try:
            for workspace in workspaces:
                if target.config.covers(workspace.slug):
                    told += self._workspace(target, workspace)
        except HoldfastError as error:
            if state.error is None:
                log.warning("the export %s fails: %s", name, error.detail)
            wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(state.failures, 10)))
            self._states[name] = replace(
                self._states[name],
                error=error.detail,
                failures=state.failures + 1,
                retry_at=self._services.clock() + wait,
            )
            return told
        if state.error is not None:
            log.info("the export %s works again", name)
        self._states[name] = replace(self._states[name], error=None, failures=0, retry_at=None)
        return told

    def _workspace(self, target: Target, workspace: Workspace) -> int:
        config, found = target.config, self._services
        step = timedelta(minutes=config.minutes)
        last = _floor(found.clock() - timedelta(seconds=config.delay_seconds), step)
        with found.database.reading() as tx:
            here = store.place(tx, config.name, workspace.id)
        if here is None:
            self._keep(target, workspace, Place(last, Ledger(last)))
            return 0
        if here.position < last - BACKLOG:
            log.warning("the export %s leaves out what is older than a day", config.name)
            here = Place(last - BACKLOG, Ledger(last - BACKLOG))
        read = truth(found.columns, workspace.id, DIMENSIONS)
        told = 0
        while here.position + step <= last and told < MOST_STEPS:
            end = here.position + step
            ledger, news = turned(here.ledger, read, end, self._most, len(DIMENSIONS))
            refused = target.send(workspace.slug, here.position, end, news) if news else 0
            here = Place(end, ledger)
            self._keep(target, workspace, here)
            told += 1
            if refused:
                self._refused(config.name, refused)
        return told

    def _keep(self, target: Target, workspace: Workspace, here: Place) -> None:
        with self._services.database.transaction() as tx:
            store.put_place(tx, target.config.name, workspace.id, here)

    def _refused(self, name: str, points: int) -> None:
        log.warning("the receiver of the export %s refuses %d points for good", name, points)
        state = self._states[name]
        self._states[name] = replace(state, refused=state.refused + points)


def _floor(at: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, at.tzinfo)
