"""Each workspace's data policies and price book, held in memory for a moment so that the hot path asks no database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.storage.sql import Database
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.rules.capture import CapturePlan
from holdfast.telemetry.rules.holds import Hold, covers
from holdfast.telemetry.store import control
from holdfast.text.detectors import clean, redact

K = TypeVar("K")
V = TypeVar("V")


class Fresh(Generic[K, V]):
    """Remembers what `load` gave for a key, for at most `seconds`. Thread-safe; at most `size` keys."""

    def __init__(self, load: Callable[[K], V], seconds: float, size: int = 10_000) -> None:
        self._load = load
        self._seconds = seconds
        self._size = size
        self._kept: dict[K, tuple[float, V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K) -> V:
        """The value for a key, at most `seconds` old. Raises what `load` raises, and then keeps nothing."""
        now = time.monotonic()
        found = self._kept.get(key)
        if found is not None and found[0] > now:
            return found[1]
        value = self._load(key)
        with self._lock:
            if len(self._kept) >= self._size:
                self._kept.clear()
            self._kept[key] = (now + self._seconds, value)
        return value

    def forget(self) -> None:
        """Drops everything, so that a change holds at once in this process."""
        with self._lock:
            self._kept.clear()


class Policies:
    """What may be captured and how long it is kept, by workspace and system."""

    def __init__(
        self, database: Database, seconds: float = 2.0, overrides: Mapping[str, ScopeOverride] | None = None
    ) -> None:
        self._database = database
        self.overrides = overrides or {}  # how instrumentation scopes count tokens
        self.cache: Fresh[str, dict[str, tuple[DataPolicy, CapturePlan]]] = Fresh(self._load, seconds)
        self.holds: Fresh[str, list[Hold]] = Fresh(self._load_holds, seconds)

    def of(self, workspace: str, system: str) -> tuple[DataPolicy, CapturePlan]:
        """The policy of a system, else of its workspace, else the default."""
        found = self.cache.get(workspace)
        return found.get(system) or found[""]

    def asks_dlp(self, workspace: str) -> bool:
        """Whether any policy of the workspace sends content to a company's own DLP."""
        return any(policy.dlp_webhook for policy, _ in self.cache.get(workspace).values())

    def held(self, workspace: str, system: str, user: str, start_ns: int) -> bool:
        """Whether a legal hold covers a record, by what the record itself says."""
        holds = self.holds.get(workspace)
        return bool(holds) and any(covers(hold, system, user, start_ns) for hold in holds)

    def _load_holds(self, workspace: str) -> list[Hold]:
        with self._database.reading() as tx:
            return control.holds_of(tx, workspace, active=True)

    def _load(self, workspace: str) -> dict[str, tuple[DataPolicy, CapturePlan]]:
        with self._database.reading() as tx:
            policies = {"": DataPolicy(workspace), **tenancy.policies(tx, workspace)}
        return {system: (policy, plan(policy)) for system, policy in policies.items()}


def plan(policy: DataPolicy) -> CapturePlan:
    """A data policy made ready for the hot path."""
    kinds = frozenset(policy.redact_kinds)
    return CapturePlan(policy.capture, policy.sample_rate, partial(_clean, kinds=kinds), clean)


def _clean(text: str, kinds: frozenset[str]) -> str:
    return redact(text, kinds)[0]
