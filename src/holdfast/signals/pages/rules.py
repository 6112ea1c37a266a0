"""Rules of alerts: a list with what each reads now, and a form for each kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.kernel.errors import HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller
from holdfast.platform.access.model import Scope as Permission
from holdfast.platform.forms import with_error
from holdfast.platform.frame import page
from holdfast.platform.notify import reads as channels
from holdfast.platform.notify.model import Severity
from holdfast.signals import actions
from holdfast.signals.model import Period, Reading, Rule, RuleKind, Scope
from holdfast.signals.pages.alerts import failing, tabs
from holdfast.signals.reads import alerts as reads

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/alerts/rules")
Reader = Annotated[Caller, Depends(page_caller(Permission.READ))]
Admin = Annotated[Caller, Depends(page_caller(Permission.ADMIN, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Permission.ADMIN, everywhere=True))]
Text = Annotated[str, Form(max_length=500)]
Given = dict[str, str]
Kind = Literal["spend", "error_rate", "p95", "no_data"]

KINDS = {
    RuleKind.SPEND: ("Spend", "coin", "A soft budget for a day, week or month; told at shares of it."),
    RuleKind.ERROR_RATE: ("Error rate", "error", "The share of calls that fail."),
    RuleKind.LATENCY: ("Latency", "clock", "The p95: one call in twenty takes longer."),
    RuleKind.NO_DATA: ("No data", "question", "No call arrives any more."),
}
TONES = {"ok": ("success", "ok"), "firing": ("danger", "firing"), "unknown": ("unknown", "unknown")}


@router.get("")
def rules_page(request: Request, by: Reader) -> HTMLResponse:
    """The rules, each with its state and last value."""
    with services(request).database.reading() as tx:
        watched = reads.watched(by, tx)
        still = reads.alerts(by, tx, is_open=True, limit=reads.MOST)
        banners = failing(by, tx)
    may = by.may(Permission.ADMIN) and by.reach[Permission.ADMIN].everywhere
    rows = [
        {
            "rule": one.rule,
            "memory": one.memory,
            "kind": KINDS[one.rule.kind][0],
            "icon": KINDS[one.rule.kind][1],
            "condition": reads.condition(one.rule),
            "scope": reads.scope(one.rule),
            "status": TONES[one.memory.state.value] if one.rule.enabled else ("", "off"),
        }
        for one in watched
    ]
    base = f"/w/{by.workspace.slug}/alerts/rules"
    return page(
        request,
        by,
        "signals/rules.html",
        banners=banners,
        timeless=True,
        tabs=tabs(by, "rules", len(still.items), len(rows)),
        rules=rows,
        kinds=_kinds(base),
        rules_base=base,
        may_change=may,
    )


def _kinds(base: str) -> list[dict[str, str]]:
    return [
        {"label": words, "icon": icon, "note": note, "href": f"{base}/new/{kind.value}"}
        for kind, (words, icon, note) in KINDS.items()
    ]


@router.get("/new/{kind}")
def new_rule_page(request: Request, by: Admin, kind: Kind) -> Response:
    """The form of a new rule."""
    return _form(request, by, RuleKind(kind), "", {}, None, None)


@router.get("/{rule}")
def rule_page(request: Request, by: Admin, rule: str) -> Response:
    """The form of a rule that is there, with what it reads now."""
    found = services(request)
    with found.database.reading() as tx:
        watched = reads.rule(by, tx, rule)
    reading = reads.preview(
        watched.rule,
        watched.memory,
        request.app.state.figures,
        by.workspace.zone,
        by.ctx.now,
    )
    return _form(request, by, watched.rule.kind, rule, _as_form(watched.rule), None, reading)


def _as_form(rule: Rule) -> Given:
    return {
        "name": rule.name,
        "system": rule.scope.system,
        "environment": rule.scope.environment,
        "route": rule.scope.route,
        "tenant": rule.scope.tenant,
        "model": rule.scope.model,
        "severity": rule.severity.value,
        "channel": "all" if rule.channels is None else ",".join(rule.channels) or "none",
        "enabled": "yes" if rule.enabled else "no",
        "window_minutes": str(int(rule.window / timedelta(minutes=1))),
        "min_calls": str(rule.min_calls),
        "percent": f"{rule.share * 100:g}",
        "ms": f"{rule.ms:g}",
        "period": rule.period.value,
        "amount": f"{rule.amount:f}",
        "currency": rule.currency,
        "percents": ", ".join(map(str, rule.percents)),
    }


def _condition_fields(kind: RuleKind, given: Given) -> list[dict[str, Any]]:
    def field(name: str, label: str, hint: str, default: str, **more: Any) -> dict[str, Any]:
        value = given.get(name, default)
        return {"name": name, "label": label, "hint": hint, "value": value, "required": True, **more}

    if kind is RuleKind.SPEND:
        periods = [(Period.DAY, "day"), (Period.WEEK, "week, from Monday"), (Period.MONTH, "month")]
        return [
            field("amount", "Budget", "", "100"),
            field("currency", "Currency", "Other currencies are named, never added up.", "USD"),
            field("period", "For each", "", "month", options=[(one.value, words) for one, words in periods]),
            field("percents", "Tell at, in percent", "Each once in a period.", "50, 80, 100"),
        ]
    window = field("window_minutes", "Over the last minutes", "1 to 1,440.", "5")
    if kind is RuleKind.NO_DATA:
        return [field("window_minutes", "No call for minutes", "1 to 1,440.", "15")]
    least = field("min_calls", "From so many calls on", "With fewer, the state is unknown.", "20")
    if kind is RuleKind.ERROR_RATE:
        return [field("percent", "Failed calls, in percent", "At or over this it fires.", "5"), window, least]
    return [field("ms", "p95 in milliseconds", "At or over this it fires.", "10000"), window, least]


def _form(
    request: Request,
    by: Caller,
    kind: RuleKind,
    rule_id: str,
    given: Given,
    error: HoldfastError | None,
    reading: Reading | None,
) -> Response:
    with services(request).database.reading() as tx:
        ways = channels.channels(by.ctx, tx)
        watched = reads.watched(by, tx)
    chosen = given.get("channel") or "all"
    to = [("all", "every channel"), ("none", "nobody: only this page"), *((one.id, one.name) for one in ways)]
    if "," in chosen:
        to.append((chosen, "the channels chosen by the API"))
    severities = [(one.value, one.value) for one in (Severity.CRITICAL, Severity.WARNING, Severity.INFO)]
    hints = {"system": "Empty: every one.", "environment": "Such as production."}
    scope = [
        {"name": name, "label": name.capitalize(), "hint": hints.get(name, ""), "value": given.get(name, "")}
        for name in ("system", "environment", "route", "tenant", "model")
    ]
    words = KINDS[kind][0]
    about: list[dict[str, Any]] = [
        {"name": "name", "label": "Name", "value": given.get("name", ""), "required": True},
        {
            "name": "severity",
            "label": "Severity",
            "options": severities,
            "value": given.get("severity", "warning"),
            "required": True,
        },
        {"name": "channel", "label": "Tell", "options": to, "value": chosen, "required": True},
        {
            "name": "enabled",
            "label": "State",
            "options": [("yes", "on"), ("no", "off")],
            "value": given.get("enabled", "yes"),
            "required": True,
        },
    ]
    base = f"/w/{by.workspace.slug}/alerts/rules"
    parts = [_condition_fields(kind, given), scope, about]
    at = error.where if error else None
    names = [one["name"] for part in parts for one in part]
    shown = [
        with_error(part, error) if any(one["name"] == at for one in part) or _first(at, names, part) else part
        for part in parts
    ]
    answer = page(
        request,
        by,
        "signals/rule.html",
        timeless=True,
        tabs=tabs(by, "rules", None, len(watched)),
        heading=f"{'Change' if rule_id else 'New'} rule: {words.lower()}",
        note=KINDS[kind][2],
        action=f"{base}/{rule_id}" if rule_id else f"{base}/new/{kind.value}",
        preview=f"{base}/preview/{kind.value}",
        rule_id=rule_id,
        remove=f"{base}/{rule_id}/remove" if rule_id else "",
        rules_base=base,
        parts=list(zip(("When", "For which calls", "What then"), shown, strict=True)),
        reading=reading,
        sign=TONES[reading.state.value] if reading else None,
        zone=by.workspace.zone,
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def _first(at: str | None, names: list[str], part: list[dict[str, Any]]) -> bool:
    """An error at no field of the form is shown at the first one."""
    return at is not None and at not in names and part[0]["name"] == names[0]


def _rule(by: Caller, kind: RuleKind, rule_id: str, given: Given) -> Rule:
    """The rule that a form describes. Raises Invalid, naming the field."""
    numbers: dict[str, Decimal] = {}
    for name in ("window_minutes", "min_calls", "percent", "ms", "amount"):
        try:
            numbers[name] = Decimal(given[name].strip())
        except InvalidOperation as error:
            raise Invalid("this is not a number", where=name) from error
        if not numbers[name].is_finite() or abs(numbers[name]) > 10**15:
            raise Invalid("this is not a number", where=name)
    for name in ("window_minutes", "min_calls"):
        if numbers[name] != int(numbers[name]):
            raise Invalid("this is a whole number", where=name)
    try:
        percents = tuple(int(one) for one in given["percents"].split(",") if one.strip())
    except ValueError as error:
        raise Invalid("write it like 50, 80, 100", where="percents") from error
    if given["period"] not in set(Period) or given["severity"] not in set(Severity):
        raise Invalid("there is no such choice", where="severity")
    chosen = given["channel"]
    listed = () if chosen == "none" else tuple(chosen.split(","))
    return Rule(
        id=rule_id,
        workspace=by.ctx.workspace,
        name=given["name"],
        kind=kind,
        scope=Scope(*(given[name].strip() for name in ("system", "environment", "route", "tenant", "model"))),
        severity=Severity(given["severity"]),
        channels=None if chosen in ("", "all") else listed,
        enabled=given["enabled"] != "no",
        created_at=by.ctx.now,
        created_by=by.ctx.actor.id,
        changed_at=by.ctx.now,
        window=timedelta(minutes=min(int(numbers["window_minutes"]), 10**6)),
        min_calls=int(numbers["min_calls"]),
        share=float(numbers["percent"] / 100),
        ms=float(numbers["ms"]),
        period=Period(given["period"]),
        amount=numbers["amount"],
        currency=given["currency"].strip().upper(),
        percents=percents,
    )


def rule_form(
    name: Text = "",
    system: Text = "",
    environment: Text = "",
    route: Text = "",
    tenant: Text = "",
    model: Text = "",
    severity: Text = "warning",
    channel: Annotated[str, Form(max_length=5000)] = "all",
    enabled: Text = "yes",
    window_minutes: Text = "5",
    min_calls: Text = "20",
    percent: Text = "5",
    ms: Text = "10000",
    period: Text = "month",
    amount: Text = "100",
    currency: Text = "USD",
    percents: Text = "50, 80, 100",
) -> Given:
    """The fields of the form as they were typed; what its kind does not show keeps its default."""
    return dict(locals())


Typed = Annotated[Given, Depends(rule_form)]


@router.post("/new/{kind}")
def add_rule(request: Request, by: AdminForm, kind: Kind, given: Typed) -> Response:
    """Takes the form of a new rule."""
    chosen = RuleKind(kind)
    try:
        with services(request).database.transaction() as tx:
            actions.add_rule(by.ctx, tx, _rule(by, chosen, "", given))
    except Invalid as error:
        return _form(request, by, chosen, "", given, error, None)
    return _back(by)


@router.post("/preview/{kind}")
def preview_rule(
    request: Request,
    by: AdminForm,
    kind: Kind,
    given: Typed,
    rule_id: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """What the form's rule would read now; nothing is kept."""
    chosen = RuleKind(kind)
    try:
        rule = _rule(by, chosen, rule_id, given | {"name": given["name"] or "preview"})
        reading = reads.preview(
            rule, reads.long_watching(), request.app.state.figures, by.workspace.zone, by.ctx.now
        )
    except Invalid as error:
        return _form(request, by, chosen, rule_id, given, error, None)
    return _form(request, by, chosen, rule_id, given, None, reading)


@router.post("/{rule}")
def change_rule(request: Request, by: AdminForm, rule: str, given: Typed) -> Response:
    """Takes the form of a rule that is there."""
    found = services(request)
    with found.database.reading() as tx:
        kind = reads.rule(by, tx, rule).rule.kind
    try:
        with found.database.transaction() as tx:
            actions.change_rule(by.ctx, tx, _rule(by, kind, rule, given), found.settings.base_url)
    except Invalid as error:
        return _form(request, by, kind, rule, given, error, None)
    return _back(by)


@router.post("/{rule}/switch")
def switch_rule(
    request: Request, by: AdminForm, rule: str, enabled: Annotated[str, Form(max_length=3)] = "yes"
) -> Response:
    """Switches a rule on or off."""
    found = services(request)
    with found.database.transaction() as tx:
        before = reads.rule(by, tx, rule).rule
        actions.change_rule(by.ctx, tx, replace(before, enabled=enabled != "no"), found.settings.base_url)
    return _back(by)


@router.post("/{rule}/remove")
def remove_rule(request: Request, by: AdminForm, rule: str) -> Response:
    """Ends a rule."""
    found = services(request)
    with found.database.transaction() as tx:
        actions.remove_rule(by.ctx, tx, rule, found.settings.base_url)
    return _back(by)


def _back(by: Caller) -> Response:
    return RedirectResponse(f"/w/{by.workspace.slug}/alerts/rules", 303)
