"""Today: what changed since yesterday, which systems are off their week, what is unknown, what waits for the reader."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.kernel.time import iso
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page, parts
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.pages.figures import (
    MEASURES,
    change,
    chosen,
    first_steps,
    plain,
    samples,
    shown,
    system_href,
)
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import standing
from holdfast.telemetry.reads.standing import Standing, Today
from holdfast.telemetry.rules.week import DAYS, LEAST_CALLS, LEAST_DAYS, WATCHED, Off
from holdfast.web import words

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]

WAITING = "today.waiting"
"""A slot for what waits for the reader (alerts, approvals, incidents): partials that are list items of `.lines`."""
CHANGES = "today.configurations"
"""A slot for what changed in production since yesterday: new prompts, models, releases; list items of `.lines`."""


@router.get("/w/{workspace}/today")
def today_page(request: Request, caller: Reader) -> HTMLResponse:
    """The page."""
    ingest(request).counter.wait(2.0)
    columns, workspace = services(request).columns, caller.ctx.workspace
    place = here(request)
    of = chosen(place, caller)
    found = standing.today(columns, workspace, of, caller.ctx.now)
    ever = bool(found.systems) or calls_reads.ever(columns, workspace)
    told = {"equals": of.equals, "pairs": of.pairs, "start": found.start, "end": caller.ctx.now}
    return page(
        request,
        caller,
        "telemetry/today.html",
        banners=samples(request, caller, of, TimeRange(found.start, caller.ctx.now)),
        timeless=True,
        ever=ever,
        start=found.start,
        findings=[one for each in found.systems for one in findings(caller, each)],
        compared=sum(one.compared for one in found.systems),
        not_compared=[one.system or "unknown system" for one in found.systems if not one.compared],
        least=(LEAST_DAYS, LEAST_CALLS),
        rows=[row(caller, one) for one in found.systems],
        more=found.more,
        unknowns=unknowns(caller, found),
        waiting=parts(request, caller, WAITING, "li", **told),
        changes=parts(request, caller, CHANGES, "li", **told),
        **first_steps(request, caller),
    )


def findings(caller: Caller, one: Standing) -> list[dict[str, str]]:
    """What is to be said of a system first: that it is silent, or what is off its week."""
    href = system_href(caller, one.system)
    name = one.system or "Calls without a system"
    if one.silence is not None:
        hours = one.silence.hours
        length = f"{hours} h" if hours < 48 else f"{hours // 24} days"
        since = f"{words.exact(one.last_call)[:16]} UTC" if one.last_call else f"at least {length}"
        says = f"silent since {since}" if one.last_call else f"silent for {since}"
        usual = (
            f"In the last {length} it would usually have made {words.count(round(one.silence.usual))} calls."
        )
        return [{"tone": "danger", "system": name, "href": href, "says": says, "note": usual}]
    return [
        {"tone": "warning", "system": name, "href": href, "says": _says(off, one), "note": _usual(off, one)}
        for off in one.off
    ]


def _says(off: Off, one: Standing) -> str:
    value = plain(off.measure, off.value, one.currency)
    if off.measure == "calls":
        return f"{change(off.value, off.middle)} calls ({value})"
    return f"{MEASURES[off.measure]} {value}"


def _usual(off: Off, one: Standing) -> str:
    low, middle, high = (plain(off.measure, each, one.currency) for each in (off.low, off.middle, off.high))
    return f"Its week: {middle} in the middle, {low} to {high} would be usual."


def row(caller: Caller, one: Standing) -> dict[str, Any]:
    """A system's line in the table."""
    off = {each.measure: each for each in one.off}
    last = one.days[0] or {}
    yesterday = one.days[1] or {}
    same_day = one.days[DAYS] or {}
    cells = []
    for measure, watch in WATCHED.items():
        value, day = last.get(measure), yesterday.get(measure)
        if watch.volume:
            against = same_day.get(measure)
            parts_of = (change(value, day), change(value, against))
            note = "" if set(parts_of) <= {"–", "±0 %"} else " · ".join(parts_of)
        else:
            against = _middle(one, measure)
            parts_of = (plain(measure, day), plain(measure, against))
            note = "" if set(parts_of) <= {"–", plain(measure, value)} else " · ".join(parts_of)
        held = "the same day a week before" if watch.volume else "the middle of the week before"
        title = (
            f"The day before: {plain(measure, day, one.currency)}. "
            f"{held.capitalize()}: {plain(measure, against, one.currency)}."
        )
        if measure in off:
            title = f"Off its week. {_usual(off[measure], one)} {title}"
        nothing = {"calls": 0} if measure == "calls" else None
        text = shown(measure, one.last if one.last is not None else nothing)
        cells.append(
            {"text": text, "note": note, "title": title, "tone": "warning" if measure in off else ""}
        )
    return {
        "system": one.system,
        "href": system_href(caller, one.system),
        "hours": list(one.hours[-24:]),
        "cells": cells,
        "hour": {
            "text": shown("calls", one.hour or {"calls": 0}),
            "note": f"{plain('error_rate', one.hour['error_rate'])} failed" if one.hour else "",
        },
        "silent": one.silence is not None,
    }


def _middle(one: Standing, measure: str) -> float | None:
    known = sorted(
        value for day in one.days[1:] if day is not None and (value := day.get(measure)) is not None
    )
    if not known:
        return None
    half = len(known) // 2
    return known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2


def unknowns(caller: Caller, found: Today) -> list[dict[str, Any]]:
    """What nobody knows of the last day's calls."""
    calls = sum(one.last["calls"] for one in found.systems if one.last is not None)
    base = f"/w/{caller.workspace.slug}/calls?from={iso(found.start)}"

    def total(measure: str) -> int:
        return sum(one.last[measure] for one in found.systems if one.last is not None)

    nameless = sum(one.last["calls"] for one in found.systems if one.last is not None and not one.system)
    lines = (
        ("without a known cost", total("unpriced"), "&cost_source=(unknown)"),
        ("without tokens", total("usage_unknown"), ""),
        ("without a system", nameless, "&system=(unknown)"),
        ("without a route", found.routeless, "&route=(unknown)"),
        ("without a tenant", found.tenantless, "&tenant=(unknown)"),
    )
    return [
        {
            "label": label,
            "n": n if calls else None,
            "share": min(n / calls, 1.0) if calls else None,
            "href": f"{base}{query}" if query and n else "",
        }
        for label, n, query in lines
    ]
