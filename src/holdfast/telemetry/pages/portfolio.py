"""The portfolio: every AI system with who answers for it and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page, time_range
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import System
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.pages.figures import chosen, first_steps, samples, shown, system_href
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import standing
from holdfast.telemetry.reads.standing import LastCall, Line

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]

SHOWN = ("calls", "cost", "latency_p95", "error_rate", "refusal_rate", "unpriced_rate")
DEFAULT = "-calls"


@router.get("/w/{workspace}/portfolio")
def portfolio_page(request: Request, caller: Reader) -> HTMLResponse:
    """The page."""
    found = services(request)
    ingest(request).counter.wait(2.0)
    place = here(request)
    key, down = _sorting(place.get("sort", DEFAULT))
    within = TimeRange(*time_range(place, caller.ctx.now))
    of = chosen(place, caller)
    with found.database.reading() as tx:
        known = {one.slug: one for one in tenancy.systems(tx, caller.ctx.workspace)}
    asked = of.equals.get("system")
    reach = caller.reach[Scope.READ]
    names = [
        slug
        for slug in known
        if (asked is None or slug in asked) and any(system in ("", slug) for system, _ in reach.pairs)
    ]
    lines, more = standing.portfolio(found.columns, caller.ctx.workspace, of, within, caller.ctx.now, names)
    lines.sort(key=lambda one: one.system)
    lines.sort(key=_key(key, known, down))
    query = "?" + str(place.only(("environment", "sample", "range", "from", "to"))).partition("?")[2]
    admin = Scope.ADMIN in caller.reach and caller.reach[Scope.ADMIN].everywhere
    return page(
        request,
        caller,
        "telemetry/portfolio.html",
        banners=samples(request, caller, of, within),
        ever=bool(lines) or calls_reads.ever(found.columns, caller.ctx.workspace),
        rows=[
            _row(caller, one, known.get(one.system), query if len(query) > 1 else "", admin) for one in lines
        ],
        more=more,
        default_sort=DEFAULT,
        exports=f"/api/v1/metrics/query?workspace={caller.workspace.slug}&group_by=system"
        f"&from={iso(within.start)}&to={iso(within.end)}" + "".join(f"&measure={name}" for name in SHOWN),
        **first_steps(request, caller),
    )


def _sorting(text: str) -> tuple[str, bool]:
    key = text.removeprefix("-")
    if key not in ("system", "owner", "last", *SHOWN):
        raise Invalid("systems are sorted by system, owner, last, " + ", ".join(SHOWN), where="sort")
    return key, text.startswith("-")


def _key(key: str, known: dict[str, System], down: bool) -> Callable[[Line], tuple[bool, Any]]:
    """What lines are sorted by; what is unknown comes last either way."""

    def of(line: Line) -> Any:
        if key == "system":
            return line.system or None
        if key == "owner":
            return known[line.system].owner.casefold() if line.system in known else None
        if key == "last":
            return line.last_call.at.timestamp() if line.last_call else None
        value = line.values[key] if line.values else None
        return max(map(float, value.values()), default=None) if isinstance(value, dict) else value

    def ranked(line: Line) -> tuple[bool, Any]:
        value = of(line)
        if value is None:
            return True, 0
        if isinstance(value, str):
            return False, [-ord(letter) for letter in value] if down else [ord(letter) for letter in value]
        return False, -value if down else value

    return ranked


def _row(caller: Caller, line: Line, system: System | None, query: str, admin: bool) -> dict[str, Any]:
    nothing = "There were no calls in this range."
    settings = f"/w/{caller.workspace.slug}/settings/systems?system={quote(line.system)}"
    return {
        "system": line.system,
        "name": system.name if system else "",
        "purpose": system.purpose if system else "",
        "owner": system.owner if system else "",
        "escalation": system.escalation_contact if system else "",
        "owner_href": settings if admin and line.system else "",
        "href": system_href(caller, line.system, query),
        "environments": [one or "unknown" for one in line.environments],
        "series": list(line.series) if line.values else [],
        "cells": [{"text": shown(name, line.values, nothing), "note": "", "title": ""} for name in SHOWN],
        "unpriced": line.values["unpriced"] if line.values else 0,
        "last_call": line.last_call.at if line.last_call else None,
        "last_precision": _precision(line.last_call),
    }


def _precision(last: LastCall | None) -> str:
    if last is None:
        return "There was no call in 400 days."
    return {60: "to the minute", 3600: "to the hour", 86_400: "to the day"}[last.seconds]
