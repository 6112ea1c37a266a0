"""Dashboards: panels that people keep, all over one window."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.kernel.ids import new_id
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page
from holdfast.telemetry import actions
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.pages import plots
from holdfast.telemetry.pages.metrics import asked_of, panel_of
from holdfast.telemetry.reads import calls as calls_reads
from holdfast.telemetry.reads import dashboards as reads
from holdfast.telemetry.reads import panels as panel_reads
from holdfast.telemetry.reads.calls import UNKNOWN
from holdfast.telemetry.reads.panels import Asked, Plot
from holdfast.telemetry.rules import panels as rules
from holdfast.telemetry.rules.panels import Dashboard, Panel
from holdfast.web.links import Here
from holdfast.web.shell import Option

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/dashboards")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]
Writer = Annotated[Caller, Depends(form_caller(Scope.OPERATE))]
Text = Annotated[str, Form(max_length=4000)]
POINTS = 60
"""Panels are narrower than the charts of the explorer."""
WINDOW = ("system", "environment", "range", "from", "to")


@router.get("")
def first(request: Request, caller: Reader) -> HTMLResponse:
    """The first dashboard by name."""
    with services(request).database.reading() as tx:
        found = reads.dashboards(caller, tx)
    return _page(request, caller, found, found[0])


@router.get("/{dashboard}")
def one(request: Request, caller: Reader, dashboard: str) -> HTMLResponse:
    """One dashboard."""
    with services(request).database.reading() as tx:
        found = reads.dashboards(caller, tx)
        shown = reads.dashboard(caller, tx, dashboard)
    return _page(request, caller, found, shown)


def _page(request: Request, caller: Caller, every: list[Dashboard], shown: Dashboard) -> HTMLResponse:
    complete = ingest(request).counter.wait(2.0)
    columns, workspace = services(request).columns, caller.ctx.workspace
    base, place = f"/w/{caller.workspace.slug}", here(request)
    asked = [asked_of(_narrowed(panel, place), place, caller, POINTS) for panel in shown.panels]
    answers = panel_reads.plots(columns, workspace, asked, complete=complete)
    own = f"{base}/dashboards/{shown.slug}"
    kept = place.only(WINDOW)
    return page(
        request,
        caller,
        "telemetry/dashboard.html",
        dashboard=shown,
        own=own,
        choices=[
            Option(one.name, str(kept.at(f"{base}/dashboards/{one.slug}")), one.slug == shown.slug)
            for one in every
        ],
        panels=[_panel(base, place, *one) for one in zip(shown.panels, asked, answers, strict=True)],
        editing=place.get("edit") == "1" and caller.may(Scope.OPERATE),
        may_change=caller.may(Scope.OPERATE),
        stored=bool(shown.changed_by),
        complete=all(one.complete for one in answers),
        export=f"/api/v1/dashboards/{shown.slug}?workspace={caller.workspace.slug}",
        ever=any(one.totals.rows for one in answers) or calls_reads.ever(columns, workspace),
    )


def _narrowed(panel: Panel, place: Here) -> Panel:
    """A panel with the system and environment that the page is narrowed to."""
    own = {name for name, _ in panel.filters}
    more = tuple(
        (name, "" if value == UNKNOWN else value)
        for name, value in place.pairs
        if name in WINDOW[:2] and name not in own
    )
    return Panel(
        panel.id, panel.title, panel.measures, panel.group_by, (*panel.filters, *more), panel.step, panel.top
    )


def _panel(base: str, place: Here, panel: Panel, asked: Asked, answer: Plot) -> dict[str, Any]:
    links = {
        group: str(
            Here.of(
                *plots.calls_link(base, asked.equals, asked.within, panel.group_by, group).split("?", 1)
            ).without("from", "to")
        )
        for group in answer.top
    }
    explored = Here(f"{base}/metrics", place.only(WINDOW).pairs)
    pairs = [("measure", name) for name in panel.measures] + [("group_by", name) for name in panel.group_by]
    pairs += [(name, value or UNKNOWN) for name, value in panel.filters if name not in WINDOW[:2]]
    pairs += [
        (name, value or UNKNOWN)
        for name, value in panel.filters
        if name in WINDOW[:2] and not place.has(name, value or UNKNOWN)
    ]
    if panel.step not in ("", "auto"):
        pairs.append(("step", panel.step))
    pairs.append(("top", str(panel.top)))
    drawn = plots.charts(panel.measures, answer, asked.step, asked.within, links) if answer.top else []
    whole = answer.totals.rows[0].values if answer.top == ((),) else {}
    return {
        "id": panel.id,
        "title": panel.title,
        "charts": drawn,
        "fault": answer.fault,
        "href": str(Here(explored.path, (*explored.pairs, *pairs))),
        "whole": [
            (plots.label_of(name), whole[name], plots.kind_of(name)) for name in panel.measures if whole
        ],
        "groups": answer.totals.groups if panel.group_by else 0,
        "shown": len(answer.top),
    }


@router.post("")
def add(
    request: Request,
    caller: Writer,
    title: Text = "",
    query: Text = "",
    dashboard: Text = "",
    name: Text = "",
) -> Response:
    """A panel onto a dashboard, or (without `query`) a new dashboard."""
    made: tuple[Panel, ...] = ()
    if query:
        found = panel_of(Here.of("", query), title)
        made = (Panel(new_id("panel"), *_rest(found)),)
    with services(request).database.transaction() as tx:
        if dashboard:
            shown = reads.dashboard(caller, tx, dashboard)
            saved = actions.save_dashboard(caller, tx, shown.slug, shown.name, (*shown.panels, *made))
        else:
            saved = actions.add_dashboard(caller, tx, name, made)
    return _to(caller, saved)


def _rest(panel: Panel) -> tuple[Any, ...]:
    return (panel.title, panel.measures, panel.group_by, panel.filters, panel.step, panel.top)


@router.post("/{dashboard}")
def rename(request: Request, caller: Writer, dashboard: str, name: Text = "") -> Response:
    """Another name; its address stays."""
    with services(request).database.transaction() as tx:
        shown = reads.dashboard(caller, tx, dashboard)
        saved = actions.save_dashboard(caller, tx, shown.slug, name, shown.panels)
    return _to(caller, saved, edit=True)


@router.post("/{dashboard}/delete")
def delete(request: Request, caller: Writer, dashboard: str) -> Response:
    """Forgets a dashboard."""
    with services(request).database.transaction() as tx:
        actions.delete_dashboard(caller, tx, dashboard)
    return RedirectResponse(f"/w/{caller.workspace.slug}/dashboards", status_code=303)


@router.post("/{dashboard}/panels/{panel}")
def change(
    request: Request, caller: Writer, dashboard: str, panel: str, change: Text = "", title: Text = ""
) -> Response:
    """Moves a panel `up` or `down`, gives it a `title`, or takes it away (`remove`)."""
    with services(request).database.transaction() as tx:
        shown = reads.dashboard(caller, tx, dashboard)
        made = rules.changed(shown.panels, panel, change, title)
        saved = actions.save_dashboard(caller, tx, shown.slug, shown.name, made)
    return _to(caller, saved, edit=True)


def _to(caller: Caller, dashboard: Dashboard, *, edit: bool = False) -> Response:
    address = f"/w/{caller.workspace.slug}/dashboards/{dashboard.slug}"
    return RedirectResponse(f"{address}{'?edit=1' if edit else ''}", status_code=303)
