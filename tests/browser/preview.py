"""Every page on invented data, on a real socket: `cd tests && python -m browser.preview`, then http://127.0.0.1:8499/."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from browser import samples, standing_samples
from holdfast.kernel.errors import Denied, Exhausted
from holdfast.web import problems, shell
from holdfast.web.assets import Assets
from holdfast.web.charts import ticks
from holdfast.web.links import Here
from holdfast.web.render import Renderer

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
TEMPLATES = Path(__file__).parents[2] / "src/holdfast/telemetry/templates"
ACCESS = Path(__file__).parents[2] / "src/holdfast/platform/access/templates"
CARRY = ("system", "environment", "range", "from", "to")
ASSETS = Assets()
RENDERER = Renderer(
    {"telemetry": TEMPLATES, "access": ACCESS, "preview": Path(__file__).parent / "templates"},
    ASSETS,
    lambda: samples.NOW,
)

PAGES = (
    "/w/acme/today",
    "/w/acme/today?quiet=1",
    "/w/acme/today?nothing=1",
    "/w/acme/portfolio",
    "/w/acme/systems/hr-copilot",
    "/w/acme/systems/hr-copilot?quiet=1",
    "/w/acme/systems/hr-copilot?tab=instrumentation",
    "/w/acme/systems/hr-copilot?tab=instrumentation&quiet=1",
    "/w/acme/calls",
    "/w/acme/calls?model=claude-haiku-4-6&status=error&q=carry+over&live=1",
    "/w/acme/calls?empty=1",
    "/w/acme/calls?nothing=1",
    "/w/acme/traces/5b8e?span=aa",
    "/w/acme/traces/5b8e?span=aa&tab=tokens",
    "/w/acme/traces/5b8e?span=aa&tab=facts",
    "/w/acme/traces/5b8e?span=aa&tab=attributes",
    "/w/acme/traces/5b8e?span=aa&tab=events",
    "/w/acme/traces/5b8e?span=aa&state=denied",
    "/w/acme/traces/5b8e?span=aa&state=expired&tab=conversation",
    "/w/acme/traces/5b8e?span=aa&state=odd",
    "/w/acme/traces/5b8e?span=aa&tab=tokens&price=unknown",
    "/w/acme/traces/5b8e?span=a7&kind=tool&tab=tokens",
    "/w/acme/settings",
    "/w/acme/settings/keys",
    "/w/acme/settings/systems",
    "/sign-in",
    "/w/acme/demo",
    "/w/acme/gallery",
    "/missing",
)


def here_of(request: Request) -> Here:
    return Here.of(request.url.path, request.url.query)


def frame(request: Request) -> shell.Shell:
    """The shell as a product would fill it."""
    here = here_of(request)

    def item(label: str, path: str, icon: str, key: str = "", count: int | None = None) -> shell.NavItem:
        at = f"/w/acme/{path}"
        return shell.NavItem(
            label, shell.carried(at, here, CARRY[:2]), icon, key, here.path.startswith(at), count
        )

    nav = (
        shell.NavGroup(
            "Observe", (item("Calls", "calls", "list", "c"), item("Gallery", "gallery", "overview", "o"))
        ),
        shell.NavGroup("Evaluate", ()),
        shell.NavGroup("Respond", (item("Incidents", "incidents", "alert", "i", 2),)),
        shell.NavGroup(
            "Workspace", (item("Settings", "settings", "settings", "s"), item("Demo", "demo", "power", "d"))
        ),
    )
    selectors = (
        shell.Selector(
            "workspace",
            "Workspace",
            "Acme",
            (shell.Option("Acme", "/w/acme/calls", True), shell.Option("Birch", "/w/birch/calls")),
            "grid",
        ),
        shell.parameter_selector(
            here,
            "system",
            "System",
            (("hr-copilot", "hr-copilot"), ("claims-triage", "claims-triage")),
            "All systems",
            "cube",
        ),
        shell.parameter_selector(
            here,
            "environment",
            "Environment",
            (("production", "production"), ("staging", "staging")),
            "All environments",
            "layers",
        ),
    )
    time = shell.time_choice(here, "2026-11-20T20:14:03Z", "2026-11-21T20:14:03Z")
    banners = (
        shell.Banner(
            "sample",
            "Part of what shows here is sample data: generated history, marked wherever it stands.",
            "/w/acme/calls?sample=no",
            "Hide it",
        ),
    )
    reader = shell.Reader("Ada Lindqvist", "ada@acme.example", "operator")
    return shell.Shell(
        nav, selectors, time, reader, "csrf-for-preview", banners=banners if "calls" in here.path else ()
    )


def html(name: str, request: Request, **context: Any) -> Response:
    page = RENDERER.render(
        name, shell=frame(request), here=here_of(request), base="/w/acme", carry=CARRY, **context
    )
    return HTMLResponse(page, headers={"content-security-policy": CSP})


def calls(request: Request) -> Response:
    lazy = "lazy" in request.query_params
    found = [] if "empty" in request.query_params else [samples.call(n) for n in range(1, 61)]
    return html(
        "telemetry/calls.html",
        request,
        calls=found,
        next_cursor="abc",
        sorts={"started_at", "duration_ms", "cost_amount"},
        facets=None if lazy else samples.facets(),
        summary=None if lazy else samples.summary(),
        live="live" in request.query_params,
        tail_cursor="0",
        views=[{"id": "v1", "name": "Slow answers, production", "href": "/w/acme/calls?min_ms=5000"}],
        view_saved="status=error",
        exports=[
            {"label": kind, "href": f"/w/acme/calls/export?format={kind.lower()}"}
            for kind in ("CSV", "Parquet", "JSONL")
        ],
        ever="nothing" not in request.query_params,
        endpoint="http://127.0.0.1:8400",
        may_make_key=True,
        keys_href="/w/acme/settings/keys",
    )


def today(request: Request) -> Response:
    context = standing_samples.today(quiet="quiet" in request.query_params)
    context["ever"] = "nothing" not in request.query_params
    return html("telemetry/today.html", request, **context)


def portfolio(request: Request) -> Response:
    return html("telemetry/portfolio.html", request, **standing_samples.portfolio())


def system(request: Request) -> Response:
    tab = request.query_params.get("tab", "")
    context = standing_samples.system(tab, quiet="quiet" in request.query_params)
    return html(f"telemetry/system{'_checks' if tab else ''}.html", request, **context)


def tail(request: Request) -> Response:
    number = int(request.query_params.get("after") or 0)
    fresh = [samples.call(5000 + number)] if number < 3 else []
    return html("telemetry/_tail.html", request, calls=fresh, tail_cursor=str(number + 1), answering=True)


def facets_later(request: Request) -> Response:
    return html("telemetry/_facets.html", request, facets=samples.facets())


def summary_later(request: Request) -> Response:
    return html("telemetry/_summary.html", request, summary=samples.summary())


def trace(request: Request) -> Response:
    asked = request.query_params
    state = asked.get("state", "captured")
    span = samples.span("captured" if state == "odd" else state, asked.get("price") != "unknown")
    span |= {"id": asked.get("span", "aa")}
    if state == "odd":
        span |= {"content": samples.odd_content()}
    if asked.get("kind") == "tool":
        span |= {
            "kind": "tool",
            "call": None,
            "charge": None,
            "usage": [],
            "status": "error",
            "status_message": "timed out",
        }
    return html(
        "telemetry/trace.html",
        request,
        trace=samples.trace(),
        rows=samples.rows(),
        ticks=ticks(4310.0),
        span=span,
        tab=asked.get("tab", "conversation"),
        scores="",
    )


def sections(current: str) -> list[dict[str, Any]]:
    names = (
        ("Workspace", "", "grid"),
        ("Systems", "systems", "cube"),
        ("Environments", "environments", "layers"),
        ("Members", "members", "users"),
        ("API keys", "keys", "key"),
        ("Content and retention", "content", "shield"),
        ("Price book", "prices", "coin"),
    )
    return [
        {"label": label, "href": f"/w/acme/settings/{path}", "icon": icon, "current": path == current}
        for label, path, icon in names
    ]


SYSTEM_FORM = {
    "action": "/w/acme/settings/systems",
    "submit": "Add the system",
    "fields": [
        {
            "name": "name",
            "label": "Name",
            "required": True,
            "value": "hr copilot",
            "error": "Letters, digits and - only.",
        },
        {"name": "owner", "label": "Owner", "required": True, "hint": "Answers for it day by day."},
        {
            "name": "tier",
            "label": "Risk tier",
            "required": True,
            "value": "limited",
            "options": [("minimal", "minimal"), ("limited", "limited"), ("high", "high")],
        },
        {"name": "purpose", "label": "Purpose", "rows": 3},
    ],
}


def settings(request: Request) -> Response:
    form = {
        "action": "/w/acme/settings",
        "submit": "Save",
        "fields": [{"name": "name", "label": "Name", "value": "Acme", "required": True}],
    }
    return html(
        "access/settings_form.html",
        request,
        sections=sections(""),
        heading_text="Workspace",
        intro="",
        saved="Saved",
        form=form,
    )


def systems(request: Request) -> Response:
    return html(
        "access/settings_list.html",
        request,
        sections=sections("systems"),
        heading_text="Systems",
        intro="One AI system in scope each.",
        columns=[{"key": "name", "label": "System"}],
        rows=[],
        form=SYSTEM_FORM,
        revealed=None,
        empty_title="No systems yet",
        empty_text="A system appears by itself when its first call comes in, or is added here.",
    )


def keys(request: Request) -> Response:
    rows = [
        {
            "cells": {"prefix": f"hf_{name}…", "scopes": "ingest", "made": "3 Nov 2026", "used": used},
            "href": "",
            "actions": [
                {"words": "Revoke", "action": "/w/acme/settings/keys/k1/revoke", "ask": "Revoke this key?"}
            ],
        }
        for name, used in (("ab12", "2 min ago"), ("9xk3", None))
    ]
    columns = [
        {"key": key, "label": label}
        for key, label in (("prefix", "Key"), ("scopes", "Scopes"), ("made", "Made"), ("used", "Last used"))
    ]
    revealed = {
        "title": "Your new key.",
        "note": "It is shown this once; store it now.",
        "value": "hf_k3v9q2m7x1c8b5n4z6l0p9w8e7r5t3y1",
    }
    return html(
        "access/settings_list.html",
        request,
        sections=sections("keys"),
        heading_text="API keys",
        intro="",
        columns=columns,
        rows=rows,
        form=None,
        revealed=revealed,
        empty_title="",
        empty_text="",
    )


def sign_in(request: Request) -> Response:
    return html(
        "access/sign_in.html",
        request,
        csrf_token="t",
        action="/sign-in",
        email="",
        error="That e-mail and password do not belong together.",
        local=True,
        providers=[{"label": "Continue with Acme SSO", "href": "/oidc/acme"}],
        next="/",
        first_start=True,
    )


def demo(request: Request) -> Response:
    faults = [
        {
            "id": "prompt",
            "name": "Lengthen the prompt",
            "does": "Adds 4,000 tokens of boilerplate to every prompt.",
            "broken": True,
            "since": samples.NOW,
            "watch": "Watch tokens per call.",
            "watch_href": "/w/acme/calls",
        },
        {
            "id": "slow",
            "name": "Slow the upstream",
            "does": "Holds every answer of the model back for 3 s.",
            "broken": False,
            "since": None,
            "watch": "Watch the latency.",
            "watch_href": "/w/acme/calls",
        },
    ]
    return html("telemetry/demo.html", request, model="SmolLM2 135M", faults=faults, action="/w/acme/demo")


def gallery(request: Request) -> Response:
    chart = {
        "label": "Latency over time",
        "unit": "ms",
        "times": [1763700000 + 900 * n for n in range(96)],
        "series": [
            {"label": "p50", "values": [800 + n % 9 * 30 for n in range(96)]},
            {
                "label": "p95",
                "values": [None if 30 < n < 36 else 3000 + n % 13 * 190 for n in range(96)],
                "tone": "danger",
            },
        ],
    }
    return html("preview/gallery.html", request, chart=chart, money=Decimal("0.0024"))


def refuse(error: Exception) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        raise error

    return endpoint


def problem_page(request: Request, problem: problems.Problem) -> str:
    return RENDERER.render("problem.html", problem=problem, home="/")


def build() -> Starlette:
    """The preview application."""
    app = Starlette(
        routes=[
            Route("/", lambda _: RedirectResponse("/w/acme/calls")),
            Route("/w/acme/today", today),
            Route("/w/acme/portfolio", portfolio),
            Route("/w/acme/systems/hr-copilot", system),
            Route("/w/acme/calls", calls),
            Route("/w/acme/calls/tail", tail),
            Route("/w/acme/calls/facets", facets_later),
            Route("/w/acme/calls/summary", summary_later),
            Route("/w/acme/traces/{id}", trace),
            Route("/w/acme/settings", settings),
            Route("/w/acme/settings/", settings),
            Route("/w/acme/settings/keys", keys),
            Route("/w/acme/settings/systems", systems),
            Route("/sign-in", sign_in),
            Route("/w/acme/demo", demo),
            Route("/w/acme/gallery", gallery),
            Route("/denied", refuse(Denied("Only an admin may do this."))),
            Route("/busy", refuse(Exhausted("Too many sign-ins.", retry_after=30))),
            Route("/broken", refuse(RuntimeError("password=hunter2"))),
            Mount(ASSETS.mount, ASSETS),
        ]
    )
    problems.install(app, problem_page)
    return app


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(build(), port=8499, log_level="warning")
