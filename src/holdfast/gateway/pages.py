"""The Gateway page: the processes, upstreams as they are now, routes, requests under way, and a dry run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.gateway.dialects.shelf import provider_of
from holdfast.gateway.model import Configuration, Dialect, Dimensions, Release, Route, State, UpstreamState
from holdfast.gateway.reads import applied, explained
from holdfast.gateway.reads.states import States
from holdfast.kernel.errors import Invalid
from holdfast.platform.access import reads as access
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.epochs import reads as epochs
from holdfast.platform.frame import here, page
from holdfast.storage.sql import Transaction
from holdfast.web.links import Here

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/gateway")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
MOST_LIVE = 50
SAYS = ("tenant", "user", "session", "agent", "system")
"""Dimensions that the dry run asks for; the rest can be given to the API."""


@router.get("")
def gateway_page(request: Request, by: Reader) -> HTMLResponse:
    """The page."""
    place, found = here(request), services(request)
    states: States = request.app.state.gateway_states
    told = states.all()
    with found.database.reading() as tx:
        current = applied.current(by.ctx, tx)
        epoch = epochs.current(tx)
        names = {key.id: key.name for key in access.keys(tx, by.ctx.workspace)}
        dry = _dry_run(request, by, tx, place)
    configured = current.configuration if current else Configuration()
    workspace = by.ctx.workspace
    live = [one for state in told for one in state.live if one.workspace == workspace]
    live.sort(key=lambda one: one.started_at)
    return page(
        request,
        by,
        "gateway/gateway.html",
        timeless=True,
        version=current,
        processes=[_process(one, epoch) for one in told],
        upstreams=[_upstream(name, configured, told, workspace) for name in configured.upstreams],
        routes=[_route(name, route, configured) for name, route in configured.routes.items()],
        live=[
            {
                "at": one.started_at,
                "route": one.route,
                "model": one.model,
                "upstream": one.upstream,
                "key": names.get(one.key, one.key),
                "streaming": one.streaming,
            }
            for one in live[:MOST_LIVE]
        ],
        more_live=max(0, len(live) - MOST_LIVE),
        dry=dry,
        keys=sorted(names.items(), key=lambda pair: pair[1]),
        calls=f"/w/{by.workspace.slug}/calls",
        command=f"holdfast gateway apply gateway.yaml --workspace {by.workspace.slug}",
    )


def _dry_run(request: Request, by: Caller, tx: Transaction, place: Here) -> dict[str, Any]:
    """The form as it was filled, and what it resolves to where a model was named."""
    asked = {
        name: (place.get(f"ask_{name}") or "")[:300] for name in ("model", "dialect", "key", "route", *SAYS)
    }
    made: dict[str, Any] = {"asked": asked, "says": SAYS, "told": None}
    if not asked["model"]:
        return made
    try:
        dialect = Dialect(asked["dialect"] or "openai")
    except ValueError:
        raise Invalid("there is no such dialect", where="ask_dialect") from None
    said = Dimensions(route=asked["route"], **{name: asked[name] for name in SAYS})
    pricer = request.app.state.gateway_pricer
    made["told"] = explained.explain(
        by.ctx, tx, pricer, model=asked["model"], dialect=dialect, key=asked["key"], said=said
    )
    made["dimensions"] = [
        (name, getattr(made["told"].dimensions, name))
        for name in Dimensions.__struct_fields__
        if getattr(made["told"].dimensions, name)
    ]
    return made


def _process(state: State, epoch: int) -> dict[str, Any]:
    return {
        "id": state.id,
        "version": state.version,
        "current": state.epoch == epoch,
        "epoch": state.epoch,
        "started_at": state.started_at,
        "at": state.at,
        "waiting": state.spool_bytes,
    }


def _upstream(name: str, configured: Configuration, told: Sequence[State], workspace: str) -> dict[str, Any]:
    """One upstream over all processes: the worst breaker, sums of what adds, the slowest of what does not."""
    upstream = configured.upstreams[name]
    found = [
        one
        for state in told
        for one in state.upstreams
        if one.workspace == workspace and one.upstream == name
    ]
    return {
        "name": name,
        "provider": provider_of(upstream),
        "dialect": upstream.dialect.value,
        "region": upstream.region,
        "models": ", ".join(upstream.models),
        "used": bool(found),
        "breakers": [(one.model, one.breaker) for one in found if one.breaker != "closed"],
        "in_flight": _once(found, "in_flight"),
        "limit": _once(found, "limit"),
        "waiting": _once(found, "waiting"),
        "requests": _once(found, "requests"),
        "failures": _once(found, "failures"),
        "p50": max((one.p50_ms for one in found if one.p50_ms is not None), default=None),
        "p95": max((one.p95_ms for one in found if one.p95_ms is not None), default=None),
    }


def _once(found: Sequence[UpstreamState], field: str) -> int:
    """What a process says of an upstream stands at each of its models: it counts once."""
    return max((getattr(one, field) or 0 for one in found), default=0)


def _route(name: str, route: Route, configured: Configuration) -> dict[str, Any]:
    total = sum(one.weight for one in route.variants)
    shares = [(one.release, one.weight / total if total else 0.0) for one in route.variants]
    releases = shares or [(route.release, 1.0)]
    return {
        "name": name,
        "href": f"?route={quote(name)}",
        "models": ", ".join(route.models),
        "system": route.system,
        "releases": [
            {"name": release, "share": share, "chain": _chain(configured.releases.get(release))}
            for release, share in releases
        ],
        "shadow": f"{route.shadow.percent:g} % to {route.shadow.release}" if route.shadow else "",
        "cache": route.cache_seconds,
    }


def _chain(release: Release | None) -> str:
    if release is None:
        return ""
    return " → ".join(f"{one.upstream} {one.model}".strip() for one in release.chain)
