"""The job that takes away words of feedback that are older than content may be."""

from __future__ import annotations

from holdfast.feedback.actions import erasing
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy

EVERY_SECONDS = 600.0


class Expiring:
    """Goes through every workspace."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def turn(self) -> int:
        """How many items lost their words."""
        with self._services.database.reading() as tx:
            every = [one.id for one in tenancy.all_workspaces(tx)]
        done = 0
        for workspace in every:
            while True:
                with self._services.database.transaction() as tx:
                    some = erasing.expire(Context(workspace, SYSTEM, self._services.clock()), tx)
                done += some
                if not some:
                    break
        return done
