"""A sample of calls by chance, for whoever estimates what all of them are like."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.storage.columns import Columns
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.store import draws as store
from holdfast.telemetry.store.calls import CallFilter


@dataclass(frozen=True, slots=True)
class Drawn:
    """One call of a sample."""

    trace_id: str
    id: str
    system: str
    environment: str


@dataclass(frozen=True, slots=True)
class Draw:
    """A sample, and by (system, environment) how many calls it was drawn from."""

    calls: tuple[Drawn, ...]
    counts: dict[tuple[str, str], int]


def draw(
    columns: Columns,
    workspace: str,
    within: TimeRange,
    limit: int,
    *,
    system: str = "",
    route: str = "",
    without: str = "",
    seed: int = 0,
) -> Draw:
    """At most `limit` inferences of a time range, each as likely as any other; no sample data, no attempts.

    `system` and `route` narrow it down where they are named; `without` is an environment that is left out.
    """
    equals: dict[str, tuple[str, ...]] = {
        "kind": ("inference",),
        "sample": ("false",),
        "attempt": ("false",),
    }
    equals |= {name: (value,) for name, value in (("system", system), ("route", route)) if value}
    filters = CallFilter(within, equals)
    counts = {
        (of, environment): count
        for of, environment, count in store.counts(columns, workspace, filters, without)
    }
    rows = store.drawn(columns, workspace, filters, without, limit, seed)
    return Draw(
        tuple(Drawn(row["trace_id"], row["id"], row["system"], row["environment"]) for row in rows), counts
    )
