"""The frame around every page: who reads, where, over which time, and the rail of the rooms that exist."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.access.model import Caller, Scope
from holdfast.web import shell
from holdfast.web.links import Here
from holdfast.web.render import Renderer

log = logging.getLogger("holdfast.frame")

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
CARRY = ("system", "environment", "range", "from", "to")
RANGES = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
GROUPS = ("Observe", "Evaluate", "Change", "Respond", "Evidence", "Workspace")


@dataclass(frozen=True, slots=True)
class Place:
    """A page that a room puts into the rail. `path` follows /w/<workspace>/; `needs` is the permission to see it."""

    group: str
    label: str
    path: str
    icon: str
    key: str
    needs: Scope = Scope.READ
    exists: Callable[[str], bool] = lambda _: True  # given the workspace's short name


Dimensions = Callable[[Caller], tuple[list[str], list[str]]]
"""Systems and environments that a caller can choose from."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a room puts into a slot of another room's page: a partial of its own, and what the partial shows."""

    template: str
    context: Mapping[str, Any] = field(default_factory=dict)


Filler = Callable[[Request, Caller, Mapping[str, Any]], Any]
"""Asked for each page with what the slot says of itself; answers a Part (or, where the slot says so, data), or None."""


@dataclass(slots=True)
class Frame:
    """What the rooms plugged in at start. `banners` are asked for each page."""

    renderer: Renderer
    places: list[Place] = field(default_factory=list)
    sections: list[tuple[str, str, str]] = field(default_factory=list)  # of the settings: label, path, icon
    slots: dict[str, list[Filler]] = field(default_factory=dict)  # by the name that a page declares
    dimensions: Dimensions = lambda _: ([], [])
    workspaces: Callable[[Caller], list[tuple[str, str]]] = lambda caller: [
        (caller.workspace.slug, caller.workspace.name)
    ]

    def fill(self, slot: str, filler: Filler) -> None:
        """Puts something into a named slot, after what is there already. Called from a room's wiring."""
        self.slots.setdefault(slot, []).append(filler)


def frame(request: Request) -> Frame:
    """The process's frame."""
    found: Frame = request.app.state.frame
    return found


def here(request: Request) -> Here:
    """The reader's address."""
    return Here.of(request.url.path, request.url.query)


def time_range(place: Here, now: datetime) -> tuple[datetime, datetime]:
    """The time range in force. Raises Invalid where `from` or `to` is no instant, or they are the wrong way round."""
    start_text, end_text = place.get("from"), place.get("to")
    if start_text or end_text:
        end = parse_instant(end_text, "to") if end_text else now
        start = parse_instant(start_text, "from") if start_text else end - RANGES["24h"]
        if start >= end:
            raise Invalid("the range ends before it begins", where="from")
        return start, end
    chosen = RANGES.get(place.get("range", "24h"))
    if chosen is None:
        raise Invalid(f"there is no such range; there are {', '.join(RANGES)}", where="range")
    return now - chosen, now


def shell_of(
    request: Request, caller: Caller, banners: tuple[shell.Banner, ...] = (), *, timeless: bool = False
) -> shell.Shell:
    """The shell for a page in a workspace."""
    found, place = frame(request), here(request)
    base = f"/w/{caller.workspace.slug}"
    start, end = time_range(place, caller.ctx.now)
    systems, environments = found.dimensions(caller)
    workspaces = tuple(
        shell.Option(name, f"/w/{slug}/today", slug == caller.workspace.slug)
        for slug, name in found.workspaces(caller)
    )
    selectors = (
        shell.Selector("workspace", "Workspace", caller.workspace.name, workspaces, "grid"),
        shell.parameter_selector(
            place, "system", "System", tuple((s, s) for s in systems), "All systems", "cube"
        ),
        shell.parameter_selector(
            place,
            "environment",
            "Environment",
            tuple((e, e) for e in environments),
            "All environments",
            "layers",
        ),
    )
    groups = tuple(
        shell.NavGroup(
            group, tuple(_item(one, place, base) for one in found.places if _shown(one, group, caller))
        )
        for group in GROUPS
    )
    reader = shell.Reader(caller.ctx.actor.name, caller.email)
    return shell.Shell(
        nav=groups,
        selectors=selectors,
        time=None if timeless else shell.time_choice(place, iso(start), iso(end)),
        reader=reader,
        csrf_token=caller.csrf,
        home=f"{base}/today",
        banners=banners,
    )


def _shown(place: Place, group: str, caller: Caller) -> bool:
    return place.group == group and caller.may(place.needs) and place.exists(caller.workspace.slug)


def _item(place: Place, at: Here, base: str) -> shell.NavItem:
    address = f"{base}/{place.path}"
    current = at.path == address or at.path.startswith(address + "/")
    return shell.NavItem(place.label, shell.carried(address, at, CARRY[:2]), place.icon, place.key, current)


def page(
    request: Request,
    caller: Caller,
    template: str,
    *,
    banners: tuple[shell.Banner, ...] = (),
    timeless: bool = False,
    **context: Any,
) -> HTMLResponse:
    """A whole page; a `timeless` one has no time range."""
    place = here(request)
    text = frame(request).renderer.render(
        template,
        shell=shell_of(request, caller, banners, timeless=timeless),
        here=place,
        base=f"/w/{caller.workspace.slug}",
        carry=CARRY,
        **context,
    )
    return HTMLResponse(text, headers=HEADERS)


def fragment(request: Request, caller: Caller, template: str, **context: Any) -> HTMLResponse:
    """A part of a page, fetched afterwards."""
    base = f"/w/{caller.workspace.slug}"
    text = frame(request).renderer.render(template, here=here(request), base=base, carry=CARRY, **context)
    return HTMLResponse(text, headers=HEADERS)


FAILED = Part("_failed.html")


def gathered(request: Request, caller: Caller, slot: str, **facts: Any) -> list[Any]:
    """What rooms have for a slot, in the order of their wiring. `facts` is what the page tells them.

    A room that fails says so in its place (`FAILED`) and does not take the page down with it.
    """
    found = []
    for filler in frame(request).slots.get(slot, ()):
        try:
            found.append(filler(request, caller, facts))
        except Exception:
            log.exception("the slot %s could not be filled", slot)
            found.append(FAILED)
    return [one for one in found if one is not None]


def parts(request: Request, caller: Caller, slot: str, tag: str = "div", **facts: Any) -> list[Markup]:
    """The partials that rooms put into a slot, rendered. `tag`: what each of them is, a `div` or a list's `li`."""
    shared = {"here": here(request), "base": f"/w/{caller.workspace.slug}", "carry": CARRY}
    shared |= {"csrf_token": caller.csrf, "tag": tag}
    render = frame(request).renderer.render
    found = []
    for one in gathered(request, caller, slot, **facts):
        try:
            text = render(one.template, **{**shared, **one.context})
        except Exception:  # the same edge as in `gathered`
            log.exception("the slot %s could not be shown", slot)
            text = render(FAILED.template, **shared)
        found.append(Markup(text))  # noqa: S704 - our own templates, which escape
    return found
