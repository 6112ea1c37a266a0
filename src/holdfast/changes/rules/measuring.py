"""From sums of calls to readings of metrics, and which span the baseline is read in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from holdfast.changes.model import Change, Evidence, State
from holdfast.changes.rules.guarding import Kind, Metric, Reading
from holdfast.changes.rules.policy import ClassPolicy, Guard
from holdfast.changes.rules.sequential import Sample
from holdfast.telemetry.reads.compared import Sums

RELATIVE = ("latency", "cost")
"""Metrics whose margin is a share of the baseline's own mean."""
ALWAYS = ("errors", "latency")
"""Metrics that every call tells: of the others nothing is asked where no call of either release tells any."""


class Span(NamedTuple):
    """From one instant to another."""

    start: datetime
    end: datetime


def readings(
    policy: ClassPolicy, state: State | None, baseline: Sums | None, candidate: Sums | None, row: int
) -> list[Reading]:
    """One for each guarded metric that can be told. `row`: failed calls of the candidate in a row."""
    shadow = policy.shadow
    least = shadow.samples if state is State.SHADOW and shadow is not None else policy.samples
    found = []
    for name, guard in policy.guards.items():
        before, after = _sample(name, baseline), _sample(name, candidate)
        if name not in ALWAYS and not (before and before.n) and not (after and after.n):
            continue
        found.append(
            Reading(
                _metric(name, guard, max(2, least), _unit(name, baseline, candidate)),
                before,
                after,
                longest_row=row if name == "errors" else 0,
                unread=_unread(name, baseline, candidate),
            )
        )
    return found


def reference(change: Change, evidence: Sequence[Evidence]) -> Span | None:
    """When the baseline served beside the candidate last: the last stage before all traffic went over. None: never."""
    found: Span | None = None
    entered: Evidence | None = None
    shares = list(change.policy.get("stages", (10, 50, 100)))
    for one in evidence:
        if entered is not None and (one.after, one.stage) != (entered.after, entered.stage):
            found, entered = Span(entered.at, one.at), None
        ramps = one.after is State.RAMPING and one.stage < len(shares) and shares[one.stage] < 100
        if entered is None and ramps:
            entered = one
    return found


def _metric(name: str, guard: Guard, least: int, unit: str | None) -> Metric:
    kind = Kind.STOP if guard.stop else Kind.WATCH
    relative = name in RELATIVE
    said = {} if unit is None else {"unit": unit}
    return Metric(name, kind, guard.margin, relative, least, guard.in_a_row, guard.most, **said)


def _unit(name: str, *of: Sums | None) -> str | None:
    if name == "latency":
        return "ms"
    if name == "cost":
        return next(iter(_currencies(*of)), "USD")
    return None


def _unread(name: str, *of: Sums | None) -> str:
    if name == "cost" and len(_currencies(*of)) > 1:
        return f"calls are priced in {' and '.join(_currencies(*of))}"
    return ""


def _currencies(*of: Sums | None) -> list[str]:
    return sorted({currency for one in of if one is not None for currency in one.currencies})


def _sample(name: str, of: Sums | None) -> Sample | None:
    if of is None:
        return None
    match name:
        case "errors":
            return Sample.of_share(of.errors, of.calls)
        case "latency":
            return Sample.of_sums(*of.latency)
        case "cost":
            return Sample.of_sums(*of.cost)
        case "refusals":
            return Sample.of_share(of.refused[1], of.refused[0])
        case "format":
            return Sample.of_share(of.cut[1], of.cut[0])
        case _:
            return None
