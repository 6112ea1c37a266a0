"""How many of each system's calls somebody observed: an instrumentation scope, such as a gateway's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.store import calls as store

MOST = 500_000
"""Calls that are looked at one by one; of more, those of some traces stand for all."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A system's calls and those that were observed; `share` is None where it had none. `estimated`: from a sample."""

    system: str
    calls: int
    observed: int
    estimated: bool = False

    @property
    def share(self) -> float | None:
        """Observed, of all."""
        return self.observed / self.calls if self.calls else None


def observed(
    columns: Columns, workspace: str, within: TimeRange, scope: str, systems: Sequence[str] = ()
) -> list[Observed]:
    """By system, also those of `systems` that had no call. Sample data and failed attempts do not count."""
    asked = MetricQuery(("calls",), within, equals={"sample": ("false",)})
    rows = metrics.query(columns, workspace, asked, complete=True).rows
    total = int(rows[0].values["calls"] or 0) if rows else 0
    one_in = -(-total // MOST) or 1
    found = {
        system: Observed(system, calls * one_in, seen * one_in, one_in > 1)
        for system, calls, seen in store.observed_by(columns, workspace, within, scope, one_in)
    }
    names = dict.fromkeys([*found, *systems])
    return [found.get(name) or Observed(name, 0, 0) for name in sorted(names)]
