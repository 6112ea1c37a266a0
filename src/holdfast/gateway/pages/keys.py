"""Client keys of the gateway: what each stands for; made, changed and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.gateway.actions import keys as actions
from holdfast.gateway.model import KeyUse
from holdfast.gateway.pages.doors import Admin, AdminForm, Text, tabs
from holdfast.gateway.reads import applied
from holdfast.gateway.reads import keys as reads
from holdfast.gateway.reads.keys import KeyNow
from holdfast.gateway.reads.states import States
from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid
from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller
from holdfast.platform.forms import with_error
from holdfast.platform.frame import here, page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/gateway/keys")
LIVES = (("", "until it is revoked"), ("1", "1 day"), ("30", "30 days"), ("90", "90 days"), ("365", "1 year"))


@router.get("")
def keys_page(request: Request, by: Admin) -> HTMLResponse:
    """The page; `edit` puts a key into the form."""
    return _page(request, by, {}, None, here(request).get("edit") or "")


@router.post("")
def make_key(
    request: Request,
    by: AdminForm,
    name: Text = "",
    life: Text = "",
    system: Text = "",
    environment: Text = "",
    route: Text = "",
    routes: Text = "",
    models: Text = "",
    agent: Text = "",
    tenant: Text = "",
) -> HTMLResponse:
    """Makes a key and shows it once."""
    given = _given(name, system, environment, route, routes, models, agent, tenant) | {"life": life}
    try:
        if life not in dict(LIVES):
            raise Invalid("choose how long it is valid", where="life")
        expires = by.ctx.now + timedelta(days=int(life)) if life else None
        with services(request).database.transaction() as tx:
            _, text = actions.make_key(by, tx, name, _use(given), expires)
    except (Invalid, Denied, Conflict) as error:
        return _page(request, by, given, error, "")
    return _page(request, by, {}, None, "", text)


@router.post("/{key}")
def change_key(
    request: Request,
    by: AdminForm,
    key: str,
    system: Text = "",
    environment: Text = "",
    route: Text = "",
    routes: Text = "",
    models: Text = "",
    agent: Text = "",
    tenant: Text = "",
) -> Response:
    """What a key stands for from now on."""
    given = _given("", system, environment, route, routes, models, agent, tenant)
    try:
        with services(request).database.transaction() as tx:
            actions.put_use(by.ctx, tx, key, _use(given))
    except (Invalid, Conflict) as error:
        return _page(request, by, given, error, key)
    return RedirectResponse(f"/w/{by.workspace.slug}/gateway/keys", 303)


@router.post("/{key}/revoke")
def revoke_key(request: Request, by: AdminForm, key: str) -> Response:
    """Ends a key at once."""
    with services(request).database.transaction() as tx:
        actions.revoke_key(by.ctx, tx, key)
    return RedirectResponse(f"/w/{by.workspace.slug}/gateway/keys", 303)


def _given(
    name: str, system: str, environment: str, route: str, routes: str, models: str, agent: str, tenant: str
) -> dict[str, str]:
    return {
        "name": name,
        "system": system.strip(),
        "environment": environment.strip(),
        "route": route.strip(),
        "routes": routes,
        "models": models,
        "agent": agent.strip(),
        "tenant": tenant.strip(),
    }


def _use(given: dict[str, str]) -> KeyUse:
    return KeyUse(
        system=given["system"],
        environment=given["environment"],
        route=given["route"],
        routes=_list(given["routes"]),
        models=_list(given["models"]),
        agent=given["agent"],
        tenant=given["tenant"],
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _page(
    request: Request,
    by: Caller,
    given: dict[str, str],
    error: HoldfastError | None,
    edit: str,
    revealed: str = "",
) -> HTMLResponse:
    states: States = request.app.state.gateway_states
    told = states.all()
    with services(request).database.reading() as tx:
        found = reads.listed(by.ctx, tx, told)
        current = applied.current(by.ctx, tx)
    edited = next((one for one in found if one.key.id == edit and not one.ended(by.ctx.now)), None)
    routes = list(current.configuration.routes) if current else []
    error = _of_field(error)
    answer = page(
        request,
        by,
        "gateway/keys.html",
        timeless=True,
        tabs=tabs(by, "keys"),
        rows=[_row(one, by) for one in found],
        heard=bool(told),
        edited=edited.key.name if edited else "",
        form=_form(by, edited, given, error, routes),
        revealed=revealed,
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def _of_field(error: HoldfastError | None) -> HoldfastError | None:
    """A fault in the configuration's part of a key, `keys.key_….routes[1]`, as one of the form's field `routes`."""
    where, _, field = (error.where or "").rpartition(".") if error is not None else ("", "", "")
    if not isinstance(error, Invalid) or not where.startswith("keys."):
        return error
    return Invalid(error.errors[0][1] if error.errors else error.detail, where=field.partition("[")[0])


def _row(one: KeyNow, by: Caller) -> dict[str, Any]:
    key, use = one.key, one.use
    words = [
        (name, value)
        for name, value in (
            ("system", use.system),
            ("environment", use.environment),
            ("agent", use.agent),
            ("tenant", use.tenant),
            ("route where none is named", use.route),
        )
        if value
    ]
    over = [f"{b.amount.normalize():f} {b.currency} each {b.period}" for b in one.budgets]
    for limit in one.limits:
        if limit.requests_per_minute is not None:
            over.append(f"{limit.requests_per_minute:,} requests a minute")
        if limit.tokens_per_minute is not None:
            over.append(f"{limit.tokens_per_minute:,} tokens a minute")
        if limit.concurrency is not None:
            over.append(f"{limit.concurrency:,} at once")
    base = f"/w/{by.workspace.slug}/gateway/keys"
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "also": sorted(scope for scope in key.scopes if scope != "gateway"),
        "words": words,
        "routes": ", ".join(use.routes),
        "models": ", ".join(use.models),
        "over": over,
        "expires_at": key.expires_at,
        "used_at": one.used_at,
        "ended": one.ended(by.ctx.now),
        "state": "revoked" if key.revoked_at else "expired" if one.ended(by.ctx.now) else "valid",
        "edit": f"{base}?edit={key.id}#form",
        "revoke": f"{base}/{key.id}/revoke",
    }


def _form(
    by: Caller, edited: KeyNow | None, given: dict[str, str], error: HoldfastError | None, routes: list[str]
) -> dict[str, Any]:
    base = f"/w/{by.workspace.slug}/gateway/keys"
    if edited is not None and not given:
        use = edited.use
        given = _given(
            "",
            use.system,
            use.environment,
            use.route,
            ", ".join(use.routes),
            ", ".join(use.models),
            use.agent,
            use.tenant,
        )
    hints = {
        "system": ("System", "Its calls belong to it, whatever a request says."),
        "environment": ("Environment", ""),
        "route": (
            "Route where a request names none",
            f"There are: {', '.join(routes[:20])}." if routes else "",
        ),
        "routes": ("Routes it may use", "Separated by commas. Empty: all."),
        "models": ("Models it may ask for", "Separated by commas, as requests name them. Empty: all."),
        "tenant": ("Tenant", "Its calls belong to it, whatever a request says."),
        "agent": ("Agent", "Where a request names none."),
    }
    fields: list[dict[str, Any]] = []
    if edited is None:
        fields = [
            {"name": "name", "label": "What it is for", "required": True, "value": given.get("name", "")},
            {
                "name": "life",
                "label": "Valid",
                "required": True,
                "options": list(LIVES),
                "value": given.get("life", "90"),
            },
        ]
    fields += [
        {"name": name, "label": label, "hint": hint, "value": given.get(name, "")}
        for name, (label, hint) in hints.items()
    ]
    return {
        "action": f"{base}/{edited.key.id}" if edited else base,
        "submit": "Apply" if edited else "Make the key",
        "fields": with_error(fields, error),
    }
