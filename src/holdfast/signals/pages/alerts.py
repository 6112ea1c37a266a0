"""Alerts: what is open, what was, and the channels that fail to tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller
from holdfast.platform.access.model import Scope as Permission
from holdfast.platform.frame import Part, here, page
from holdfast.platform.notify import reads as channels
from holdfast.signals.reads import alerts as reads
from holdfast.storage.sql import Transaction
from holdfast.web.shell import Banner

WAITING = 5
"""Open alerts that the page of the day names."""

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/alerts")
Reader = Annotated[Caller, Depends(page_caller(Permission.READ))]


@router.get("")
def alerts_page(request: Request, by: Reader) -> HTMLResponse:
    """Open alerts first, then past ones, page by page."""
    cursor = here(request).get("cursor") or None
    with services(request).database.reading() as tx:
        still = reads.alerts(by, tx, is_open=True, limit=reads.MOST)
        past = reads.alerts(by, tx, is_open=False, limit=50, cursor=cursor)
        watched = reads.watched(by, tx)
        banners = failing(by, tx)
        told = _channels(by, tx)
    return page(
        request,
        by,
        "signals/alerts.html",
        banners=banners,
        timeless=True,
        tabs=tabs(by, "alerts", len(still.items), len(watched)),
        still=still.items,
        past=past.items,
        next_cursor=past.next_cursor,
        rules=len(watched),
        unknown=sum(one.rule.enabled and one.memory.state == "unknown" for one in watched),
        told=told,
        may_change=by.may(Permission.ADMIN) and by.reach[Permission.ADMIN].everywhere,
    )


def tabs(by: Caller, current: str, alerts: int | None, rules: int) -> list[dict[str, Any]]:
    """Alerts and rules, side by side."""
    base = f"/w/{by.workspace.slug}/alerts"
    return [
        {"label": "Alerts", "href": base, "current": current == "alerts", "count": alerts},
        {"label": "Rules", "href": f"{base}/rules", "current": current == "rules", "count": rules},
    ]


def failing(by: Caller, tx: Transaction) -> tuple[Banner, ...]:
    """A banner for each channel that fails; for who may see the whole workspace."""
    if not by.reach[Permission.READ].everywhere:
        return ()
    settings = f"/w/{by.workspace.slug}/settings/notifications"
    return tuple(
        Banner(
            "danger",
            f"Messages to “{one.name}” do not arrive: {one.failure}",
            settings if by.may(Permission.ADMIN) else "",
            "Look at it",
        )
        for one in channels.failing(by.ctx, tx)
    )


def _channels(by: Caller, tx: Transaction) -> bool:
    """Whether anybody is told."""
    return any(one.enabled for one in channels.channels(by.ctx, tx))


def waiting(request: Request, by: Caller, told: Mapping[str, Any]) -> Part | None:
    """Open alerts and rules that cannot say, for the page of the day; of the systems that it is narrowed to, if any."""
    with services(request).database.reading() as tx:
        still = reads.alerts(by, tx, is_open=True, limit=reads.MOST).items
        watched = reads.watched(by, tx)
    systems = told["equals"].get("system")
    shown = [one for one in still if not systems or not one.system or one.system in systems]
    unknown = sum(one.rule.enabled and one.memory.state == "unknown" for one in watched)
    if not shown and not unknown:
        return None
    return Part(
        "signals/_waiting.html", {"alerts": shown[:WAITING], "more": len(shown[WAITING:]), "unknown": unknown}
    )
