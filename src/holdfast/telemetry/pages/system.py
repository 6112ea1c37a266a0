"""The page of one AI system: how it went over time under what was changed, its routes, and what its calls do not say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from holdfast.kernel.errors import NotFound
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import FAILED, gathered, here, page, parts, time_range
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import System
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.pages.figures import amounts, chosen, plain, samples, shown, system_href
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import standing
from holdfast.telemetry.reads.calls import UNKNOWN
from holdfast.telemetry.reads.standing import Course
from holdfast.telemetry.rules import instrumentation
from holdfast.web import charts, words
from holdfast.web.charts import Mark
from holdfast.web.links import Here

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]

MARKS = "system.marks"
"""A slot for what happened to a system: fillers answer lists of `web.charts.Mark`. Told: system, start, end."""
MORE = "system.more"
"""A slot beneath the timeline: partials that are panels. Told: system, start, end."""
TABS = {"": "Timeline", "instrumentation": "Instrumentation"}
MOST_MARKS = 40
DAY = timedelta(hours=24)


@router.get("/w/{workspace}/systems/{system:path}")
def system_page(request: Request, caller: Reader, system: str) -> Response:
    """The page."""
    place = here(request)
    other = place.get("system")
    if other:  # chosen in the top bar
        return RedirectResponse(str(place.without("system").at(system_href(caller, other))), status_code=303)
    ingest(request).counter.wait(2.0)
    name = "" if system == UNKNOWN else system
    within = TimeRange(*time_range(place, caller.ctx.now))
    of = chosen(place, caller, system=(name,))
    registered = _registered(request, caller, name)
    tab = place.get("tab") if place.get("tab") in TABS else ""
    context: dict[str, Any] = {
        "system": name,
        "registered": registered,
        "tabs": [
            {"label": label, "href": str(place.set(tab=key or None)), "current": key == tab, "count": None}
            for key, label in TABS.items()
        ],
        "settings_href": _settings(caller, name),
        "calls_href": str(_calls(caller, name, place)),
    }
    made = (
        _instrumentation(request, caller, of, within) if tab else _timeline(request, caller, name, of, within)
    )
    if not made["any"] and registered is None and not _seen(request, caller, name):
        raise NotFound("no such system has called, and none is registered")
    return page(request, caller, f"telemetry/system{'_checks' if tab else ''}.html", **context, **made)


def _registered(request: Request, caller: Caller, name: str) -> System | None:
    with services(request).database.reading() as tx:
        return next((one for one in tenancy.systems(tx, caller.ctx.workspace) if one.slug == name), None)


def _seen(request: Request, caller: Caller, name: str) -> bool:
    """Whether such a system ever called where the caller may look."""
    reach = caller.reach[Scope.READ]
    places = calls_reads.places(services(request).columns, caller.ctx.workspace)
    return any(system == name and reach.covers(system, environment) for system, environment in places)


def _settings(caller: Caller, name: str) -> str:
    reach = caller.reach.get(Scope.ADMIN)
    if not name or reach is None or not reach.everywhere:
        return ""
    return f"/w/{caller.workspace.slug}/settings/systems?system={quote(name)}"


def _calls(caller: Caller, name: str, place: Here) -> Here:
    """The calls of this system, over the page's time."""
    kept = place.only(("environment", "sample", "range", "from", "to")).at(
        f"/w/{caller.workspace.slug}/calls"
    )
    return kept.set(system=name or UNKNOWN)


def _timeline(
    request: Request, caller: Caller, name: str, of: standing.Chosen, within: TimeRange
) -> dict[str, Any]:
    course = standing.course(services(request).columns, caller.ctx.workspace, of, within)
    told: dict[str, Any] = {
        "system": name,
        "start": within.start,
        "end": within.end,
        "equals": of.equals,
        "pairs": of.pairs,
    }
    found = gathered(request, caller, MARKS, **told)
    marks = sorted((mark for some in found if some is not FAILED for mark in some), key=lambda one: one.at)
    calls = _calls(caller, name, here(request))
    return {
        "any": course.whole is not None,
        "banners": samples(request, caller, of, within),
        "board": board(course, within, marks[-MOST_MARKS:], calls),
        "marks": [(number, mark) for number, mark in enumerate(marks[-MOST_MARKS:], 1)],
        "marks_failed": FAILED in found,
        "routes": [route_row(calls, route, values) for route, values in course.routes],
        "more_routes": course.more_routes,
        "more": parts(request, caller, MORE, **told),
    }


def board(course: Course, within: TimeRange, marks: Sequence[Mark], calls: Here) -> dict[str, Any]:
    """The panels over one axis of time, with marks above them. `calls`: where a step's calls are listed."""
    first, last = course.starts[0], course.starts[-1] + timedelta(seconds=course.step)
    currencies = {currency for one in course.by_step if one for currency in one["cost"]}
    whole = course.whole
    spent = whole["cost"] if whole else {}
    currency = max(spent, key=lambda one: spent[one], default="USD")
    series = {name: [one[name] if one else None for one in course.by_step] for name in standing.COURSE}
    cost = [None if one is None else _amount(one, currency) for one in series["cost"]]
    rows: list[dict[str, Any]] = [
        {"label": "Calls", "kind": "bars", "values": [one or 0 for one in series["calls"]],
         "parts": [one or 0 for one in series["errors"]], "measure": "calls"},
        {"label": f"Cost, {currency}" if len(currencies) > 1 else "Cost", "kind": "bars",
         "values": [one or 0.0 for one in cost], "parts": [], "measure": "cost"},
        {"label": "Latency p95", "kind": "line", "values": series["latency_p95"], "measure": "latency_p95"},
        {"label": "Error rate", "kind": "line", "values": series["error_rate"], "tone": "danger",
         "measure": "error_rate"},
        {"label": "Refusals", "kind": "line", "values": series["refusal_rate"], "tone": "warning",
         "measure": "refusal_rate"},
    ]  # fmt: skip
    for row in rows:
        measure = row["measure"]
        known: list[float] = [one for one in row["values"] if one is not None]
        top = max(known, default=None)
        row |= {
            "value": shown(measure, whole, "There were no calls in this range."),
            "top": f"to {plain(measure, top, currency)}" if top else "",
            "tone": row.get("tone", ""),
            "parts": row.get("parts", []),
        }
    if whole and whole["unpriced"]:
        rows[1]["top"] = f"{words.count(whole['unpriced'])} calls unpriced"
    return {
        "label": "Figures over time: choose a step to see its calls",
        "lane": "Changes" if marks else "",
        "rows": rows,
        "ticks": charts.time_ticks(first, last),
        "marks": [
            {"place": charts.place(mark.at, first, last), "number": number, "label": mark.label,
             "href": mark.href}
            for number, mark in enumerate(marks, 1)
            if first <= mark.at < last
        ],
        "columns": [_column(course, number, currency, calls, (first, last)) for number in range(len(course.starts))],
    }  # fmt: skip


def _amount(cost: dict[str, Decimal], currency: str) -> float | None:
    return float(cost[currency]) if currency in cost else None


def _column(
    course: Course, number: int, currency: str, calls: Here, whole: tuple[datetime, datetime]
) -> dict[str, Any]:
    start = course.starts[number]
    end = start + timedelta(seconds=course.step)
    values = course.by_step[number]
    if values is None:
        says = "no calls"
    else:
        says = (
            f"{values['calls']:,} calls, {values['errors']:,} failed, "
            f"cost {plain('cost', _amount(values['cost'], currency), currency)}, "
            f"p95 {plain('latency_p95', values['latency_p95'])}, "
            f"refusals {plain('refusal_rate', values['refusal_rate'])}"
        )
    narrowed = calls.set({"from": iso(start), "to": iso(end), "range": None})
    return {
        "place": charts.place(start, *whole),
        "width": round(100 / len(course.starts), 3),
        "label": f"{words.exact(start)[:16]}, {words.duration(course.step * 1000)}: {says}",
        "href": str(narrowed),
    }


def route_row(calls: Here, route: str, values: dict[str, Any] | Any) -> dict[str, Any]:
    tokens = " → ".join(
        "–" if values[name] is None else words.count(values[name])
        for name in ("input_tokens", "output_tokens")
    )
    failed = calls.set(route=route or UNKNOWN, status="error") if values["error_rate"] else None
    return {
        "route": route,
        "href": str(calls.set(route=route or UNKNOWN)),
        "cells": [
            {"text": shown("calls", values)},
            {"text": shown("error_rate", values), "href": str(failed) if failed else ""},
            {"text": words.duration(values["latency_p50"])},
            {"text": words.duration(values["latency_p95"])},
            {"text": amounts(values["cost"], "None of the calls has a known price.")},
            {"text": tokens},
            {"text": shown("refusal_rate", values)},
        ],
    }


def _instrumentation(
    request: Request, caller: Caller, of: standing.Chosen, within: TimeRange
) -> dict[str, Any]:
    start = max(within.start, within.end - DAY)
    lacking, could, calls = standing.coverage(
        services(request).columns, caller.ctx.workspace, of, TimeRange(start, within.end)
    )
    made = instrumentation.checklist(lacking, could)
    return {
        "any": bool(calls),
        "banners": samples(request, caller, of, within),
        "start": start,
        "end": within.end,
        "counted": calls,
        "checks": made,
        "done": sum(one.state == "done" for one in made),
        "unknown_facts": sum(one.state == "unknown" for one in made),
    }
