"""What a process is put together from, handed to every door. Made in `holdfast.app`, nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.kernel.time import Clock
from holdfast.platform.settings import Settings
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The settings, the clock, and the open stores of one process."""

    settings: Settings
    clock: Clock
    database: Database
    columns: Columns


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so many seconds. `alone`: of several processes on the same stores, one does it at a time."""

    name: str
    every_seconds: float
    run: Callable[[], object]
    alone: bool = True
