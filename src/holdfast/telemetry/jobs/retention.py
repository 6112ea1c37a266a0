"""Retention by the clock: stored rows follow the policies and holds of today, and what has expired leaves the disk."""

from __future__ import annotations

import logging
import threading
import time

from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.storage.sql import Transaction
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.store import control, retention

log = logging.getLogger("holdfast.retention")
RECHECK_SECONDS = 3600.0
EXPIRE_SECONDS = 86_400.0

Rules = tuple[tuple[tuple[str, DataPolicy], ...], tuple[Hold, ...]]


class Retention:
    """Aligns what is stored with policies and holds: at once when they changed, else every hour."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._applied: dict[str, tuple[Rules, float]] = {}
        self._one = threading.Lock()

    def apply(self) -> dict[str, dict[str, int]]:
        """Aligns every workspace whose rules changed or were not checked for an hour; rows changed, by table."""
        with self._one:
            return self._apply()

    def _apply(self) -> dict[str, dict[str, int]]:
        with self._services.database.reading() as tx:
            now = {one.id: _rules(tx, one.id) for one in tenancy.all_workspaces(tx)}
        done: dict[str, dict[str, int]] = {}
        for workspace, rules in now.items():
            before, checked = self._applied.get(workspace, (None, 0.0))
            if rules == before and time.monotonic() - checked < RECHECK_SECONDS:
                continue
            done[workspace] = self.align(workspace, rules, before)
            self._applied[workspace] = (rules, time.monotonic())
        return done

    def align(self, workspace: str, rules: Rules, before: Rules | None) -> dict[str, int]:
        """Makes stored rows expire as the rules say; returns how many changed, by table."""
        columns = self._services.columns
        policies, holds = rules
        for hold in holds:
            if hold.user:
                retention.note_held(columns, workspace, hold)
        changed = retention.align(columns, workspace, dict(policies), holds)
        for gone in {hold.id for hold in before[1]} - {hold.id for hold in holds} if before else ():
            retention.forget_held(columns, workspace, gone)
        if changed:
            log.info("retention of workspace %s: %s", workspace, changed)
        return changed

    def expire(self) -> None:
        """Takes off the disk what has expired."""
        self.apply()
        worked = retention.expire(self._services.columns)
        if worked:
            log.info("expired rows were removed from %d partitions", worked)


def _rules(tx: Transaction, workspace: str) -> Rules:
    policies = {"": DataPolicy(workspace), **tenancy.policies(tx, workspace)}
    return tuple(sorted(policies.items(), key=lambda one: one[0])), tuple(
        control.holds_of(tx, workspace, active=True)
    )
