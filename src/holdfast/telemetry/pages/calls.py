"""The calls explorer."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import fragment, here, page, time_range
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import calls as reads
from holdfast.telemetry.reads import views
from holdfast.telemetry.store.calls import CallFilter, Summary
from holdfast.web import words
from holdfast.web.links import Here
from holdfast.web.shell import Banner

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]
Writer = Annotated[Caller, Depends(form_caller(Scope.READ))]

UNKNOWN = reads.UNKNOWN
FACETS = {
    "system": "System",
    "environment": "Environment",
    "route": "Route",
    "agent": "Agent",
    "tenant": "Tenant",
    "model": "Model",
    "operation": "Operation",
    "status": "Status",
    "error_class": "Error class",
    "finish_reason": "Finish reason",
    "refusal": "Refusal",
    "release": "Release",
    "quality": "Data quality",
    "sample": "Sample data",
}
OPEN = {"system", "route", "tenant", "model", "status"}
SORTS = {"-started_at": "time", "-duration_ms": "duration", "-cost_amount": "cost"}
PAGE_SIZE = 100


def filters_of(place: Here, caller: Caller) -> CallFilter:
    """The filter in a page's address. Raises Invalid, NotFound."""
    equals = {}
    for name in reads.FILTER_NAMES:
        values = place.all(name)
        if values:
            equals[name] = tuple("" if value == UNKNOWN else value for value in values)
    least = place.get("min_ms")
    try:
        min_ms = float(least) if least else None
    except ValueError as error:
        raise Invalid("the least duration is a number of milliseconds", where="min_ms") from error
    filters = CallFilter(TimeRange(*time_range(place, caller.ctx.now)), equals, place.get("q")[:500], min_ms)
    return reads.reachable(filters, caller.reach[Scope.READ], caller.reach.get(Scope.CONTENT))


def shown(call: dict[str, Any]) -> dict[str, Any]:
    """A call of the API with its time and money as values, for the templates' filters."""
    amount = call["cost_amount"]
    return {
        **call,
        "started_at": datetime.fromisoformat(call["started_at"]),
        "cost_amount": None if amount is None else Decimal(amount),
    }


@router.get("/w/{workspace}/calls")
def explorer(request: Request, caller: Reader) -> HTMLResponse:
    """The page."""
    found = services(request)
    ingest(request).counter.wait(2.0)
    place = here(request)
    filters = filters_of(place, caller)
    sort = place.get("sort", "-started_at")
    if sort not in SORTS:
        raise Invalid(f"calls are sorted by {', '.join(SORTS)}", where="sort")
    workspace = caller.ctx.workspace
    listed = reads.calls(
        found.columns, workspace, filters, PAGE_SIZE, place.get("cursor") or None, SORTS[sort]
    )
    with found.database.reading() as tx:
        saved = views.views(caller, tx, "calls")
    base = f"/w/{caller.workspace.slug}"
    samples = any(call["sample"] for call in listed.items)
    without = str(place.set(sample="false"))
    banner = Banner(
        "sample",
        "Some of these calls are sample data: generated history, marked wherever it stands.",
        without,
        "Hide it",
    )
    live = place.get("live") == "1"
    return page(
        request,
        caller,
        "telemetry/calls.html",
        banners=(banner,) if samples else (),
        calls=[shown(call) for call in listed.items],
        next_cursor=listed.next_cursor,
        sorts=("started_at", "duration_ms", "cost_amount"),
        facets=None,
        summary=None,
        live=live,
        tail_cursor=iso(caller.ctx.now),
        views=[{"id": view.id, "name": view.name, "href": f"{base}/calls?{view.query}"} for view in saved],
        view_saved=str(place.without("cursor")).partition("?")[2],
        exports=exports(place, caller, filters),
        ever=bool(listed.items) or reads.ever(found.columns, workspace),
        endpoint=found.settings.base_url,
        may_make_key=caller.may(Scope.ADMIN),
        keys_href=f"{base}/settings/keys",
    )


def exports(place: Here, caller: Caller, filters: CallFilter) -> list[dict[str, str]]:
    """Links that export what the page shows, with the time range spelt out."""
    pairs = [
        ("workspace", caller.workspace.slug),
        ("from", iso(filters.within.start)),
        ("to", iso(filters.within.end)),
    ]
    for name, values in filters.equals.items():
        pairs += [(name, value or UNKNOWN) for value in values]
    if filters.text:
        pairs.append(("text", filters.text))
    return [
        {"label": label, "href": str(Here("/api/v1/calls/export", (*pairs, ("format", kind))))}
        for label, kind in (("CSV", "csv"), ("Parquet", "parquet"), ("JSON lines", "jsonl"))
    ]


@router.get("/w/{workspace}/calls/facets")
def facets(request: Request, caller: Reader) -> HTMLResponse:
    """The filters with their counts."""
    place = here(request)
    filters = filters_of(place, caller)
    counted = reads.facets(services(request).columns, caller.ctx.workspace, filters, list(FACETS))
    made = [
        {
            "name": name,
            "label": FACETS[name],
            "open": name in OPEN,
            "values": [{"value": v or UNKNOWN, "label": _label(name, v), "count": n} for v, n in values],
        }
        for name, values in counted.items()
        if any(value for value, _ in values)
    ]
    return fragment(request, caller, "telemetry/_facets.html", facets=made)


def _label(name: str, value: str) -> str:
    if value == "":
        return "unknown"
    if name in ("refusal", "sample"):
        return "yes" if value == "true" else "no"
    return value


@router.get("/w/{workspace}/calls/summary")
def summary(request: Request, caller: Reader) -> HTMLResponse:
    """The figures over the table."""
    place = here(request)
    filters = filters_of(place, caller)
    columns, workspace = services(request).columns, caller.ctx.workspace
    whole = reads.summary(columns, workspace, filters)
    past = reads.past(columns, workspace, filters)
    calls_page = place.at(f"/w/{caller.workspace.slug}/calls")
    buckets = []
    for start, figures in zip(past.starts, past.figures, strict=True):
        end = start + timedelta(seconds=past.step_seconds)
        calls, errors = (figures.calls, figures.errors) if figures else (0, 0)
        length = words.duration(past.step_seconds * 1000)
        words_of = f"{words.exact(start)[:16]}, {length}: {calls:,} calls, {errors:,} failed"
        narrowed = calls_page.set({"from": iso(start), "to": iso(end), "range": None})
        buckets.append({"total": calls, "part": errors, "label": words_of, "href": str(narrowed)})
    currency = max(whole.costs, key=lambda one: whole.costs[one], default="USD")
    made = {
        "calls": whole.calls,
        "errors": whole.errors,
        "p50_ms": whole.p50_ms,
        "p95_ms": whole.p95_ms,
        "input_tokens": whole.input_tokens,
        "output_tokens": whole.output_tokens,
        "cache_share": cache_share(whole),
        "cost": whole.costs.get(currency) if whole.costs else None,
        "currency": currency,
        "unpriced": whole.unpriced,
        "partial": False,
        "past": {
            "calls": [one.calls if one else 0 for one in past.figures],
            "errors": [one.errors if one else 0 for one in past.figures],
            "p95_ms": [one.p95_ms if one else None for one in past.figures],
            "tokens": [one.input_tokens if one else None for one in past.figures],
            "cost": [
                float(one.costs[currency]) if one and currency in one.costs else None for one in past.figures
            ],
            "cache_share": [cache_share(one) if one else None for one in past.figures],
        },
        "buckets": buckets,
        "first": words.exact(filters.within.start)[:16],
        "last": words.exact(filters.within.end)[:16] + " UTC",
    }
    return fragment(request, caller, "telemetry/_summary.html", summary=made)


def cache_share(figures: Summary) -> float | None:
    """Share of the input tokens that were read from the cache; None where nothing is known."""
    if not figures.input_tokens or figures.cache_read_tokens is None:
        return None
    return figures.cache_read_tokens / figures.input_tokens


@router.get("/w/{workspace}/calls/tail")
def tail(request: Request, caller: Reader) -> HTMLResponse:
    """Calls that came in after `after`, for the live tail."""
    place = here(request)
    ingest(request).counter.wait(1.0)
    now = caller.ctx.now
    after = parse_instant(place.get("after") or iso(now), "after")
    filters = filters_of(place.without("after", "from", "to").set(range="1h"), caller)
    fresh = reads.received_since(services(request).columns, caller.ctx.workspace, filters, after)
    return fragment(
        request,
        caller,
        "telemetry/_tail.html",
        answering=True,
        calls=[shown(call) for call in fresh.items],
        tail_cursor=fresh.next_cursor or iso(after),
    )


@router.post("/w/{workspace}/calls/views")
def save_view(
    request: Request, caller: Writer, name: Annotated[str, Form()], query: Annotated[str, Form()] = ""
) -> Response:
    """Keeps the page's filters under a name."""
    with services(request).database.transaction() as tx:
        actions.save_view(caller, tx, "calls", name, query)
    return RedirectResponse(f"/w/{caller.workspace.slug}/calls?{query}", status_code=303)


@router.post("/w/{workspace}/calls/views/{view}/delete")
def delete_view(request: Request, caller: Writer, view: str) -> Response:
    """Forgets a saved view."""
    with services(request).database.transaction() as tx:
        actions.delete_view(caller, tx, view)
    return RedirectResponse(f"/w/{caller.workspace.slug}/calls", status_code=303)
