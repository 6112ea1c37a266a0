"""The settings of a workspace: itself, its systems and environments."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.forms import said, show, to, with_error
from holdfast.platform.tenancy import actions, reads
from holdfast.platform.tenancy.model import RiskTier, System

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/settings")
Admin = Annotated[Caller, Depends(page_caller(Scope.ADMIN, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
Text = Annotated[str, Form(max_length=10_000)]


@router.get("")
def workspace_page(request: Request, by: Admin) -> Response:
    """The workspace itself."""
    return _workspace(request, by, by.workspace.name, by.workspace.zone, None)


def _workspace(request: Request, by: Caller, name: str, zone: str, error: HoldfastError | None) -> Response:
    fields = [
        {"name": "name", "label": "Name", "value": name, "required": True},
        {
            "name": "zone",
            "label": "Time zone",
            "value": zone,
            "required": True,
            "hint": "Days and months begin by it, such as Europe/Berlin.",
        },
    ]
    form = {
        "action": f"/w/{by.workspace.slug}/settings",
        "submit": "Save",
        "fields": with_error(fields, error),
    }
    intro = f"Short name: {by.workspace.slug}. It stands in every link and stays."
    saved = said(request)
    return show(request, by, "", error, heading_text="Workspace", intro=intro, saved=saved, form=form)


@router.post("")
def change_workspace(request: Request, by: AdminForm, name: Text = "", zone: Text = "UTC") -> Response:
    """Takes the form."""
    try:
        with services(request).database.transaction() as tx:
            actions.rename_workspace(by.ctx, tx, name, zone)
    except Invalid as error:
        return _workspace(request, by, name, zone, error)
    return to(by, "")


@router.get("/systems")
def systems_page(request: Request, by: Admin, system: str = "") -> Response:
    """The AI systems in scope; `system` puts one into the form, or the name of one that is to be registered."""
    chosen = next((one for one in _systems(request, by) if one.slug == system), None)
    given = _as_form(chosen) if chosen else {"slug": system} if system else {}
    return _systems_page(request, by, given, None)


def _systems(request: Request, by: Caller) -> list[System]:
    with services(request).database.reading() as tx:
        return reads.systems(tx, by.ctx.workspace)


def _as_form(system: System) -> dict[str, str]:
    return {
        "slug": system.slug,
        "name": system.name,
        "purpose": system.purpose,
        "owner": system.owner,
        "sponsor": system.sponsor,
        "escalation_contact": system.escalation_contact,
        "risk_tier": system.risk_tier.value,
        "regions": ", ".join(system.regions),
    }


def _systems_page(
    request: Request, by: Caller, given: dict[str, str], error: HoldfastError | None
) -> Response:
    base = f"/w/{by.workspace.slug}/settings/systems"
    keys = (
        ("name", "System"),
        ("owner", "Owner"),
        ("escalation", "Escalation contact"),
        ("tier", "Risk tier"),
    )
    rows = [
        {
            "cells": {
                "name": one.name,
                "owner": one.owner,
                "escalation": one.escalation_contact,
                "tier": one.risk_tier.value,
            },
            "href": f"{base}?system={one.slug}",
            "actions": [],
        }
        for one in _systems(request, by)
    ]
    texts = (
        ("slug", "Name in telemetry", "What the application sends as service.name."),
        ("name", "Name", ""),
        ("owner", "Owner", "Answers for it day by day."),
        ("sponsor", "Sponsor", "Answers for it in the organisation's leadership."),
        ("escalation_contact", "Escalation contact", "Whom to reach when it goes wrong."),
    )
    fields: list[dict[str, Any]] = [
        {"name": name, "label": label, "hint": hint, "required": True, "value": given.get(name, "")}
        for name, label, hint in texts
    ]
    tiers = [(tier.value, tier.value) for tier in RiskTier]
    fields += [
        {
            "name": "risk_tier",
            "label": "Risk tier",
            "required": True,
            "options": tiers,
            "value": given.get("risk_tier", "unassessed"),
        },
        {
            "name": "regions",
            "label": "Regions",
            "hint": "Separated by commas.",
            "value": given.get("regions", ""),
        },
        {
            "name": "purpose",
            "label": "Purpose",
            "required": True,
            "rows": 3,
            "value": given.get("purpose", ""),
        },
    ]
    submit = "Save the system" if given.get("name") and error is None else "Add the system"
    return show(
        request,
        by,
        "systems",
        error,
        heading_text="Systems",
        intro="One AI system in scope each, with the people who answer for it.",
        columns=[{"key": key, "label": label} for key, label in keys],
        rows=rows,
        form={"action": base, "submit": submit, "fields": with_error(fields, error)},
        revealed=None,
        empty_title="No systems yet",
        empty_text="Register the first one below, under the name that its telemetry carries.",
    )


@router.post("/systems")
def put_system(
    request: Request,
    by: AdminForm,
    slug: Text = "",
    name: Text = "",
    purpose: Text = "",
    owner: Text = "",
    sponsor: Text = "",
    escalation_contact: Text = "",
    risk_tier: Text = "unassessed",
    regions: Text = "",
) -> Response:
    """Takes the form."""
    given = {
        "slug": slug.strip(),
        "name": name,
        "purpose": purpose,
        "owner": owner,
        "sponsor": sponsor,
        "escalation_contact": escalation_contact,
    }
    try:
        if risk_tier not in set(RiskTier):
            raise Invalid("there is no such risk tier", where="risk_tier")
        if any(len(text) > 200 for field, text in given.items() if field != "purpose"):
            raise Invalid("names and contacts have at most 200 characters", where="name")
        places = tuple(part.strip() for part in regions.split(",") if part.strip())
        with services(request).database.transaction() as tx:
            actions.register_system(by.ctx, tx, **given, risk_tier=RiskTier(risk_tier), regions=places)
    except Invalid as error:
        return _systems_page(request, by, {**given, "risk_tier": risk_tier, "regions": regions}, error)
    return to(by, "systems")


@router.get("/environments")
def environments_page(request: Request, by: Admin) -> Response:
    """Where systems run."""
    return _environments(request, by, None)


def _environments(request: Request, by: Caller, error: HoldfastError | None) -> Response:
    with services(request).database.reading() as tx:
        found = reads.environments(tx, by.ctx.workspace)
    fields: list[dict[str, Any]] = [
        {"name": "slug", "label": "Name in telemetry", "required": True, "hint": "Such as production."},
        {"name": "name", "label": "Name"},
    ]
    form = {
        "action": f"/w/{by.workspace.slug}/settings/environments",
        "submit": "Add the environment",
        "fields": with_error(fields, error),
    }
    return show(
        request,
        by,
        "environments",
        error,
        heading_text="Environments",
        intro="Where systems run, as telemetry names it (deployment.environment.name).",
        columns=[{"key": "slug", "label": "Name in telemetry"}, {"key": "name", "label": "Name"}],
        rows=[{"cells": {"slug": one.slug, "name": one.name}, "href": "", "actions": []} for one in found],
        form=form,
        revealed=None,
        empty_title="No environments yet",
        empty_text="Add the ones that roles should be granted in.",
    )


@router.post("/environments")
def put_environment(request: Request, by: AdminForm, slug: Text = "", name: Text = "") -> Response:
    """Takes the form."""
    try:
        if not slug.strip() or len(slug) > 200 or len(name) > 200:
            raise Invalid("an environment needs a name, of at most 200 characters", where="slug")
        with services(request).database.transaction() as tx:
            actions.ensure_environment(by.ctx, tx, slug.strip(), name)
    except (Invalid, Conflict) as error:
        return _environments(request, by, error)
    return to(by, "environments")
