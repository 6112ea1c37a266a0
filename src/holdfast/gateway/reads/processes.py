"""Whether gateways serve what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.gateway import store
from holdfast.gateway.states import Process
from holdfast.storage.sql import Transaction

ANSWERS = timedelta(seconds=30)
"""A gateway says something of itself every ten seconds at least: one that has not for so long does not answer."""
GONE = timedelta(hours=1)
"""One that was silent for so long is taken to be gone for good."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Gateway processes by whether they serve an epoch or a later one; what `silent` ones serve is unknown."""

    serving: tuple[str, ...]
    behind: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def settled(self) -> bool | None:
        """Whether all serve it; None where that cannot be known of one, and no other is behind."""
        return False if self.behind else None if self.silent else True


def reached(tx: Transaction, epoch: int, now: datetime) -> Reached:
    """How far an epoch has come. A gateway that said later that it serves it is not silent about it."""
    found = store.processes_since(tx, now - GONE)
    serving = tuple(id for id, has, _, _ in found if has >= epoch)
    behind = tuple(id for id, has, at, _ in found if has < epoch and at >= now - ANSWERS)
    silent = tuple(id for id, has, at, _ in found if has < epoch and at < now - ANSWERS)
    return Reached(serving, behind, silent)


def known(tx: Transaction, now: datetime) -> list[Process]:
    """Those that are not gone for good, by id."""
    return [Process(*one) for one in store.processes_since(tx, now - GONE)]
