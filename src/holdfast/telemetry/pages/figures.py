"""How figures of calls are written in tables: the value, what it is held against, and unknown as unknown."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from fastapi import Request

from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import standing
from holdfast.telemetry.reads.calls import UNKNOWN
from holdfast.telemetry.rules.week import Figure
from holdfast.web import render, words
from holdfast.web.links import Here
from holdfast.web.shell import Banner

MEASURES = {
    "calls": "calls",
    "cost": "cost",
    "error_rate": "error rate",
    "latency_p95": "latency p95",
    "refusal_rate": "refusals",
    "unpriced_rate": "share of unknown cost",
}
"""What a measure is called in a sentence."""
NO_CALLS = "There were no calls."


def chosen(place: Here, caller: Caller, **more: tuple[str, ...]) -> standing.Chosen:
    """The calls of the page's system and environment, within what the caller may see. Raises NotFound."""
    equals = {
        name: tuple("" if value == UNKNOWN else value for value in place.all(name))
        for name in ("system", "environment", "sample")
    }
    return standing.chosen({**equals, **more}, caller.reach[Scope.READ], caller.ctx.now)


def plain(measure: str, value: Figure, currency: str = "USD") -> str:
    """A figure in words; unknown is a dash."""
    if value is None:
        return "–"
    if measure == "latency_p95":
        return words.duration(value)
    if measure == "cost":
        return words.money(Decimal(repr(round(value, 9))), currency)
    return words.count(round(value)) if measure == "calls" else words.percent(value)


def shown(measure: str, values: Mapping[str, Any] | None, reason: str = "") -> Any:
    """A figure for a table's cell: amounts in every currency, unknown with its reason."""
    if values is None:
        return render.unknown(reason or NO_CALLS, short=True)
    value = values[measure]
    if measure == "cost":
        return amounts(value, reason or "None of the calls has a known price.")
    if value is None:
        return render.unknown(reason or "None of the calls says.", short=True)
    if measure == "latency_p95":
        return render.duration(value)
    return render.percent(value) if measure.endswith("_rate") else render.count(value)


def amounts(found: Mapping[str, Decimal], reason: str) -> Any:
    """Amounts by currency, the largest first; none is unknown."""
    if not found:
        return render.unknown(reason, short=True)
    order = sorted(found, key=lambda one: (-found[one], one))
    made = render.money(found[order[0]], order[0])
    for currency in order[1:]:
        made += " + " + render.money(found[currency], currency)
    return made


def change(value: Figure, before: Figure) -> str:
    """How much more or less than before, in percent: `+12 %`, `−3 %`; a dash where either is unknown or nothing was."""
    if value is None or not before:
        return "–"
    ratio = value / before - 1
    if ratio >= 9:
        return f"×{value / before:,.0f}"
    return "±0 %" if abs(ratio) < 0.005 else f"{'+' if ratio > 0 else '−'}{abs(ratio) * 100:.0f} %"


def system_href(caller: Caller, system: str, query: str = "") -> str:
    """The address of a system's page."""
    return f"/w/{caller.workspace.slug}/systems/{quote(system or UNKNOWN, safe='/()')}{'?' if query else ''}{query}"


def samples(request: Request, caller: Caller, of: standing.Chosen, within: TimeRange) -> tuple[Banner, ...]:
    """A line above the page where some of its calls are sample data."""
    found, place = services(request), here(request)
    workspace = caller.ctx.workspace
    if place.get("sample") == "false" or not standing.any_sample(found.columns, workspace, of, within):
        return ()
    text = "Some of these calls are sample data: generated history, counted here with the rest."
    return (Banner("sample", text, str(place.set(sample="false")), "Hide it"),)


def first_steps(request: Request, caller: Caller) -> dict[str, Any]:
    """What the page of a workspace without calls says."""
    return {
        "endpoint": services(request).settings.base_url,
        "may_make_key": caller.may(Scope.ADMIN),
        "keys_href": f"/w/{caller.workspace.slug}/settings/keys",
    }
