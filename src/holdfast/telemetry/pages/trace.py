"""The page of one trace: its spans over time, and the chosen span in full."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Reach, Scope
from holdfast.platform.frame import CARRY, here, page, parts
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.pages.calls import shown
from holdfast.telemetry.reads import traces
from holdfast.telemetry.reads.shapes import instant
from holdfast.telemetry.reads.traces import SpanView, TraceView
from holdfast.telemetry.rules.quality import sentence
from holdfast.telemetry.store.calls import DIMENSIONS
from holdfast.web.charts import Bar, ticks, waterfall
from holdfast.web.shell import Banner

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]

SCORES = "trace.scores"
"""The slot for what upper rooms say of a trace. They are told `trace_id`."""
TABS = ("conversation", "tokens", "facts", "attributes", "events")
BUCKETS = (
    ("input, uncached", "input_uncached_tokens", "input_uncached", False),
    ("input, read from cache", "input_cache_read_tokens", "input_cache_read", False),
    ("input, written to cache", "input_cache_write_tokens", "input_cache_write", False),
    ("written for 5 minutes", "input_cache_write_5m_tokens", "", True),
    ("written for 1 hour", "input_cache_write_1h_tokens", "", True),
    ("input as audio", "input_audio_tokens", "", True),
    ("input as images", "input_image_tokens", "", True),
    ("output", "output_tokens", "output", False),
    ("reasoning", "reasoning_tokens", "", True),
    ("output as audio", "output_audio_tokens", "", True),
)
DETAILS = {
    "denied": "Reading what was said is a permission of its own; everything else about this call is here.",
    "off": "The data policy of this system says that content is not stored.",
    "sampled_out": "The data policy keeps the content of a share of the traces only.",
    "expired": "The data policy keeps content for a shorter time than the figures of a call.",
    "erased": "It was erased at a person's request; the figures stay.",
    "withheld": "The company's own check did not answer in time, so nothing was stored.",
}


@router.get("/w/{workspace}/traces/{trace_id}")
def one_trace(request: Request, caller: Reader, trace_id: str) -> HTMLResponse:
    """The page."""
    ingest(request).counter.wait(2.0)
    found = services(request)
    view = traces.trace(
        found.columns,
        caller.ctx.workspace,
        trace_id,
        caller.reach[Scope.READ],
        ingest(request).policies.overrides,
    )
    place = here(request)
    calls = {call["span_id"]: shown(call) for call in view.calls}
    owner = {span_id: call for call in calls.values() for span_id in call["observations"]}
    chosen = chosen_span(view, place.get("span"), calls)
    tab = place.get("tab", "conversation")
    span = span_page(
        view, chosen, owner.get(chosen.stored.span.span_id), caller, tab if tab in TABS else TABS[0]
    )
    if span["content"]["opened"]:
        with found.database.transaction() as tx:
            actions.open_content(caller.ctx, tx, trace_id)
    base = f"/w/{caller.workspace.slug}"
    back = place.only(CARRY).at(f"{base}/calls")
    whole = trace_page(view, calls, base, str(back))
    raw = [one.stored.span for one in view.spans]
    placed = waterfall(Bar(s.span_id, s.parent_span_id, s.start_ns, s.end_ns) for s in raw)
    by_id = {one.stored.span.span_id: one for one in view.spans}
    banner = Banner("sample", "This trace is sample data: generated history, not something that happened.")
    return page(
        request,
        caller,
        "telemetry/trace.html",
        banners=(banner,) if whole["sample"] else (),
        trace=whole,
        rows=[row_page(place_of, by_id[place_of.id], calls) for place_of in placed],
        ticks=ticks(whole["duration_ms"]),
        span=span,
        tab=tab if tab in TABS else TABS[0],
        scores=parts(request, caller, SCORES, trace_id=trace_id),
    )


def chosen_span(view: TraceView, asked: str, calls: dict[str, Any]) -> SpanView:
    """The span asked for; else the first call that failed, the first call, the first span."""
    by_id = {one.stored.span.span_id: one for one in view.spans}
    if asked in by_id:
        return by_id[asked]
    failed = [call_id for call_id, call in calls.items() if call["status"] == "error"]
    for call_id in [*failed, *calls]:
        if call_id in by_id:
            return by_id[call_id]
    return view.spans[0]


def trace_page(view: TraceView, calls: dict[str, Any], base: str, back: str) -> dict[str, Any]:
    """The header's facts."""
    spans = [one.stored.span for one in view.spans]
    start, end = min(s.start_ns for s in spans), max(s.end_ns for s in spans)
    roots = [one for one in view.spans if not one.stored.span.parent_span_id] or view.spans[:1]
    dimensions = {name: _first([getattr(one.facts, name) for one in view.spans]) for name in DIMENSIONS}
    costs = [call["cost_amount"] for call in calls.values() if call["cost_amount"] is not None]
    prices = {
        call["price_id"]: {
            "id": call["price_id"],
            "effective_from": _instant(call["price_effective_from"]),
            "source": call["cost_source"],
        }
        for call in calls.values()
        if call["price_id"]
    }
    session = dimensions["session"]
    return {
        "id": view.trace_id,
        "started_at": instant(start),
        "duration_ms": (end - start) / 1e6,
        **dimensions,
        "error": any(one.stored.span.status == "error" for one in roots),
        "sample": any(one.stored.sample for one in view.spans),
        "spans": len(view.spans),
        "calls": len(calls),
        "session_href": f"{base}/calls?session={session}&range=30d" if session else "",
        "calls_href": back,
        "tokens": {
            "input_uncached": _sum(calls, "input_uncached_tokens"),
            "input_cache_read": _sum(calls, "input_cache_read_tokens"),
            "input_cache_write": _sum(calls, "input_cache_write_tokens"),
            "output": _sum(calls, "output_tokens"),
            "reasoning": _sum(calls, "reasoning_tokens"),
        },
        "cost": sum(costs, Decimal(0)) if costs else None,
        "currency": _first([call["cost_currency"] for call in calls.values()]) or "USD",
        "unpriced": len(calls) - len(costs),
        "prices": list(prices.values()),
        "quality": [
            {"what": code, "where": f"{sentence(code)} (span {call['span_id']})"}
            for call in calls.values()
            for code in call["quality"]
        ],
    }


def row_page(place: Any, view: SpanView, calls: dict[str, Any]) -> dict[str, Any]:
    """One row of the waterfall."""
    span, call = view.stored.span, calls.get(view.stored.span.span_id)
    note = (call["response_model"] or call["request_model"]) if call else None
    return {
        "place": place,
        "name": span.name,
        "note": note or view.facts.tool_name or view.facts.agent or "",
        "kind": view.stored.kind,
        "failed": span.status == "error",
        "is_call": call is not None,
        "duration_ms": (span.end_ns - span.start_ns) / 1e6,
    }


def span_page(
    view: TraceView, one: SpanView, call: dict[str, Any] | None, caller: Caller, tab: str
) -> dict[str, Any]:
    """The chosen span in full; content only where the reader may, and only where it is looked at."""
    stored, facts = one.stored, one.facts
    span = stored.span
    reach = caller.reach.get(Scope.CONTENT, Reach(()))
    allowed = reach.covers(stored.system, stored.environment)
    json = traces.span_json(one, allowed)
    scopes = {other.stored.span.span_id: other.stored.span.scope_name for other in view.spans}
    charge = None
    usage: list[dict[str, Any]] = []
    if call is not None:
        charge = {
            "amount": call["cost_amount"],
            "currency": call["cost_currency"] or "USD",
            "price_id": call["price_id"],
            "effective_from": _instant(call["price_effective_from"]),
            "source": call["cost_source"],
            "unknown_reason": call["cost_unknown_reason"],
        }
        usage = usage_lines(call)
    merged = call["observations"] if call and len(call["observations"]) > 1 else []
    return {
        "id": span.span_id,
        "name": span.name,
        "kind": stored.kind,
        "status": span.status,
        "status_message": span.status_message,
        "started_at": instant(span.start_ns),
        "duration_ms": (span.end_ns - span.start_ns) / 1e6,
        "scope": json["scope"],
        "service": stored.system,
        "call": call,
        "content": content_page(one, allowed, tab, f"/w/{caller.workspace.slug}/settings/members"),
        "usage": usage,
        "charge": charge,
        "facts": [
            {"field": field, "value": _fact(facts, call, field), "source": source, "derived": ""}
            for field, source in (call["provenance"] if call else facts.provenance).items()
        ],
        "attributes": [
            {"group": group, "name": name, "value": value}
            for group, attributes in (("span", json["attributes"]), ("resource", json["resource"]))
            for name, value in sorted(attributes.items())
        ],
        "events": [
            {
                "name": event["name"],
                "at": datetime.fromisoformat(event["at"]),
                "offset_ms": (raw.time_ns - span.start_ns) / 1e6,
                "attributes": event["attributes"],
            }
            for event, raw in zip(json["events"], span.events, strict=True)
        ],
        "merged": [{"id": span_id, "scope": scopes.get(span_id, "")} for span_id in merged],
    }


def usage_lines(call: dict[str, Any]) -> list[dict[str, Any]]:
    """Tokens and cost by bucket; parts of a bucket that nobody reported are left out."""
    parts = call["cost_parts"] or {}
    lines = []
    for bucket, column, part, within in BUCKETS:
        tokens = call[column]
        if within and tokens is None:
            continue
        amount = Decimal(parts[part]) if part in parts else (Decimal(0) if tokens == 0 and parts else None)
        each = f"{amount / tokens * 1_000_000:.4g} / 1 M" if amount and tokens else ""
        lines.append({"bucket": bucket, "within": within, "tokens": tokens, "amount": amount, "each": each})
    return lines


def content_page(one: SpanView, allowed: bool, tab: str, grant_href: str) -> dict[str, Any]:
    """What was said, or why it is not shown. `opened` tells that captured content stands on the page."""
    state = {"unsampled": "sampled_out", "redacted": "captured", "none": "captured"}.get(
        one.stored.content_state, one.stored.content_state
    )
    has_content = one.stored.content_state in ("captured", "redacted")
    if has_content and not allowed:
        state = "denied"
    content = one.facts.content if state == "captured" and has_content else None
    names = (
        "query",
        "tool_arguments",
        "tool_result",
        "documents",
        "system_instructions",
        "input_messages",
        "output_messages",
        "tool_definitions",
    )
    return {
        "state": state,
        "detail": DETAILS.get(state, ""),
        "redacted": [],
        "grant_href": grant_href if state == "denied" else "",
        "opened": has_content and allowed,
        **{name: getattr(content, name) if content is not None else None for name in names},
    }


def _fact(facts: Any, call: dict[str, Any] | None, field: str) -> Any:
    if call is not None and field in call:
        return call[field]
    if field.startswith("usage."):
        usage = facts.usage
        return None if usage is None else getattr(usage, field.removeprefix("usage."), None)
    return getattr(facts, field, None)


def _first(values: list[Any]) -> Any:
    return next((value for value in values if value), None)


def _sum(calls: dict[str, Any], column: str) -> int | None:
    known = [call[column] for call in calls.values() if call[column] is not None]
    return sum(known) if known else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
