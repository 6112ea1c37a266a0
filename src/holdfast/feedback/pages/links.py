"""What whoever has a link sees: thumbs and a comment, without log-in or scripts; and the widget for other sites."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from holdfast.feedback.actions import links
from holdfast.feedback.actions.links import Opened
from holdfast.feedback.actions.pacing import Pace
from holdfast.feedback.actions.taking import Taking
from holdfast.feedback.model import Item, Source
from holdfast.feedback.reads import items as reads
from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Exhausted, NotFound
from holdfast.platform.access.guard import network, services
from holdfast.platform.frame import frame

router = APIRouter(include_in_schema=False)
WIDGET = (Path(__file__).parent.parent / "templates" / "widget.js").read_text(encoding="utf-8")
MAX_COMMENT = 5000
GUEST = "guest"
ANSWERS_OF_A_LINK = (30, 3600.0)
"""How often one link is answered, in how many seconds."""
ANSWERS_OF_A_PLACE = (300, 60.0)
LOOKS_OF_A_PLACE = (1200, 60.0)
"""How often one sender (an address; a proxy is one) answers and looks."""
Token = str
Rating = Annotated[str, Form(max_length=2)]
Comment = Annotated[str, Form(max_length=100_000)]


@router.get("/feedback-widget.js")
def widget_script() -> Response:
    """The script that puts thumbs into another site's page."""
    headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
    return Response(WIDGET, media_type="text/javascript; charset=utf-8", headers=headers)


@router.get("/f/{token}")
def asked(request: Request, token: Token) -> HTMLResponse:
    """The page. Looking at it keeps nothing, so that a mail scanner gives no feedback."""
    return _asked(request, token, compact=False)


@router.get("/f/{token}/widget")
def asked_in_frame(request: Request, token: Token) -> HTMLResponse:
    """The same for a frame, on sites that the link's key names."""
    return _asked(request, token, compact=True)


@router.post("/f/{token}")
def answered(request: Request, token: Token, rating: Rating = "", comment: Comment = "") -> HTMLResponse:
    """Takes the answer; a later one replaces it."""
    return _answered(request, token, rating, comment, compact=False)


@router.post("/f/{token}/widget")
def answered_in_frame(
    request: Request, token: Token, rating: Rating = "", comment: Comment = ""
) -> HTMLResponse:
    """The same in a frame."""
    return _answered(request, token, rating, comment, compact=True)


def _asked(request: Request, token: str, *, compact: bool) -> HTMLResponse:
    try:
        _pace(request).admit([(f"look:{network(request)}", *LOOKS_OF_A_PLACE)], time.monotonic())
        found = _opened(request, token)
    except NotFound as error:
        return _show(request, None, "gone", compact=compact, status=404, problem=error.detail)
    with services(request).database.reading() as tx:
        before = reads.exists(_ctx(request, found), tx, found.link.id)
    return _show(request, found, "ask", compact=compact, token=token, before=before)


def _answered(request: Request, token: str, rating: str, comment: str, *, compact: bool) -> HTMLResponse:
    sender = network(request)
    try:
        _pace(request).admit([(f"answer:{sender}", *ANSWERS_OF_A_PLACE)], time.monotonic())
        found = _opened(request, token)
    except NotFound as error:
        return _show(request, None, "gone", compact=compact, status=404, problem=error.detail)
    again: dict[str, Any] = {
        "compact": compact,
        "token": token,
        "comment": comment[:MAX_COMMENT],
        "status": 422,
    }
    if rating not in ("1", "-1"):
        return _show(request, found, "ask", problem="Choose one of the two.", **again)
    if len(comment) > MAX_COMMENT or "\x00" in comment:
        return _show(
            request, found, "ask", problem=f"A comment has at most {MAX_COMMENT:,} characters.", **again
        )
    try:
        _pace(request).admit([(f"link:{found.link.id}", *ANSWERS_OF_A_LINK)], time.monotonic())
    except Exhausted as error:
        return _show(
            request,
            found,
            "ask",
            problem="Too many answers; wait a little.",
            **again | {"status": error.status},
        )
    ctx = _ctx(request, found)
    item = Item(
        id=found.link.id,
        workspace=ctx.workspace,
        source=Source.WIDGET if compact else Source.LINK,
        call_id=found.link.call_id,
        trace_id=found.link.trace_id,
        session=None,
        rating=int(rating),
        score=None,
        label=None,
        comment=comment.strip() or None,
        correction=None,
        used=None,
        author=None,
        created_at=ctx.now,
        received_at=ctx.now,
    )
    taking: Taking = request.app.state.feedback_taking
    taking.take(ctx, [item], revise=True)
    return _show(
        request, found, "thanks", compact=compact, token=token, rating=int(rating), comment=comment.strip()
    )


def _opened(request: Request, token: str) -> Opened:
    found = services(request)
    with found.database.reading() as tx:
        return links.open_link(tx, found.settings, token, found.clock())


def _ctx(request: Request, found: Opened) -> Context:
    return Context(
        found.key.workspace, Actor("system", GUEST, "Whoever has the link"), services(request).clock()
    )


def _pace(request: Request) -> Pace:
    found: Pace = request.app.state.feedback_pace
    return found


def _show(
    request: Request,
    found: Opened | None,
    step: str,
    *,
    compact: bool,
    token: str = "",
    status: int = 200,
    rating: int | None = None,
    before: bool = False,
    problem: str = "",
    comment: str = "",
) -> HTMLResponse:
    text = frame(request).renderer.render(
        "feedback/asked.html",
        action=f"/f/{token}/widget" if compact else f"/f/{token}",
        step=step,
        compact=compact,
        rating=rating,
        before=before,
        problem=problem,
        comment=comment,
        most=MAX_COMMENT,
    )
    sites = " ".join(found.key.origins) if compact and found is not None else ""
    ancestors = sites or "'none'"
    headers = {
        "content-security-policy": (
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
            f"frame-ancestors {ancestors}"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex",
    }
    return HTMLResponse(text, status, headers)
