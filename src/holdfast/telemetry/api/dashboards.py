"""The JSON door to dashboards: what it gives can be put back, here or in another workspace."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry import actions
from holdfast.telemetry.reads import dashboards as reads
from holdfast.telemetry.reads import panels as panel_reads
from holdfast.telemetry.rules import panels as rules
from holdfast.telemetry.rules.panels import Dashboard, Panel

router = APIRouter(
    prefix="/api/v1/dashboards", tags=["dashboards"], responses=problems(401, 403, 404, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
Writer = Annotated[Caller, Depends(caller(Scope.OPERATE))]


class PanelBody(BaseModel):
    """A question to metrics. In `filters`, null finds what is unknown. `step`: auto, seconds, day, week or month."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field("", max_length=60, pattern=r"^[A-Za-z0-9_-]*$", description="Empty: a new one.")
    title: str = Field(min_length=1, max_length=120)
    measures: list[str] = Field(min_length=1, max_length=rules.MOST_MEASURES)
    group_by: list[str] = Field(default_factory=list, max_length=2)
    filters: dict[str, list[str | None]] = Field(default_factory=dict)
    step: str = Field("auto", max_length=20)
    top: int = Field(rules.SERIES, ge=1, le=rules.MOST_SERIES, description="Most groups that are drawn.")


class NewDashboard(BaseModel):
    """A dashboard to keep. What a GET answers can be sent as it is: the rest of it is not looked at."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=80)
    panels: list[PanelBody] = Field(max_length=rules.MOST_PANELS)


class DashboardOut(BaseModel):
    """A dashboard. `changed_at` is null for the one that is there before anybody kept one."""

    id: str
    name: str
    panels: list[PanelBody]
    changed_at: str | None


def shown(dashboard: Dashboard) -> DashboardOut:
    """A dashboard as the API shows it."""
    return DashboardOut(
        id=dashboard.slug,
        name=dashboard.name,
        panels=[PanelBody.model_validate(rules.plain(one)) for one in dashboard.panels],
        changed_at=iso(dashboard.changed_at) if dashboard.changed_by else None,
    )


def panel_of(body: PanelBody) -> Panel:
    """A panel that was sent. Raises Invalid."""
    filters = tuple((name, value or "") for name, values in body.filters.items() for value in values)
    made = Panel(
        body.id or new_id("panel"),
        body.title,
        tuple(body.measures),
        tuple(body.group_by),
        filters,
        body.step,
        body.top,
    )
    return panel_reads.check(made)


@router.get("")
def list_dashboards(request: Request, by: Reader, workspace: str = "") -> list[DashboardOut]:
    """The workspace's dashboards, by name."""
    with services(request).database.reading() as tx:
        return [shown(one) for one in reads.dashboards(by, tx)]


@router.get("/{dashboard}")
def one_dashboard(request: Request, by: Reader, dashboard: str, workspace: str = "") -> DashboardOut:
    """One dashboard, as it can be put back."""
    with services(request).database.reading() as tx:
        return shown(reads.dashboard(by, tx, dashboard))


@router.put("/{dashboard}", responses=problems(401, 403, 404, 409, 422))
def put_dashboard(
    request: Request, by: Writer, dashboard: str, new: NewDashboard, workspace: str = ""
) -> DashboardOut:
    """Keeps a dashboard under an id of your choice (small letters, digits, hyphens), in place of an earlier one."""
    made = tuple(panel_of(one) for one in new.panels)
    with services(request).database.transaction() as tx:
        return shown(actions.save_dashboard(by, tx, dashboard, new.name, made))


@router.delete("/{dashboard}", status_code=204)
def delete_dashboard(request: Request, by: Writer, dashboard: str, workspace: str = "") -> None:
    """Forgets a dashboard."""
    with services(request).database.transaction() as tx:
        actions.delete_dashboard(by, tx, dashboard)
