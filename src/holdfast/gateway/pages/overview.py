"""The Gateway page: the processes, requests under way, upstreams as they are now, routes, and what passes through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from holdfast.gateway.dialects.shelf import provider_of
from holdfast.gateway.model import Configuration, Release, Route
from holdfast.gateway.pages.doors import Reader, tabs
from holdfast.gateway.reads import applied
from holdfast.gateway.reads import share as shares
from holdfast.gateway.reads.failures import failures
from holdfast.gateway.reads.states import States
from holdfast.gateway.states import State, UpstreamState
from holdfast.platform.access import reads as access
from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller
from holdfast.platform.epochs import reads as epochs
from holdfast.platform.frame import fragment, page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/gateway")
MOST_LIVE = 50


@router.get("")
def gateway_page(request: Request, by: Reader) -> HTMLResponse:
    """The page."""
    found = services(request)
    told = _states(request)
    with found.database.reading() as tx:
        current = applied.current(by.ctx, tx)
        epoch = epochs.current(tx)
    configured = current.configuration if current else Configuration()
    workspace = by.ctx.workspace
    return page(
        request,
        by,
        "gateway/gateway.html",
        timeless=True,
        tabs=tabs(by, ""),
        version=current,
        processes=[_process(one, epoch) for one in told],
        upstreams=[_upstream(name, configured, told, workspace) for name in configured.upstreams],
        routes=[_route(name, route, configured) for name, route in configured.routes.items()],
        calls=f"/w/{by.workspace.slug}/calls",
        command=f"holdfast gateway apply gateway.yaml --workspace {by.workspace.slug}",
        **_live(request, by, told),
    )


@router.get("/live")
def live_fragment(request: Request, by: Reader) -> HTMLResponse:
    """Requests under way, as gateways said last."""
    return fragment(request, by, "gateway/_live.html", **_live(request, by, _states(request)))


@router.get("/share")
def share_fragment(
    request: Request, by: Reader, window: Annotated[Literal["24h", "7d"], Query()] = "24h"
) -> HTMLResponse:
    """Which share of each system's traffic passes through Holdfast."""
    found = services(request)
    with found.database.reading() as tx:
        systems = shares.systems(by.ctx, tx)
    rows = shares.share(by.ctx, found.columns, window, systems)
    return fragment(request, by, "gateway/_share.html", window=window, rows=rows)


@router.get("/failures")
def failures_fragment(request: Request, by: Reader) -> HTMLResponse:
    """Failed calls of the last hour, by route."""
    found = services(request)
    with found.database.reading() as tx:
        current = applied.current(by.ctx, tx)
    routes = list(current.configuration.routes) if current else []
    base = f"/w/{by.workspace.slug}"
    rows = [
        {
            "route": one.route,
            "href": f"{base}/calls?route={quote(one.route)}&status=error&range=1h",
            "calls": one.calls,
            "errors": one.errors,
            "rate": one.errors / one.calls if one.calls else None,
            "last": one.last_at
            and {
                "at": one.last_at,
                "type": one.last_type or "failed",
                "trace_href": f"{base}/traces/{one.last_trace}",
            },
        }
        for one in failures(by.ctx, found.columns, routes)
    ]
    return fragment(request, by, "gateway/_failures.html", rows=rows)


def _states(request: Request) -> tuple[State, ...]:
    states: States = request.app.state.gateway_states
    return states.all()


def _live(request: Request, by: Caller, told: Sequence[State]) -> dict[str, Any]:
    with services(request).database.reading() as tx:
        names = {key.id: key.name for key in access.keys(tx, by.ctx.workspace)}
    live = [one for state in told for one in state.live if one.workspace == by.ctx.workspace]
    live.sort(key=lambda one: one.started_at)
    return {
        "live": [
            {
                "age_ms": max(0.0, (by.ctx.now - one.started_at) / timedelta(milliseconds=1)),
                "route": one.route,
                "model": one.model,
                "upstream": one.upstream,
                "key": names.get(one.key, one.key),
                "system": one.system,
                "streaming": one.streaming,
                "call_id": one.call_id,
            }
            for one in live[:MOST_LIVE]
        ],
        "more_live": max(0, len(live) - MOST_LIVE),
    }


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
