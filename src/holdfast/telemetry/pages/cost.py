"""What was spent: per currency, over time, by any dimension, against the window before; and what has no price."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import fragment, here, page, time_range
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import MetricQuery, Step, TimeRange
from holdfast.telemetry.pages import plots
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import panels as panel_reads
from holdfast.telemetry.reads import spending as reads
from holdfast.telemetry.reads.calls import UNKNOWN
from holdfast.telemetry.reads.shapes import csv_row
from holdfast.telemetry.reads.spending import Group, Spending
from holdfast.telemetry.rules import panels as rules
from holdfast.telemetry.store.calls import CallFilter
from holdfast.web.links import Here
from holdfast.web.shell import Option

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/cost")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]

TABS = ("model", "tenant", "route", "feature", "agent", "user", "system", "release")
SHOWN = 100
HEAVY = 300_000
"""From so many calls on, what is read from each of them is read only when somebody asks."""
SORTS = ("cost", "change", "calls", "cost_per_call", "unpriced")
BUCKETS = (
    ("input_uncached_tokens", "Input, uncached", "input_tokens"),
    ("input_cache_read_tokens", "Input, cache read", "input_tokens"),
    ("input_cache_write_tokens", "Input, cache write", "input_tokens"),
    ("output_tokens", "Output", "output_tokens"),
    ("reasoning_tokens", "of it reasoning", "output_tokens"),
)
REST = "everything else"


def asked_of(place: Here, caller: Caller) -> tuple[MetricQuery, Step, str]:
    """Which calls, in which steps, by which dimension an address asks for. Raises Invalid, NotFound."""
    within = TimeRange(*time_range(place, caller.ctx.now))
    equals: dict[str, tuple[str, ...]] = {}
    for name, value in place.pairs:
        if name in panel_reads.DIMENSIONS:
            equals[name] = (*equals.get(name, ()), "" if value == UNKNOWN else value)
    filters = calls_reads.reachable(CallFilter(within, equals), caller.reach[Scope.READ], None)
    by = place.get("by", TABS[0])
    if by not in panel_reads.DIMENSIONS:
        raise Invalid(
            f"there is no dimension {by[:40]!r}; there are {', '.join(panel_reads.DIMENSIONS)}", where="by"
        )
    step = rules.step_of(place.get("step", "auto"), within, caller.workspace.zone)
    return MetricQuery(("cost",), within, None, (), dict(filters.equals), filters.pairs), step, by


def change(now: Decimal | None, before: Decimal | None) -> float | None:
    """How much more (1.0: twice as much) something costs than before; None where either is unknown or it was free."""
    return float((now - before) / before) if now is not None and before else None


@router.get("")
def cost(request: Request, caller: Reader) -> HTMLResponse:
    """The page."""
    found, place = services(request), here(request)
    complete = ingest(request).counter.wait(2.0)
    asked, step, by = asked_of(place, caller)
    base = f"/w/{caller.workspace.slug}"
    fault, spent = "", None
    try:
        spent = reads.spending(
            found.columns, caller.ctx.workspace, asked, step, by, place.get("currency")[:3], complete=complete
        )
    except Invalid as error:
        fault = error.detail
    rows = _rows(base, place, asked, by, spent) if spent else []
    rest = [one for one in panel_reads.DIMENSIONS if one not in TABS]
    total = spent.total if spent else None
    later = place.get("details") == "1"
    return page(
        request,
        caller,
        "telemetry/cost.html",
        fault=fault,
        spent=spent,
        totals=_totals(place, spent) if spent else [],
        by=by,
        by_label=plots.dimension_label(by),
        tabs=[
            {
                "label": plots.dimension_label(one),
                "href": str(place.set(by=one, sort=None)),
                "current": one == by,
                "count": None,
            }
            for one in (*TABS, *(() if by in TABS else (by,)))
        ],
        others=[
            Option(plots.dimension_label(one), str(place.set(by=one, sort=None)), one == by) for one in rest
        ],
        rows=rows[:SHOWN],
        more=len(rows) - SHOWN if len(rows) > SHOWN else 0,
        chart=_chart(base, asked, by, spent, step) if spent else None,
        buckets=_buckets(total),
        details=_details(request, caller, place) if later else None,
        heavy=total is not None and total["calls"] > HEAVY,
        prices=f"{base}/settings/prices",
        filters={name: plots.dimension_label(name) for name in panel_reads.DIMENSIONS},
        export=str(
            place.at(f"{base}/cost/focus.csv").set(
                {"range": None, "from": iso(asked.within.start), "to": iso(asked.within.end)}
            )
        ),
        unpriced_href=f"{place.set(details='1')}#unpriced",
        ever=total is not None or bool(fault) or calls_reads.ever(found.columns, caller.ctx.workspace),
    )


@router.get("/details")
def details(request: Request, caller: Reader) -> HTMLResponse:
    """What takes longer: per session, user and transaction; what is unpriced and why; whose figures these are."""
    place = here(request)
    made = _details(request, caller, place)
    base = f"/w/{caller.workspace.slug}"
    return fragment(
        request, caller, "telemetry/_cost_details.html", details=made, prices=f"{base}/settings/prices"
    )


def _details(request: Request, caller: Caller, place: Here) -> dict[str, Any]:
    asked, _, _ = asked_of(place, caller)
    base = f"/w/{caller.workspace.slug}"
    found = reads.details(services(request).columns, caller.ctx.workspace, asked)
    whom = found.per_whom or {}
    whole = sum(n for _, _, n in found.unpriced)

    def link(**more: str) -> str:
        pairs = asked.equals | {name: (value,) for name, value in more.items()}
        return plots.calls_link(base, pairs.items(), asked.within)

    return {
        "per": [
            (label, whom.get(f"cost_per_{name}"), whom.get(f"{name}s"), f"{label.lower()}s")
            for name, label in (("session", "Session"), ("user", "User"), ("transaction", "Transaction"))
        ],
        "unpriced": [
            {
                "reason": reason or "no reason was kept",
                "model": model,
                "calls": calls,
                "share": calls / whole,
                "mend": mend(reason),
                "href": link(cost_unknown_reason=reason, model=model),
            }
            for reason, model, calls in found.unpriced[:12]
        ],
        "unpriced_more": max(len(found.unpriced) - 12, 0),
        "sources": [
            {
                "label": source_label(source),
                "calls": calls,
                "cost": amounts,
                "href": link(cost_source=source),
            }
            for source, calls, amounts in found.sources
            if source
        ],
    }


def mend(reason: str) -> tuple[str, bool]:
    """What to do about calls without a price; whether the price book is where it is done."""
    if reason in ("usage unknown", "input usage unknown", "output usage unknown"):
        return "Let the sender report its tokens: there is nothing to multiply a price with.", False
    if reason.startswith("usage impossible") or "time to live" in reason:
        return "The token counts contradict one another: look at the call's data quality.", False
    if reason.startswith("model unknown"):
        return "Let the sender name the model that answered.", False
    return "Add a price of your own for it.", True


def source_label(source: str) -> str:
    """Whose word an amount is."""
    if source == "reported":
        return "Reported by the sender"
    if source == "gateway":
        return "Counted by the gateway, at the upstream's own prices"
    if source.startswith("price-book"):
        return "Estimated at your price book"
    return f"Estimated at list prices ({source})"


def _totals(place: Here, spent: Spending) -> list[dict[str, Any]]:
    """One for each currency; never a sum of them."""
    now = (spent.total or {}).get("cost") or {}
    before = (spent.past or {}).get("cost") or {}
    return [
        {
            "currency": one,
            "amount": now.get(one),
            "before": before.get(one),
            "change": change(now.get(one), before.get(one)),
            "href": str(place.set(currency=one, sort=None)),
            "current": one == spent.currency,
            "past": [float(spent.steps[at]) if at in spent.steps else None for at in spent.starts]
            if one == spent.currency
            else [],
        }
        for one in spent.currencies
    ]


def _rows(base: str, place: Here, asked: MetricQuery, by: str, spent: Spending) -> list[dict[str, Any]]:
    def row(group: Group) -> dict[str, Any]:
        per = group.values["cost_per_call"] or {}
        link = plots.calls_link(base, asked.equals.items(), asked.within, (by,), (group.value,))
        return {
            "value": group.value,
            "cost": group.cost,
            "before": group.before,
            "share": group.share,
            "change": change(group.cost, group.before),
            "calls": group.values["calls"],
            "cost_per_call": per.get(spent.currency),
            "unpriced": group.values["unpriced"],
            "reported": group.values["reported_cost_calls"],
            "input": group.values["input_tokens"],
            "output": group.values["output_tokens"],
            "cached": group.values["prompt_cache_token_rate"],
            "href": f"{link}&sort=-cost_amount",
            "only": str(place.toggle(by, group.value or UNKNOWN)),
        }

    rows = [row(group) for group in spent.groups]
    key = place.get("sort", "-cost")
    name = key.removeprefix("-")
    if name not in SORTS:
        raise Invalid(f"this is sorted by {', '.join(SORTS)}", where="sort")
    known = [one for one in rows if one[name] is not None]
    known.sort(key=lambda one: one[name], reverse=key.startswith("-"))
    return known + [one for one in rows if one[name] is None]


def _chart(base: str, asked: MetricQuery, by: str, spent: Spending, step: Step) -> dict[str, Any] | None:
    """Cost by step as bars of the dearest groups, with everything else on top; what adds up, adds up exactly."""
    if not spent.steps:
        return None
    times = [int(at.timestamp()) for at in spent.starts]
    series = []

    def add(label: str, values: dict[Any, Decimal], href: str, tone: str = "") -> None:
        found = [values.get(at) for at in spent.starts]
        series.append(
            {
                "label": label,
                "values": [None if one is None else float(one) for one in found],
                "texts": [None if one is None else plots.amount_text(one, spent.currency) for one in found],
                "href": href,
                "tone": tone,
            }
        )

    named = {value: amounts for value, amounts in spent.drawn.items() if amounts}
    for value, amounts in named.items():
        link = plots.calls_link(base, asked.equals.items(), asked.within, (by,), (value,))
        add(value or "unknown", amounts, link)
    left = {
        at: whole - sum((amounts.get(at, Decimal(0)) for amounts in named.values()), Decimal(0))
        for at, whole in spent.steps.items()
    }
    if not named or (by != "finish_reason" and any(left.values())):
        link = plots.calls_link(base, asked.equals.items(), asked.within)
        add(
            REST if named else "all",
            {at: one for at, one in left.items() if one},
            link,
            "rest" if named else "",
        )
    return {
        "label": f"Cost by {plots.dimension_label(by).lower()}, {spent.currency}",
        "says": "",
        "kind": "money",
        "unit": spent.currency,
        "zone": step.zone if step.calendar else "UTC",
        "days": bool(step.calendar),
        "stacked": True,
        "times": times,
        "ends": [*times[1:], int(asked.within.end.timestamp())],
        "series": series,
    }


def _buckets(total: dict[str, Any] | None) -> list[dict[str, Any]]:
    if total is None:
        return []
    known = [total[name] for name, _, _ in BUCKETS[:4] if total[name] is not None]
    whole = sum(known)
    return [
        {"label": label, "tokens": total[name], "whole": whole, "part": name == "reasoning_tokens"}
        for name, label, _ in BUCKETS
    ]


@router.get("/focus.csv")
def focus(request: Request, caller: Reader) -> Response:
    """The table as a file in the columns of FOCUS, where they fit; ours begin with x_. Unknown is empty."""
    place = here(request)
    ingest(request).counter.wait()
    asked, step, by = asked_of(place, caller)
    columns, workspace = services(request).columns, caller.ctx.workspace
    spent = reads.spending(columns, workspace, asked, step, by)
    headers = {"content-disposition": 'attachment; filename="cost.csv"', "x-content-type-options": "nosniff"}
    return Response(
        b"".join(focus_lines(spent, asked, by)), media_type="text/csv; charset=utf-8", headers=headers
    )


def focus_lines(spent: Spending, asked: MetricQuery, by: str) -> Iterator[bytes]:
    """A line for each group and currency (https://focus.finops.org, 1.2: column names and their meaning).

    What a vendor bills is not known here, so there is no BilledCost: EffectiveCost is an estimate, or what senders
    reported.
    """
    yield csv_row(
        (
            "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "ServiceCategory", "BillingCurrency",
            "EffectiveCost", "ConsumedQuantity", "ConsumedUnit", "Tags", "x_InputTokens", "x_OutputTokens",
            "x_UnpricedCalls", "x_ReportedCostCalls", "x_CostPerCall",
        )
    )  # fmt: skip
    start, end = iso(asked.within.start), iso(asked.within.end)
    for group in spent.groups:
        values = group.values
        amounts: dict[str, Decimal] = values["cost"] or {}
        for currency in sorted(amounts) or [""]:
            amount, per = amounts.get(currency), (values["cost_per_call"] or {}).get(currency)
            yield csv_row(
                (
                    start, end, "Usage", "AI and Machine Learning", currency,
                    None if amount is None else f"{amount:f}", values["calls"], "Calls",
                    json.dumps({by: group.value or None}, ensure_ascii=False), values["input_tokens"],
                    values["output_tokens"], values["unpriced"], values["reported_cost_calls"],
                    None if per is None else f"{per:f}",
                )
            )  # fmt: skip
