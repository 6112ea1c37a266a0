"""Configurations seen in traffic, on the page of the day and on that of a system: what changed, since which call, with
what before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import Request

from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller
from holdfast.platform.frame import Part
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import configurations as reads
from holdfast.telemetry.reads.configurations import Observed
from holdfast.telemetry.store.calls import CallFilter
from holdfast.web import words
from holdfast.web.charts import Mark

MOST_TODAY = 8
MOST_LISTED = 50


def today(request: Request, caller: Caller, told: Mapping[str, Any]) -> Part | None:
    """What changed in production in the page's time, the latest first."""
    found = _changes(request, caller, told)
    if not found:
        return None
    lines = [{"href": _href(caller, one), "at": one.first_at, "one": one} for one in reversed(found)]
    return Part("telemetry/_changes.html", {"changes": lines[:MOST_TODAY], "more": len(lines[MOST_TODAY:])})


def marks(request: Request, caller: Caller, told: Mapping[str, Any]) -> list[Mark]:
    """What changed in a system, to stand above its figures."""
    return [
        Mark(one.first_at, label(one), _href(caller, one), compared(one))
        for one in _changes(request, caller, told)
    ]


def panel(request: Request, caller: Caller, told: Mapping[str, Any]) -> Part | None:
    """Every configuration of a system, the latest first."""
    found = _observed(request, caller, told)
    if not found:
        return None
    rows = [
        {
            "one": one,
            "parts": reads.described(one.parts),
            "href": _href(caller, one),
            "figures": {
                name: shown(name, one.figures.get(name), one.calls)
                for name in ("cost_per_call", "latency_p95", "error_rate", "refusal_rate")
            },
        }
        for one in reversed(found)
    ]
    return Part(
        "telemetry/_configurations.html", {"rows": rows[:MOST_LISTED], "more": len(rows[MOST_LISTED:])}
    )


def _observed(request: Request, caller: Caller, told: Mapping[str, Any]) -> list[Observed]:
    """Read once for a request: several parts of a page show it."""
    filters = CallFilter(TimeRange(told["start"], told["end"]), dict(told["equals"]), pairs=told["pairs"])
    read: list[tuple[CallFilter, list[Observed]]] = request.scope.setdefault("holdfast.observed", [])
    for known, found in read:
        if known == filters:
            return found
    held = services(request)
    read.append((filters, reads.observed(held.columns, held.database, caller.ctx.workspace, filters)))
    return read[-1][1]


def _changes(request: Request, caller: Caller, told: Mapping[str, Any]) -> list[Observed]:
    return reads.changes(_observed(request, caller, told), told["start"])


def _href(caller: Caller, one: Observed) -> str:
    return f"/w/{caller.workspace.slug}/traces/{one.first_trace}"


def label(one: Observed) -> str:
    """A change in a line: where, and what."""
    where = one.route or "no route"
    return f"{where}: {'; '.join(one.changed[:3])}{' …' if len(one.changed) > 3 else ''}"


def compared(one: Observed) -> str:
    """How calls fared before and after, in words; measures that are unknown on either side are left out."""
    found = []
    for name, title in (
        ("cost_per_call", "cost per call"),
        ("latency_p95", "p95"),
        ("error_rate", "errors"),
        ("refusal_rate", "refusals"),
    ):
        before = shown(name, one.figures_before.get(name), 1)
        after = shown(name, one.figures.get(name), 1)
        if before and after:
            found.append(f"{title} {before} → {after}")
    return " · ".join(found)


def shown(name: str, value: Any, calls: int) -> str:
    """A figure in words; empty where it is unknown."""
    if value is None or not calls:
        return ""
    if name == "cost_per_call":
        amounts: dict[str, Decimal] = value
        return " + ".join(words.money(amount, currency) for currency, amount in sorted(amounts.items()))
    return words.duration(value) if name == "latency_p95" else words.percent(value)
