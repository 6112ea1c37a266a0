"""Triggers of a suite on a page: which there are, how they stand, and a form for another."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import triggers as actions
from holdfast.evals.pages import verdicts
from holdfast.evals.pages.suites import address, may_apply, tabs
from holdfast.evals.reads import suites
from holdfast.evals.reads import triggers as reads
from holdfast.evals.rules.triggers import explained
from holdfast.evals.states import RunTrigger, Trigger
from holdfast.gateway.reads import applied
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.forms import with_error
from holdfast.platform.frame import page
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/suites/{suite}/triggers")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Text = Annotated[str, Form(max_length=300)]
KINDS = {
    Trigger.SCHEDULE: "on a schedule",
    Trigger.CHANGE: "when another release answers the route",
    Trigger.MODEL: "when answers come from a model not seen before",
    Trigger.KNOWLEDGE: "when retrieval has settings not seen before",
}
FIELDS = ("begins", "cron", "time_zone", "release", "repeats", "max_cost")


@router.get("")
def triggers_page(request: Request, by: Reader, suite: str) -> HTMLResponse:
    """The triggers of a suite."""
    given = {name: "" for name in FIELDS} | {"begins": Trigger.SCHEDULE.value, "time_zone": "UTC"}
    return _page(request, by, suite, given, None)


@router.post("")
def make(
    request: Request,
    by: OperatorForm,
    suite: str,
    begins: Text = "",
    cron: Text = "",
    time_zone: Text = "",
    release: Text = "",
    repeats: Text = "",
    max_cost: Text = "",
) -> Response:
    """Makes one, and shows it with the rest."""
    given = dict(zip(FIELDS, (begins, cron, time_zone, release, repeats, max_cost), strict=True))
    given = {name: value.strip() for name, value in given.items()}
    try:
        with services(request).database.transaction() as tx:
            actions.make(by.ctx, tx, _wanted(suite, given))
    except (Invalid, NotFound, Conflict) as error:
        return _page(request, by, suite, given, error)
    return RedirectResponse(address(by, suite, "/triggers"), 303)


@router.post("/{trigger}/switch")
def switch(request: Request, by: OperatorForm, suite: str, trigger: str, enabled: Text = "") -> Response:
    """Switches one on or off."""
    with services(request).database.transaction() as tx:
        one = _of(by, tx, suite, trigger)
        actions.change(by.ctx, tx, trigger, replace(actions.as_wanted(one), enabled=enabled == "yes"))
    return RedirectResponse(address(by, suite, "/triggers"), 303)


@router.post("/{trigger}/remove")
def remove(request: Request, by: OperatorForm, suite: str, trigger: str) -> Response:
    """Removes one; its runs stay."""
    with services(request).database.transaction() as tx:
        actions.remove(by.ctx, tx, _of(by, tx, suite, trigger).id)
    return RedirectResponse(address(by, suite, "/triggers"), 303)


def _of(by: Caller, tx: Transaction, suite: str, trigger: str) -> RunTrigger:
    for one in reads.triggers(by.ctx, tx, suite):
        if one.id == trigger:
            return one
    raise NotFound("there is no such trigger of this suite")


def _wanted(suite: str, given: dict[str, str]) -> actions.Wanted:
    if given["begins"] not in {kind.value for kind in KINDS}:
        raise Invalid("choose when its runs begin", where="begins")
    kind = Trigger(given["begins"])
    repeats, text = given["repeats"], given["max_cost"]
    if repeats and not (repeats.isascii() and repeats.isdigit() and len(repeats) < 5):
        raise Invalid("this is a whole number", where="repeats")
    try:
        max_cost = Decimal(text) if text else None
    except InvalidOperation:
        raise Invalid("this is a number, such as 0.05", where="max_cost") from None
    timed = kind is Trigger.SCHEDULE
    return actions.Wanted(
        suite=suite,
        kind=kind,
        cron=given["cron"] if timed else "",
        time_zone=given["time_zone"] if timed else "UTC",
        release=given["release"] if kind is not Trigger.CHANGE else "",
        repeats=int(repeats) if repeats else None,
        max_cost=max_cost,
    )


def _page(
    request: Request, by: Caller, suite: str, given: dict[str, str], error: HoldfastError | None
) -> HTMLResponse:
    with services(request).database.reading() as tx:
        head = suites.suite(by.ctx, tx, suite).head
        found = reads.triggers(by.ctx, tx, suite)
        version = applied.in_force(by.ctx, tx)
        names = verdicts.people(by, tx)
    releases = [] if version is None else sorted(version.release_ids)
    answer = page(
        request,
        by,
        "evals/triggers.html",
        timeless=True,
        tabs=tabs(by, suite, "/triggers"),
        name=suite,
        rows=[_row(by, one, names) for one in found],
        fields=with_error(_fields(given, head.route, releases), error),
        may_change=may_apply(by),
        action=address(by, suite, "/triggers"),
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def _row(by: Caller, one: RunTrigger, names: dict[str, str]) -> dict[str, Any]:
    return {
        "one": one,
        "when": f"{explained(one.cron)}, {one.time_zone}" if one.cron else KINDS[one.kind],
        "state": _state(one),
        "author": names.get(one.created_by, one.created_by),
        "last_run": verdicts.address(by, one.last_run) if one.last_run else "",
        "address": address(by, one.suite, f"/triggers/{one.id}"),
    }


def _state(one: RunTrigger) -> tuple[str, str]:
    if not one.enabled:
        return "", "off"
    if one.problem:
        return "danger", "did not begin"
    if one.kind is not Trigger.SCHEDULE and one.seen is None:
        return "", "first look to come"
    return "success", "on"


def _fields(given: dict[str, str], route: str, releases: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": "begins",
            "label": "A run begins",
            "required": True,
            "value": given["begins"],
            "options": [(kind.value, words) for kind, words in KINDS.items()],
        },
        {
            "name": "release",
            "label": "Asked of",
            "required": True,
            "value": given["release"],
            "options": [
                ("", f"whatever answers the route {route}" if route else "nothing chosen"),
                *((one, f"release {one}") for one in releases),
            ],
            "hint": "A release that newly answers the route is asked itself.",
        },
        {
            "name": "cron",
            "label": "Schedule",
            "value": given["cron"],
            "placeholder": "0 3 * * 1-5",
            "hint": "Minute, hour, day, month, weekday.",
        },
        {
            "name": "time_zone",
            "label": "Time zone of the schedule",
            "value": given["time_zone"],
            "placeholder": "Europe/Berlin",
        },
        {
            "name": "repeats",
            "label": "Answers to each case",
            "value": given["repeats"],
            "placeholder": "as the suite says",
            "hint": "1 to 100.",
        },
        {
            "name": "max_cost",
            "label": "Cost ceiling of each run, USD",
            "value": given["max_cost"],
            "placeholder": "none",
        },
    ]
