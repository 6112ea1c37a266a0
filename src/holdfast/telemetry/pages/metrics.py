"""The metrics explorer: any measure by any dimensions, as charts, as a table, as files. All of it is in the address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import fragment, here, page, time_range
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import MetricRow, TimeRange
from holdfast.telemetry.pages import plots
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import dashboards as dashboard_reads
from holdfast.telemetry.reads import metrics as metric_reads
from holdfast.telemetry.reads import panels as reads
from holdfast.telemetry.reads.calls import UNKNOWN
from holdfast.telemetry.reads.panels import Asked, Plot
from holdfast.telemetry.reads.shapes import csv_row
from holdfast.telemetry.rules import panels as rules
from holdfast.telemetry.rules.measures import MEASURES
from holdfast.telemetry.rules.panels import CALENDAR, MOST_MEASURES, SERIES, Panel
from holdfast.telemetry.store.calls import CallFilter
from holdfast.web.links import Here
from holdfast.web.shell import Option

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]

FIRST = ("calls", "error_rate", "latency_p95", "cost")
"""What an address without measures shows."""
FACETS = (
    "system", "environment", "route", "tenant", "model", "agent", "feature", "release", "provider", "operation",
    "status", "error_class", "finish_reason", "sample",
)  # fmt: skip
OPEN = {"system", "route", "tenant", "model"}
COMMON = (
    "system",
    "route",
    "tenant",
    "model",
    "agent",
    "feature",
    "user",
    "release",
    "environment",
    "provider",
)
"""Dimensions that menus name first."""
STEPS = (("60", "1 minute"), ("300", "5 minutes"), ("3600", "1 hour"), ("86400", "1 day, UTC"))
STEP_ROWS = 500
"""Most rows of the table by step; the file has all."""


def panel_of(place: Here, title: str = "") -> Panel:
    """The question that an address asks. Raises Invalid."""
    top = place.get("top", str(SERIES))
    if not top.isascii() or not top.isdecimal():
        raise Invalid("`top` is a number of groups", where="top")
    filters = tuple(
        (name, "" if value == UNKNOWN else value) for name, value in place.pairs if name in reads.DIMENSIONS
    )
    made = Panel(
        "panel",
        title or "Metrics",
        tuple(dict.fromkeys(place.all("measure"))) or FIRST,
        tuple(dict.fromkeys(one for one in place.all("group_by") if one)),
        filters,
        place.get("step", "auto"),
        min(int(top[:6]), rules.MOST_SERIES),
    )
    return reads.check(made)


def asked_of(panel: Panel, place: Here, caller: Caller, points: int = rules.POINTS) -> Asked:
    """A panel in the window of an address, and within what its reader may see. Raises Invalid, NotFound."""
    within = TimeRange(*time_range(place, caller.ctx.now))
    equals: dict[str, tuple[str, ...]] = {}
    for name, value in panel.filters:
        equals[name] = (*equals.get(name, ()), value)
    filters = calls_reads.reachable(CallFilter(within, equals), caller.reach[Scope.READ], None)
    step = rules.step_of(panel.step, within, caller.workspace.zone, points)
    return Asked(panel, within, step, tuple(filters.equals.items()), filters.pairs)


@router.get("/w/{workspace}/metrics")
def explorer(request: Request, caller: Reader) -> HTMLResponse:
    """The page."""
    found, place = services(request), here(request)
    complete = ingest(request).counter.wait(2.0)
    panel = panel_of(place)
    asked = asked_of(panel, place, caller)
    base = f"/w/{caller.workspace.slug}"
    fault, plot = "", Plot(reads.NOTHING, [], (), [], True)
    try:
        plot = reads.plot(found.columns, caller.ctx.workspace, asked, complete=complete)
    except Invalid as error:  # such as too many groups: the way back is on the page
        fault = error.detail
    with found.database.reading() as tx:
        kept = dashboard_reads.dashboards(caller, tx)
    narrow = place.only((*reads.DIMENSIONS, "range", "from", "to", "measure", "group_by", "step", "top"))
    return page(
        request,
        caller,
        "telemetry/metrics.html",
        fault=fault,
        menus=menus(place, panel, caller.workspace.zone),
        chosen=[_chosen(name, place, panel) for name in panel.measures],
        charts=plots.charts(panel.measures, plot, asked.step, asked.within, _links(base, asked, plot)),
        columns=[
            *({"key": f"g{n}", "label": plots.dimension_label(one)} for n, one in enumerate(panel.group_by)),
            *(_column(name) for name in panel.measures),
        ],
        rows=_by_step(base, asked, plot)
        if place.get("view") == "steps"
        else _totals(base, asked, plot, place),
        by_step=place.get("view") == "steps",
        groups=plot.totals.groups,
        shown_groups=len(plot.top),
        complete=plot.complete,
        grouped=bool(panel.group_by),
        filters={name: plots.dimension_label(name) for name in reads.DIMENSIONS},
        facets=_facets(request, caller, asked) if place.get("filters") == "1" else None,
        target=f"{base}/metrics",
        exports=_exports(place, asked, caller, panel),
        dashboards=[{"slug": one.slug, "name": one.name} for one in kept],
        query=str(narrow.without("range", "from", "to")).partition("?")[2],
        may_keep=caller.may(Scope.OPERATE),
        title=", ".join(plots.label_of(name) for name in panel.measures[:2]),
        ever=bool(plot.totals.rows) or bool(fault) or calls_reads.ever(found.columns, caller.ctx.workspace),
    )


@router.get("/w/{workspace}/metrics/facets")
def facets(request: Request, caller: Reader) -> HTMLResponse:
    """The filters with their counts."""
    place = here(request)
    asked = asked_of(panel_of(place), place, caller)
    made = _facets(request, caller, asked)
    target = f"/w/{caller.workspace.slug}/metrics"
    return fragment(request, caller, "telemetry/_facets.html", facets=made, target=target)


@router.get("/w/{workspace}/metrics/table.csv")
def table(request: Request, caller: Reader) -> Response:
    """The table that the page shows, with exact figures. Unknown is empty."""
    place = here(request)
    panel = panel_of(place)
    asked = asked_of(panel, place, caller)
    columns, workspace = services(request).columns, caller.ctx.workspace
    ingest(request).counter.wait()
    query = replace(asked.whole, limit=10_000)
    if place.get("view") == "steps":
        query = replace(query, step=asked.step)
    answer = metric_reads.query(columns, workspace, query)
    body = b"".join(_csv(panel, asked, answer.rows))
    headers = {
        "content-disposition": 'attachment; filename="metrics.csv"',
        "x-content-type-options": "nosniff",
    }
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


def _csv(panel: Panel, asked: Asked, rows: list[MetricRow]) -> Iterator[bytes]:
    money = {
        name: sorted({unit for row in rows for unit in row.values[name] or {}})
        for name in panel.measures
        if plots.kind_of(name) in ("money", "names")
    }
    names = [
        (name, unit) for name in panel.measures for unit in (money[name] or [""] if name in money else [None])
    ]
    yield csv_row(
        ["from", "to", *panel.group_by, *(f"{name} {unit}".strip() if unit else name for name, unit in names)]
    )
    ends = _ends(asked)
    for row in rows:
        cells: list[Any] = []
        for name, unit in names:
            value = row.values[name]
            value = value if unit is None else (value or {}).get(unit)
            cells.append(value if value is None or isinstance(value, int | float) else f"{value:f}")
        start = row.start or asked.within.start
        end = ends.get(row.start, asked.within.end) if row.start else asked.within.end
        yield csv_row([iso(start), iso(end), *row.group, *cells])


def menus(place: Here, panel: Panel, zone: str) -> dict[str, Any]:
    """The links that change the question: measures, dimensions, steps, how many groups."""
    plain = place.set(measure=None)
    full = len(panel.measures) >= MOST_MEASURES

    def measure(name: str) -> dict[str, Any]:
        on = name in panel.measures
        wanted = [one for one in panel.measures if one != name] if on else [*panel.measures, name]
        return {
            "label": plots.label_of(name),
            "says": MEASURES[name].says,
            "on": on,
            "href": "" if full and not on else str(_with_measures(plain, wanted)),
        }

    def grouping(at: int) -> list[Option]:
        other = panel.group_by[1 - at] if len(panel.group_by) > 1 - at else ""
        now = panel.group_by[at] if len(panel.group_by) > at else ""
        rest = [one for one in reads.DIMENSIONS if one not in COMMON]
        made = [Option("nothing", _grouped(place, [other] if other else []), not now)]
        for one in (*COMMON, *rest):
            if one != other:
                by = [one, other] if at == 0 else [other, one]
                made.append(Option(plots.dimension_label(one), _grouped(place, by), one == now))
        return made

    steps = [Option("auto", str(place.set(step=None)), panel.step in ("", "auto"))]
    steps += [Option(words, str(place.set(step=value)), panel.step == value) for value, words in STEPS]
    steps += [Option(f"1 {one}", str(place.set(step=one)), panel.step == one, zone) for one in CALENDAR]
    return {
        "measures": [(family, [measure(name) for name in names]) for family, names in plots.families()],
        "full": full,
        "by": grouping(0),
        "then": grouping(1) if panel.group_by else [],
        "steps": steps,
        "by_label": plots.dimension_label(panel.group_by[0]) if panel.group_by else "nothing",
        "then_label": plots.dimension_label(panel.group_by[1]) if len(panel.group_by) > 1 else "nothing",
        "step_label": next((one.label for one in steps if one.current), panel.step + " s"),
        "tops": [
            Option(f"{n} groups", str(place.set(top=str(n))), panel.top == n)
            for n in (3, 6, 9, rules.MOST_SERIES)
        ],
    }


def _with_measures(place: Here, names: list[str]) -> Here:
    return Here(place.path, (*place.pairs, *(("measure", name) for name in names)))


def _grouped(place: Here, names: list[str]) -> str:
    plain = place.set(group_by=None, sort=None)
    return str(Here(plain.path, (*plain.pairs, *(("group_by", name) for name in names if name))))


def _chosen(name: str, place: Here, panel: Panel) -> dict[str, str]:
    rest = [one for one in panel.measures if one != name]
    return {
        "label": plots.label_of(name),
        "says": MEASURES[name].says,
        "href": str(_with_measures(place.set(measure=None), rest)) if rest else "",
    }


def _column(name: str) -> dict[str, Any]:
    made = {"key": name, "label": plots.label_of(name), "end": True, "title": MEASURES[name].says}
    return made | {"kind": plots.kind_of(name), "sortable": plots.kind_of(name) != "names"}


def _links(base: str, asked: Asked, plot: Plot) -> dict[tuple[str, ...], str]:
    """Where the calls of each group are, without a window: the chart adds that of a step."""
    by = asked.panel.group_by
    return {
        group: str(
            Here.of(*plots.calls_link(base, asked.equals, asked.within, by, group).split("?", 1)).without(
                "from", "to"
            )
        )
        for group in plot.top
    }


def _totals(base: str, asked: Asked, plot: Plot, place: Here) -> list[dict[str, Any]]:
    """A row for each group over the whole window, sorted as the address says."""
    by = asked.panel.group_by
    rows: list[dict[str, Any]] = [
        {
            "group": row.group,
            "values": row.values,
            "href": plots.calls_link(base, asked.equals, asked.within, by, row.group),
            "start": None,
        }
        for row in plot.totals.rows
    ]
    key = place.get("sort")
    name = key.removeprefix("-")
    if name in asked.panel.measures:
        rows.sort(key=lambda row: plots.sortable(row["values"][name]), reverse=key.startswith("-"))
    return rows


def _ends(asked: Asked) -> dict[Any, Any]:
    """Where each step ends."""
    starts = rules.starts(asked.step, asked.within)
    return dict(zip(starts, [*starts[1:], asked.within.end], strict=True))


def _by_step(base: str, asked: Asked, plot: Plot) -> list[dict[str, Any]]:
    """A row for each step and group, the latest first. A step without calls has none."""
    ends = _ends(asked)
    found = []
    for row in sorted(plot.rows, key=lambda row: row.start or asked.within.start, reverse=True)[:STEP_ROWS]:
        start = max(row.start or asked.within.start, asked.within.start)
        end = ends.get(row.start, start + timedelta(seconds=asked.step.seconds or 86400))
        part = TimeRange(start, min(end, asked.within.end))
        cut = row.start is None or row.start < asked.within.start or end >= asked.within.end
        link = plots.calls_link(base, asked.equals, part, asked.panel.group_by, row.group)
        began = row.start or asked.within.start
        local = began.astimezone(ZoneInfo(asked.step.zone)) if asked.step.calendar else began
        label = f"{local.day} {local:%b}" if asked.step.calendar else f"{local.day} {local:%b %H:%M}"
        if asked.step.seconds % 60:
            label += f":{local:%S}"
        one = {"group": row.group, "values": row.values, "href": link, "start": began}
        found.append(one | {"label": label, "partial": cut})
    return found


def _facets(request: Request, caller: Caller, asked: Asked) -> list[dict[str, Any]]:
    equals = {name: values for name, values in asked.equals if name in calls_reads.FILTER_NAMES}
    filters = CallFilter(asked.within, equals, pairs=asked.pairs)
    counted = calls_reads.facets(services(request).columns, caller.ctx.workspace, filters, list(FACETS))
    return [
        {
            "name": name,
            "label": plots.dimension_label(name),
            "open": name in OPEN,
            "values": [{"value": v or UNKNOWN, "label": v or "unknown", "count": n} for v, n in values],
        }
        for name, values in counted.items()
        if any(value for value, _ in values)
    ]


def _exports(place: Here, asked: Asked, caller: Caller, panel: Panel) -> list[dict[str, str]]:
    """The table as CSV, and the same question to the API as JSON, with the window spelt out."""
    window = {"range": None, "from": iso(asked.within.start), "to": iso(asked.within.end)}
    table = place.at(f"/w/{caller.workspace.slug}/metrics/table.csv").set(window)
    pairs = [
        ("workspace", caller.workspace.slug),
        ("from", iso(asked.within.start)),
        ("to", iso(asked.within.end)),
    ]
    pairs += [("measure", name) for name in panel.measures]
    pairs += [("group_by", name) for name in panel.group_by]
    pairs += [(name, value or UNKNOWN) for name, value in panel.filters]
    if place.get("view") == "steps":
        step = asked.step
        pairs += [("step", step.calendar or str(step.seconds)), ("zone", step.zone)]
    return [
        {"label": "CSV of this table", "href": str(table)},
        {"label": "JSON of the API", "href": str(Here("/api/v1/metrics/query", tuple(pairs)))},
    ]
